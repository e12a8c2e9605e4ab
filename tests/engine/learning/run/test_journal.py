"""The record of a run: what is damaged, cut off or of another run; and what a killed run makes of it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.ai.brain import ReplayBrain
from engine.learning.brain import Aggregated, Trained
from engine.learning.config import LearnConfig
from engine.learning.errors import DeltaRefusedError, JournalError, TrainingError
from engine.learning.faults import Fault
from engine.learning.ports import Fetched, Record, Stored
from engine.learning.results import RawDelta
from engine.learning.run import journal as journals
from engine.learning.run.codec import Codec
from engine.learning.run.journal import Act, Answer, Journal
from engine.learning.run.world import World
from tests.engine.learning.run.worlds import SMALL, play

CONFIG = LearnConfig()
HERE = Path(__file__).parent


def filled(path: Path, count: int = 5) -> None:
    with Journal.open(path, CONFIG) as journal:
        for number in range(count):
            journal.answer(f"train/{number}", Answer(number / 3, number, Trained(bytes([number]) * 100, 1.5, 0.25)))
            journal.slot(number, 12.0 * number, f"{number:064x}")


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)


@given(st.lists(plain, max_size=5))
@settings(max_examples=100, deadline=None)
def test_answers_come_back_as_they_were(answers: list[object]) -> None:
    written, read = Codec(), Codec()
    for answer in answers:
        assert read.decode(json.loads(json.dumps(written.encode(answer)))) == answer


def test_dataclasses_and_errors_come_back() -> None:
    raw = RawDelta(1, "ab", 3, 0.1, None, True, "")
    record = Record("ack:00", "ff", b"x" * 500, 3600.0, bytes(32), bytes(64))
    for answer in (
        Trained(b"d" * 200, 2.5, 1.0),
        Aggregated(None, (raw,), "too_few"),
        Fetched((record, record), 0.5, 7),
        Stored(20, "", 0.1),
        Fault(3, "partition", (1, 2), 9),
    ):
        codec = Codec()
        assert codec.decode(json.loads(json.dumps(codec.encode(answer)))) == answer
    for error in (TrainingError("It failed", "why", "next", worker=3), DeltaRefusedError("oversize", "too large")):
        codec = Codec()
        again = codec.decode(json.loads(json.dumps(codec.encode(error))))
        assert type(again) is type(error)
        assert str(again) == str(error)
        assert again.data == error.data


def test_long_bytes_are_held_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path, CONFIG) as journal:
        for number in range(100):
            journal.answer(f"dht/fetch/{number}", Answer(0.0, number, Trained(b"x" * 100_000, 0.0, 0.0)))
    assert path.stat().st_size < 200_000
    with Journal.open(path, CONFIG) as journal:
        found = journal.take("dht/fetch/99")
        assert found is not None
        assert found.value.delta == b"x" * 100_000


def test_a_cut_off_tail_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path)
    whole = path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    for cut in range(1, last):
        path.write_bytes(whole[:-cut])
        with Journal.open(path, CONFIG) as journal:
            assert sorted(journal.slots) == [0, 1, 2, 3]
            journal.slot(4, 48.0, f"{4:064x}")
        assert path.read_bytes() == whole


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_line_is_told_with_its_number(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("damaged") / "journal"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    number = data.draw(st.integers(0, len(lines) - 2))
    place = data.draw(st.integers(0, len(lines[number]) - 2))
    changed = bytearray(lines[number])
    changed[place] ^= data.draw(st.integers(1, 127))
    lines[number] = bytes(changed)
    path.write_bytes(b"".join(lines))
    with pytest.raises(JournalError) as caught:
        Journal.open(path, CONFIG)
    assert caught.value.next_step
    assert f"line {number + 1} " in str(caught.value)


def test_a_line_left_out_or_twice_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    for broken in ([*lines[:3], *lines[4:]], [*lines[:4], *lines[3:]], lines[1:], [lines[0], *lines]):
        path.write_bytes(b"".join(broken))
        with pytest.raises(JournalError, match="damaged"):
            Journal.open(path, CONFIG)


def test_other_settings_and_other_programs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal"
    filled(path)
    with pytest.raises(JournalError, match="validators"):
        Journal.open(path, CONFIG.changed(validators=9))
    with pytest.raises(JournalError, match="faults"):
        Journal.open(path, CONFIG, note={"scenario": "another"})
    monkeypatch.setattr(journals, "program_version", lambda: "99.0")
    with pytest.raises(JournalError, match="99\\.0"):
        Journal.open(path, CONFIG)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"7",
        b"[]",
        b"[" * 100_000,
        b'["answer"]',
        b'["answer",0.0,1,"train/0",{"@":"Fault","slot":1,"kind":"no such"}]',
        b'["answer",0.0,1,"train/0",{"!":"TrainingError","parts":[],"data":7}]',
        b'["act",0.0,1,1,"fault"]',
        b'["slot",1e999,0.0,""]',
        b'["slot",0,Infinity,""]',
        b'["slot",0,-1.0,""]',
        b'["begin",1,"0",{},{}]',
    ],
)
def test_a_line_with_a_right_hash_and_nonsense_in_it_is_damage(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "journal"
    filled(path)
    last = path.read_bytes().splitlines()[-1][:64]
    with path.open("ab") as file:
        file.write(sha256(last + text).hexdigest().encode() + b" " + text + b"\n")
    with pytest.raises(JournalError, match="line 12"):
        Journal.open(path, CONFIG)


@pytest.mark.parametrize("begin", [b'["begin"]', b'["begin",1,"0",7,{}]', b'["begin",1]'])
def test_a_first_line_with_nonsense_in_it_is_refused(tmp_path: Path, begin: bytes) -> None:
    path = tmp_path / "journal"
    path.write_bytes(sha256(journals.START.encode() + begin).hexdigest().encode() + b" " + begin + b"\n")
    with pytest.raises(JournalError):
        Journal.open(path, CONFIG)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with path.open("wb") as file:
        file.truncate(journals.LONGEST * 16)
    with pytest.raises(JournalError, match="more than"):
        Journal.open(path, CONFIG)


def test_two_programs_do_not_go_on_with_one_run(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal.open(path, CONFIG) as journal:
        with pytest.raises(JournalError, match="another Nashboard"):
            Journal.open(path, CONFIG)
        journal.slot(0, 0.0, "0" * 64)
    with Journal.open(path, CONFIG) as journal:
        assert sorted(journal.slots) == [0]


def test_an_empty_file_is_a_new_run_and_a_folder_is_none(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b"")
    with Journal.open(path, CONFIG) as journal:
        assert not journal.slots
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(tmp_path, CONFIG)
    with pytest.raises(JournalError, match="cannot be opened"):
        Journal.open(tmp_path / "no" / "journal", CONFIG)


def test_a_slot_that_comes_out_otherwise_is_told(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path)
    with Journal.open(path, CONFIG) as journal, pytest.raises(JournalError, match="slot 2"):
        journal.slot(2, 24.0, "f" * 64)


def test_what_an_operator_did_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    act = Act(12.5, 1, 1, "fault", Fault(1, "offline", (2,)))
    with Journal.open(path, CONFIG) as journal:
        journal.act(act)
    with Journal.open(path, CONFIG) as journal:
        assert journal.acts == [act]
        assert journal.sequence == 1


# Killed runs ---------------------------------------------------------------------------------------------------


class Counting:
    """A brain that counts the trainings that it is asked for."""

    def __init__(self, brain: ReplayBrain) -> None:
        self._brain = brain
        self.trained = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._brain, name)

    async def train(self, order: object) -> Trained:
        self.trained += 1
        return await self._brain.train(order)  # type: ignore[arg-type]


async def test_a_run_that_is_played_again_asks_for_no_training(brain: ReplayBrain, tmp_path: Path) -> None:
    config = LearnConfig.read(SMALL)
    first, second = Counting(brain), Counting(brain)
    with Journal.open(tmp_path / "journal", config) as journal:
        whole = await play(config, first, journal=journal, slots=6)  # type: ignore[arg-type]
    with Journal.open(tmp_path / "journal", config) as journal:
        again = await play(config, second, journal=journal, slots=6)  # type: ignore[arg-type]
        assert journal.unused == 0
    assert first.trained > 0
    assert second.trained == 0
    assert again.kit.watch.trace == whole.kit.watch.trace


def run_process(folder: Path, cache: Path, slots: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "worlds.py"), str(folder / "journal"), str(cache), str(slots)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


ROOT = HERE.parents[3]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[str]:
    process = run_process(tmp_path_factory.mktemp("unbroken"), cache, 10)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    yield out.splitlines()[-1]


def test_two_processes_take_the_same_course(unbroken: str, cache: Path, tmp_path: Path) -> None:
    process = run_process(tmp_path, cache, 10)
    out, _ = process.communicate(timeout=200)
    assert out.splitlines()[-1] == unbroken


async def test_what_an_operator_does_while_a_run_is_played_again_falls_on_its_present(
    brain: ReplayBrain, tmp_path: Path
) -> None:
    config, path = LearnConfig.read(SMALL), tmp_path / "journal"
    with Journal.open(path, config) as journal:
        await play(config, brain, journal=journal, slots=4)

    def before(world: World, slot: int, phase: str) -> None:
        if (slot, phase) == (1, "vote"):
            world.inject(Fault(0, "offline", (1,)))

    with Journal.open(path, config) as journal:
        late = await play(config, brain, journal=journal, before=before, slots=8)
    with Journal.open(path, config) as journal:
        [act] = journal.acts
        again = await play(config, brain, journal=journal, slots=8)
    assert act.time == late.kit.start_of(4)
    assert again.kit.watch.trace == late.kit.watch.trace


async def test_a_record_cut_off_anywhere_is_gone_on_with(brain: ReplayBrain, tmp_path: Path) -> None:
    config = LearnConfig.read({**SMALL, "loss_rate": 0.1, "round_every": 1})
    path, draw = tmp_path / "journal", random.Random(7)
    faults = (Fault(1, "equivocate_headers", count=1), Fault(3, "partition", (3,), 5), Fault(2, "dht_kill", count=1))

    async def trace() -> str:
        with Journal.open(path, config) as journal:
            return (await play(config, brain, faults=faults, journal=journal, slots=8)).kit.watch.trace

    whole = await trace()
    data = path.read_bytes()
    for _ in range(5):
        path.write_bytes(data[: draw.randrange(1, len(data))])
        assert await trace() == whole
        assert path.read_bytes() == data


def test_a_run_killed_several_times_ends_as_one_that_was_not(unbroken: str, cache: Path, tmp_path: Path) -> None:
    draw = random.Random()
    for _ in range(2):
        process = run_process(tmp_path, cache, 10)
        assert process.stdout is not None
        for _ in range(draw.randrange(1, 6)):  # killed a moment after so many slots
            process.stdout.readline()
        time.sleep(draw.random() * 0.3)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=90)
    process = run_process(tmp_path, cache, 10)
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 0
    assert out.splitlines()[-1] == unbroken


def test_the_loop_is_free_while_a_run_is_played_again(tmp_path: Path, brain: ReplayBrain) -> None:
    async def both() -> int:
        turns = 0

        async def ticker() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(ticker())
        await play(LearnConfig.read(SMALL), brain, slots=4)
        task.cancel()
        return turns

    assert asyncio.run(both()) > 20
