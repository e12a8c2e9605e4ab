"""Bundles: one byte form, every damage named, and verification that finds any lie in a well-formed one."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import zipfile

import pytest

from engine.core.hashing import canonical_json
from engine.league.archive import pack, unpack
from engine.league.bundle import Bundle, read_bundle, write_bundle
from engine.league.errors import BundleError, DivergenceError, LeagueError, TraceError
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, Outcome, match_commitment, run_match
from engine.league.proof import StepProof
from engine.league.replay import Replay
from engine.league.trace import trace_root
from engine.league.verify import Verification, verify_bundle, verify_file


def played(arena, system_file: bytes, *files: bytes, seed: int = 7, claim=None) -> Bundle:
    system = arena.gate.check(system_file, "system").system()
    request = MatchRequest(system, tuple(arena.agent(file) for file in files), seed, 500_000)
    return Bundle.of(request, run_match(request, arena.sandbox, Hasher()), system_file, files, claim)


@pytest.fixture(scope="module")
def bundle(arena, snake_file, sample_files) -> Bundle:
    return played(arena, snake_file, sample_files["wall_follower"], claim={"agent": "0x1", "score": 15})


@pytest.fixture(scope="module")
def duel(arena) -> Bundle:
    files = (arena.wasm(arena.one), arena.wasm(arena.decide("(i64.const 77)")))
    return played(arena, arena.system_file(seats=2), *files)


def sealed(bundle: Bundle, **changes) -> Bundle:
    """Return a changed bundle whose root and commitment are made to fit: the best a liar can do."""
    match = bundle.match.model_copy(update=changes.pop("match", {}))
    lie = dataclasses.replace(bundle, match=match, **changes)
    root = trace_root(lie.trace, len(lie.agents))
    steps = len(lie.records)
    commitment = match_commitment(canonical_json(match.model_dump()), root, steps)
    return dataclasses.replace(lie, trace_root=root, steps=steps, commitment=commitment)


# The file -------------------------------------------------------------------------------------------------------


def test_it_reads_back_and_has_one_byte_form(bundle, tmp_path) -> None:
    path = tmp_path / "match.nets"
    write_bundle(path, bundle)
    assert read_bundle(path) == bundle
    assert read_bundle(path).encode() == path.read_bytes()
    assert [item.name for item in tmp_path.iterdir()] == ["match.nets"]


def test_any_zip_program_opens_it(bundle) -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.encode())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["manifest.json", "system.wasm", "agents/0.wasm", "trace.bin", "commitment"]
        assert json.loads(archive.read("manifest.json"))["claim"] == {"agent": "0x1", "score": 15}
        assert archive.read("commitment").decode() == bundle.commitment.hex()


def test_every_flipped_byte_is_noticed(duel) -> None:
    data = duel.encode()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with pytest.raises((BundleError, TraceError)):
            Bundle.decode(bytes(damaged))


def test_every_truncation_is_noticed(duel) -> None:
    data = duel.encode()
    for size in range(len(data)):
        with pytest.raises(BundleError):
            Bundle.decode(data[:size])


def test_a_flipped_byte_is_named(bundle) -> None:
    data = bytearray(bundle.encode())
    data[data.index(bundle.trace) + 100] ^= 1
    with pytest.raises(BundleError, match=r"trace\.bin is damaged: its checksum does not match") as caught:
        Bundle.decode(bytes(data))
    assert caught.value.exit_code == 3


def entries(bundle: Bundle) -> dict[str, bytes]:
    def any_size(_: str) -> int:
        return 2**32

    return unpack(bundle.encode(), any_size)


def changed(bundle: Bundle, **contents: bytes | None) -> bytes:
    parts = entries(bundle)
    for name, content in contents.items():
        key = {"manifest": "manifest.json", "system": "system.wasm", "trace": "trace.bin", "agent": "agents/0.wasm"}[
            name
        ]
        if content is None:
            del parts[key]
        else:
            parts[key] = content
    return pack(list(parts.items()))


def manifest(bundle: Bundle, **fields) -> bytes:
    return canonical_json({**json.loads(entries(bundle)["manifest.json"]), **fields})


def zipped(**options) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        archive.writestr("manifest.json", b"{}" * 1000)
    return buffer.getvalue()


def refusals(bundle: Bundle) -> dict[str, tuple[bytes, str]]:
    parts = list(entries(bundle).items())
    match = json.loads(entries(bundle)["manifest.json"])["match"]
    return {
        "empty": (b"", "not a bundle"),
        "no zip": (b"MZ" * 100, "not a bundle"),
        "compressed": (zipped(compression=zipfile.ZIP_DEFLATED), "compressed"),
        "made by another program": (zipped(), "damaged"),
        "twice": (pack([parts[0], *parts]), "occurs twice"),
        "path": (pack([("../../etc/passwd", b"x")]), "does not belong"),
        "absolute path": (pack([("/manifest.json", b"x")]), "does not belong"),
        "ninth agent": (pack([("agents/8.wasm", b"x")]), "does not belong"),
        "extra entry": (pack([*parts, ("agents/1.wasm", b"x")]), "expected"),
        "other order": (pack(parts[::-1]), "expected"),
        "missing trace": (changed(bundle, trace=None), "expected"),
        "missing manifest": (changed(bundle, manifest=None), "manifest.json"),
        "huge manifest": (pack([("manifest.json", bytes(2 * 1024 * 1024))]), "at most"),
        "huge module": (pack([parts[0], ("system.wasm", bytes(9 * 1024 * 1024))]), "at most"),
        "something behind": (bundle.encode() + b"x", "directory is damaged"),
        "something before": (b"x" + bundle.encode(), "not a bundle"),
        "manifest is no JSON": (changed(bundle, manifest=b"{"), "manifest.json"),
        "manifest is nested": (changed(bundle, manifest=b"[" * 100_000), "manifest.json"),
        "manifest with a float": (changed(bundle, manifest=b'{"a":1.5}'), "float"),
        "manifest with spaces": (changed(bundle, manifest=b'{"a": 1}'), "canonical"),
        "manifest with too much": (changed(bundle, manifest=manifest(bundle, colour="red")), "colour"),
        "other format": (changed(bundle, manifest=manifest(bundle, version=2)), "version"),
        "seed too large": (changed(bundle, manifest=manifest(bundle, match={**match, "seed": 2**64})), "seed"),
        "hash that is none": (changed(bundle, manifest=manifest(bundle, match={**match, "system": "AB"})), "system"),
        "outcome INFRA": (changed(bundle, manifest=manifest(bundle, match={**match, "outcome": "INFRA"})), "outcome"),
        "claim that is no object": (changed(bundle, manifest=manifest(bundle, claim=[1])), "claim"),
        "other system": (changed(bundle, system=b"\0asm"), "system.wasm is not the module"),
        "other agent": (changed(bundle, agent=b"\0asm"), "agents/0.wasm is not the module"),
        "shorter trace": (changed(bundle, trace=bundle.trace[:-40]), "steps"),
        "other score": (changed(bundle, manifest=manifest(bundle, match={**match, "scores": [99]})), "commitment"),
        "other root": (changed(bundle, manifest=manifest(bundle, trace_root="00" * 32)), "commitment"),
        "commitment that is none": (pack([*parts[:-1], ("commitment", b"Z" * 64)]), "not a hash"),
    }


def test_what_is_no_bundle_is_refused_with_the_reason(bundle) -> None:
    for name, (data, reason) in refusals(bundle).items():
        with pytest.raises(BundleError) as caught:
            Bundle.decode(data)
        assert reason in caught.value.why, name


def test_a_broken_trace_is_refused_with_its_step(bundle) -> None:
    damaged = bytearray(bundle.trace)
    damaged[40 * 3] = 9
    with pytest.raises(TraceError, match="Step 3"):
        Bundle.decode(changed(bundle, trace=bytes(damaged)))


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "huge"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, kind) -> None:
    path = tmp_path / "match.nets"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(600 * 1024 * 1024)
    with pytest.raises(BundleError, match=r"match\.nets cannot be read"):
        read_bundle(path)


def test_a_disk_that_refuses_is_reported(bundle, tmp_path) -> None:
    with pytest.raises(LeagueError, match="cannot be written"):
        write_bundle(tmp_path / "no" / "such" / "folder" / "match.nets", bundle)


def test_a_match_without_a_trace_is_not_bundled(arena, snake, snake_file, sample_files) -> None:
    file = sample_files["greedy"]
    request = MatchRequest(snake, (arena.agent(file),), 7, traced=False)
    with pytest.raises(LeagueError, match="nothing to bundle"):
        Bundle.of(request, run_match(request, arena.sandbox), snake_file, (file,))


def test_only_the_files_that_played_are_bundled(arena, snake, snake_file, sample_files) -> None:
    request = MatchRequest(snake, (arena.agent(sample_files["greedy"]),), 7)
    with pytest.raises(LeagueError, match="not those that played"):
        Bundle.of(request, run_match(request, arena.sandbox), snake_file, (sample_files["looper"],))


# Verification ---------------------------------------------------------------------------------------------------


def verify(arena, bundle: Bundle) -> Verification:
    return verify_bundle(Bundle.decode(bundle.encode()), arena.gate, arena.sandbox, Hasher())


def test_an_honest_bundle_verifies(arena, bundle, duel) -> None:
    for item in (bundle, duel):
        found = verify(arena, item)
        found.require()
        assert (found.ok, found.step, found.differences) == (True, None, ())
        assert found.result.commitment == item.commitment


def test_matches_that_ended_badly_verify_too(arena, snake_file, sample_files) -> None:
    for name in ("trapper", "looper"):
        item = played(arena, snake_file, sample_files[name])
        assert item.outcome() is Outcome.LOSS
        assert verify(arena, item).ok
    void = played(arena, arena.system_file(in_step="unreachable"), arena.wasm(arena.one))
    assert void.outcome() is Outcome.VOID
    assert verify(arena, void).ok


def tampered_trace(bundle: Bundle, step: int, offset: int, value: int) -> bytes:
    data = bytearray(bundle.trace)
    data[step * 40 + offset] = value
    return bytes(data)


def lies(bundle: Bundle) -> dict[str, tuple[Bundle, str, int | None]]:
    step = 20
    other = (bundle.trace[step * 40 + 24] + 1) % 4
    return {
        "score": (sealed(bundle, match={"scores": [16]}), "the scores is claimed as (16,), replayed as (15,)", None),
        "outcome": (sealed(bundle, match={"outcome": "VOID"}), "the outcome is claimed as VOID", None),
        "cause": (sealed(bundle, match={"cause": "STACK"}), "the cause", None),
        "seat": (sealed(bundle, match={"seat": 0}), "the seat", None),
        "action": (sealed(bundle, trace=tampered_trace(bundle, step, 24, other)), f"step {step}: action {other}", step),
        "gas": (sealed(bundle, trace=tampered_trace(bundle, step, 13, 99)), f"step {step}: gas used", step),
        "last step left out": (sealed(bundle, trace=bundle.trace[:-40]), "172 steps are claimed, 173 were played", 172),
        "seed": (sealed(bundle, match={"seed": 8}), "at step 0: in the observation", 0),
        "budget": (sealed(bundle, match={"budget": 100}), "the traces differ", None),
        "gate": (sealed(bundle, match={"gate": "9"}), "gate 9", None),
        "parameters": (sealed(bundle, match={"params": {"fast": 1}}), "no parameter", None),
        "root": (
            dataclasses.replace(
                bundle,
                trace_root=bytes(32),
                commitment=match_commitment(bundle.header, bytes(32), bundle.steps),
            ),
            "does not hash to the root",
            None,
        ),
    }  # fmt: skip


def test_every_lie_in_a_sealed_bundle_is_found(arena, bundle) -> None:
    assert (bundle.steps, bundle.match.scores) == (173, [15])
    for name, (lie, text, step) in lies(bundle).items():
        found = verify(arena, lie)
        assert not found.ok, name
        assert text in "; ".join(found.differences), name
        if step is not None:
            assert found.step == step, name
        with pytest.raises(DivergenceError) as caught:
            found.require("bundle x.nets")
        assert caught.value.exit_code == 3
        assert "x.nets" in str(caught.value)
        assert found.to_json()["ok"] is False


def test_a_module_that_the_gate_rejects_fails_verification(arena, bundle) -> None:
    from hashlib import sha256

    bad = b"\0asm\x01\0\0\0"
    lie = sealed(bundle, agents=(bad,), match={"agents": [sha256(bad).hexdigest()]})
    found = verify(arena, lie)
    assert found.result is None
    assert found.differences == ("the gate rejects agents/0.wasm: does not export the function 'decide'",)


def test_a_bundle_with_too_many_agents_fails_verification(arena, bundle) -> None:
    lie = sealed(bundle, agents=bundle.agents * 2, match={"agents": bundle.match.agents * 2, "scores": [15, 0]})
    assert verify(arena, lie).differences == ("Snake takes 1 agents, the bundle has 2",)


def test_a_worker_verifies_a_file_alone(bundle, tmp_path) -> None:
    path = tmp_path / "match.nets"
    write_bundle(path, bundle)
    assert verify_file(path).ok


# Replay and proofs ----------------------------------------------------------------------------------------------


def test_every_step_is_replayed_with_state_and_proof(arena, bundle, snake) -> None:
    replay = Replay(bundle, snake, arena.sandbox)
    assert len(replay) == 173
    for step in (0, 1, 57, 172):
        view = replay.at(step)
        # Snake's state begins with the packed observation, its steps are at offset 12.
        assert view.state[:8] == view.observation
        assert int.from_bytes(view.state[12:14], "little") == step
        assert (view.legal, view.cause, view.seat) == (True, None, 0)
        proof = StepProof.of(bundle, step)
        assert (proof.leaf, proof.path) == (view.leaf, view.path)
        proof.check(replay.trace_root)
    final = replay.state(173)
    assert int.from_bytes(final[12:14], "little") == 173
    assert final[7] != 0
    for step in (-1, 173):
        with pytest.raises(IndexError):
            replay.at(step)
    with pytest.raises(IndexError):
        replay.state(174)


def test_a_fault_is_replayed_as_one(arena, snake, snake_file, sample_files, duel) -> None:
    trap = played(arena, snake_file, sample_files["trapper"])
    replay = Replay(trap, snake, arena.sandbox)
    view = replay.at(len(replay) - 1)
    assert (view.action, view.legal, view.cause) == (None, None, "TRAP UNREACHABLE")
    assert replay.state(len(replay)) == view.state
    StepProof.of(trap, view.step).check()
    illegal = Replay(duel, arena.gate.check(duel.system, "system").system(), arena.sandbox).at(1)
    assert (illegal.action, illegal.legal, illegal.cause, illegal.seat) == (None, False, "ILLEGAL_ACTION", 1)


def test_seats_are_replayed_in_their_own_order(arena) -> None:
    counter = (
        '(module (global $n (mut i64) (i64.const {start})) (func (export "decide") (param i64) (result i64)'
        " (global.set $n (i64.add (global.get $n) (i64.const 1))) (global.get $n)))"
    )
    files = tuple(arena.wasm(counter.format(start=start)) for start in (100, 500))
    system_file = arena.system_file(seats=2, steps=2500, legal=False, max_steps=5000, score_max=5000)
    item = played(arena, system_file, *files)
    replay = Replay(item, arena.gate.check(system_file, "system").system(), arena.sandbox)
    assert len(replay) == 2500
    # The state holds (step, last action); actions of 2,500 steps take more than a page of playback.
    assert replay.state(2500)[:16] == (2500).to_bytes(8, "little") + (500 + 1250).to_bytes(8, "little")
    assert replay.state(7)[:16] == (7).to_bytes(8, "little") + (104).to_bytes(8, "little")


def test_a_replay_needs_the_bundles_own_system(arena, bundle) -> None:
    with pytest.raises(LeagueError, match="not the bundle's"):
        Replay(bundle, arena.system(), arena.sandbox)


def test_actions_that_the_system_does_not_follow_are_reported(arena, bundle, snake) -> None:
    longer = dataclasses.replace(
        bundle, trace=bundle.trace + (173).to_bytes(4, "little") + bundle.trace[4:40], steps=174
    )
    with pytest.raises(LeagueError, match="stopped at step 173 of 174"):
        Replay(longer, snake, arena.sandbox).state(174)


def test_a_proof_travels_as_json(bundle) -> None:
    proof = StepProof.of(bundle, 100)
    text = json.dumps(proof.to_json())
    again = StepProof.from_json(json.loads(text))
    assert again == proof
    again.check(bundle.trace_root)
    with pytest.raises(TraceError, match="another match"):
        again.check(bytes(32))
    with pytest.raises(TraceError, match="no step 173"):
        StepProof.of(bundle, 173)


FALSE_PROOFS = {
    "step": {"step": 101},
    "steps": {"steps": 180},
    "observation": {"observation": "00" * 8},
    "action": {"action": "3"},
    "fault": {"action": None, "fault": 2},
    "trace_root": {"trace_root": "00" * 32},
    "header": {"header": "{}"},
    "commitment": {"commitment": "00" * 32},
}


@pytest.mark.parametrize("name", FALSE_PROOFS)
def test_a_false_proof_does_not_hold(bundle, name) -> None:
    value = StepProof.of(bundle, 100).to_json()
    assert {key: value[key] for key in FALSE_PROOFS[name]} != FALSE_PROOFS[name]
    with pytest.raises(TraceError):
        StepProof.from_json(value | FALSE_PROOFS[name]).check()


@pytest.mark.parametrize("part", range(8))
def test_a_false_path_does_not_hold(bundle, part) -> None:
    value = StepProof.of(bundle, 100).to_json()
    assert len(value["path"]) == 8
    value["path"][part] = "11" * 32
    with pytest.raises(TraceError, match="leads to"):
        StepProof.from_json(value).check()


@pytest.mark.parametrize(
    "change",
    [
        {"step": True}, {"step": -1}, {"step": "1"}, {"path": "x"}, {"path": ["00"]}, {"path": ["00" * 32] * 65},
        {"observation": "0"}, {"observation": "AB"}, {"action": 5}, {"action": None},
        {"action": "99999999999999999999"},
        {"fault": 1}, {"header": 5}, {"version": 2}, {"more": 1},
    ],
)  # fmt: skip
def test_what_is_no_proof_is_refused(bundle, change) -> None:
    with pytest.raises(TraceError, match="not the proof of a step"):
        StepProof.from_json(StepProof.of(bundle, 100).to_json() | change)
    with pytest.raises(TraceError):
        StepProof.from_json([])
