"""Model files as archives: measured, searched and packed anew before torch sees them.

A ``.pt`` file is a zip archive. Torch gets one that this module wrote from what it has read, so that both see the same
entries, and that holds nothing but what a model needs.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from pathlib import Path
from typing import Final

from engine.consensus.errors import ModelRefusedError

MAX_FILE_BYTES: Final = 256 << 20  # packed, and once more unpacked
_MAX_PICKLE: Final = 16 << 20
_MAX_CODE: Final = 4 << 20
_MAX_ENTRIES: Final = 4_096
_MAX_NESTING: Final = 200  # of brackets and of blocks: torch's parser calls itself for each
_ENTRY: Final = b"PK\x01\x02"
_DAMAGES: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
_KEPT: Final = re.compile(r"(data|constants)\.pkl|(data|constants)/[\w.-]+|code/[\w./]+\.py|version|byteorder")
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
# What TorchScript can do to the world, and what would run or hide it. `ops` is looked at by its name space.
_FORBIDDEN: Final = {
    "save", "from_file", "load", "load_tensor", "classes", "hasattr", "rpc_sync", "rpc_async", "rpc_remote",
    "__setstate__", "__getstate__", "breakpoint", "PythonOp", "_print", "print", "warn",
}  # fmt: skip
_OPS: Final = re.compile(r"\bops\s*\.\s*(\w+)")
_GETATTR: Final = re.compile(r'\bgetattr\(\w+(?:\.\w+)*, "(\w+)"\)')  # as torch writes "self.0": nothing hides in it
_FREE_OPS: Final = {"aten", "prim", "prims"}


def read_archive(path: Path) -> tuple[bytes, bool]:
    """Return a model file's archive, packed anew, and whether it is TorchScript. Raises ModelRefusedError."""
    content = _read(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = _entries(archive)
    except ModelRefusedError:
        raise
    except _DAMAGES as error:
        raise refusal(f"it is damaged or cut off ({error})") from None
    scripted = "constants.pkl" in entries or any(name.startswith("code/") for name in entries)
    if scripted:
        _search({name: data for name, data in entries.items() if name.startswith("code/")})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as clean:
        for name, data in entries.items():
            clean.writestr(f"model/{name}", data)
    return buffer.getvalue(), scripted


def refusal(why: str) -> ModelRefusedError:
    """Return the error for a file that is not loaded."""
    return ModelRefusedError(
        "The model is not loaded", why, "Save it with torch.save(model.state_dict(), PATH) or as TorchScript."
    )


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise refusal(f"{path} is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise refusal(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise refusal(f"the file has more than {MAX_FILE_BYTES >> 20} MiB")
    if not content:
        raise refusal("the file is empty")
    if not content.startswith(b"PK"):
        raise refusal("it is no zip archive, as torch.save has written since version 1.6")
    if content.count(_ENTRY) > _MAX_ENTRIES:  # before anything is made of them
        raise refusal(f"it has more than {_MAX_ENTRIES:,} entries")
    return content


def _entries(archive: zipfile.ZipFile) -> dict[str, bytes]:
    """Return what torch needs of an archive, by name below its one folder."""
    listed = archive.infolist()
    roots = [item.filename[: -len("/data.pkl")] for item in listed if re.fullmatch(r"[^/]+/data\.pkl", item.filename)]
    if len(roots) != 1:
        raise refusal("it is a zip archive, but not one that torch.save writes")
    if sum(item.file_size for item in listed) > MAX_FILE_BYTES:
        raise refusal(f"unpacked it has more than {MAX_FILE_BYTES >> 20} MiB")
    found: dict[str, bytes] = {}
    for item in listed:
        root, _, name = item.filename.partition("/")
        if root != roots[0] or not _KEPT.fullmatch(name):
            continue
        if name in found:
            raise refusal(f"it has two entries {name!r}")
        if name.endswith(".pkl") and item.file_size > _MAX_PICKLE:
            raise refusal(f"its {name} has more than {_MAX_PICKLE >> 20} MiB")
        found[name] = archive.read(item)
    return found


def _search(code: dict[str, bytes]) -> None:
    """Refuse TorchScript that could touch anything beyond its tensors."""
    if sum(map(len, code.values())) > _MAX_CODE:
        raise refusal(f"its code has more than {_MAX_CODE >> 20} MiB")
    for name, data in code.items():
        try:
            text = data.decode("ascii")
        except UnicodeDecodeError:
            raise refusal(f"its {name} is no code that torch writes") from None
        bad = sorted(_FORBIDDEN.intersection(_WORD.findall(text)))
        bad += [f"ops.{space}" for space in _OPS.findall(text) if space not in _FREE_OPS]
        if len(_GETATTR.findall(text)) != len(re.findall(r"\bgetattr\b", text)):
            bad.append("an unusual getattr")
        if bad:
            raise refusal(f"its code has {bad[0]}, which could do more than compute")
        if _nesting(text) > _MAX_NESTING:
            raise refusal(f"its code is nested more than {_MAX_NESTING} deep")


def _nesting(text: str) -> int:
    depth = deepest = 0
    for mark in re.findall(r"[()\[\]{}]", text):
        depth = depth + 1 if mark in "([{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    blocks = max((len(line) - len(line.lstrip(" ")) for line in text.splitlines()), default=0) // 2
    chains = max((len(run[0]) for run in re.finditer(r"(?:[-+~]\s*)+|(?:\bnot\s+)+", text)), default=0) // 2
    return max(deepest, blocks, chains)
