"""What the operator does with the devnet beyond one widget: confirmations and dialogs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from app.actions import Command
from app.dialogs import choose_files

if TYPE_CHECKING:
    from app.wiring import Wiring


class DevnetActions:
    """Intents of the Devnet page that need the window."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    def commands(self) -> list[Command]:
        """Return the devnet's commands."""
        return [
            Command("devnet.up", "Start devnet", self._w.devnet.up, "Devnet", (), "play"),
            Command("devnet.down", "Stop devnet…", self.stop, "Devnet", (), "stop"),
            Command("devnet.deploy", "Deploy contracts…", self.deploy, "Devnet", (), "anchor"),
            Command("devnet.locate", "Locate Anvil…", self.locate, "Devnet", (), "open"),
        ]

    def stop(self) -> None:
        """Stop the node, after saying what that does."""
        text = (
            "The node saves its state first; the same chain comes back at the next start. Rounds that are running stop."
        )
        self._w.confirmed("Stop the devnet?", text, "Stop devnet", self._w.devnet.down)

    def deploy(self) -> None:
        """Deploy the contracts, after saying what that does."""
        text = (
            "Eleven transactions from the operator's development account put StakeVault, LeagueAnchor, LeagueCourt, "
            "NeuralConsensus, POL and ProofOfLearning on the devnet."
        )
        self._w.confirmed("Deploy the contracts?", text, "Deploy", self._w.devnet.deploy)

    def locate(self) -> None:
        """Let the operator show where Anvil is, then start it."""

        def use(files: list[Path]) -> None:
            self._w.use_settings(self._w.console.settings.model_copy(update={"anvil_path": str(files[0])}))
            self._w.devnet.up()

        choose_files(self._w.window, "Locate Anvil", "All files (*)", use, several=False)
