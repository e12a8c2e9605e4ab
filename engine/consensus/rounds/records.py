"""Rounds in the store: enough of each to go on after a kill, and to verify it later; and the agents' accounts."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from engine.chain.wallet import Wallet
from engine.consensus.config import ConsensusConfig
from engine.consensus.messages import Domain, PositionMessage, SignedPosition
from engine.consensus.results import Equivocation
from engine.consensus.specs import AgentSpec
from engine.consensus.tasks import Task, task_of
from engine.core.errors import UsageError
from engine.core.hashing import keccak
from engine.store.database import Store
from engine.store.ledger import LOCAL_BOOK

FIRST_ACCOUNT = 2_000_000  # of the wallet: far from leagues' agents and services
CHAINS = "chains"  # the place of a round on several chains
NEGOTIATING, SIGNED, DONE, CANCELLED, FAILED = "negotiating", "signed", "done", "cancelled", "failed"


class WalletSigner:
    """Signs for an agent by an account of the wallet, which keeps the key."""

    def __init__(self, wallet: Wallet, number: int) -> None:
        self._wallet = wallet
        self._number = number
        self.address = wallet.address(number)

    def sign(self, message: PositionMessage, domain: Domain) -> bytes:
        """Return the 65-byte EIP-712 signature."""
        return self._wallet.sign_typed(self._number, domain.fields(), message.TYPES, message.message())


@dataclass(frozen=True, slots=True)
class AgentAccount:
    """An agent's name, its account number in the wallet, and its address."""

    name: str
    account: int
    address: str


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A round as it is kept.

    ``place`` is the chain's book, ``local`` off chain, ``chains`` on several; ``task_hash`` is the hash there. ``part``
    tells that another round, or program, keeps the result.

    ``phase``: negotiating, signed (the positions are kept, the chain's part is not over), done, cancelled or failed.
    ``progress`` are figures of the last iteration, on several chains what was said and the part of each. ``result`` is
    a ConsensusResult's JSON form, ``created`` seconds since the epoch.
    """

    run_id: int
    part: bool
    base_hash: bytes
    task_hash: bytes
    place: str
    document: Mapping[str, Any]
    config: ConsensusConfig
    agents: tuple[AgentSpec, ...]
    phase: str
    deadline: int
    progress: Mapping[str, Any]
    result: Mapping[str, Any] | None
    message: str
    created: float

    @property
    def task(self) -> Task:
        """The task."""
        return task_of(self.document)

    @property
    def title(self) -> str:
        """The task's name for people."""
        return str(self.document.get("title") or str(self.document.get("type", "")).replace("_", " "))

    @property
    def state(self) -> str:
        """The phase, as it is shown."""
        return self.phase

    @property
    def on_chain(self) -> bool:
        """Whether it was meant for a chain."""
        return self.place != LOCAL_BOOK

    @property
    def resumable(self) -> bool:
        """Whether it is not over."""
        return self.phase != DONE

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "run_id": self.run_id,
            "task_hash": "0x" + self.task_hash.hex(),
            "title": self.title,
            "type": self.document.get("type", ""),
            "state": self.phase,
            "on_chain": self.on_chain,
            "agents": [agent.to_json() for agent in self.agents],
            "config": asdict(self.config),
            "message": self.message,
            "created": self.created,
            "result": self.result,
        }


@dataclass(frozen=True, slots=True)
class NewRound:
    """What a round's record begins with."""

    task: Task
    config: ConsensusConfig
    agents: tuple[AgentSpec, ...]
    place: str = LOCAL_BOOK
    part: bool = False


class Records:
    """Reads and writes both. ``address_of`` gives the address of an account number of the wallet."""

    def __init__(self, store: Store, address_of: Callable[[int], str]) -> None:
        self._store = store
        self._address_of = address_of
        self._over: dict[int, RoundRecord] = {}  # those that are done, which nobody changes any more

    def account(self, name: str) -> AgentAccount:
        """Return the account of the agent ``name``, a new one for a new name."""
        with self._store.transaction() as db:
            found = db.execute("SELECT * FROM consensus_agents WHERE name = ?", (name,)).fetchone()
            if found is not None:
                return self._with_key(AgentAccount(**dict(found)))
            sql = "SELECT COALESCE(MAX(account) + 1, ?) FROM consensus_agents"
            number = int(db.execute(sql, (FIRST_ACCOUNT,)).fetchone()[0])
            made = AgentAccount(name, number, self._address_of(number))
            db.execute("INSERT INTO consensus_agents VALUES (?,?,?)", (made.name, made.account, made.address))
            return made

    def _with_key(self, known: AgentAccount) -> AgentAccount:
        """Return the account as it is in this wallet: another wallet has other addresses."""
        address = self._address_of(known.account)
        if address != known.address:
            sql = "UPDATE consensus_agents SET address = ? WHERE name = ?"
            self._store.db.execute(sql, (address, known.name))
        return AgentAccount(known.name, known.account, address)

    def accounts(self) -> list[AgentAccount]:
        """Return all accounts, oldest first."""
        rows = self._store.db.execute("SELECT * FROM consensus_agents ORDER BY account")
        return [AgentAccount(**dict(row)) for row in rows]

    def number_of(self, address: str) -> int | None:
        """Return the account number of an agent's address, None for another."""
        row = self._store.db.execute("SELECT account FROM consensus_agents WHERE address = ?", (address,)).fetchone()
        return None if row is None else int(row[0])

    def create(self, new: NewRound, task_hash: bytes) -> RoundRecord:
        """Write a new round, and take its hash: on one chain no other round can have it."""
        with self._store.transaction() as db:
            cursor = db.execute(
                "INSERT INTO consensus_rounds "
                "(part, base_hash, task_hash, place, document, config, agents, phase, created) "
                "VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    int(new.part),
                    new.task.hash,
                    task_hash,
                    new.place,
                    json.dumps(dict(new.task.document)),
                    json.dumps(asdict(new.config)),
                    json.dumps([agent.to_json() for agent in new.agents]),
                    NEGOTIATING,
                    time.time(),
                ),
            )
        return self.get(int(cursor.lastrowid or 0))

    def claim(self, run_id: int, place: str, task_hash: bytes) -> bool:
        """Give a round a hash in ``place``, for good. Returns False when it was given before, to whichever round."""
        with self._store.transaction() as db:
            cursor = db.execute(
                "INSERT INTO consensus_hashes VALUES (?,?,?) ON CONFLICT DO NOTHING", (place, task_hash, run_id)
            )
            if not cursor.rowcount:
                return False
            db.execute("DELETE FROM consensus_signatures WHERE run_id = ?", (run_id,))
            self._set(
                run_id, place=place, task_hash=task_hash, phase=NEGOTIATING, deadline=0, message="", progress="{}"
            )
        return True

    def get(self, run_id: int) -> RoundRecord:
        """Return a round. Raises UsageError."""
        row = self._store.db.execute("SELECT * FROM consensus_rounds WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise UsageError(f"There is no round {run_id}", "none of this data directory has that number")
        return _record(row)

    def all(self, limit: int = 1_000) -> list[RoundRecord]:
        """Return the rounds that are no parts of others, newest first."""
        sql = "SELECT run_id FROM consensus_rounds WHERE part = 0 ORDER BY run_id DESC LIMIT ?"
        numbers = [row[0] for row in self._store.db.execute(sql, (limit,)).fetchall()]
        found = [self._over.get(number) or self.get(number) for number in numbers]
        self._over = {record.run_id: record for record in found if record.phase == DONE}
        return found

    def by_hash(self, prefix: str) -> list[RoundRecord]:
        """Return the rounds whose task hash begins with ``prefix`` (hex digits), newest first."""
        sql = "SELECT * FROM consensus_rounds WHERE substr(lower(hex(task_hash)), 1, ?) = ? ORDER BY run_id DESC"
        return [_record(row) for row in self._store.db.execute(sql, (len(prefix), prefix.lower()))]

    def claimed(self, place: str, base: bytes) -> int:
        """Return how many rounds of a task were started in ``place``: an attempt number that is likely free."""
        sql = "SELECT COUNT(*) FROM consensus_rounds WHERE place = ? AND base_hash = ?"
        return int(self._store.db.execute(sql, (place, base)).fetchone()[0])

    def keep_signed(
        self,
        run_id: int,
        deadline: int,
        signed: Iterable[tuple[str, int, SignedPosition]],
        progress: Mapping[str, Any],
    ) -> None:
        """Keep the signed positions (name, weight, position) with figures of the negotiation: from here on nobody is
        asked to sign again."""
        with self._store.transaction():
            self._set(run_id, phase=SIGNED, deadline=deadline, progress=json.dumps(dict(progress)))
            for name, weight, position in signed:
                self._keep(run_id, "position", name, position, weight)

    def keep_words(self, run_id: int, words: Mapping[str, Any], chains: Iterable[str]) -> dict[str, int]:
        """Keep what was said in a round on several chains; return a new part for each, by its name. From here on nobody
        is asked again."""
        record = self.get(run_id)
        part = NewRound(record.task, record.config, record.agents, CHAINS, part=True)
        with self._store.transaction():
            parts = {name: self.create(part, record.base_hash).run_id for name in chains}
            self._set(run_id, phase=SIGNED, progress=json.dumps({**words, "parts": parts}))
        return parts

    def keep_evidence(self, run_id: int, evidence: Equivocation) -> None:
        """Keep what convicts an agent."""
        with self._store.transaction():
            self._keep(run_id, "first", evidence.agent, evidence.first)
            self._keep(run_id, "second", evidence.agent, evidence.second)

    def signed(self, run_id: int) -> list[tuple[str, int, SignedPosition]]:
        """Return the signed positions of a round: name, weight, position; by name."""
        return [(row["name"], row["weight"], _signed(row)) for row in self._signatures(run_id, "position")]

    def evidence(self, run_id: int) -> list[Equivocation]:
        """Return what convicts agents of a round."""
        second = {row["name"]: _signed(row) for row in self._signatures(run_id, "second")}
        first = self._signatures(run_id, "first")
        return [Equivocation(row["name"], _signed(row), second[row["name"]]) for row in first]

    def end(self, run_id: int, phase: str, message: str = "", result: Mapping[str, Any] | None = None) -> None:
        """Write how a round came out; ``result`` tells the hash under which it did."""
        kept = None if result is None else json.dumps(dict(result))
        values: dict[str, Any] = {"message": message, "result": kept}
        if phase == DONE or self.get(run_id).phase != SIGNED:
            values["phase"] = phase  # signed positions stay so: their round goes on from there
        if result is not None and "task_hash" in result:
            values["task_hash"] = bytes.fromhex(str(result["task_hash"])[2:])
        self._set(run_id, **values)

    def give_up(self, run_id: int) -> None:
        """Note that what was signed leads nowhere: the round has to negotiate again, under another hash."""
        self._set(run_id, phase=FAILED)

    def _set(self, run_id: int, **values: Any) -> None:
        names = ", ".join(f"{name} = ?" for name in values)
        self._over.pop(run_id, None)
        with self._store.transaction() as db:
            db.execute(f"UPDATE consensus_rounds SET {names} WHERE run_id = ?", (*values.values(), run_id))

    def _signatures(self, run_id: int, role: str) -> list[sqlite3.Row]:
        sql = "SELECT consensus_signatures.*, task_hash FROM consensus_signatures JOIN consensus_rounds USING (run_id) "
        sql += "WHERE run_id = ? AND role = ? ORDER BY name"
        return self._store.db.execute(sql, (run_id, role)).fetchall()

    def _keep(self, run_id: int, role: str, name: str, signed: SignedPosition, weight: int = 0) -> None:
        message = signed.message
        self._store.db.execute(
            "INSERT OR REPLACE INTO consensus_signatures VALUES (?,?,?,?,?,?,?,?,?,?,?)",
            (
                run_id,
                role,
                name,
                message.agent,
                signed.packed,
                message.confidence,
                message.round,
                message.nonce,
                message.deadline,
                signed.signature,
                weight,
            ),
        )


def attempt_hash(base: bytes, attempt: int) -> bytes:
    """Return the hash under which a task runs the ``attempt``-th time (from 0) in one place."""
    return base if attempt == 0 else keccak(base + attempt.to_bytes(8, "big"))


@lru_cache(maxsize=64)
def _config(text: str) -> ConsensusConfig:
    return ConsensusConfig.of(json.loads(text))


@lru_cache(maxsize=64)
def _agents(text: str) -> tuple[AgentSpec, ...]:
    """Return the agents of a round: round after round is played by the same."""
    return tuple(AgentSpec.from_json(item) for item in json.loads(text))


def _record(row: sqlite3.Row) -> RoundRecord:
    values = dict(row)
    values["part"] = bool(row["part"])
    values["document"] = json.loads(row["document"])
    values["config"] = _config(row["config"])
    values["agents"] = _agents(row["agents"])
    values["progress"] = json.loads(row["progress"])
    values["result"] = None if row["result"] is None else json.loads(row["result"])
    return RoundRecord(**values)


def _signed(row: sqlite3.Row) -> SignedPosition:
    message = PositionMessage(
        row["task_hash"],
        row["address"],
        keccak(row["packed"]),
        row["confidence"],
        row["round"],
        row["nonce"],
        row["deadline"],
    )
    return SignedPosition(message, row["packed"], row["signature"])
