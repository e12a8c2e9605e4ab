"""What the operator does with leagues beyond one widget: dialogs, confirmations, league files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.actions import Command
from app.dialogs import choose_files, choose_target
from app.errors import Notice
from app.formats import ether, plural
from app.links import Place
from app.viewmodels.league_file import write_league_file
from app.viewmodels.roster import sample_folder
from app.viewmodels.setup import HOSTS
from engine.core.errors import EngineError
from engine.league.disputes.published import Dishonesty
from engine.league.withdrawals import Move, Preview

if TYPE_CHECKING:
    from app.wiring import Wiring

_MOVES = {
    Move.DEPOSIT: "is staked from the account, and counts as its capital",
    Move.UNBOND: "leaves the stake now and can be withdrawn after the unbonding time; until then it can be slashed",
    Move.WITHDRAW: "is paid out of the vault to the account",
    Move.CLAIM: "of credit is paid out of the vault to the account",
}


class LeagueActions:
    """Intents of the Leagues and Stakes pages that need the window."""

    def __init__(self, wiring: Wiring) -> None:
        self._w = wiring

    def connect(self, page: Any, stakes: Any) -> None:
        """Take the pages' requests."""
        page.browseRequested.connect(self.browse)
        page.samplesRequested.connect(self.add_samples)
        page.rejected.connect(
            lambda why: self._w.notify(Notice("warn", "Some files were refused", f"{why}.", key="files"))
        )
        page.runRequested.connect(self.run)
        page.resumeRequested.connect(lambda round_id: self._w.rounds.resume(round_id, self._w.workers))
        page.settleRequested.connect(self.settle)
        page.importRequested.connect(self.load)
        page.exportRequested.connect(self.save)
        page.browseClaimRequested.connect(self.browse_claim)
        page.claimRequested.connect(self.claim)
        page.auditRequested.connect(self._w.disputes.audit)
        page.disputeRequested.connect(self.dispute)
        stakes.orderRequested.connect(self.order)

    def commands(self) -> list[Command]:
        """Return the league's commands."""
        rounds = self._w.rounds
        return [
            Command("league.add", "Add agents…", self.browse, "League", (), "plus"),
            Command("league.samples", "Add the sample agents", self.add_samples, "League", (), "agent"),
            Command("league.run", "Run round", self.run, "League", ("Ctrl+Return",), "play"),
            Command("league.after", "Stop after current", rounds.stop_after_current, "League", (), "pause"),
            Command("league.now", "Stop now", rounds.stop_now, "League", (), "stop"),
            Command("league.settle", "Settle the round…", self.settle, "League", (), "coin"),
            Command("league.audit", "Audit the round", self._w.disputes.audit, "League", (), "search"),
            Command("league.dispute", "Dispute the round…", self.dispute, "League", (), "shield"),
            Command("league.load", "Open a league file…", self.load, "League", (), "import"),
            Command("league.save", "Save as a league file…", self.save, "League", (), "export"),
            Command("league.undo", "Undo removing an agent", self._w.roster.undo, "League", (), "undo"),
        ]

    def browse(self) -> None:
        """Choose agents."""
        choose_files(self._w.window, "Add agents", "Agents (*.wasm)", self._w.open_files)

    def add_samples(self) -> None:
        """Add the agents that come with the program for the chosen System."""
        self._w.navigator.go(Place("leagues", "tab/setup"))
        state = self._w.setup.state
        game = state.info.id if state.info is not None else state.system
        samples = sorted(sample_folder(game).glob("*.wasm"))
        if samples:
            self._w.roster.add(samples)
        else:
            text = "Agents for it come from whoever made it; drop them on the window."
            self._w.notify(Notice("info", "There are no samples for this System", text, key="files"))

    def run(self) -> None:
        """Run a round with the setup as it stands; a chain is started first when one is needed."""
        state = self._w.setup.state
        if not state.ready or self._w.rounds.state.run.state != "idle":
            return
        if not state.anchor:
            self._start()
            return
        if self._w.devnet.state.status.state != "running":
            text = "The round is to be anchored: the devnet is started and the contracts are deployed first."
            self._w.confirmed("Start the devnet?", text, "Start and run", self._start_with_chain)
            return
        how = self._w.setup.dishonesty
        host = f" The host is simulated as dishonest: {HOSTS[how].lower()}." if how is not Dishonesty.HONEST else ""
        text = (
            f"{state.summary} Agents without an account stake {ether(state.stake_wei)} each "
            f"({plural(state.agents, 'agent')}), and the pot is locked in LeagueAnchor.{host} "
            "The devnet's money is worth nothing."
        )
        self._w.confirmed("Run and anchor the round?", text, "Run round", self._start)

    def settle(self) -> None:
        """Pay a round out, after saying what that does."""
        state = self._w.rounds.state
        result = state.result
        if result is None or result.state not in ("played", "anchored"):
            return
        paid = sum(p.reward for p in state.payouts)
        receivers = sum(p.reward > 0 for p in state.payouts)
        where = "on chain and in the ledger" if result.anchored else "in the ledger"
        text = (
            f"{ether(paid, places=6)} are credited to {plural(receivers, 'agent')} {where}. "
            "This cannot be undone, and claims on the round are closed."
        )
        self._w.confirmed(
            f"Settle {result.name} #{result.number}?", text, "Settle", lambda: self._w.rounds.settle(result.round_id)
        )

    def dispute(self) -> None:
        """Bring what is wrong with the round shown before the court, after saying what that does."""
        state, result = self._w.disputes.state, self._w.rounds.state.result
        if not state.open_to or state.busy or result is None:
            return
        text = (
            "Every match is played again. What is wrong goes to LeagueCourt: a fraud that proves itself at once, any "
            "other with a bond, and verifiers that replay the match decide. A host that is found guilty loses stake "
            "and the round; a challenger that is wrong loses its bond."
        )
        self._w.confirmed(
            f"Dispute {result.name} #{result.number}?", text, "Dispute", self._w.disputes.dispute, danger=True
        )

    def order(self) -> None:
        """Carry out the order of the Stakes page, after saying what it does and costs."""
        stakes = self._w.stakes
        preview = stakes.state.preview
        if preview is not None and not preview.refusal:
            name = stakes.state.name_of(preview.order.address)
            title = f"{preview.order.move.value.capitalize()} for {name}?"
            self._w.confirmed(title, _consequence(preview), preview.order.move.value.capitalize(), stakes.carry_out)

    def load(self) -> None:
        """Open a league file."""
        choose_files(
            self._w.window,
            "Open a league file",
            "League file (*.toml)",
            lambda files: self._load(files[0]),
            several=False,
        )

    def load_file(self, path: Path) -> None:
        """Open this league file."""
        self._load(path)

    def save(self) -> None:
        """Save the setup as a league file that another machine reproduces."""
        choose_target(self._w.window, "Save the league", "LEAGUE.toml", "League file (*.toml)", self._save)

    def browse_claim(self) -> None:
        """Choose a claim."""
        choose_files(
            self._w.window, "Hand in a claim", "Match bundle (*.nets)", lambda files: [self.claim(f) for f in files]
        )

    def claim(self, bundle: Path) -> None:
        """Hand a bundle in as a claim on the round shown."""
        round_id = self._w.rounds.state.selected
        if round_id:
            self._w.rounds.submit_claim(round_id, bundle)

    def _start(self) -> None:
        self._guarded(self._run_now)

    def _run_now(self) -> None:
        config = self._w.setup.config((), self._w.workers)
        entrants = [agent.sha256 for agent in self._w.roster.state.entrants]
        setup = self._w.setup
        self._w.rounds.run(config, entrants, anchor=setup.state.anchor, dishonesty=setup.dishonesty)
        self._w.navigator.go(Place("leagues", "tab/round"))

    def _start_with_chain(self) -> None:
        async def work() -> None:
            await self._w.devnet.start_node()
            await self._w.runtime.jobs.run("Deploy the contracts", lambda job: self._w.runtime.chain())
            self._run_now()

        self._w.bridge.spawn(work(), "Starting the devnet", key="devnet")

    def _load(self, path: Path) -> None:
        def work() -> None:
            config = self._w.setup.load(path)
            self._w.roster.add([entry.path for entry in config.agents], alone=True)
            self._w.notify(
                Notice(
                    "ok", f"Opened {path.name}", f"{plural(len(config.agents), 'agent')} are being checked.", key="file"
                )
            )

        self._guarded(work)

    def _save(self, path: Path) -> None:
        def work() -> None:
            modules = write_league_file(path, self._w.setup, self._w.runtime, self._w.roster.state.entrants)
            text = f"{plural(modules, 'module')} lie beside it; any machine gets the same results hash from them."
            self._w.notify(Notice("ok", f"Saved {path.name}", text, key="file"))

        self._guarded(work)

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except (EngineError, OSError) as error:
            self._w.bridge.report(error, "The league", key="file")


def _consequence(preview: Preview) -> str:
    """Return what an order does, costs and waits for."""
    parts = [f"{ether(preview.wei, places=6)} {_MOVES[preview.order.move]}."]
    if preview.wait:
        parts.append(
            "The devnet's clock is moved past the unbonding time first; open windows and deadlines pass with it."
        )
    if preview.cost is not None:
        parts.append(f"The gas costs about {ether(preview.cost, places=9)}.")
    return " ".join(parts)
