"""``nashboard trace``: the proof of one step, made and checked."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.league.leafproof import LeafProof
    from engine.league.proof import StepProof

VERIFICATION_FAILED = 3
group = typer.Typer(help="Proofs of single steps and matches.", no_args_is_help=True)


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
    from engine.core.files import write_atomically
    from engine.league.bundle import read_bundle
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
    root: Annotated[str | None, typer.Option(metavar="HEX", help="The root that it must lead to.")] = None,
    json: JsonOption = False,
) -> None:
    """Check a proof by itself, and against a root that you trust. Exit status 3 when it does not hold.

    It is the proof of a step in its match, or of a match in its round.
    """
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
    trust = "the root given" if wanted else "its own root, which is only as good as its source"
    value, text = _report(proof, trust)
    output.result({"ok": True, "file": str(file), **value}, f"holds  {file}: {text}")


def _report(proof: StepProof | LeafProof, trust: str) -> tuple[dict[str, Any], str]:
    """Return what a proof that holds says, as JSON and in words."""
    from engine.league.proof import StepProof

    if isinstance(proof, StepProof):
        value = {
            "step": proof.step,
            "steps": proof.steps,
            "leaf": proof.leaf.hex(),
            "trace_root": proof.trace_root.hex(),
            "commitment": proof.commitment.hex(),
        }
        text = f"step {proof.step} of {proof.steps} leads to {trust}"
        return value, f"{text}\n       trace root {value['trace_root']}\n       commitment {value['commitment']}"
    leaf, root = proof.leaf, proof.root.hex()
    match = {"round": proof.round_name, "index": leaf.index, "size": proof.size, "leaf": leaf.hash().hex()}
    text = f"leaf {leaf.index} of {proof.size} of round {proof.round_name} leads to {trust}"
    lines = f"{text}\n       round root {root}\n       match commitment {leaf.evidence.hex()}"
    return {**match, "root": root, "commitment": leaf.evidence.hex()}, lines


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


def _read(file: Path) -> StepProof | LeafProof:
    """Return the proof in a file. Raises TraceError."""
    from engine.core.hashing import parse_json
    from engine.league.errors import TraceError
    from engine.league.leafproof import FORMAT, LeafProof
    from engine.league.proof import StepProof

    try:
        value = parse_json(file.read_bytes())
    except ValueError as error:
        raise TraceError("This is not the proof of a step", f"it is not JSON: {error}") from None
    of_match = isinstance(value, dict) and value.get("format") == FORMAT
    return LeafProof.from_json(value) if of_match else StepProof.from_json(value)
