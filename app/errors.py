"""Engine errors as the operator reads them: a banner with an action, or a dialog."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from engine.core.errors import DependencyError, EngineError, VerificationError


@dataclass(frozen=True, slots=True)
class Action:
    """A button beside a notice."""

    label: str
    run: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to tell: ``level`` is info, good, warning or error. Notices of one ``key`` replace each other."""

    level: str
    title: str
    text: str = ""
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
}


def notice_of(error: BaseException, *actions: Action, key: str = "") -> Notice:
    """Return an expected error as a banner: what, then why and what next."""
    if isinstance(error, EngineError):
        level = "warning" if isinstance(error, DependencyError) else "error"
        if isinstance(error, VerificationError):
            level = "error"
        parts = [part.rstrip(".") + "." for part in (error.why, error.next_step) if part]
        return Notice(level, error.what.rstrip("."), " ".join(parts), actions, key)
    if isinstance(error, OSError) and error.errno in _DISK:
        title, advice = _DISK[error.errno]
        where = f" ({error.filename})" if error.filename else ""
        return Notice("error", f"{title}{where}", advice, actions, key)
    return Notice("error", "Something went wrong", repr(error), actions, key)
