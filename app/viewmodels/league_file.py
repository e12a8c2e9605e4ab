"""Saving a setup so that another machine reproduces it: the league file, with the modules beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.core.files import write_atomically
from engine.league.config import AgentEntry
from engine.league.roster import Roster

if TYPE_CHECKING:
    from app.viewmodels.roster import AgentRow
    from app.viewmodels.setup import SetupViewModel
    from engine.runtime import Runtime


def write_league_file(path: Path, setup: SetupViewModel, runtime: Runtime, agents: Sequence[AgentRow]) -> int:
    """Write ``path`` and, in a folder beside it, the agents' modules; return how many. Raises EngineError, OSError."""
    folder = path.parent / f"{path.stem}-agents"
    folder.mkdir(parents=True, exist_ok=True)
    roster = Roster(runtime.store, runtime.wallet.address)
    entries = []
    for agent in agents:
        target = folder / f"{_plain(agent.name)}-{agent.sha256[:8]}.wasm"
        write_atomically(target, roster.original(agent.sha256), mode=0o644)
        entries.append(AgentEntry(target, agent.name, agent.owner))
    text = setup.config(tuple(entries), 1).to_toml(path.parent)
    write_atomically(path, text.encode(), mode=0o644)
    return len(entries)


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in name)[:40]
