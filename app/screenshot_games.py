"""One match of every shipped System between its own agents, for the pictures of the replay."""

from __future__ import annotations

from pathlib import Path

from engine.core.paths import assets_dir
from engine.league.bundle import Bundle, write_bundle
from engine.league.gate import SyncGate
from engine.league.match import MatchRequest, run_match
from engine.league.sandbox import Sandbox

# Who shows a System at its best; other Systems are played by their first agents.
CAST = {
    "chess": ("minimax", "wary"),
    "connect4": ("alphabeta", "lines"),
    "rps": ("historian", "markov"),
    "matrix": ("tit_for_tat", "prober"),
    "kuhn": ("equilibrium", "maniac"),
    "blotto": ("counter", "proportional"),
    "sequence": ("markov",),
}
SEED = 11


def play_games(folder: Path) -> list[tuple[str, Path]]:
    """Play the matches and return their Systems and bundles. Runs in a thread."""
    made = []
    with SyncGate() as gate, Sandbox(None) as sandbox:
        for file in sorted((assets_dir() / "systems").glob("*.wasm")):
            system = gate.check_file(file, "system").system()
            agents = _agents(file.stem, system.spec.seats)
            images = tuple(gate.check_file(agent, "agent").agent() for agent in agents)
            request = MatchRequest(system, images, SEED)
            result = run_match(request, sandbox)
            bundle = Bundle.of(request, result, file.read_bytes(), tuple(agent.read_bytes() for agent in agents))
            made.append((file.stem, folder / f"{file.stem}.nets"))
            write_bundle(made[-1][1], bundle)
    return made


def _agents(system: str, seats: int) -> list[Path]:
    folder = assets_dir() / "agents" / system
    named = [folder / f"{name}.wasm" for name in CAST.get(system, ())]
    return named or sorted(folder.glob("*.wasm"))[:seats]
