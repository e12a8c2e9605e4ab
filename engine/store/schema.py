"""The schema, as the list of steps that lead to it. A released step never changes; a change is a new step."""

from engine.store.outbox import OUTBOX_REPLACED, OUTBOX_SCHEMA

_FIRST = """
CREATE TABLE modules (
    sha256 TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('agent', 'system')),
    abi TEXT NOT NULL,
    gate_version TEXT NOT NULL,
    original BLOB NOT NULL,
    instrumented BLOB NOT NULL
) STRICT;

CREATE TABLE agents (
    sha256 TEXT PRIMARY KEY REFERENCES modules (sha256),
    name TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    account INTEGER NOT NULL UNIQUE,
    address TEXT NOT NULL UNIQUE,
    removed INTEGER NOT NULL DEFAULT 0
) STRICT;

-- A book is one set of accounts: 'local', or '<chain id>:<vault address>' of a deployment.
-- Amounts are decimal integers in wei: they do not fit SQLite's 64 bits.
CREATE TABLE ledger (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    book TEXT NOT NULL,
    kind TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    wei TEXT NOT NULL,
    round_id TEXT,
    created REAL NOT NULL
) STRICT;
CREATE INDEX ledger_by_account ON ledger (book, debit, kind);
CREATE TRIGGER ledger_no_update BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;

CREATE TABLE balances (
    book TEXT NOT NULL,
    account TEXT NOT NULL,
    wei TEXT NOT NULL,
    PRIMARY KEY (book, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE rounds (
    round_id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    book TEXT NOT NULL,
    config TEXT NOT NULL,
    system TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('playing', 'played', 'anchored', 'settled')),
    results_hash TEXT,
    root TEXT,
    created REAL NOT NULL,
    UNIQUE (name, number)
) STRICT;

-- The roster of a round, in the order of the addresses.
CREATE TABLE entries (
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    seat INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    address TEXT NOT NULL,
    PRIMARY KEY (round_id, seat),
    UNIQUE (round_id, sha256)
) STRICT, WITHOUT ROWID;

CREATE TABLE matches (
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    fixture INTEGER NOT NULL,
    a INTEGER NOT NULL,
    b INTEGER,
    seed TEXT NOT NULL,
    outcome TEXT NOT NULL,
    cause TEXT,
    seat INTEGER,
    score_a INTEGER NOT NULL,
    score_b INTEGER,
    steps INTEGER NOT NULL,
    gas INTEGER NOT NULL,
    trace_root BLOB NOT NULL,
    commitment BLOB NOT NULL,
    PRIMARY KEY (round_id, fixture)
) STRICT, WITHOUT ROWID;

CREATE INDEX matches_by_commitment ON matches (commitment);

CREATE TABLE claims (
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    fixture INTEGER NOT NULL,
    seat INTEGER NOT NULL,
    score INTEGER NOT NULL,
    evidence BLOB NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (round_id, fixture, seat)
) STRICT, WITHOUT ROWID;

CREATE TABLE disqualifications (
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    seat INTEGER NOT NULL,
    fixture INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    replayed INTEGER NOT NULL,
    PRIMARY KEY (round_id, seat)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployments (
    book TEXT PRIMARY KEY,
    record TEXT NOT NULL,
    created REAL NOT NULL
) STRICT;
"""

_FORMATS = """
ALTER TABLE matches ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;

-- Systems that the operator brought; the shipped ones are in modules alone.
CREATE TABLE systems (
    sha256 TEXT PRIMARY KEY REFERENCES modules (sha256),
    added REAL NOT NULL
) STRICT;

-- Glicko-2 over the rounds of a league: what each agent had after the round.
CREATE TABLE ratings (
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    sha256 TEXT NOT NULL,
    rating REAL NOT NULL,
    deviation REAL NOT NULL,
    volatility REAL NOT NULL,
    PRIMARY KEY (round_id, sha256)
) STRICT, WITHOUT ROWID;

-- The highest tier that an agent's capital opens, before the round and after its settlement; '' is none.
CREATE TABLE capital_tiers (
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    sha256 TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    PRIMARY KEY (round_id, sha256)
) STRICT, WITHOUT ROWID;
"""

# A round may be rejected. SQLite cannot change a CHECK, so the table is built anew.
_DISPUTES = """
CREATE TABLE rounds_anew (
    round_id TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    name TEXT NOT NULL,
    book TEXT NOT NULL,
    config TEXT NOT NULL,
    system TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('playing', 'played', 'anchored', 'settled', 'rejected')),
    results_hash TEXT,
    root TEXT,
    created REAL NOT NULL,
    UNIQUE (name, number)
) STRICT;
INSERT INTO rounds_anew SELECT * FROM rounds;
DROP TABLE rounds;
ALTER TABLE rounds_anew RENAME TO rounds;

-- What a dishonest host anchored and published; of an honest one it follows from the matches.
CREATE TABLE publications (
    round_id TEXT PRIMARY KEY REFERENCES rounds (round_id),
    dishonesty TEXT NOT NULL,
    match INTEGER,
    scores BLOB NOT NULL,
    second BLOB
) STRICT;

CREATE TABLE published_leaves (
    round_id TEXT NOT NULL REFERENCES publications (round_id),
    idx INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    withheld INTEGER NOT NULL,
    PRIMARY KEY (round_id, idx)
) STRICT, WITHOUT ROWID;

-- One row a dispute or proof of fraud. ``idx`` is the leaf that it is about and ``match`` its number in the round,
-- ``posted`` and ``replayed`` are leaf hashes; ``number`` is the court's, once it has one.
CREATE TABLE disputes (
    dispute_id TEXT PRIMARY KEY,
    round_id TEXT NOT NULL REFERENCES rounds (round_id),
    kind TEXT NOT NULL,
    idx INTEGER,
    match INTEGER,
    challenger TEXT NOT NULL,
    bond TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed', 'refunded', 'refused')),
    detail TEXT NOT NULL,
    posted BLOB,
    replayed BLOB,
    number INTEGER,
    deadline INTEGER,
    extended INTEGER NOT NULL DEFAULT 0,
    slashed TEXT NOT NULL DEFAULT '0',
    created REAL NOT NULL
) STRICT;
CREATE INDEX disputes_by_round ON disputes (round_id);

CREATE TABLE attestations (
    dispute_id TEXT NOT NULL REFERENCES disputes (dispute_id),
    verifier TEXT NOT NULL,
    leaf BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (dispute_id, verifier, leaf)
) STRICT, WITHOUT ROWID;
"""

_CONSENSUS = """
-- Agents of rounds of consensus: each name has an account of the wallet.
CREATE TABLE consensus_agents (
    name TEXT PRIMARY KEY,
    account INTEGER NOT NULL UNIQUE,
    address TEXT NOT NULL UNIQUE
) STRICT, WITHOUT ROWID;

-- ``place`` is the book of the chain, 'local' off chain, 'chains' on several. ``part`` is 1 for a round on one chain of
-- several, or of a program that keeps its results itself: it is not listed.
CREATE TABLE consensus_rounds (
    run_id INTEGER PRIMARY KEY AUTOINCREMENT,
    part INTEGER NOT NULL DEFAULT 0,
    base_hash BLOB NOT NULL,
    task_hash BLOB NOT NULL,
    place TEXT NOT NULL,
    document TEXT NOT NULL,
    config TEXT NOT NULL,
    agents TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('negotiating', 'signed', 'done', 'cancelled', 'failed')),
    deadline INTEGER NOT NULL DEFAULT 0,
    progress TEXT NOT NULL DEFAULT '{}',
    result TEXT,
    message TEXT NOT NULL DEFAULT '',
    created REAL NOT NULL
) STRICT;
CREATE INDEX consensus_by_hash ON consensus_rounds (task_hash);

-- A task hash is taken when a round starts, and never again on that chain: an agent that signed for it twice would look
-- like an equivocator.
CREATE TABLE consensus_hashes (
    place TEXT NOT NULL,
    task_hash BLOB NOT NULL,
    run_id INTEGER NOT NULL REFERENCES consensus_rounds (run_id),
    PRIMARY KEY (place, task_hash)
) STRICT, WITHOUT ROWID;

-- What agents signed: the position of round 0, and pairs that convict.
CREATE TABLE consensus_signatures (
    run_id INTEGER NOT NULL REFERENCES consensus_rounds (run_id),
    role TEXT NOT NULL CHECK (role IN ('position', 'first', 'second')),
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    packed BLOB NOT NULL,
    confidence INTEGER NOT NULL,
    round INTEGER NOT NULL,
    nonce INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    signature BLOB NOT NULL,
    weight INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, role, name)
) STRICT, WITHOUT ROWID;
"""

_STAKING = """
-- Accounts of the wallet that validators of learning chains have, on every chain the same.
CREATE TABLE staking_accounts (
    account INTEGER PRIMARY KEY,
    address TEXT NOT NULL UNIQUE
) STRICT;
"""

MIGRATIONS: tuple[str, ...] = (_FIRST + OUTBOX_SCHEMA, _FORMATS, _DISPUTES, _CONSENSUS, OUTBOX_REPLACED, _STAKING)
