"""The byzantine sweep of the Learning chain page: fraction by attack by rule, one job, cell after cell."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from app.viewmodels.learning_tables import RULE_WORDS
from engine.core.errors import EngineError
from engine.learning.events import SweepProgressed
from widgets.heat_map import HeatCell, HeatMapState

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.learning.service.sweeps import SweepRun
    from engine.runtime import Runtime

_log = logging.getLogger(__name__)
Cell = Mapping[str, Any]
Key = tuple[str, str, float]  # attack, rule, fraction
PAYLOAD = "backdoor"  # of this attack a cell shows how much of its trigger took, of the others what was learnt
ATTACK_WORDS = {"alie": "ALIE", "nan": "NaN"}


@dataclass(frozen=True, slots=True)
class SweepState:
    """What the half shows. ``offered`` are the attacks and rules that there are, the rest is what was chosen."""

    offered: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())
    attacks: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    fractions: tuple[float, ...] = ()
    trainers: int | None = 13
    seed: int | None = 0
    problem: str = ""
    state: str = "idle"  # idle, running, done, cancelled or failed
    done: int = 0
    total: int = 0
    failure: str = ""
    cells: Mapping[Key, Cell] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)  # the document of the sweep that the cells are of
    selected: tuple[int, int] | None = None
    revision: int = 0
    beat: int = 0

    @property
    def busy(self) -> bool:
        """Whether a sweep is under way."""
        return self.state == "running"


class SweepViewModel(ViewModel[SweepState]):
    """Runs one sweep at a time."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, SweepState())
        self._runtime = runtime
        self._run: SweepRun | None = None
        self._unwanted = False  # stopped before it had begun
        bridge.subscribe(self._take, SweepProgressed)

    def begin(self) -> None:
        """Offer what there is."""
        self.start(self._begin(), "Reading the attacks", key="sweep")

    def edit(self, **values: Any) -> None:
        """Take choices; None says that one cannot be read."""
        self.update(**values)
        self._check()

    def run(self) -> None:
        """Start."""
        if not self.state.busy and not self.state.problem:
            self._unwanted = False
            self.update(state="running", done=0, total=0, failure="", cells={}, selected=None, measured=self.document())
            self.start(self._play(), "Byzantine sweep", key="sweep")

    def cancel(self) -> None:
        """Stop; the cells so far stay."""
        if self._run is not None:
            self._run.cancel()
        else:
            self._unwanted = self.state.busy

    def select(self, row: int, column: int) -> None:
        """Look at a cell."""
        self.update(selected=(row, column))

    def document(self) -> dict[str, Any]:
        """Return what a sweep is asked for."""
        state = self.state
        return {"attacks": list(state.attacks), "rules": list(state.rules), "fractions": list(state.fractions),
                "trainers": state.trainers, "seed": state.seed}  # fmt: skip

    # Inside

    async def _begin(self) -> None:
        spec = await asyncio.to_thread(_default_spec)
        offered = (tuple(spec.ATTACKS), tuple(spec.RULES))
        self.update(
            offered=offered, attacks=tuple(spec.attacks), rules=tuple(spec.rules), fractions=tuple(spec.fractions),
            trainers=spec.trainers, seed=spec.seed, revision=self.state.revision + 1,
        )  # fmt: skip
        self._check()

    def _check(self) -> None:
        state = self.state
        if not state.attacks or not state.rules:
            problem = "Choose at least one attack and one rule."
        elif not state.fractions or state.trainers is None or state.seed is None:
            problem = "Correct the numbers."
        else:
            problem = ""
            try:
                _spec(self.document())
            except EngineError as error:
                problem = error.why or error.what
        self.update(problem=problem)

    async def _play(self) -> None:
        outcome, failure = "failed", ""
        try:
            self._run = await self._runtime.learning.sweep(_spec(self.document()))
            if self._unwanted:
                self._run.cancel()
            found = await self._run.result()
            self._keep(dataclasses.asdict(cell) for cell in found.cells)
            outcome = "done"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        except EngineError as error:
            cancelled = "cancelled" in error.what
            outcome, failure = ("cancelled", "") if cancelled else ("failed", str(error))
            if not cancelled:
                _log.warning("the sweep failed: %s", error)
        finally:
            self._run = None
            self.update(state=outcome, failure=failure)

    def _take(self, event: SweepProgressed) -> None:
        if self.state.busy and (self._run is None or self._run.sweep_id == event.sweep_id):
            self.update(done=event.done, total=event.total)
            self._keep([event.cell])

    def _keep(self, cells: Iterable[Cell]) -> None:
        known = dict(self.state.cells)
        known |= {(cell["attack"], cell["rule"], round(float(cell["fraction"]), 6)): cell for cell in cells}
        self.update(cells=known, beat=self.state.beat + 1)


def _default_spec() -> Any:
    from engine.learning.sweep import SweepSpec

    return SweepSpec()


def _spec(document: dict[str, Any]) -> Any:
    from engine.learning.sweep import SweepSpec

    return SweepSpec.read(document)


def attack_words(attack: str) -> str:
    """Return an attack's name."""
    return ATTACK_WORDS.get(attack, attack.replace("_", " ").capitalize())


def rows_of(state: SweepState) -> tuple[tuple[str, str], ...]:
    """Return the attack and the rule of each row, as keys."""
    asked = state.measured or {"attacks": state.attacks, "rules": state.rules}
    return tuple((attack, rule) for attack in asked["attacks"] for rule in asked["rules"])


def columns_of(state: SweepState) -> tuple[float, ...]:
    """Return the fractions of the columns."""
    return tuple(state.measured["fractions"]) if state.measured else state.fractions


def cell_at(state: SweepState, row: int, column: int) -> Cell | None:
    """Return a cell of the map."""
    rows, columns = rows_of(state), columns_of(state)
    if not (0 <= row < len(rows) and 0 <= column < len(columns)):
        return None
    return state.cells.get((*rows[row], round(float(columns[column]), 6)))


def heat_of(state: SweepState) -> HeatMapState:
    """Return the heat map: what of the honest gain is left, and of a backdoor how much of it took."""
    rows, columns = rows_of(state), columns_of(state)
    cells: dict[tuple[int, int], HeatCell] = {}
    for at, key in enumerate(rows):
        for column, fraction in enumerate(columns):
            found = state.cells.get((*key, round(float(fraction), 6)))
            if found is not None:
                cells[at, column] = _heat(found)
    names = tuple((attack_words(attack), RULE_WORDS.get(rule, rule)) for attack, rule in rows)
    return HeatMapState(
        "Share of the honest gain; of a backdoor, how much took",
        names if state.measured else (),
        tuple(f"{fraction:.0%}" for fraction in columns),
        cells,
        "byzantine",
        "learns",
        "harmed",
        state.selected,
        "Choose attacks, rules and fractions, then run",
    )


def _heat(cell: Cell) -> HeatCell:
    words = str(cell.get("text") or "")
    if cell.get("refused"):
        return HeatCell(None, "n<2f+3" if cell["refused"] == "too_few" else "refused", "refused", words)
    shown = float(cell["took"] if cell["attack"] == PAYLOAD else cell["gain"])
    bad = shown if cell["attack"] == PAYLOAD else (1.0 - shown) / 2  # a gain of -1 is as dark as it gets
    text = f"{shown:.0%}" if abs(shown) < 10 else f"{shown:,.0f}x"
    return HeatCell(max(0.0, min(1.0, bad)), text, "broken" if cell.get("broken") else "", words)
