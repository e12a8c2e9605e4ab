"""The league: what an operator can do with agents and rounds. Ties the parts together and keeps the order of events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from engine.chain.session import Chain
from engine.core.bus import EventBus
from engine.core.errors import UsageError
from engine.core.jobs import JobContext
from engine.core.paths import DataDir
from engine.core.turns import beside, own_turn
from engine.league.accounts import Accounts, Book
from engine.league.admission import Admission, Admissions, SystemInfo
from engine.league.bundle import SUFFIX, write_bundle
from engine.league.chainside import ChainSide
from engine.league.claims import ClaimOutcome, Claims
from engine.league.config import RoundConfig, Tier
from engine.league.disputes.published import Dishonesty, Publication
from engine.league.disputes.service import LOCK, Disputes
from engine.league.errors import LeagueError
from engine.league.events import AgentRemoved, RoundChanged
from engine.league.gate.verdict import AgentImage, SystemImage, Verdict
from engine.league.history import History, RoundRow
from engine.league.match import Outcome
from engine.league.opening import Opening
from engine.league.play import PlayBatch
from engine.league.pools import LocalPool, MatchPool
from engine.league.ratings import prepare, rate
from engine.league.rerun import Rerun
from engine.league.results import Payout, RoundResult, RoundSummary, results_hash
from engine.league.roster import AgentRecord, Roster
from engine.league.rounds import RoundControl, RoundPlayer
from engine.league.schedule import SOLO, Schedule, format_for
from engine.league.seasons import Season, Seasons
from engine.league.settlement import Settlement, StoredRound, book_of
from engine.league.stakes import StakeRow, stake_rows
from engine.league.summaries import Summaries
from engine.league.table import Cell, crosstable, standings
from engine.league.verify import Verification, verify_file
from engine.store.database import Store


class League:
    """Leagues on one store. ``connect`` gives the deployed chain; it is asked only where a round needs it."""

    def __init__(
        self,
        data: DataDir,
        store: Store,
        bus: EventBus,
        admissions: Admissions,
        roster: Roster,
        connect: Callable[[], Awaitable[Chain]],
    ) -> None:
        self._data = data
        self._store = store
        self._bus = bus
        self._roster = roster
        self._workers = LocalPool()
        self._cluster: MatchPool | None = None
        self.admissions = admissions
        self.history = History(store)
        self._onchain = ChainSide(store, self.history, connect)
        self._summaries = Summaries(self.history, self._onchain.state)
        self.claims = Claims(self.history)
        self._seasons = Seasons(self.history)
        self._rerun = Rerun(self.history, admissions, roster, self._workers, data.cache)
        self.disputes = Disputes(store, bus, self.history, self._onchain, self._court_settlement, self._rerun)
        self._onchain.repair = self.disputes.repair

    async def close(self) -> None:
        """End the worker processes and leave the cluster."""
        await self._workers.close()
        await self._leave_cluster()

    # Agents and Systems

    async def systems(self) -> list[SystemInfo]:
        """Return the Systems that can be played."""
        return await self.admissions.systems()

    async def check(self, paths: Sequence[Path], kind: str = "agent") -> list[Verdict]:
        """Return the gate's verdict on each file."""
        return await self.admissions.check(paths, kind)

    async def admit(self, paths: Sequence[Path]) -> list[Admission]:
        """Put the files' agents into the roster, and Systems beside the shipped ones, as far as the gate lets them."""
        return await self.admissions.admit_files(paths)

    def agents(self, *, removed: bool = False) -> list[AgentRecord]:
        """Return the roster."""
        return self._roster.all(removed=removed)

    def remove_agent(self, sha256: str) -> None:
        """Take an agent out of the roster; ``restore_agent`` undoes it."""
        self._roster.set_removed(sha256, removed=True)
        self._bus.publish(AgentRemoved(sha256, True))

    def restore_agent(self, sha256: str) -> None:
        """Put a removed agent back."""
        self._roster.set_removed(sha256, removed=False)
        self._bus.publish(AgentRemoved(sha256, False))

    # Rounds

    async def run_round(
        self,
        config: RoundConfig,
        *,
        anchor: bool = False,
        job: JobContext | None = None,
        control: RoundControl | None = None,
        entrants: Sequence[str] = (),
        dishonesty: Dishonesty = Dishonesty.HONEST,
    ) -> RoundResult:
        """Play a round to its end; with ``anchor`` its stakes, root and slashes go to the chain.

        The agents are those of ``config`` and the roster's of the hashes in ``entrants``. ``dishonesty`` is how the
        host cheats when it anchors the round, to show what becomes of such a host.
        """
        if dishonesty is not Dishonesty.HONEST and not anchor:
            raise UsageError(
                "A host on paper cannot cheat", "nothing is posted that could be false", "Anchor the round."
            )
        with self._store.exclusive(LOCK):
            chain = await self._onchain.connect() if anchor else None
            system = await self.admissions.system(config.system)
            format_for(config.format, system.spec.seats)
            records = await self._entrants(config, entrants)
            pool = await self._pool(config.workers, config.cluster, config.recheck_percent)
            settlement = self._settlement(chain, Book())
            await own_turn()
            opened = Opening(self.history, self._seasons, self.claims, settlement).open(
                config, system, records, dishonesty
            )
            return await self._play(opened.row, pool, chain, job, control, opened.ineligible)

    async def resume(
        self,
        round_id: str,
        *,
        workers: int = 1,
        cluster: str = "",
        job: JobContext | None = None,
        control: RoundControl | None = None,
    ) -> RoundResult:
        """Go on with a round from where it is: play what is left, then send what the chain has not got."""
        with self._store.exclusive(LOCK):
            row = self.history.round(round_id)
            chain = await self._onchain.of(row)
            if row.state == "playing":
                return await self._play(row, await self._pool(workers, cluster), chain, job, control, ())
            if chain is not None:
                await self._onchain.drain(chain, row)
                await self.disputes.resume(row.round_id, chain)
            return self._moved(row.round_id)

    def rounds(self) -> list[RoundSummary]:
        """Return all rounds, newest first."""
        return self._summaries.all()

    def round(self, round_id: str, ineligible: Sequence[str] = ()) -> RoundResult:
        """Return a round with its table. Raises UsageError for an unknown id."""
        row = self.history.round(round_id)
        entries = self.history.entries(row.round_id)
        matches = self.history.matches(row.round_id)
        out = self.history.disqualifications(row.round_id)
        config = row.config
        schedule = Schedule.of(config, [entry.sha256 for entry in entries])
        return RoundResult(
            round_id=row.round_id,
            number=row.number,
            name=row.name,
            state=self._onchain.state(row),
            book=row.book,
            system=row.system,
            tier=config["tier"],
            format=config["format"],
            stages=schedule.stages,
            params=config["params"],
            seed=config["seed"],
            matches=config["matches"],
            done=len(matches),
            total=schedule.total,
            pot_wei=int(config["pot_wei"]),
            results_hash=row.results_hash,
            standings=standings(
                entries,
                matches,
                out,
                0 if row.state == "rejected" else int(config["pot_wei"]),
                solo=config["format"] == SOLO,
                ratings=self._seasons.ratings(row, entries, matches),
            ),
            disqualified=tuple(out),
            anchored=self._onchain.anchor(row),
            ineligible=tuple(ineligible),
        )

    def crosstable(self, round_id: str) -> Mapping[tuple[int, int], Cell]:
        """Return what each seat of the roster did against each other."""
        return crosstable(self.history.matches(self.history.round(round_id).round_id))

    async def season(self, name: str) -> Season:
        """Return a league over all its rounds. Raises UsageError when there is none of that name."""
        rounds = [summary for summary in reversed(self.rounds()) if summary.name == name]
        if not rounds:
            raise UsageError(f"There is no league {name!r}", "no round of that name was opened")
        return await self._seasons.season(name, sorted(rounds, key=lambda summary: summary.number), self.round)

    # Settlement and claims

    def settlement_preview(self, round_id: str) -> list[Payout]:
        """Return what the settlement will credit to whom, by seat."""
        row = self.history.round(round_id)
        entries, shares = StoredRound.preview(self.history, row)
        accounts = Accounts(self._store, Book(row.book))
        lines = []
        for entry, wei in zip(entries, shares.wei, strict=True):
            before = accounts.balance(entry.address).credit
            lines.append(Payout(entry.name, entry.address, before, wei, before + wei))
        return lines

    async def settle(self, round_id: str) -> RoundResult:
        """Pay a played round out, once, in the ledger and on chain. Raises LeagueError when it is settled already."""
        with self._store.exclusive(LOCK):
            stored = await StoredRound.read(self.history, round_id)
            row = stored.row
            if row.state == "playing":
                raise LeagueError("The round is not played to its end", "", "Resume it first.")
            chain = await self._onchain.of(row)
            if chain is not None:
                await self._onchain.drain(chain, row)
            self.disputes.require_settleable(row)
            if self._onchain.state(row) == "settled":
                raise LeagueError(
                    "The round is settled already", "every reward was credited then; nobody is paid twice"
                )
            if chain is not None:
                await chain.pass_window(stored.commitment_id(chain.operator))
            settlement = self._settlement(chain, Book(row.book))
            with self._store.transaction():
                settlement.settle(stored)
                self._seasons.note_capital(row.round_id, stored.entries, settlement.accounts)
            if chain is not None:
                await self._onchain.drain(chain, row)
            return self._moved(row.round_id)

    async def submit_claim(self, round_id: str, bundle: Path) -> ClaimOutcome:
        """Judge a match bundle that claims a score in this round; a false claim is slashed and disqualified."""
        with self._store.exclusive(LOCK):
            stored = await StoredRound.read(self.history, round_id)
            chain = await self._onchain.of(stored.row)
            settlement = self._settlement(chain, Book(stored.row.book))
            outcome = self.claims.submit(stored, self.claims.read([bundle])[0], settlement)
            if outcome.slashed is not None:
                self._bus.publish(outcome.slashed)
                self._bus.publish(self._changed(stored.row.round_id))
            if chain is not None:
                await self._onchain.drain(chain, stored.row)
            return outcome

    async def stakes(self, chain: Chain | None = None) -> list[StakeRow]:
        """Return what every account holds in the ledger, beside the contract when a chain is given."""
        book = book_of(chain) if chain is not None else Book()
        return await stake_rows(self._store, Accounts(self._store, book), self._roster, chain)

    async def deposit(self, sha256: str, wei: int, chain: Chain | None = None) -> None:
        """Stake more for an agent, so that it may enter a higher tier."""
        record = self._roster.get(sha256)
        if record is None:
            raise UsageError("There is no such agent", f"no module has the hash {sha256}")
        if wei < Tier.BRONZE.min_stake:
            raise UsageError("The deposit is too small", f"{wei} wei is below the vault's minimum of 0.1 ETH")
        settlement = self._settlement(chain, book_of(chain) if chain is not None else Book())
        settlement.stake(record.address, wei, f"deposit:{uuid4().hex}")
        if chain is not None:
            await chain.drain()

    async def verify(self, path: Path) -> Verification:
        """Play a bundle's match again and compare, in a worker process. Raises BundleError, SandboxError."""
        return await self._workers.run(verify_file, path, self._data.cache)

    async def bundle(self, round_id: str, fixture: int, path: Path | None = None) -> Path:
        """Play a match of a round again and write its bundle; by default into the data directory."""
        row = self.history.round(round_id)
        match = self.history.match(row.round_id, fixture)
        if match is None or match.outcome == Outcome.BYE:
            why = "nobody played it" if match else "it is not played, or was skipped"
            raise UsageError(f"The round has no match {fixture}", why)
        path = path or self._data.bundles / f"{row.round_id[:12]}-{fixture}{SUFFIX}"
        write_bundle(path, await self._rerun.bundle(row, match))
        return path

    # Inside

    async def _entrants(self, config: RoundConfig, entrants: Sequence[str]) -> list[AgentRecord]:
        records = [record for sha256 in entrants if (record := self._roster.get(sha256)) is not None]
        if config.agents or not records:
            resolved = await self.admissions.resolve(config.agents)
            records += [record for record in resolved if record not in records]
        return sorted(records, key=lambda record: bytes.fromhex(record.address[2:]))

    async def _play(
        self,
        row: RoundRow,
        pool: MatchPool,
        chain: Chain | None,
        job: JobContext | None,
        control: RoundControl | None,
        ineligible: Sequence[str],
    ) -> RoundResult:
        if row.config["format"] != SOLO:
            await prepare()
        entries = self.history.entries(row.round_id)
        system = await self.admissions.system(row.system)
        agents = {entry.seat: await self.admissions.agent_image(entry.sha256) for entry in entries}
        accounts = Accounts(self._store, book_of(chain) if chain is not None else Book())
        player = RoundPlayer(self._store, self.history, accounts, self._bus, pool)
        schedule, template = (
            Schedule.of(row.config, [entry.sha256 for entry in entries]),
            self._template(row, system, agents),
        )
        try:
            await player.play(row, schedule, template, control or RoundControl(), job)
        except LeagueError:
            pool.drop()
            self._bus.publish(RoundChanged(row.round_id, "stopped", ""))
            raise
        bound = max(abs(system.spec.score_min), abs(system.spec.score_max))
        await own_turn()
        await self._finish(row, chain, bound, await self.disputes.prepare(row, chain, bound))
        if chain is not None:
            await self._onchain.drain(chain, row)
        self._bus.publish(self._changed(row.round_id))
        return self.round(row.round_id, ineligible)

    async def _leave_cluster(self) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            await cluster.close()

    def _template(self, row: RoundRow, system: SystemImage, agents: Mapping[int, AgentImage]) -> PlayBatch:
        return PlayBatch(system, agents, row.config["budget"], self._data.cache, row.config["params"])

    async def _pool(self, workers: int, cluster: str = "", recheck: int = 0) -> MatchPool:
        """Return where matches are computed: local processes, or the cluster at an address."""
        if cluster:
            from engine.league.cluster import ClusterPool

            await self._leave_cluster()
            pool = self._cluster = ClusterPool(cluster, recheck_percent=recheck)
            await pool.connect()
            return pool
        self._workers.resize(workers)
        return self._workers

    async def _finish(self, row: RoundRow, chain: Chain | None, bound: int, publication: Publication | None) -> None:
        stored = await StoredRound.read(self.history, row.round_id)
        out = [item.seat for item in stored.disqualified]
        digest = await beside(lambda _: results_hash(row, stored.entries, stored.matches, out))
        before, games = self._seasons.games(row, stored.entries, stored.matches)
        ratings = await self._workers.run(rate, before, games) if games else {}
        await own_turn()
        with self._store.transaction(repeatable=chain is None):
            self._seasons.keep_ratings(row.round_id, ratings)
            self._settlement(chain, Book(row.book)).finish(stored, digest, bound=bound, publication=publication)

    def _settlement(self, chain: Chain | None, book: Book) -> Settlement:
        book = book_of(chain) if chain is not None else book
        return Settlement(self._store, self.history, Accounts(self._store, book), chain)

    def _court_settlement(self, chain: Chain) -> Settlement:
        return self._settlement(chain, Book())

    def _moved(self, round_id: str) -> RoundResult:
        self._bus.publish(self._changed(round_id))
        return self.round(round_id)

    def _changed(self, round_id: str) -> RoundChanged:
        row = self.history.round(round_id)
        return RoundChanged(round_id, self._onchain.state(row), row.results_hash or "")
