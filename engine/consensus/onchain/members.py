"""Agents get ready on chain: stake in the vault, registered with the contract; who cannot take part is told why."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.chain.neural import NeuralAgent
from engine.chain.session import Chain
from engine.consensus.errors import ConsensusError
from engine.consensus.onchain.gas import GasOptimizer
from engine.consensus.onchain.transactions import ChainTxs, step_of, why_refused
from engine.consensus.results import ChainStep, Verdict
from engine.store.database import Store
from engine.store.ledger import Entry

ETHER = 10**18
MINIMUM_STAKE = ETHER // 10  # that the vault takes at once
GAS_OF_AGENT = 400_000  # to stake, register and submit
GAS_OF_OPERATOR = 4_000_000
Report = Callable[[ChainStep], None]


@dataclass(frozen=True, slots=True)
class Member:
    """An agent by name, its address, and the hash of its model (32 bytes) under which it registers."""

    name: str
    address: str
    model_hash: bytes


class Members:
    """Brings agents of one chain to the state in which their positions are taken."""

    def __init__(self, chain: Chain, store: Store, report: Report) -> None:
        self._chain = chain
        self._store = store
        self._report = report

    async def admit(self, members: Sequence[Member], *, own: bool) -> tuple[dict[str, NeuralAgent], list[Verdict]]:
        """Stake for and register whoever is not; return the agents by name, and verdicts on those who cannot take part.

        ``own``: each will send its own position, and needs gas for it. Raises ConsensusError for empty accounts.
        """
        await self._chain.drain()
        known = await self._look(members)
        barred = [Verdict(name, "not accepted", 0, why) for name, agent in known.items() if (why := _barred(agent))]
        out = {verdict.agent for verdict in barred}
        fresh = [member for member in members if not known[member.name].active and member.name not in out]
        deposits = await self._missing_stakes(fresh)
        await self._require_funds(members if own else fresh, deposits)
        await self._stake(deposits, fresh)
        refused = await self._register(fresh)
        known |= await self._look(fresh)
        # Another round may have registered an agent meanwhile, and the contract refuses the second time.
        refused = {name: why for name, why in refused.items() if not known[name].active}
        out |= set(refused)
        barred += [Verdict(name, "not accepted", 0, why) for name, why in refused.items()]
        return {name: agent for name, agent in known.items() if name not in out}, barred

    async def _look(self, members: Sequence[Member]) -> dict[str, NeuralAgent]:
        found = await asyncio.gather(*(self._chain.consensus.agent_of(member.address) for member in members))
        return {member.name: agent for member, agent in zip(members, found, strict=True)}

    async def _missing_stakes(self, members: Sequence[Member]) -> dict[str, int]:
        """Return what each address has to deposit, in wei."""
        risk = self._chain.deployment.rules.risk_per_agent
        held = await asyncio.gather(*(self._chain.vault.account_of(member.address) for member in members))
        missing = {m.address: risk - (h.active - h.exposure) for m, h in zip(members, held, strict=True)}
        return {address: max(wei, MINIMUM_STAKE) for address, wei in missing.items() if wei > 0}

    async def _require_funds(self, members: Sequence[Member], deposits: Mapping[str, int]) -> None:
        """Refuse to begin where an account cannot pay; a development node's accounts are filled when they send."""
        if self._chain.control is not None:
            return
        price = (await GasOptimizer.fees(self._chain.rpc)).max_fee
        needs = {m.address: (m.name, deposits.get(m.address, 0) + GAS_OF_AGENT * price) for m in members}
        needs[self._chain.operator] = ("the operator", GAS_OF_OPERATOR * price)
        requests = [("eth_getBalance", [address, "latest"]) for address in needs]
        answers = await self._chain.rpc.batch(requests)
        empty = [
            f"{name} ({address}) has {_ether(held)} ETH and lacks {_ether(needed - held)}"
            for (address, (name, needed)), answer in zip(needs.items(), answers, strict=True)
            if (held := int(answer["result"], 16)) < needed
        ]
        if empty:
            raise ConsensusError(
                "An account is too empty" if len(empty) == 1 else f"{len(empty)} accounts are too empty",
                "; ".join(empty[:5]) + ("; ..." if len(empty) > 5 else ""),
                "Send them ether, then start or resume: nothing was spent.",
            )

    async def _stake(self, deposits: Mapping[str, int], members: Sequence[Member]) -> None:
        if not deposits:
            return
        self._report(ChainStep("stake", "running", text=f"{len(deposits)} agents stake"))
        sent = []
        for address, wei in deposits.items():
            txs = ChainTxs(self._chain, self._store, f"stake:{address}")
            key = txs.next_key()
            with self._store.transaction():
                if key is not None and txs.add(key, address, self._chain.vault.stake(), "stake for an agent", wei):
                    name = f"{self._chain.book}:consensus:stake:{address}:{key}"
                    entry = Entry(name, "stake", f"world:{address}", f"stake:{address}", wei)
                    self._store.ledger.append(self._chain.book, entry)
            sent.append(txs)
        await self._chain.drain()
        rows = [txs.rows("")[-1] for txs in sent]
        why = why_refused(rows)
        if why:
            self._report(ChainStep("stake", "failed", text=why))
            raise ConsensusError("The vault refused a stake", why, "Mend the cause, then resume: nothing is lost.")
        self._report(step_of("stake", rows, f"{len(deposits)} agents staked"))

    async def _register(self, members: Sequence[Member]) -> dict[str, str]:
        """Register agents; return why, by name, where the contract refused."""
        if not members:
            return {}
        self._report(ChainStep("register", "running", text=f"{len(members)} agents register"))
        sent = {}
        for member in members:
            txs = ChainTxs(self._chain, self._store, f"register:{member.address}")
            key = txs.next_key()
            if key is not None:
                call = self._chain.consensus.register(member.model_hash)
                txs.add(key, member.address, call, "register an agent")
            sent[member.name] = txs
        await self._chain.drain()
        rows = {name: txs.rows("")[-1] for name, txs in sent.items()}
        refused = {name: why for name, row in rows.items() if (why := why_refused([row]))}
        self._report(step_of("register", list(rows.values()), f"{len(rows) - len(refused)} agents registered"))
        return refused


def _barred(agent: NeuralAgent) -> str:
    """Return why an agent cannot take part, "" when it can."""
    if agent.banned:
        return "it is banned on this chain: it equivocated before; give the agent another name"
    if agent.left_at:
        return "it has left, and its stake is still at risk; it can return when that is released"
    return ""


def _ether(wei: int) -> str:
    return f"{wei / ETHER:.6g}"
