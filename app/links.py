"""Places in the console: every hash, address and match is a link to one; Back returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

PAGES = ("overview", "devnet", "consensus", "leagues", "stakes", "replay", "merkle", "learning", "logs")
_SCHEME = "nash:"


@dataclass(frozen=True, slots=True)
class Place:
    """A page and, optionally, the item shown there: ``Place('devnet', 'tx/0xabc')``."""

    page: str
    item: str = ""

    @property
    def link(self) -> str:
        """The text form that widgets carry."""
        return f"{_SCHEME}{self.page}/{self.item}" if self.item else f"{_SCHEME}{self.page}"

    @property
    def kind(self) -> str:
        """What the item is: tx, block, address, round, match, agent, file or ''."""
        return self.item.partition("/")[0]

    @property
    def name(self) -> str:
        """The item without its kind."""
        return self.item.partition("/")[2]

    @classmethod
    def parse(cls, link: str) -> Place | None:
        """Return the place behind ``link``, None where it is none."""
        if not link.startswith(_SCHEME):
            return None
        page, _, item = link[len(_SCHEME) :].partition("/")
        return cls(page, item) if page in PAGES else None


def tx_link(transaction: str) -> str:
    """Return the link of a transaction hash ('' for none)."""
    return Place("devnet", f"tx/{transaction}").link if transaction else ""


def address_link(address: str) -> str:
    """Return the link of an account or contract."""
    return Place("devnet", f"address/{address}").link if address else ""


def block_link(number: int | str) -> str:
    """Return the link of a block, by its number or its hash."""
    return Place("devnet", f"block/{number}").link


def round_link(round_id: object) -> str:
    """Return the link of a league round."""
    return Place("leagues", f"round/{round_id}").link


def match_link(round_id: object, index: int) -> str:
    """Return the link of a match: its replay."""
    return Place("replay", f"match/{round_id}/{index}").link


def leaf_link(round_id: object, index: int) -> str:
    """Return the link of a match's leaf in its round's Merkle tree."""
    return Place("merkle", f"leaf/{round_id}/{index}").link


def step_link(round_id: object, fixture: int, step: int) -> str:
    """Return the link of a step's leaf in its match's Merkle tree."""
    return Place("merkle", f"step/{round_id}/{fixture}/{step}").link


def slot_link(slot: int) -> str:
    """Return the link of a slot of the learning chain."""
    return Place("learning", f"slot/{slot}").link


def validator_link(index: int) -> str:
    """Return the link of a validator of the learning chain."""
    return Place("learning", f"validator/{index}").link


def update_link(update_id: str) -> str:
    """Return the link of an update of the learning chain ('' for none)."""
    return Place("learning", f"update/{update_id}").link if update_id else ""


def made_link(made: Sequence[str]) -> str:
    """Return the link of what a step of the demo made ('' for nothing), see :class:`engine.demo.walk.Found`."""
    kind, *names = made or ("",)
    if kind not in _MADE:
        return ""
    page, item = _MADE[kind]
    return Place(page, item.format(*names)).link


_MADE = {
    "devnet": ("devnet", ""),
    "contract": ("devnet", "address/{}"),
    "agents": ("leagues", "tab/setup"),
    "dispute": ("leagues", "disputes/{}"),
    "round": ("leagues", "round/{}"),
    "step": ("replay", "match/{}/{}/{}"),
    "leaf": ("merkle", "step/{}/{}/{}"),
    "claim": ("leagues", "settlement/{}"),
    "account": ("stakes", "account/{}"),
    "consensus": ("consensus", "round/{}"),
    "learning": ("learning", "run/{}"),
}


STEPS_BACK = 500  # places that Back knows


class Navigator:
    """Where the operator is and where he was."""

    def __init__(self, start: Place) -> None:
        self.here = start
        self._back: list[Place] = []
        self._forward: list[Place] = []
        self._observers: list[Callable[[Place], None]] = []

    def observe(self, observer: Callable[[Place], None]) -> None:
        """Call ``observer`` after each move."""
        self._observers.append(observer)

    def go(self, place: Place) -> None:
        """Move to ``place`` and remember where this was."""
        if place != self.here:
            self._back.append(self.here)
            del self._back[:-STEPS_BACK]
            self._forward.clear()
            self.here = place
        self._tell()

    def follow(self, link: str) -> bool:
        """Go where ``link`` leads; False when it leads nowhere."""
        place = Place.parse(link)
        if place is None:
            return False
        self.go(place)
        return True

    def back(self) -> None:
        """Return to the previous place."""
        self._move(self._back, self._forward)

    def forward(self) -> None:
        """Undo a ``back``."""
        self._move(self._forward, self._back)

    @property
    def can_go_back(self) -> bool:
        """Whether ``back`` leads anywhere."""
        return bool(self._back)

    def _move(self, source: list[Place], target: list[Place]) -> None:
        if source:
            target.append(self.here)
            self.here = source.pop()
            self._tell()

    def _tell(self) -> None:
        for observer in tuple(self._observers):
            observer(self.here)
