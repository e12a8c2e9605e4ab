"""Engine errors as the operator reads them: a banner with an action, or a dialog."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from engine.core.errors import DependencyError, EngineError

INTERRUPTED = 130  # the exit code of what the operator stopped himself


@dataclass(frozen=True, slots=True)
class Action:
    """A button beside a notice."""

    label: str
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell: ``kind`` is info, ok, warn or error. Notices of one ``key`` replace each other."""

    kind: str
    title: str
    text: str = ""
    next_step: str = ""
    actions: tuple[Action, ...] = ()
    key: str = ""


def is_expected(error: BaseException) -> bool:
    """Whether the error is one that the operator can do something about, not a bug."""
    return isinstance(error, EngineError) or (isinstance(error, OSError) and error.errno in _DISK)


_DISK = {
    errno.ENOSPC: ("The disk is full", "Free some space and try again; nothing was lost."),
    errno.EDQUOT: ("The disk quota is used up", "Free some space and try again; nothing was lost."),
    errno.EROFS: ("The disk is read-only", "Choose another data directory with --data-dir."),
    errno.EACCES: ("Permission denied", "Choose a place that you may write to."),
    errno.ENOENT: ("The file is not there", "Check the path."),
    errno.EISDIR: ("That is a folder, not a file", "Choose a file."),
    errno.ENOTDIR: ("The file is not there", "Check the path: what it names as a folder is a file."),
    errno.ENXIO: ("That is a device or a pipe, not a file", "Choose a file."),
    errno.ENAMETOOLONG: ("The name is too long", "Choose a shorter one."),
}


def notice_of(error: BaseException, *actions: Action, key: str = "") -> Notice:
    """Return an expected error as a banner: what, then why and what next."""
    if isinstance(error, EngineError):
        kind = "info" if error.exit_code == INTERRUPTED else "warn" if isinstance(error, DependencyError) else "error"
        return Notice(kind, error.what.rstrip("."), _sentence(error.why), _sentence(error.next_step), actions, key)
    if isinstance(error, OSError) and error.errno in _DISK:
        title, advice = _DISK[error.errno]
        return Notice("error", title, str(error.filename or ""), advice, actions, key)
    return Notice("error", "Something went wrong", repr(error), "", actions, key)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""
