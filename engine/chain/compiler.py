"""Compile ``contracts/src`` through py-solc-x into the artifacts of ``assets/abi``.

``python -m engine.chain.compiler`` rewrites them; with ``--check`` it fails when they are stale. The compiler's
settings are read from ``contracts/foundry.toml``, so forge tests the very code that is shipped.
"""

from __future__ import annotations

import argparse
import json
import posixpath
import re
import sys
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.chain.artifacts import CONTRACTS, Artifact, artifact_path
from engine.core.errors import DependencyError, EngineError
from engine.core.paths import source_root

_IMPORT = re.compile(r"""^\s*import\b[^;]*?["']([^"']+)["']\s*;""", re.MULTILINE)
_TRANSIENT = "2394"  # said of any use of transient storage; OpenZeppelin's reentrancy guard clears it as it must
_OUTPUTS = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "metadata"]


def contracts_dir() -> Path:
    """Return the folder of the Solidity project; only a checkout has one."""
    return source_root() / "contracts"


def compile_contracts(root: Path | None = None, names: Sequence[str] = CONTRACTS) -> dict[str, Artifact]:
    """Compile the named contracts of the Solidity project at ``root`` and return their artifacts by name.

    A name may be a path from the folder of the sources, without its ending, to one that is not shipped.
    Raises DependencyError when the compiler or its packages are missing, EngineError when the code does not compile.
    """
    root = root or contracts_dir()
    request = compiler_input(root, names)
    output = _run_solc(root / "bin" / "solc", request)
    source_hash = sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
    plain = [Path(name).name for name in names]
    return {name: _artifact(name, output, request["settings"], source_hash) for name in plain}


def compiler_input(root: Path, names: Sequence[str]) -> dict[str, Any]:
    """Return the standard JSON input: every source that the contracts need, under its path from ``root``."""
    try:
        profile = tomllib.loads((root / "foundry.toml").read_text(encoding="utf-8"))["profile"]["default"]
    except (OSError, ValueError, KeyError) as error:
        raise EngineError(
            "The contracts cannot be compiled", f"foundry.toml in {root} cannot be read: {error}"
        ) from error
    remappings = dict(line.split("=", 1) for line in profile["remappings"])
    wanted = [posixpath.normpath(f"{profile['src']}/{name}.sol") for name in names]
    return {
        "language": "Solidity",
        "sources": {path: {"content": text} for path, text in sorted(_closure(root, wanted, remappings).items())},
        "settings": {
            "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
            "viaIR": profile["via_ir"],
            "evmVersion": profile["evm_version"],
            "metadata": {"bytecodeHash": profile["bytecode_hash"], "appendCBOR": profile["cbor_metadata"]},
            "remappings": profile["remappings"],
            "outputSelection": {path: {Path(path).stem: _OUTPUTS} for path in wanted},
        },
    }


def _closure(root: Path, wanted: Sequence[str], remappings: dict[str, str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    queue = list(wanted)
    while queue:
        path = queue.pop()
        if path in sources:
            continue
        try:
            sources[path] = (root / path).read_text(encoding="utf-8")
        except OSError as error:
            raise DependencyError(
                f"The Solidity source {path} is missing", str(error.strerror), "Run `make setup` to install packages."
            ) from error
        queue.extend(_resolve(path, target, remappings) for target in _IMPORT.findall(sources[path]))
    return sources


def _resolve(importer: str, target: str, remappings: dict[str, str]) -> str:
    if target.startswith("."):
        return posixpath.normpath(posixpath.join(posixpath.dirname(importer), target))
    for prefix, folder in remappings.items():
        if target.startswith(prefix):
            return folder + target.removeprefix(prefix)
    return target


def _run_solc(solc: Path, request: dict[str, Any]) -> dict[str, Any]:
    import solcx  # slow, and needed in a checkout only
    from solcx.exceptions import SolcError

    try:
        output: dict[str, Any] = solcx.compile_standard(request, solc_binary=solc)
    except SolcError as error:
        raise EngineError("The contracts do not compile", str(error.message or error.stderr_data or error)) from error
    except OSError as error:
        raise DependencyError(
            "The Solidity compiler does not start", f"{solc}: {error.strerror}", "Run `make setup` to install it."
        ) from error
    warnings = [found["formattedMessage"] for found in output.get("errors", []) if found.get("errorCode") != _TRANSIENT]
    if warnings:
        raise EngineError("The contracts compile with warnings", "\n".join(warnings))
    return output


def _artifact(name: str, output: dict[str, Any], settings: dict[str, Any], source_hash: str) -> Artifact:
    path = next(path for path in settings["outputSelection"] if Path(path).stem == name)
    compiled = output["contracts"][path][name]
    kept = {key: value for key, value in settings.items() if key != "outputSelection"}
    return Artifact(
        name=name,
        abi=tuple(compiled["abi"]),
        bytecode=bytes.fromhex(compiled["evm"]["bytecode"]["object"]),
        deployed_bytecode=bytes.fromhex(compiled["evm"]["deployedBytecode"]["object"]),
        source_hash=source_hash,
        compiler={"version": json.loads(compiled["metadata"])["compiler"]["version"], "settings": kept},
    )


def stale(artifacts: dict[str, Artifact], folder: Path | None = None) -> list[str]:
    """Return the names whose committed file differs from what the compiler gives now."""
    names = []
    for name, artifact in artifacts.items():
        path = artifact_path(name, folder)
        if not path.is_file() or path.read_text(encoding="utf-8") != artifact.to_json():
            names.append(name)
    return names


def main(argv: Sequence[str] | None = None) -> int:
    """Compile, then write the artifacts or, with ``--check``, compare them. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m engine.chain.compiler", description="Compile the contracts.")
    parser.add_argument("--check", action="store_true", help="fail when the committed artifacts are stale")
    options = parser.parse_args(argv)
    try:
        artifacts = compile_contracts()
    except EngineError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    old = stale(artifacts)
    if options.check:
        if old:
            sys.stderr.write(f"Stale: {', '.join(old)}. Run `python -m engine.chain.compiler`.\n")
        return 1 if old else 0
    for name in old:
        path = artifact_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifacts[name].to_json(), encoding="utf-8")
    sys.stderr.write(f"Written: {', '.join(old) or 'nothing, all are fresh'}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
