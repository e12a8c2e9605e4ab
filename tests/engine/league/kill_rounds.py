"""The rounds that the killed program plays, and the false claims in them: the same in the program and in its test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from engine.core.paths import assets_dir
from engine.league.bundle import read_bundle, write_bundle
from engine.league.config import AgentEntry, RoundConfig
from engine.league.league import League

_FORMATS = (("snake", "solo", 6), ("rps", "swiss", 2), ("kuhn", "round_robin", 2), ("snake", "solo", 5))


def settings(number: int) -> RoundConfig:
    """Return the number-th round: solo, Swiss with an odd number of agents, round robin, in turn."""
    kind = number % len(_FORMATS)
    system, form, matches = _FORMATS[kind]
    folder = assets_dir() / "agents" / system
    agents = tuple(AgentEntry(path) for path in sorted(folder.glob("*.wasm"))[:5])
    return RoundConfig(
        name=f"kind-{kind}", system=system, format=form, agents=agents, matches=matches, seed=kind, reward_wei=10**17
    )


async def kept_claim(league: League, round_id: str) -> None:
    """Hand in a false claim on every third round of solo matches."""
    played = league.round(round_id)
    if played.format != "solo" or played.number % 3 or played.disqualified:
        return
    bundle = read_bundle(await league.bundle(round_id, played.number))
    path = Path(mkdtemp()) / "claim.nets"
    scores = [score + 1 for score in bundle.match.scores]
    write_bundle(path, replace(bundle, match=bundle.match.model_copy(update={"scores": scores})))
    await league.submit_claim(round_id, path)
