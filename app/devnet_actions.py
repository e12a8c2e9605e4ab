"""What the operator does with the devnet beyond one widget: confirmations and dialogs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions import Command
from app.dialogs import choose_files
from app.formats import count, ether

if TYPE_CHECKING:
    from app.wiring import Wiring


class DevnetActions:
    """Intents of the Devnet page that need the window."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    def connect(self, page: Any) -> None:
        """Take the page's requests."""
        page.stopRequested.connect(self.stop)
        page.deployRequested.connect(self.deploy)
        page.locateRequested.connect(self.locate)
        page.sendRequested.connect(self.send)
        page.portChosen.connect(self.choose_port)

    def choose_port(self, port: int | None) -> None:
        """Use a port, and keep it for the next start: it is not to change by itself. None: any free one."""
        self._w.devnet.set_port(port)
        if port is None or 1024 <= port <= 65535:
            self._w.console.save_settings(self._w.console.settings.model_copy(update={"devnet_port": port}))

    def send(self) -> None:
        """Send the contract call in the form, after saying what that does."""
        state = self._w.calls.state
        if state.request is None or state.preview is None or state.preview.refusal or state.busy:
            return
        carried = f" {ether(state.request.wei, places=18)} go along." if state.request.wei else ""
        text = (
            f"A transaction of the operator's development account calls {state.request.function.signature} at "
            f"{state.request.address}.{carried} It takes about {count(state.preview.gas or 0)} gas and cannot be "
            "taken back."
        )
        self._w.confirmed(f"Call {state.request.name}?", text, "Send", self._w.calls.send)

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
