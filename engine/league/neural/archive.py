"""What a ``.pt`` file holds, read without running any of it.

The file is a zip archive with a pickle and raw storages. The pickle is read by an interpreter that knows tensors and
ordered dictionaries; classes of ``torch.nn`` and of TorchScript become inert records of their attributes, and any
other name is refused. So whole modules, TorchScript and plain dictionaries are read alike, and no code of theirs runs.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from engine.league.neural.errors import ModelError

MAX_FILE_BYTES: Final = 64 * 1024 * 1024
MAX_NUMBERS: Final = 4 * 1024 * 1024  # an agent's memory has as many bytes, and a weight takes one
_MAX_PICKLE: Final = 1024 * 1024
_MAX_ENTRIES: Final = 4096
_ENTRY: Final = b"PK\x01\x02"
_STORAGES: Final = {
    "FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": "u2", "LongStorage": "i8",
    "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
_CONSTANT: Final = re.compile(r"^  (\w+) : Final\[float\] = (-?\d[\d.]*(?:e[-+]?\d+)?)$", re.MULTILINE)
_BRAIN_FLOAT: Final = "BFloat16Storage"
_DAMAGES: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
# What torch writes with; others could reserve memory that the file does not have.
_OPCODES: Final = b"".join(
    (
        pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.MARK, pickle.POP, pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE,
        pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.BINFLOAT, pickle.BINUNICODE,
        pickle.SHORT_BINUNICODE, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3,
        pickle.EMPTY_LIST, pickle.APPEND, pickle.APPENDS, pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS,
        pickle.EMPTY_SET, pickle.ADDITEMS, pickle.BINPUT, pickle.LONG_BINPUT, pickle.MEMOIZE, pickle.BINGET,
        pickle.LONG_BINGET, pickle.GLOBAL, pickle.STACK_GLOBAL, pickle.REDUCE, pickle.NEWOBJ, pickle.BINPERSID,
    )
)  # fmt: skip


class Node:
    """An inert module: its class, and the attributes that the file gives it."""

    kind: ClassVar[str] = ""
    constants: ClassVar[dict[str, float]] = {}  # numbers that TorchScript keeps in the class

    def __init__(self, *_: Any) -> None:
        self.attributes: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor's place in a storage; its numbers are read only when they are wanted."""

    archive: Archive
    storage: str
    key: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def numbers(self, what: str) -> NDArray[np.float64]:
        """Return the values. Raises ModelError, naming ``what``, for what is too large, damaged, or no real number."""
        count = math.prod(self.shape)
        if count > MAX_NUMBERS:
            raise ModelError(f"{what} is too large", f"it has {count:,} numbers, at most {MAX_NUMBERS:,} fit an agent")
        raw = self.archive.storage(self.key, self.storage)
        last = self.offset + sum((size - 1) * step for size, step in zip(self.shape, self.strides, strict=True))
        if count and (self.offset < 0 or min(self.strides, default=0) < 0 or last >= len(raw)):
            raise ModelError(f"{what} is damaged", f"it reaches behind the {len(raw)} numbers stored for it")
        steps = tuple(step * raw.itemsize for step in self.strides)
        view = np.lib.stride_tricks.as_strided(raw[self.offset :], self.shape, steps, writeable=False)
        if self.storage == _BRAIN_FLOAT:
            view = (view.astype(np.uint32) << 16).view(np.float32)
        values = np.array(view, dtype=np.float64)
        if not np.isfinite(values).all():
            raise ModelError(f"{what} is not finite", "it holds NaN or infinity", "Train again with a lower rate.")
        return values


class Archive:
    """The zip archive of a model file."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        names = file.namelist()
        pickles = [name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _refusal("it is a zip archive, but not one that torch.save writes")
        if sum(item.file_size for item in file.infolist()) > MAX_FILE_BYTES:
            raise _refusal(f"unpacked it is larger than {MAX_FILE_BYTES >> 20} MiB")
        self._file, self._names, self.prefix = file, set(names), pickles[0][: -len("data.pkl")]
        self.scripted = any(name.startswith(f"{self.prefix}code/") for name in names)
        order = self.read("byteorder", 16) if f"{self.prefix}byteorder" in self._names else b"little"
        self._order = ">" if order == b"big" else "<"

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """Return an entry's bytes."""
        path = self.prefix + name
        if path not in self._names:
            raise _refusal(f"the entry {name!r} is missing")
        if self._file.getinfo(path).file_size > limit:
            raise _refusal(f"the entry {name!r} has more than {limit} bytes")
        try:
            return self._file.read(path)
        except _DAMAGES as error:
            raise _refusal(f"the entry {name!r} is damaged ({error})") from None

    def constants(self, module: str, name: str) -> dict[str, float]:
        """Return the numbers that TorchScript declares as constants of a class."""
        path = f"code/{module.replace('.', '/')}.py"
        if self.prefix + path not in self._names:
            return {}
        _, _, block = self.read(path, _MAX_PICKLE).decode(errors="replace").partition(f"class {name}(Module):")
        return {found[1]: float(found[2]) for found in _CONSTANT.finditer(block.partition("  def ")[0])}

    def storage(self, key: str, kind: str) -> NDArray[Any]:
        """Return a storage's numbers."""
        kept = np.dtype(self._order + _STORAGES[kind])
        raw = self.read(f"data/{key}")
        return np.frombuffer(raw[: len(raw) // kept.itemsize * kept.itemsize], kept).astype(kept.newbyteorder("="))

    def tree(self) -> Any:
        """Return what was saved, with inert records in the place of modules."""
        return _Reader(io.BytesIO(self.read("data.pkl", _MAX_PICKLE)), self).load()


class _Reader(pickle._Unpickler):  # the one in Python: a hostile pickle makes the one in C reserve gigabytes
    """A pickle reader in which a name can only mean one of the inert things below."""

    dispatch: ClassVar[dict[int, Any]] = {code: pickle._Unpickler.dispatch[code] for code in _OPCODES}

    def __init__(self, file: io.BytesIO, archive: Archive) -> None:
        super().__init__(file)
        self._archive = archive

    def find_class(self, module: str, name: str) -> Any:
        """Return the inert stand-in for a name. Raises ModelError for one that no model needs."""
        whole = f"{module}.{name}"
        if module == "torch" and name in _STORAGES:
            return name
        if whole == "torch._utils._rebuild_tensor_v2":
            return self._tensor
        if whole == "torch._utils._rebuild_parameter":
            return lambda data, *_: data
        if whole in ("builtins.set", "__builtin__.set"):
            return set
        if whole == "collections.OrderedDict":
            return OrderedDict
        if module.startswith(("torch.nn.modules.", "__torch__")):
            return type("Inert", (Node,), {"kind": whole, "constants": self._archive.constants(module, name)})
        why = f"its pickle names {whole}, which a model has no use for and which loading it would call"
        raise ModelError("The model is refused", why, "Take models only from who you trust; save the state_dict alone.")

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        """Return kind and key of a storage."""
        tag, kind, key = pid[:3]
        if tag != "storage" or kind not in _STORAGES or not isinstance(key, str):
            raise _refusal("it refers to something that is no storage of numbers")
        return kind, key

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
        kind, key = storage
        numbers = [offset, *shape, *strides]
        if len(shape) != len(strides) or not all(type(item) is int and 0 <= item < 2**40 for item in numbers):
            raise _refusal("a tensor's shape is not a list of sizes")
        return Tensor(self._archive, kind, key, offset, tuple(shape), tuple(strides))

    def _set_state(self) -> None:
        """Give a module its attributes; what an ordered dictionary carries beside its items is not wanted."""
        stack: list[Any] = self.stack  # type: ignore[attr-defined]
        state, owner = stack.pop(), stack[-1]
        if isinstance(owner, Node) and isinstance(state, dict):
            owner.attributes = {str(name): value for name, value in state.items()}
        elif not isinstance(owner, OrderedDict):
            raise _refusal("it sets the state of something that is no module")

    dispatch[pickle.BUILD[0]] = _set_state


def open_model(path: Path) -> tuple[Any, bool]:
    """Return what a model file holds, and whether it is TorchScript. Raises ModelError saying what is wrong with it.

    Tensors in it read the file's bytes, which are in memory then.
    """
    content = _read(path)
    try:
        archive = Archive(zipfile.ZipFile(io.BytesIO(content)))
        return archive.tree(), archive.scripted
    except ModelError:
        raise
    except _DAMAGES as error:
        raise _refusal(f"it is damaged or cut off ({error})") from None
    except Exception as error:  # a hostile pickle can make its reader fail in any way
        raise _refusal(f"its pickle is malformed ({type(error).__name__}: {str(error)[:100]})") from None


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise _refusal("it is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _refusal(error.strerror or str(error)) from None
    if len(content) > MAX_FILE_BYTES:
        raise _refusal(f"the file has more than {MAX_FILE_BYTES:,} bytes")
    if not content:
        raise _refusal("the file is empty")
    if not content.startswith(b"PK"):
        raise _refusal("it is no zip archive, as torch.save has written since version 1.6")
    if content.count(_ENTRY) > _MAX_ENTRIES:  # before anything is made of them
        raise _refusal(f"it has more than {_MAX_ENTRIES:,} entries")
    return content


def _refusal(why: str) -> ModelError:
    return ModelError("The model cannot be read", why, "Save it with torch.save(model.state_dict(), PATH).")
