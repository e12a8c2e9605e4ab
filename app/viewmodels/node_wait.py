"""Work that needs the devnet: it is started first, and the work is done once it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.viewmodels.devnet import DevnetState, DevnetViewModel


class NodeWait:
    """Keeps what is to be done when the devnet runs; ``told`` hears whether something waits."""

    def __init__(self, devnet: DevnetViewModel, told: Callable[[bool], None]) -> None:
        self._devnet, self._told = devnet, told
        self._go: Callable[[], None] | None = None

    def start(self) -> None:
        """Start the devnet."""
        self._devnet.up()

    def then(self, go: Callable[[], None]) -> None:
        """Start the devnet, and do this when it runs."""
        self._go = go
        self._told(True)
        self._devnet.up()

    def forget(self) -> None:
        """Do nothing any more when it runs."""
        self._go = None
        self._told(False)

    def follow(self, state: DevnetState) -> None:
        """Do what waits, or give it up when the devnet did not come up: its notice says why."""
        go, now = self._go, state.status.state
        if go is None:
            return
        if now == "running":
            self.forget()
            go()
        elif not state.busy and now != "starting":
            self.forget()
