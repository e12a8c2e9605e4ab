"""Opening a round: who may take part, in which seats, and what is written before the first match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from engine.core.errors import UsageError
from engine.league.claims import Claims
from engine.league.config import MAX_AGENTS, RoundConfig
from engine.league.disputes.published import Dishonesty
from engine.league.gate.verdict import SystemImage
from engine.league.history import EntryRow, History, RoundRow
from engine.league.roster import AgentRecord
from engine.league.schedule import Schedule, format_for
from engine.league.seasons import Seasons
from engine.league.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Opened:
    """A round that is open: its row, and who was kept out, with the reason."""

    row: RoundRow
    ineligible: tuple[str, ...]


class Opening:
    """Opens rounds in one book; ``settlement`` writes the newcomers' stakes."""

    def __init__(self, history: History, seasons: Seasons, claims: Claims, settlement: Settlement) -> None:
        self._history = history
        self._seasons = seasons
        self._claims = claims
        self._settlement = settlement
        self._accounts = settlement.accounts

    def open(
        self,
        config: RoundConfig,
        system: SystemImage,
        records: Sequence[AgentRecord],
        dishonesty: Dishonesty = Dishonesty.HONEST,
    ) -> Opened:
        """Write the round, its roster, the newcomers' stakes and the claims handed in, in one transaction.

        ``dishonesty`` is kept with the round: a host that was stopped cheats in the same way when it goes on.
        Raises UsageError when nobody may take part, or the format does not fit.
        """
        row = self._new_round(config, system)
        if dishonesty is not Dishonesty.HONEST:
            row.config["dishonesty"] = dishonesty.value
        claims = self._claims.read(config.claims)
        with self._settlement.transaction(repeatable=not claims):
            for record in records:
                if not self._accounts.known(record.address) and config.stake_wei:
                    self._settlement.stake(record.address, config.stake_wei, f"entry:{record.address}")
            able, ineligible = self._able(config, row, records)
            entries = [EntryRow(seat, r.sha256, r.name, r.owner, r.address) for seat, r in enumerate(able)]
            schedule = Schedule.of(row.config, [entry.sha256 for entry in entries])
            self._history.open_round(row, entries)
            self._seasons.note_capital(row.round_id, entries, self._accounts)
            self._claims.enter(row, claims, entries, schedule.known() if claims else ())
        return Opened(row, ineligible)

    def _new_round(self, config: RoundConfig, system: SystemImage) -> RoundRow:
        settings: dict[str, Any] = {
            "tier": config.tier.label,
            "format": format_for(config.format, system.spec.seats),
            "stages": config.stages,
            "matches": config.matches,
            "params": system.spec.resolve(config.params, config.preset),
            "title": system.spec.title,
            "seed": config.seed,
            "budget": config.budget,
            "pot_wei": str(config.pot_wei),
            "capacity": config.capacity,
            "suspension": config.suspension,
        }
        number, book = self._history.next_number(config.name), self._accounts.book.name
        return RoundRow(uuid4().hex, number, config.name, book, settings, system.sha256, "playing", None, None, 0.0)

    def _able(
        self, config: RoundConfig, row: RoundRow, records: Sequence[AgentRecord]
    ) -> tuple[list[AgentRecord], tuple[str, ...]]:
        """Return who takes part, by address, and who does not and why."""
        minimum, suspended = config.tier.min_stake, self._suspended(config, row)
        capital = {record.address: self._accounts.balance(record.address).capital for record in records}
        reasons = {record.name: suspended[record.sha256] for record in records if record.sha256 in suspended}
        for record in records:
            if capital[record.address] < minimum:
                reasons[record.name] = f"its capital is below the {config.tier.label} league's minimum"
        able = [record for record in records if record.name not in reasons]
        able.sort(key=lambda record: (-capital[record.address], record.address))
        capacity = min(config.capacity or MAX_AGENTS, MAX_AGENTS)
        for record in able[capacity:]:
            reasons[record.name] = f"the league takes {capacity}, and others have more capital"
        if not able:
            why = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
            raise UsageError(
                f"No agent may enter the {config.tier.label} league",
                f"it takes a capital of {minimum} wei; {why}",
                "Raise the stake or choose a lower tier.",
            )
        seated = sorted(able[:capacity], key=lambda record: bytes.fromhex(record.address[2:]))
        return seated, tuple(f"{name}: {reason}" for name, reason in reasons.items())

    def _suspended(self, config: RoundConfig, row: RoundRow) -> dict[str, str]:
        """Return who sits out after a disqualification in one of the last rounds of this league, and until when."""
        if not config.suspension:
            return {}
        found = {}
        for past in self._history.rounds_of(config.name):
            if past.state == "rejected":
                continue  # what was claimed on a false round counts against nobody
            back = past.number + config.suspension + 1
            if past.number < row.number < back:
                entries = self._history.entries(past.round_id)
                for item in self._history.disqualifications(past.round_id):
                    found[entries[item.seat].sha256] = f"disqualified in round {past.number}, may enter round {back}"
        return found
