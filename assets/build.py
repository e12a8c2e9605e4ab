"""Builds every WebAssembly module in assets/ from its C source, with the same bytes on every machine.

    python assets/build.py            rebuild in place
    python assets/build.py --out DIR  build into DIR instead, same folders
    python assets/build.py --check    build into a temporary folder and compare with the committed files

The compiler is clang as the `ziglang` package on PyPI ships it, pinned in pyproject.toml:
no system compiler takes part.
A System's description lives in the JSON file beside its source and becomes the custom section `nets.system`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ASSETS = Path(__file__).resolve().parent
SYSTEM_SECTION = "nets.system"

# -mcpu pins the instruction set: the compiler's default moves with its version, the gate's does not.
BASE_FLAGS = (
    "-target",
    "wasm32-freestanding",
    "-std=c17",
    "-nostdlib",
    "-ffreestanding",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Iinclude",
    "-Wl,--no-entry",
    "-Wl,--strip-all",
)
GAME_FLAGS = ("-O2", "-mcpu=mvp+bulk_memory+sign_ext+multivalue+nontrapping_fptoint", "-Wl,-z,stack-size=4096")
HASHER_FLAGS = ("-O3", "-mcpu=mvp+bulk_memory+sign_ext+simd128", "-Wl,-z,stack-size=16384")


@dataclass(frozen=True)
class Target:
    """One module: the C source, relative to assets/, and how to compile it."""

    source: Path
    flags: tuple[str, ...]
    description: dict[str, Any] | None = None

    @property
    def output(self) -> Path:
        """The module's path, relative to the output folder."""
        return self.source.with_suffix(".wasm")


def targets() -> Iterator[Target]:
    """All modules: every C file in systems/, agents/ and hasher/, in a fixed order."""
    for path in sorted((ASSETS / "systems").glob("*.c")):
        description = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        steps = f"-DNETS_MAX_STEPS={description['max_steps']}"
        yield Target(path.relative_to(ASSETS), (*GAME_FLAGS, steps), description)
    for path in sorted((ASSETS / "agents").rglob("*.c")):
        yield Target(path.relative_to(ASSETS), GAME_FLAGS)
    for path in sorted((ASSETS / "hasher").glob("*.c")):
        yield Target(path.relative_to(ASSETS), HASHER_FLAGS)


def leb128(value: int) -> bytes:
    """The unsigned LEB128 form of a non-negative integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def custom_section(name: str, payload: bytes) -> bytes:
    """One WebAssembly custom section: id 0, size, name, payload."""
    title = name.encode()
    body = leb128(len(title)) + title + payload
    return b"\0" + leb128(len(body)) + body


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys and no white space, UTF-8: one value, one spelling."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def compile_target(target: Target, out: Path, cache: Path) -> Path:
    """Compiles one module into OUT and returns its path; raises CalledProcessError with clang's message."""
    path = out / target.output
    path.parent.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"ZIG_LOCAL_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", "ziglang", "cc", *BASE_FLAGS, *target.flags, str(target.source), "-o", str(path)]
    # Relative paths from assets/: nothing of this machine can reach the module.
    subprocess.run(command, cwd=ASSETS, env=environment, check=True)
    path.chmod(0o644)
    if target.description is not None:
        with path.open("ab") as module:
            module.write(custom_section(SYSTEM_SECTION, canonical_json(target.description)))
    return path


def build(out: Path) -> list[Path]:
    """Builds every module into OUT; returns the paths written."""
    with tempfile.TemporaryDirectory() as cache:
        return [compile_target(target, out, Path(cache)) for target in targets()]


def stale(out: Path) -> list[Path]:
    """The modules, relative to assets/, whose committed bytes differ from those in OUT (or are missing, or extra)."""
    built = {target.output: (out / target.output).read_bytes() for target in targets()}
    folders = ("systems", "agents", "hasher")
    committed = {p.relative_to(ASSETS): p.read_bytes() for f in folders for p in (ASSETS / f).rglob("*.wasm")}
    return sorted(name for name in built.keys() | committed.keys() if built.get(name) != committed.get(name))


def main(arguments: list[str] | None = None) -> int:
    """Command line: see the module's docstring."""
    parser = argparse.ArgumentParser(description="Build the WebAssembly modules in assets/.")
    parser.add_argument("--out", type=Path, default=ASSETS, help="output folder (default: in place)")
    parser.add_argument("--check", action="store_true", help="compare with the committed files, write nothing")
    options = parser.parse_args(arguments)
    if options.check:
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder))
            wrong = stale(Path(folder))
        sys.stderr.write("".join(f"stale: {name}\n" for name in wrong) or "all modules are up to date\n")
        return 1 if wrong else 0
    for path in build(options.out.resolve()):
        sys.stderr.write(f"{path.stat().st_size:7d}  {path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
