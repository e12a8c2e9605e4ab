"""The gate's whole check of one file, in the process that calls it; the child process is its normal caller.

1. Parse with limits. 2. Policy: imports, start, exports. 3. Validate. 4. Instrument, which holds every body against
its limits. 5. Compile and instantiate the result once, so that it cannot fail in a match.
"""

from __future__ import annotations

from hashlib import sha256

from wasmtime import Engine, Instance, Module, Store, Trap, WasmtimeError

from engine.league.engines import run_engine, validation_engine
from engine.league.gate.instrument import instrument
from engine.league.gate.limits import MAX_FILE_BYTES, Caps, caps_for
from engine.league.gate.policy import AGENT_EXPORTS, SYSTEM_EXPORTS, PolicyError, check_agent, check_shape, check_system
from engine.league.gate.verdict import Verdict
from engine.league.system import SystemSpec
from engine.league.wasm.leb import MalformedModuleError
from engine.league.wasm.sections import parse_module


def too_large(size: int) -> str:
    """Return the reason to refuse a file of that size, empty when it may be read."""
    if size <= MAX_FILE_BYTES:
        return ""
    return f"the file has {size} bytes, at most {MAX_FILE_BYTES} are allowed"


class Inspector:
    """Checks files one after another; holds the two engines."""

    def __init__(self) -> None:
        self._validation: Engine = validation_engine()
        self._run: Engine = run_engine()

    def check(self, data: bytes, kind: str, name: str = "") -> Verdict:
        """Return the verdict. Raises KeyError for a ``kind`` other than "agent" and "system"."""
        caps = caps_for(kind)
        digest = sha256(data).hexdigest()
        try:
            reason = too_large(len(data))
            if reason:
                raise PolicyError(reason)
            abi, spec, output = self._admit(data, caps)
        except (PolicyError, MalformedModuleError) as error:
            return Verdict(name, digest, False, str(error), kind)
        return Verdict(name, digest, True, "", kind, abi, output, spec)

    def _admit(self, data: bytes, caps: Caps) -> tuple[str, SystemSpec | None, bytes]:
        module = parse_module(data, caps)
        check_shape(module, caps)
        spec: SystemSpec | None = None
        if caps.kind == "agent":
            abi, exports = check_agent(module), AGENT_EXPORTS
        else:
            (abi, spec), exports = check_system(module), SYSTEM_EXPORTS
        try:
            Module.validate(self._validation, data)
        except WasmtimeError as error:
            raise PolicyError(f"invalid: {_one_line(error)}") from None
        output = instrument(module, caps, exports)
        self._rehearse(output)
        return abi, spec, output

    def _rehearse(self, output: bytes) -> None:
        try:
            module = Module(self._run, output)
        except WasmtimeError as error:
            raise PolicyError(f"does not compile: {_one_line(error)}") from None
        with Store(self._run) as store:
            store.set_epoch_deadline(1)
            try:
                Instance(store, module, [])
            except (Trap, WasmtimeError) as error:
                raise PolicyError(f"does not start: {_one_line(error)}") from None
        module.close()


def _one_line(error: Exception) -> str:
    """The engine's message without its back trace, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kept = [line for line in lines if not line.startswith(("wasm backtrace", "Caused by", "0:", "error while"))]
    return "; ".join(kept or lines)[:400]
