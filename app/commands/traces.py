"""``nashboard trace``: the proof of one step, made and checked."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.league.proof import StepProof

VERIFICATION_FAILED = 3
group = typer.Typer(help="Proofs of single steps.", no_args_is_help=True)


@group.command()
def prove(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="M.nets", help="A bundle.")],
    step: Annotated[int, typer.Option(metavar="N", help="Which step.")],
    out: Annotated[Path, typer.Option(metavar="P.json", help="Where the proof goes.")],
    json: JsonOption = False,
) -> None:
    """Write the proof that a step belongs to a match: it needs no trace to be checked."""
    from app.commands.modules import refuse_missing
    from engine.core.errors import UsageError
    from engine.league.bundle import read_bundle
    from engine.league.cache import write_atomically
    from engine.league.proof import StepProof

    output: Output = context.obj
    refuse_missing([file])
    bundle = read_bundle(file)
    if not 0 <= step < bundle.steps:
        raise UsageError(f"There is no step {step}", f"the match has steps 0 to {bundle.steps - 1}")
    proof = StepProof.of(bundle, step)
    write_atomically(out, (jsonlib.dumps(proof.to_json(), indent=2) + "\n").encode(), mode=0o644)
    value = {"proof": str(out), "step": step, "steps": bundle.steps, "trace_root": bundle.trace_root.hex()}
    output.result(
        {**value, "commitment": bundle.commitment.hex()},
        f"{out}: step {step} of {bundle.steps}, {len(proof.path)} hashes to the root {bundle.trace_root.hex()}",
    )


@group.command()
def check(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="P.json", help="A proof.")],
    root: Annotated[str | None, typer.Option(metavar="HEX", help="The trace root that it must lead to.")] = None,
    json: JsonOption = False,
) -> None:
    """Check a proof by itself, and against a root that you trust. Exit status 3 when it does not hold."""
    from app.commands.modules import refuse_missing
    from engine.core.errors import VerificationError

    output: Output = context.obj
    refuse_missing([file])
    wanted = _root(root) if root is not None else None
    try:
        proof = _read(file)
        proof.check(wanted)
    except VerificationError as error:
        output.result({"ok": False, "file": str(file), **error.to_json()}, f"FAILED  {file}: {error}")
        raise typer.Exit(VERIFICATION_FAILED) from None
    value = {"ok": True, "file": str(file), "step": proof.step, "steps": proof.steps, "leaf": proof.leaf.hex()}
    trust = "the root given" if wanted else "its own root, which is only as good as its source"
    output.result(
        {**value, "trace_root": proof.trace_root.hex(), "commitment": proof.commitment.hex()},
        f"holds  {file}: step {proof.step} of {proof.steps} leads to {trust}\n"
        f"       trace root {proof.trace_root.hex()}\n       commitment {proof.commitment.hex()}",
    )


def _root(text: str) -> bytes:
    """Return the 32 bytes of a root given in hex. Raises UsageError."""
    from engine.core.errors import UsageError

    try:
        root = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        root = b""
    if len(root) != 32:
        raise UsageError("The root is not a hash", f"{text!r} is not 64 hex digits")
    return root


def _read(file: Path) -> StepProof:
    """Return the proof in a file. Raises TraceError."""
    from engine.core.hashing import parse_json
    from engine.league.errors import TraceError
    from engine.league.proof import StepProof

    try:
        value = parse_json(file.read_bytes())
    except ValueError as error:
        raise TraceError("This is not the proof of a step", f"it is not JSON: {error}") from None
    return StepProof.from_json(value)
