"""The world of a run: nodes, validators, trainers and attackers, put together and led through slot after slot.

Real and simulated runs are this one code. What differs is who keeps the time, who trains and where records lie:
scheduler, brain and DHT are handed in.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

from engine.core.events import Event
from engine.core.turns import own_turn
from engine.learning.beacon.state import genesis_state
from engine.learning.beacon.tree import BlockTree
from engine.learning.brain import Brain
from engine.learning.config import LearnConfig
from engine.learning.events import LearnFault, LearnPhase, LearnStarted
from engine.learning.faults import Fault
from engine.learning.genesis import genesis
from engine.learning.ports import Dht, Steps
from engine.learning.results import PHASES, LearnResult
from engine.learning.run import aggregator, attester, proposer
from engine.learning.run.attackers import Attackers
from engine.learning.run.behaviour import Behaviours, check_fault
from engine.learning.run.deposits import newcomer
from engine.learning.run.desk import Desk, Post
from engine.learning.run.gossip import Gossip
from engine.learning.run.journal import GENESIS
from engine.learning.run.keyring import Keyring
from engine.learning.run.kit import Kit
from engine.learning.run.library import Library
from engine.learning.run.member import Members
from engine.learning.run.node import Node, Sealed
from engine.learning.run.reporter import Reporter
from engine.learning.run.scheduler import LiveScheduler, SimScheduler
from engine.learning.run.trainer import Trainer
from engine.learning.run.watch import Watch
from engine.learning.run.words import fault_text, phase_text
from engine.learning.transport.network import Network
from engine.learning.transport.records import ack_key
from engine.learning.types import Deposit

if TYPE_CHECKING:
    from engine.learning.crypto.keys import ValidatorKeys
    from engine.learning.scenario import Scenario
    from engine.learning.services.view import ChainView

PARTS = dict(zip(PHASES, (0.0, 1 / 12, 1 / 3, 2 / 3, 11 / 12), strict=True))  # when phases begin, of a slot
KEPT = 512  # answers that the machine remembers
BeforePhase = Callable[[int, str], Awaitable[None]]


async def _at_once(slot: int, phase: str) -> None:
    return None


class World:
    """One run. Made by :meth:`open`."""

    def __init__(self, kit: Kit, run_id: int, emit: Callable[[Event], None], scenario: Scenario | None) -> None:
        self.kit = kit
        self.config = kit.config
        self.run_id = run_id
        self.scenario = scenario
        self.emit = emit
        self.slot = 0
        self.nodes = [Node(kit, number) for number in range(kit.config.node_count)]
        self.members = [Members(node) for node in self.nodes]
        self.reporters = [Reporter(node, members) for node, members in zip(self.nodes, self.members, strict=True)]
        self.trainers = [
            Trainer(kit, self.nodes[number % len(self.nodes)], number) for number in range(kit.config.trainers)
        ]
        self.attackers = Attackers(kit)
        self._registered = 0
        self._invited = 0
        self._kills = 0
        self.on_newcomer: Callable[[ValidatorKeys], None] | None = None  # stakes elsewhere; the deposit comes back
        self._started = time.monotonic()
        self._ended = self._started
        for node in self.nodes:
            node.on_block.append(self._merge)
        kit.watch.bind(kit, self.nodes)
        kit.faults.told = self._fault_told
        self.scheduler.on_act = self._acted

    @classmethod
    async def open(
        cls,
        config: LearnConfig,
        brain: Brain,
        dht: Dht,
        scheduler: SimScheduler | LiveScheduler,
        *,
        faults: tuple[Fault, ...] = (),
        scenario: Scenario | None = None,
        emit: Callable[[Event], None] = lambda event: None,
        run_id: int = 0,
    ) -> World:
        """Put a world together. Raises LearnSettingError for faults on what does not exist."""
        faults = (*faults, *(scenario.faults if scenario is not None else ()))
        for fault in faults:
            check_fault(fault, config, config.validators)
        warm = getattr(brain, "warm", None)
        if warm is not None and config.clock != "simulated":
            await warm()  # the clock must not pass while workers start
        state = genesis_state(genesis(config), config, await brain.genesis())
        tree = BlockTree(state)
        network = Network(seed=config.seed, latency=config.latency, jitter=config.jitter, loss_rate=config.loss_rate)
        kit = Kit(
            config=config,
            scheduler=scheduler,
            gossip=Gossip(scheduler, network, config.node_count),
            desk=Desk(scheduler, brain),
            post=Post(scheduler, dht),
            tree=tree,
            keyring=Keyring(config),
            faults=Behaviours(config, faults),
            library=Library(tree, brain),
            watch=Watch(config, emit, run_id),
        )
        return cls(kit, run_id, emit, scenario)

    @property
    def tree(self) -> BlockTree:
        """All blocks that any node knows."""
        return self.kit.tree

    def mirrored(self, validator: int, tx: str) -> None:
        """Put the transaction by which the staking contract took a slashing over into the result."""
        self.kit.watch.mirrored(validator, tx)

    @property
    def scheduler(self) -> SimScheduler | LiveScheduler:
        """The run's clock."""
        return self.kit.scheduler  # type: ignore[return-value]

    # The run

    async def run(self, slots: int | None = None, before_phase: BeforePhase = _at_once) -> None:
        """Run from genesis on. ``before_phase(slot, phase)`` is awaited before each phase: it may take its time."""
        self._begin()
        for slot in range(self.config.slots if slots is None else slots):
            for phase in PHASES:
                when = self.kit.start_of(slot, PARTS[phase])
                await self.scheduler.run_until(when)
                await before_phase(slot, phase)
                self.scheduler.at(when, self._phase, slot, phase)
            await self.scheduler.run_until(self.kit.start_of(slot + 1))
            self.scheduler.mark(slot, self.kit.watch.trace)
            await self.scheduler.kept()
        self._ended = time.monotonic()

    def _begin(self) -> None:
        config, state = self.config, self.kit.tree.state(self.kit.tree.root)
        self._started = time.monotonic()
        self.scheduler.mark(GENESIS, self.kit.tree.root.hex())
        for keys in self.kit.keyring.trainers:
            self.kit.post.dht.register(keys.node_public, keys.peer_id, "trainer")
        self._register()
        self.emit(
            LearnStarted(
                self.run_id,
                self.scenario.name if self.scenario else "",
                self.scenario.title if self.scenario else "Learning chain",
                state.genesis_root.hex(),
                config.validators,
                config.node_count,
                config.trainers,
                self.kit.desk.brain.training,
                config.transport,
                config.model_dump(mode="json"),
            )
        )

    def _phase(self, slot: int, phase: str) -> Steps:
        steps: Steps = getattr(self, f"_{phase}")(slot)
        return steps

    def _tell_phase(self, slot: int, phase: str) -> None:
        text = phase_text(phase, slot, self.kit.watch.state(slot))
        epoch = slot // self.config.slots_per_epoch
        when = self.kit.start_of(slot, PARTS[phase])
        self.emit(LearnPhase(self.run_id, slot, epoch, phase, when, text))

    def _propose(self, slot: int) -> Iterator[None]:
        self.slot = slot
        self.kit.post.dht.advance(self.scheduler.now)
        for node in self.nodes:
            node.choice.on_tick(slot)
        self.kit.watch.begin(slot)
        self._begin_faults()
        self._newcomers(slot)
        self._tell_phase(slot, "propose")
        if slot > 0:
            for node in self.nodes:
                yield from proposer.propose_slot(node, slot)

    def _train(self, slot: int) -> None:
        self._tell_phase(slot, "train")
        for trainer in self.trainers:
            trainer.train(slot)

    def _vote(self, slot: int) -> None:
        self._tell_phase(slot, "vote")
        self.attackers.strike(slot, self.kit.watch.main.state(slot))
        for number in range(len(self.nodes)):
            self.scheduler.at(self.scheduler.now, self._vote_at, number, slot)

    def _vote_at(self, number: int, slot: int) -> Iterator[None]:
        """Let a node's validators vote: each node by itself, so that a window need not wait for all of them."""
        node, members = self.nodes[number], self.members[number]
        yield from attester.attest(node, slot)
        members.vote(slot)
        members.open(slot)
        self.reporters[number].look(slot)
        aggregator.reveal_canaries(node, slot)

    def _aggregate(self, slot: int) -> None:
        self.kit.post.dht.advance(self.scheduler.now)
        self._tell_phase(slot, "aggregate")
        for node in self.nodes:
            aggregator.aggregate_slot(node, slot)

    def _finalise(self, slot: int) -> Iterator[None]:
        self._tell_phase(slot, "finalise")
        self._register()
        yield
        yield from self.kit.watch.end(slot)
        if slot % self.config.slots_per_epoch == 0:
            for node, members in zip(self.nodes, self.members, strict=True):
                yield
                node.prune(slot)
                members.prune(slot)
            self.kit.desk.forget(KEPT)

    def _merge(self, sealed: Sealed) -> None:
        for pending in self.kit.tree.state(sealed.root).pending:
            self.kit.library.merge(pending.base, pending.update_id)

    async def close(self) -> None:
        """Take the run apart, once its clock, brain and DHT are closed; nothing of it can be used any more.

        Its parts know each other in circles. Those are freed only when the collector looks through all that a program
        holds, and a console does that seldom: the states of run after run would be there until then.
        """
        kit = self.kit
        parts = (*self.nodes, *self.members, *self.reporters, *self.trainers, self.attackers, self)
        for part in (*parts, kit.gossip, kit.desk, kit.post, kit.watch, kit.faults):
            await own_turn()  # to free what a thousand validators know takes 60 ms
            vars(part).clear()

    # Newcomers

    def _register(self) -> None:
        registry = self.kit.watch.main.state(self.slot).registry
        for index in range(self._registered, len(registry)):
            keys = self.kit.keyring.keys(registry, index) or self.kit.keyring.adopt(registry.pubkeys[index])
            if keys is not None:
                self.kit.post.dht.register(keys.node_public, keys.peer_id, "validator")
        self._registered = max(self._registered, len(registry))

    def _newcomers(self, slot: int) -> None:
        for when in self.scenario.deposits if self.scenario is not None else ():
            if when == slot:
                self._invite()

    def _invite(self) -> None:
        keys, deposit = newcomer(self.config, self._invited)
        self._invited += 1
        self.kit.keyring.add(keys)
        if self.on_newcomer is None:
            self._take(deposit)
        else:
            self.on_newcomer(keys)

    def _take(self, deposit: Deposit) -> None:
        for node in self.nodes:
            node.take_deposit(node.number, deposit)

    # The operator

    def inject(self, fault: Fault) -> None:
        """Put a fault in; one whose slot has come begins at once. Raises LearnSettingError."""
        check_fault(fault, self.config, len(self.kit.watch.state(self.slot).registry))
        self.scheduler.act("fault", fault)

    def deposit(self, deposit: Deposit) -> None:
        """Hand a deposit of the staking contract to the nodes: a block takes it in, if it holds."""
        self.scheduler.act("deposit", deposit.encode_bytes())

    def join(self) -> None:
        """Let one more validator stake 32 POL; it votes once its deposit is final."""
        self.scheduler.act("join", None)

    def _acted(self, name: str, value: Any) -> None:
        if name == "fault":
            self.kit.faults.add(value)
            self._begin_faults(middle=self.slot == self.kit.slot)
        elif name == "join":
            self._invite()
        elif name == "deposit":
            self._take(Deposit.decode_bytes(value))

    def _begin_faults(self, *, middle: bool = False) -> None:
        slot = self.kit.slot
        self.kit.faults.begin(slot, self.kit.watch.state(self.slot), slot + 1 if middle else slot)

    def _fault_told(self, fault: Fault, targets: tuple[int, ...], active: bool) -> None:
        self.emit(LearnFault(self.run_id, self.slot, fault.kind, targets, active, fault_text(fault, targets, active)))
        dht, kind = self.kit.post.dht, fault.kind
        if kind == "partition":
            self._split(targets if active else ())
        elif kind == "heal":
            self.kit.faults.end("partition")
            self._split(())
        elif kind == "dht_kill":
            for peer in targets:
                work = (lambda p=peer: dht.kill(p)) if active else (lambda p=peer: dht.revive(p))
                self.kit.post.order("kill" if active else "revive", work)
        elif kind == "worker_kill" and active:
            self._kill_worker()
        elif active:
            self.attackers.arm(kind)

    def _split(self, second: tuple[int, ...]) -> None:
        nodes, peers = self.config.node_count, self.config.peer_count
        groups: tuple[tuple[int, ...], ...] = ()
        peer_groups: tuple[tuple[int, ...], ...] = ()
        if second:
            groups = (tuple(n for n in range(nodes) if n not in second), tuple(second))
            peer_groups = tuple(tuple(p for p in range(peers) if p % nodes in group) for group in groups)
        self.kit.gossip.network.partition(groups)
        self.kit.post.dht.partition(tuple(group for group in peer_groups if group))

    def _kill_worker(self) -> None:
        brain = self.kit.desk.brain

        async def kill() -> int:
            found = getattr(brain, "kill_worker", lambda: None)()
            return -1 if found is None else int(found)

        self._kills += 1
        self.scheduler.ask(f"kill_worker/{self._kills}", kill, lambda answer: None)

    # What comes out

    def view(self) -> ChainView:
        """Return what the HTTP services show: node 0's view."""
        from engine.learning.services.node_view import NodeView

        return NodeView(self.config, self.nodes[0].choice, lambda: self.kit.slot, self.kit.post.dht.peers)

    async def _audit(self) -> None:
        """Read the ACKs of certified updates again, where DHT peers were lost, from a peer that lives."""
        dht = self.kit.post.dht
        alive = [peer.number for peer in dht.peers() if peer.up]
        if not self.kit.faults.any("dht_kill") or not alive:
            return
        found = written = 0
        for story in self.kit.watch.rounds.all:
            if story.accepted:
                written += story.accepts
                found += min(story.accepts, len((await dht.fetch(alive[0], ack_key(story.update_id))).records))
        self.kit.watch.readable = (found, written)

    async def result(self) -> LearnResult:
        """Return the outcome, with the scenario's checks."""
        watch = self.kit.watch
        await self._audit()
        state = watch.main.state(self.slot)
        losses = [loss for _, loss in watch.losses] or [0.0]
        return LearnResult(
            scenario=self.scenario.name if self.scenario else "",
            genesis_root=state.genesis_root.hex(),
            trace_hash=watch.trace,
            slots=self.slot + 1,
            validators=len(state.registry),
            finalized_epoch=watch.main.choice.finalized.epoch,
            head_root=watch.main.head().hex(),
            model_root=state.working_root.hex(),
            loss_first=losses[0],
            loss_last=losses[-1],
            updates=watch.rounds.results(),
            slashings=tuple(watch.slashings[index] for index in sorted(watch.slashings)),
            checks=self.scenario.checks(self) if self.scenario is not None else (),
            training=self.kit.desk.brain.training,
            transport=self.config.transport,
            seconds=self._ended - self._started,
        )
