"""The Replay page on real matches of several Systems: moving, naming, proving, and what is wrong with a file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from wasmtime import wat2wasm

from app.links import Place
from app.viewmodels.match_reading import MatchReading
from engine.core.hashing import canonical_json
from engine.core.paths import DataDir, assets_dir
from engine.league.bundle import Bundle, write_bundle
from engine.league.gate import SyncGate
from engine.league.match import MatchRequest, match_commitment, run_match
from engine.league.replay import Replay
from engine.league.sandbox import Sandbox
from engine.league.trace import RECORD, trace_root
from engine.league.wasm.leb import unsigned
from widgets.board_state import board_state

# Adds the actions up and ends at ten thousand; the state is the sum.
COUNTER = """
(module (memory (export "memory") 1) (global $step (mut i64) (i64.const 0))
  (func (export "reset") (param i64)) (func (export "to_move") (result i32) (i32.const 0))
  (func (export "observe") (result i64) (global.get $step))
  (func $bytes (result i64) (i64.store (i32.const 8) (global.get $step)) (i64.const 0x800000008))
  (func (export "observe_bytes") (result i64) (call $bytes)) (func (export "state") (result i64) (call $bytes))
  (func (export "step") (param i64) (global.set $step (i64.add (global.get $step) (local.get 0))))
  (func (export "is_done") (result i32) (i64.ge_u (global.get $step) (i64.const 10000)))
  (func (export "score") (param i32) (result i64) (global.get $step)))
"""
SPEC = {
    "abi": 1, "id": "counter", "version": 1, "title": "Counter", "seats": 1, "max_steps": 10_000, "score_min": 0,
    "score_max": 10_000, "observation": {"packed": [{"byte": 0, "size": 2, "name": "counted"}]},
    "action": {"kind": "number", "min": 0, "max": 9},
    "state": {"kind": "numbers", "length": 8, "fields": [{"offset": 0, "size": 8, "name": "counted"}]},
}  # fmt: skip
ONE = '(module (func (export "decide") (param i64) (result i64) (i64.const 1)))'


class Maker:
    """Plays real matches and gives their bundles."""

    def __init__(self, gate: SyncGate, sandbox: Sandbox) -> None:
        self.gate, self.sandbox = gate, sandbox

    def play(self, system: bytes, agents: tuple[bytes, ...], seed: int = 5, budget: int = 1_000_000) -> Bundle:
        image = self.gate.check(system, "system").system()
        images = tuple(self.gate.check(agent, "agent").agent() for agent in agents)
        request = MatchRequest(image, images, seed, budget)
        return Bundle.of(request, run_match(request, self.sandbox), system, agents)

    def shipped(self, system: str, *agents: str, seed: int = 5) -> Bundle:
        files = [(assets_dir() / "agents" / system / f"{name}.wasm").read_bytes() for name in agents]
        return self.play((assets_dir() / "systems" / f"{system}.wasm").read_bytes(), tuple(files), seed)

    def long(self) -> Bundle:
        payload = b"\x0bnets.system" + canonical_json(SPEC)
        module = bytes(wat2wasm(COUNTER)) + b"\0" + unsigned(len(payload)) + payload
        return self.play(module, (bytes(wat2wasm(ONE)),))


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maker]:
    with SyncGate() as gate, Sandbox(tmp_path_factory.mktemp("compiled"), deadline=20) as sandbox:
        gate.check(b"warm")  # its process is this module's, not that of the first test which asks it
        yield Maker(gate, sandbox)


@pytest.fixture(scope="module")
def chess(maker: Maker) -> Bundle:
    return maker.shipped("chess", "random_mover", "random_mover", seed=11)


@pytest.fixture
def shown(opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path) -> Callable[..., Any]:
    """Open a bundle in a console: gives the wiring, inside ``async with``."""
    import contextlib

    @contextlib.asynccontextmanager
    async def open_(bundle: Bundle, name: str = "match.nets") -> Any:
        path = tmp_path / name
        write_bundle(path, bundle)
        async with opened(data_dir, path) as wiring:
            await until(lambda: wiring.replay.state.facts)
            await until(lambda: wiring.pages["replay"].tabs.isVisible())
            yield wiring

    return open_


def tampered(bundle: Bundle, step: int, *, action: int | None = None, gas: int | None = None) -> Bundle:
    """Rewrite a step of the trace and bind the lie: only playing the match again finds it."""
    data = bytearray(bundle.trace)
    at = next(offset for number, offset in enumerate(bundle.records._offsets) if number == step)
    fields = list(RECORD.unpack_from(data, at))
    fields[4] = fields[4] if gas is None else gas
    fields[6] = fields[6] if action is None else action
    RECORD.pack_into(data, at, *fields)
    root = trace_root(bytes(data), len(bundle.agents))
    made = replace(bundle, trace=bytes(data), trace_root=root)
    return replace(made, commitment=match_commitment(made.header, root, made.steps))


def values(panel: Any) -> dict[str, str]:
    """The facts that a panel shows."""

    def text(widget: Any, kind: str) -> str:
        if kind == "pill":
            return str(widget.pill.accessibleName())
        return str(widget.value() if kind == "hash" else widget.text())

    pairs = zip(panel._shape, panel._values, strict=True)
    return {name.strip(): text(widget, kind) for (name, kind), widget in pairs}


async def test_steps_forward_and_back_give_the_same_state(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        replay = wiring.replay
        assert replay.state.step == 0
        seen = []
        for step in range(40):
            replay.seek(step)
            seen.append((replay.state.board, replay.state.shown, replay.state.gas, replay.state.proof))
        assert len({board for board, *_ in seen}) == 40
        for step in reversed(range(40)):
            replay.seek(step)
            assert (replay.state.board, replay.state.shown, replay.state.gas, replay.state.proof) == seen[step]


async def test_the_keys_move_through_the_match(shown: Any, chess: Bundle, until: Any) -> None:
    async with shown(chess) as wiring:
        page, replay = wiring.pages["replay"], wiring.replay
        total = chess.steps

        def press(key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> int:
            wiring.bridge._flush()
            QTest.keyClick(page, key, modifier)
            return replay.state.step

        shift = Qt.KeyboardModifier.ShiftModifier
        page.setFocus()
        assert press(Qt.Key.Key_Right) == 1
        assert press(Qt.Key.Key_Right, shift) == 11
        assert press(Qt.Key.Key_Left) == 10
        assert press(Qt.Key.Key_Left, shift) == 0
        assert press(Qt.Key.Key_End) == total
        assert press(Qt.Key.Key_Home) == 0
        for _ in range(6):
            press(Qt.Key.Key_Plus)
        assert replay.state.speed == 16
        for _ in range(9):
            press(Qt.Key.Key_Minus)
        assert replay.state.speed == 0.25
        marks = sorted({step for step, _, _ in replay.state.reading.marks})
        assert press(Qt.Key.Key_N) == next(step for step in marks if step > 0)
        assert press(Qt.Key.Key_BracketRight) == marks[1 if marks[0] > 0 else 2]
        assert press(Qt.Key.Key_N, shift) == next(step for step in marks if step > 0)
        press(Qt.Key.Key_End)
        assert press(Qt.Key.Key_BracketLeft) == max(step for step in marks if step < total)


async def test_slider_and_field_seek(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        bar, replay = wiring.pages["replay"]._transport, wiring.replay
        wiring.bridge._flush()
        at = bar._slider.rect().center()
        at.setX(round(bar._slider.x_of(50)))
        QTest.mouseClick(bar._slider, Qt.MouseButton.LeftButton, pos=at)
        assert replay.state.step == bar._slider.step_at(at.x())
        assert abs(replay.state.step - 50) <= 2
        bar._field.setFocus()
        bar._field.setText("77")
        QTest.keyClick(bar._field, Qt.Key.Key_Return)
        assert replay.state.step == 77


async def test_ten_thousand_steps_are_read_once_and_then_sought(shown: Any, maker: Maker) -> None:
    async with shown(maker.long()) as wiring:
        replay, records = wiring.replay, wiring.replay._replay.bundle.records
        assert replay.state.facts.steps == 10_000
        assert "tree" in vars(records)  # hashed while it was opened: a seek needs a path of it and no more
        tree, reading = records.tree, replay.state.reading
        for step in (9_999, 0, 5_000, 10_000, 4_999):
            began = time.thread_time()
            replay.seek(step)
            wiring.bridge._flush()
            assert time.thread_time() - began < 0.1  # of the processor, the page's drawing included
            assert int.from_bytes(replay.state.board, "little") == step
            assert replay.state.proof.holds
        assert records.tree is tree
        assert replay.state.reading is reading
        assert len(reading.moves) == 10_000


async def test_each_step_shows_its_facts(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        page, replay = wiring.pages["replay"], wiring.replay
        for step in (0, 1, 30):
            replay.seek(step)
            wiring.bridge._flush()
            record, facts = chess.records[step], values(page._step)
            assert facts["Observation"] == f"0x{record.packed % 2**64:016x}"
            assert facts["Gas used"] == f"{record.gas_used} of 1,000,000"
            assert facts["Legality"] == "Legal"
            assert facts["Leaf hash"] == record.leaf().hex()
            assert facts["Action"] == replay.state.reading.moves[step].action
            assert facts["Agent"].endswith(f"(seat {step % 2})")
            assert facts["legal moves"] == str(record.packed >> 48 & 255)
            assert len(page._shown_bytes._dump.toPlainText()) > 100


async def test_both_agents_their_gas_and_who_moves(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        page = wiring.pages["replay"]
        wiring.replay.seek(7)
        wiring.bridge._flush()
        panels = page._seats._panels
        assert [panel._info.moves for panel in panels] == [False, True]
        used = [sum(r.gas_used for r in list(chess.records)[:7] if r.seat == seat) for seat in (0, 1)]
        assert wiring.replay.state.gas == tuple(used)
        assert [panel._info.note for panel in panels] == [f"{gas:,} gas so far" for gas in used]
        assert "to move" in panels[1].accessibleName()
        wiring.replay.seek(chess.steps)
        wiring.bridge._flush()
        assert [panel._info.status for panel in panels] == [f"score {score}" for score in chess.match.scores]
        assert sum(wiring.replay.state.gas) == sum(record.gas_used for record in chess.records)


async def test_the_list_of_moves_leads_to_its_steps(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        page, replay = wiring.pages["replay"], wiring.replay
        assert page._moves.row_count() == chess.steps
        page._moves.select((25,))
        assert replay.state.step == 25
        replay.seek(12)
        wiring.bridge._flush()
        assert page._moves.selected_keys() == (12,)
        replay.seek(chess.steps)
        wiring.bridge._flush()
        assert page._moves.selected_keys() == ()
        assert replay.state.step == chess.steps


async def test_the_state_is_told_in_words(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        page = wiring.pages["replay"]
        wiring.replay.seek(20)
        wiring.bridge._flush()
        words = page._words.text()
        assert words == page._board.describe() == page._board.accessibleDescription()
        assert words.startswith(f"Chess. Step 20 of {chess.steps}. 8 by 8 cells. ")
        assert "white king at" in words
        assert "side to move White" in words


def test_chess_moves_are_named_like_the_board_shows_them(maker: Maker, chess: Bundle) -> None:
    image = maker.gate.check(chess.system, "system").system()
    description = image.spec.model_dump()
    replay = Replay(chess, image, maker.sandbox)
    reading = MatchReading.of(chess, description, replay.state(0))

    def pieces(step: int) -> int:
        board = board_state(description, replay.state(step))
        return sum(board.entry(code).role != "empty" for code in board.cells)

    taken = {step for step, _, text in reading.marks if text.startswith("takes")}
    for step, move in enumerate(reading.moves):
        assert (pieces(step + 1) < pieces(step)) == (step in taken) == ("x" in move.action)
        before, letter = board_state(description, replay.state(step)), move.action[0]
        origin = move.action.removeprefix(letter if letter.isupper() else "")[:2]
        if letter != "O":
            at = (8 - int(origin[1])) * 8 + ord(origin[0]) - ord("a")
            name = before.entry(before.cells[at]).name
            assert name.split()[1] == {"K": "king", "Q": "queen", "R": "rook", "B": "bishop", "N": "knight"}.get(
                letter, "pawn"
            )
            assert name.split()[0] == ("white", "black")[move.seat]
    checks = {step for step, kind, _ in reading.marks if kind == "warn"}
    assert checks == {step for step, record in enumerate(chess.records) if record.packed >> 56 & 1}


def test_allocations_and_choices_are_named(maker: Maker) -> None:
    blotto = maker.shipped("blotto", "even", "bully")
    spec = maker.gate.check(blotto.system, "system").system().spec.model_dump()
    first = MatchReading.of(blotto, spec, b"").moves[0].action
    assert first.startswith("field 1 ")
    assert first.count("field") == 6
    kuhn = maker.shipped("kuhn", "equilibrium", "maniac")
    spec = maker.gate.check(kuhn.system, "system").system().spec.model_dump()
    reading = MatchReading.of(kuhn, spec, b"")
    assert {move.action for move in reading.moves} == {"check or fold (0)", "bet or call (1)"}
    assert any(text == "hand 2" for _, _, text in reading.marks)


async def test_playing_again_names_the_first_step_that_differs(shown: Any, chess: Bundle, until: Any) -> None:
    async with shown(tampered(chess, 33, gas=chess.records[33].gas_used + 1)) as wiring:
        replay, page = wiring.replay, wiring.pages["replay"]
        replay.verify()
        await until(lambda: replay.state.verify.state not in ("idle", "running"))
        assert replay.state.verify.state == "failed"
        assert "step 33" in replay.state.verify.text
        assert "gas used" in replay.state.verify.text
        assert replay.state.step == replay.state.verify.step == 33
        await until(lambda: page._verdict.isVisible())
        assert "does not verify" in page._verdict.accessibleName()


async def test_a_trace_that_the_system_does_not_follow_keeps_the_window(shown: Any, maker: Maker) -> None:
    lie = tampered(maker.long(), 4, action=20_000)  # after which the game is over, but the trace goes on
    async with shown(lie) as wiring:
        replay, page = wiring.replay, wiring.pages["replay"]
        replay.seek(40)
        wiring.bridge._flush()
        assert "stopped at step 5" in replay.state.trouble
        assert page._trouble.isVisible()
        assert replay.state.shown.leaf == lie.records[40].leaf().hex()
        replay.seek(3)
        wiring.bridge._flush()
        assert replay.state.trouble == ""
        assert not page._trouble.isVisible()
        assert int.from_bytes(replay.state.board, "little") == 3


async def test_a_bundle_opens_by_drop_and_by_the_dialog(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, drop: Any, maker: Maker, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.nets", tmp_path / "second.nets"
    write_bundle(first, maker.shipped("kuhn", "folder", "maniac"))
    write_bundle(second, maker.shipped("sequence", "markov"))
    async with opened(data_dir) as wiring:
        drop(wiring.window, first)
        await until(lambda: wiring.replay.state.facts)
        assert wiring.navigator.here == Place("replay")
        assert wiring.replay.state.facts.name == "first.nets"
        await until(wiring.pages["replay"]._open.isEnabled)
        wiring.pages["replay"]._open.click()
        dialog = await until(
            lambda: next((w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible()), 0)
        )
        field = dialog.findChild(QLineEdit)
        field.setText(str(second))
        dialog.accept()
        await until(lambda: wiring.replay.state.facts.name == "second.nets")
        assert wiring.replay.state.facts.system == "Sequence prediction"


async def test_shipped_agents_are_named_and_twins_told_apart(shown: Any, chess: Bundle) -> None:
    async with shown(chess) as wiring:
        facts = wiring.replay.state.facts
        assert facts.agents == ("random_mover", "random_mover")
        assert facts.seats == ("random_mover (seat 0)", "random_mover (seat 1)")
        assert [row[1] for row in wiring.pages["replay"]._moves.visible_rows()][:2] == [
            "0: random_mover", "1: random_mover",
        ]  # fmt: skip


async def test_an_agent_of_the_roster_is_named(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, maker: Maker, tmp_path: Path, samples: Path
) -> None:
    path = tmp_path / "known.nets"
    bundle = maker.shipped("snake", "greedy")
    write_bundle(path, bundle)
    async with opened(data_dir, samples / "greedy.wasm") as wiring:
        await until(lambda: wiring.roster.state.agents)
        wiring.replay.open_file(path)
        await until(lambda: wiring.replay.state.facts)
        assert wiring.replay.state.facts.agents == ("greedy",)
        assert bundle.match.agents == [sha256((samples / "greedy.wasm").read_bytes()).hexdigest()]
