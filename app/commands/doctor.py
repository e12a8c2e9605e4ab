"""``nashboard doctor``: what is installed, found, missing, and how to get it."""

from __future__ import annotations

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
    json: JsonOption = False,
) -> None:
    """Say what is missing on this machine.

    Lists what was found, what is missing, and how to get it. Exit status 4 when something needed is missing. A support
    bundle holds this report, logs, crash reports and settings, cleaned of keys, tokens and passwords.
    """
    from app.doctor import examine

    output: Output = context.obj
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


def _line(check: Check) -> str:
    mark = "ok     " if check.ok else "MISSING" if check.required else "absent "
    line = f"{mark}  {check.name:<24} {check.found}"
    return f"{line}\n{'':<34}{check.hint}" if check.hint else line


def _verdict(ok: bool, install: str) -> str:
    lines = ["Everything that is needed is there." if ok else "Something that is needed is missing."]
    if install:
        lines.append(f"On Debian: {install}")
    return "\n".join(lines)
