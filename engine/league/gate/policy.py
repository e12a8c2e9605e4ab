"""What a module must and must not have, beyond being valid: imports, start, exports and their types."""

from __future__ import annotations

from typing import Final

from engine.league.errors import SystemSpecError
from engine.league.gate.limits import Caps
from engine.league.gate.verdict import MAILBOX, PACKED, SYSTEM_ABI, SYSTEM_LEGAL_ABI
from engine.league.system import SECTION, SystemSpec, parse_spec
from engine.league.wasm.reader import FUNC_EXPORT, KIND_NAMES, MEMORY_EXPORT, FuncType, ParsedModule

_I32, _I64, _NONE = b"\x7f", b"\x7e", b""
_MAILBOX_EXPORTS: Final = {"nets_obs": FuncType(_NONE, _I32), "nets_obs_cap": FuncType(_NONE, _I32)}
_DECIDE: Final = {"decide": FuncType(_I64, _I64)}
_SYSTEM_EXPORTS: Final = {
    "reset": FuncType(_I64, _NONE),
    "to_move": FuncType(_NONE, _I32),
    "observe": FuncType(_NONE, _I64),
    "observe_bytes": FuncType(_NONE, _I64),
    "step": FuncType(_I64, _NONE),
    "is_done": FuncType(_NONE, _I32),
    "score": FuncType(_I32, _I64),
    "state": FuncType(_NONE, _I64),
}
_IS_LEGAL: Final = {"is_legal": FuncType(_I64, _I32)}
_SET_PARAM: Final = {"set_param": FuncType(_I32 + _I64, _NONE)}
AGENT_EXPORTS: Final = frozenset({"memory", *_DECIDE, *_MAILBOX_EXPORTS})
SYSTEM_EXPORTS: Final = frozenset({"memory", *_SYSTEM_EXPORTS, *_IS_LEGAL, *_SET_PARAM})


class PolicyError(ValueError):
    """The module breaks a rule; the text is the reason shown."""


def check_shape(module: ParsedModule, caps: Caps) -> None:
    """Refuse imports, a start function, and memories or tables that begin too large."""
    if module.imports:
        title, name, kind = module.imports[0]
        what = KIND_NAMES[kind] if kind < len(KIND_NAMES) else "item"
        raise PolicyError(f"imports the {what} {f'{title}.{name}'!r}; a module may import nothing")
    if module.has_start:
        raise PolicyError("has a start function, which would run before the match")
    for memory in module.memories:
        if memory.minimum > caps.memory_pages:
            raise PolicyError(f"its memory begins with {memory.minimum} pages, at most {caps.memory_pages} are allowed")
    for table in module.tables:
        if table.minimum > caps.table_entries:
            raise PolicyError(
                f"its table begins with {table.minimum} entries, at most {caps.table_entries} are allowed"
            )


def check_agent(module: ParsedModule) -> str:
    """Return the agent's ABI. Raises PolicyError naming the export that is missing or wrong."""
    _require(module, _DECIDE)
    present = [name for name in _MAILBOX_EXPORTS if module.find_export(name)]
    if not present:
        return PACKED
    _require(module, _MAILBOX_EXPORTS, because=f" (it exports {present[0]!r}, so it takes observations as bytes)")
    _require_memory(module)
    return MAILBOX


def check_system(module: ParsedModule) -> tuple[str, SystemSpec]:
    """Return the System's ABI and description. Raises PolicyError naming what is missing or wrong."""
    _require(module, _SYSTEM_EXPORTS)
    _require_memory(module)
    legal = module.find_export("is_legal") is not None
    if legal:
        _require(module, _IS_LEGAL)
    section = module.custom(SECTION)
    if section is None:
        raise PolicyError(f"has no custom section {SECTION!r} that describes it")
    try:
        spec = parse_spec(section)
    except SystemSpecError as error:
        raise PolicyError(f"its section {SECTION!r} is wrong: {error.why}") from None
    if spec.params:
        _require(module, _SET_PARAM, because=" (its description has parameters)")
    return SYSTEM_LEGAL_ABI if legal else SYSTEM_ABI, spec


def _require(module: ParsedModule, wanted: dict[str, FuncType], because: str = "") -> None:
    for name, kind in wanted.items():
        export = module.find_export(name)
        if export is None:
            raise PolicyError(f"does not export the function {name!r}{because}")
        if export.kind != FUNC_EXPORT:
            raise PolicyError(f"exports {name!r} as a {KIND_NAMES[export.kind]}, not as a function")
        if export.index >= len(module.functions):
            raise PolicyError(f"exports {name!r} as the unknown function {export.index}")
        actual = module.types[module.functions[export.index]]
        if actual != kind:
            raise PolicyError(f"exports {name!r} with the type {actual}, it must be {kind}")


def _require_memory(module: ParsedModule) -> None:
    export = module.find_export("memory")
    if export is None or export.kind != MEMORY_EXPORT:
        raise PolicyError("does not export its memory as 'memory'")
