"""``nashboard doctor``: what is installed, found, missing, and how to get it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from app.doctor import Check

MISSING = 4


def doctor(
    context: typer.Context,
    bundle: Annotated[
        Path | None, typer.Option("--bundle", metavar="OUT.zip", help="Write a support bundle, without secrets.")
    ] = None,
    restore_store: Annotated[
        bool, typer.Option("--restore-store", help="Put the newest backup in the place of a damaged store.")
    ] = False,
    new_store: Annotated[
        bool, typer.Option("--new-store", help="Put an empty store in the place of a damaged one.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Say what is missing on this machine.

    Lists what was found, what is missing, and how to get it. Exit status 4 when something needed is missing. A support
    bundle holds this report, logs, crash reports and settings, cleaned of keys, tokens and passwords. A store is
    replaced only where it is damaged and nobody uses it; the damaged file is kept.
    """
    output: Output = context.obj
    if restore_store or new_store:
        _mend_store(output, anew=new_store, others=(restore_store and new_store) or bundle is not None)
        return
    from app.doctor import examine

    checks = examine(output.data_root)
    ok = all(check.ok for check in checks if check.required)
    packages = sorted({check.package for check in checks if check.package})
    install = f"apt-get install {' '.join(packages)}" if packages else ""
    value: dict[str, Any] = {"ok": ok, "checks": [check.to_json() for check in checks], "install": install}
    lines = [*map(_line, checks), "", _verdict(ok, install)]
    if bundle is not None:
        from app.support import write_bundle

        written = write_bundle(bundle.expanduser().absolute(), output.data().root, checks)
        value["bundle"] = written.to_json()
        lines.append(f"{written.path} holds {len(written.files)} files. Look through it before you send it.")
    output.result(value, "\n".join(lines))
    if not ok:
        raise typer.Exit(MISSING)


def _mend_store(output: Output, *, anew: bool, others: bool) -> None:
    """Replace a damaged store. Raises StoreError where it must not be."""
    from engine.core.errors import UsageError
    from engine.store.damage import begin_anew, go_back

    if others:
        raise UsageError("--restore-store, --new-store and --bundle go one at a time")
    data = output.data()
    with _no_console(data.root / "console.lock"):
        done = (begin_anew if anew else go_back)(data.database)
    output.result({"kept": str(done.kept), "backup": str(done.backup or "")}, done.text)


@contextlib.contextmanager
def _no_console(lock: Path) -> Iterator[None]:
    """Keep consoles out, by the lock that theirs takes. Raises StoreBusyError where one runs."""
    import fcntl

    from engine.store.errors import StoreBusyError

    with contextlib.ExitStack() as held:
        with contextlib.suppress(FileNotFoundError):  # never make one: an empty one would shut consoles out for good
            file = held.enter_context(lock.open("rb"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                next_step = "Close it first, or use the buttons that it offers. Nothing was changed."
                raise StoreBusyError("A console has this data directory open", str(lock.parent), next_step) from None
        yield


def _line(check: Check) -> str:
    mark = "ok     " if check.ok else "MISSING" if check.required else "absent "
    line = f"{mark}  {check.name:<24} {check.found}"
    return f"{line}\n{'':<34}{check.hint}" if check.hint else line


def _verdict(ok: bool, install: str) -> str:
    lines = ["Everything that is needed is there." if ok else "Something that is needed is missing."]
    if install:
        lines.append(f"On Debian: {install}")
    return "\n".join(lines)
