"""The operator's agents: admitted modules with a name, an owner and an account of their own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from engine.core.errors import UsageError
from engine.store.database import Store

FIRST_ACCOUNT = 1  # account 0 of the wallet is the operator


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An admitted agent. ``sha256`` of the module as handed in is its identity, ``address`` its account on chain."""

    sha256: str
    name: str
    owner: str
    account: int
    address: str
    abi: str
    size: int
    removed: bool


@dataclass(frozen=True, slots=True)
class StoredModule:
    """A module that passed the gate: as handed in, and as it runs."""

    sha256: str
    kind: str
    abi: str
    gate_version: str
    original: bytes
    instrumented: bytes


class Roster:
    """Agents and modules in the store. ``address_of`` gives the address of an account number of the wallet."""

    def __init__(self, store: Store, address_of: Callable[[int], str]) -> None:
        self._store = store
        self._address_of = address_of

    def keep_module(self, module: StoredModule) -> None:
        """Keep a module that passed the gate; a newer gate's instrumentation replaces an older one."""
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO modules VALUES (?,?,?,?,?,?) ON CONFLICT (sha256) DO UPDATE SET "
                "abi = excluded.abi, gate_version = excluded.gate_version, instrumented = excluded.instrumented",
                (module.sha256, module.kind, module.abi, module.gate_version, module.original, module.instrumented),
            )

    def module(self, sha256: str) -> StoredModule | None:
        """Return the module of that hash."""
        row = self._store.db.execute("SELECT * FROM modules WHERE sha256 = ?", (sha256,)).fetchone()
        return StoredModule(**dict(row)) if row else None

    def add_system(self, sha256: str) -> bool:
        """List a kept System among those that can be played. Returns False when it is there already."""
        with self._store.transaction() as db:
            cursor = db.execute("INSERT INTO systems VALUES (?,?) ON CONFLICT DO NOTHING", (sha256, time.time()))
            return cursor.rowcount > 0

    def systems(self) -> list[str]:
        """Return the hashes of the Systems that the operator brought, oldest first."""
        return [row[0] for row in self._store.db.execute("SELECT sha256 FROM systems ORDER BY added, sha256")]

    def original(self, sha256: str) -> bytes:
        """Return the file of that hash as it was handed in. Raises UsageError."""
        module = self.module(sha256)
        if module is None:
            raise UsageError("There is no such module", f"none has the hash {sha256}")
        return module.original

    def admit(self, sha256: str, name: str, owner: str) -> AgentRecord:
        """Give the module a place in the roster, an account and a unique name. Raises UsageError when it is there."""
        known = self.get(sha256)
        if known is not None and not known.removed:
            raise UsageError(f"The agent is in the roster already, as {known.name}", f"its module is {sha256}")
        if known is not None:
            self.set_removed(sha256, removed=False)
            return _present(self.get(sha256))
        with self._store.transaction() as db:
            account = db.execute("SELECT COALESCE(MAX(account) + 1, ?) FROM agents", (FIRST_ACCOUNT,)).fetchone()[0]
            db.execute(
                "INSERT INTO agents (sha256, name, owner, account, address) VALUES (?,?,?,?,?)",
                (sha256, self._free_name(name), owner or name, account, self._address_of(account)),
            )
        return _present(self.get(sha256))

    def get(self, sha256: str) -> AgentRecord | None:
        """Return the agent of that module hash, removed or not."""
        return next(iter(self._select("WHERE agents.sha256 = ?", sha256)), None)

    def by_address(self, address: str) -> AgentRecord | None:
        """Return the agent of that account."""
        return next(iter(self._select("WHERE address = ?", address)), None)

    def all(self, *, removed: bool = False) -> list[AgentRecord]:
        """Return the agents by name; with ``removed`` the removed ones too."""
        return self._select("" if removed else "WHERE removed = 0")

    def set_removed(self, sha256: str, *, removed: bool) -> None:
        """Take the agent out of the roster or put it back; its history stays. Raises UsageError for an unknown one."""
        with self._store.transaction() as db:
            if not db.execute("UPDATE agents SET removed = ? WHERE sha256 = ?", (removed, sha256)).rowcount:
                raise UsageError("There is no such agent", f"no module has the hash {sha256}")

    def _free_name(self, name: str) -> str:
        taken = {row[0] for row in self._store.db.execute("SELECT name FROM agents")}
        if name not in taken:
            return name
        return next(candidate for n in range(2, len(taken) + 3) if (candidate := f"{name}-{n}") not in taken)

    def _select(self, where: str, *values: str) -> list[AgentRecord]:
        rows = self._store.db.execute(
            "SELECT agents.sha256, name, owner, account, address, abi, length(original) AS size, removed "
            f"FROM agents JOIN modules USING (sha256) {where} ORDER BY name",
            values,
        )
        return [AgentRecord(**{**dict(row), "removed": bool(row["removed"])}) for row in rows]


def _present(record: AgentRecord | None) -> AgentRecord:
    assert record is not None
    return record
