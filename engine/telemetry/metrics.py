"""Prometheus metrics, counted from the bus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from engine.chain.events import BlockMined, DevnetChanged, TransactionMoved
from engine.consensus.events import ConsensusAgentJudged, ConsensusEnded
from engine.core.bus import EventBus, Subscription
from engine.core.events import JobEnded, JobStarted
from engine.learning.events import LearnEnded, LearnFinality, LearnLoss, LearnRefused, LearnSlashed, LearnUpdate

CONTENT_TYPE = CONTENT_TYPE_LATEST
_ITERATIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
_SECONDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Metrics:
    """Counts what a bus tells, in a registry of its own. ``close`` stops it."""

    def __init__(self, bus: EventBus) -> None:
        self.registry = CollectorRegistry()
        self._consensus()
        self._program()
        self._learning()
        self._service()
        self._subscriptions: list[Subscription] = [
            bus.subscribe(self._ended, ConsensusEnded),
            bus.subscribe(self._judged, ConsensusAgentJudged),
            bus.subscribe(self._block, BlockMined),
            bus.subscribe(self._transaction, TransactionMoved),
            bus.subscribe(self._devnet, DevnetChanged),
            bus.subscribe(self._job_started, JobStarted),
            bus.subscribe(self._job_ended, JobEnded),
            bus.subscribe(self._update, LearnUpdate),
            bus.subscribe(self._finality, LearnFinality),
            bus.subscribe(self._loss, LearnLoss),
            bus.subscribe(self._slashed, LearnSlashed),
            bus.subscribe(self._refused, LearnRefused),
            bus.subscribe(self._run_ended, LearnEnded),
        ]

    def text(self) -> bytes:
        """Return everything in Prometheus' text form; its type is CONTENT_TYPE."""
        return generate_latest(self.registry)

    def close(self) -> None:
        """Count no more."""
        for subscription in self._subscriptions:
            subscription.close()

    def _consensus(self) -> None:
        registry = self.registry
        self.iterations = Histogram(
            "consensus_iterations_total",
            "Number of iterations to reach consensus",
            buckets=_ITERATIONS,
            registry=registry,
        )
        self.gas_used = Counter("consensus_gas_used_total", "Total gas used in consensus operations", registry=registry)
        self.seconds = Histogram(
            "consensus_convergence_seconds", "Time to reach consensus", buckets=_SECONDS, registry=registry
        )
        self.rounds = Counter(
            "consensus_rounds_total", "Rounds of consensus by how they ended", ["outcome"], registry=registry
        )
        self.judged = Counter(
            "consensus_agents_judged_total", "Agents whose word did not count, by reason", ["reason"], registry=registry
        )

    def _program(self) -> None:
        registry = self.registry
        self.devnet_up = Gauge("nashboard_devnet_up", "1 while the devnet runs", registry=registry)
        self.head = Gauge("nashboard_chain_head", "Number of the last block seen", registry=registry)
        self.block_gas = Counter("nashboard_chain_gas_used_total", "Gas used in blocks seen", registry=registry)
        self.transactions = Counter(
            "nashboard_transactions_total",
            "Transactions sent from here, by state reached",
            ["state"],
            registry=registry,
        )
        self.jobs_running = Gauge("nashboard_jobs_running", "Jobs at work", registry=registry)
        self.jobs = Counter("nashboard_jobs_total", "Jobs that ended, by outcome", ["outcome"], registry=registry)

    def _learning(self) -> None:
        registry = self.registry
        self.updates = Counter(
            "learning_updates_total", "Rounds of training by what became of them", ["stage"], registry=registry
        )
        self.finalized = Gauge("learning_finalized_epoch", "The last epoch that is final", registry=registry)
        self.participation = Gauge(
            "learning_participation_ratio", "Share of stake that attests to the head's epoch", registry=registry
        )
        self.held_out = Gauge(
            "learning_held_out_loss", "Loss of the model at the head, nats a token", registry=registry
        )
        self.slashed = Counter(
            "learning_slashings_total", "Validators slashed, by offence", ["reason"], registry=registry
        )
        self.refused = Counter(
            "learning_refused_total", "Blocks, deltas, records, ACKs refused", ["subject", "rule"], registry=registry
        )
        self.runs = Counter("learning_runs_total", "Runs by how they ended", ["outcome"], registry=registry)

    def _service(self) -> None:
        registry = self.registry
        self.clients = Gauge("nashboard_service_clients", "Clients of the WebSocket", registry=registry)
        self.dropped = Counter(
            "nashboard_service_messages_dropped_total",
            "WebSocket messages that a client was too slow for",
            registry=registry,
        )
        self.requests_refused = Counter(
            "nashboard_service_refused_total",
            "Requests refused: for the rate, the token, the origin, or because it is full",
            ["reason"],
            registry=registry,
        )

    def _update(self, event: LearnUpdate) -> None:
        if event.update["stage"] in ("included", "merged", "rolled_back", "rejected", "expired"):
            self.updates.labels(event.update["stage"]).inc()

    def _finality(self, event: LearnFinality) -> None:
        self.finalized.set(event.finalized_epoch)
        self.participation.set(event.participation)

    def _loss(self, event: LearnLoss) -> None:
        self.held_out.set(event.held_out)

    def _slashed(self, event: LearnSlashed) -> None:
        if not event.tx:  # the second telling, with the transaction, is of the same one
            self.slashed.labels(event.reason).inc()

    def _refused(self, event: LearnRefused) -> None:
        self.refused.labels(event.subject, event.rule).inc()

    def _run_ended(self, event: LearnEnded) -> None:
        self.runs.labels(event.outcome).inc()

    def _ended(self, event: ConsensusEnded) -> None:
        outcome = event.outcome if event.outcome != "done" else "converged" if event.converged else "not converged"
        self.rounds.labels(outcome).inc()
        self.gas_used.inc(event.gas_used)
        if outcome == "converged":
            self.iterations.observe(event.iterations)
            self.seconds.observe(event.seconds)

    def _judged(self, event: ConsensusAgentJudged) -> None:
        self.judged.labels(event.reason).inc()

    def _block(self, event: BlockMined) -> None:
        self.head.set(event.number)
        self.block_gas.inc(event.gas_used)

    def _transaction(self, event: TransactionMoved) -> None:
        self.transactions.labels(event.state).inc()

    def _devnet(self, event: DevnetChanged) -> None:
        self.devnet_up.set(event.state == "running")

    def _job_started(self, event: JobStarted) -> None:
        self.jobs_running.inc()

    def _job_ended(self, event: JobEnded) -> None:
        self.jobs_running.dec()
        self.jobs.labels(event.outcome).inc()
