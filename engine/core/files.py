"""Files that a reader sees whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_file(path: Path, *, replace: bool = True, mode: int = 0o600) -> Iterator[BinaryIO]:
    """Open a file to be written beside ``path``; it takes that name when the block ends, and is gone when it fails.

    ``replace`` False keeps a file that is there already. A link stays, and what it leads to is replaced. Raises
    OSError, before anything is written for folders and for what is no file: devices and pipes must not be replaced.
    """
    if replace:
        path = _target(path)
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:32]}.")
    except OSError as error:
        error.filename = str(path)  # whoever asked knows nothing of the other name
        raise
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if replace:
            Path(temporary).replace(path)
            return
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
        Path(temporary).unlink()
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _target(path: Path) -> Path:
    """Return the file that a path means. Raises OSError when it is something else."""
    try:
        kind = path.stat().st_mode
    except OSError:
        return path  # not there yet, or a link to nothing, which is replaced; or making a file beside it will tell
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(kind):
        raise OSError(errno.ENXIO, "not a file", str(path))
    return path.resolve() if path.is_symlink() else path


def write_atomically(path: Path, content: bytes, *, replace: bool = True, mode: int = 0o600) -> None:
    """Write a whole file by :func:`atomic_file`. Raises OSError."""
    with atomic_file(path, replace=replace, mode=mode) as file:
        file.write(content)
