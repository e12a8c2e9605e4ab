"""Break the contracts in small ways, one at a time, and see that the forge suite notices each.

`python tests/contracts/mutants.py` runs them all (about half a minute each); names as arguments choose some. It works
on copies in a temporary folder, and runs the tests of the changed file first: most mutants die there. The exit status
is 1 when a mutant survives, 2 when one no longer applies.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
VAULT, ANCHOR, COURT = "src/StakeVault.sol", "src/LeagueAnchor.sol", "src/LeagueCourt.sol"
FRAUDS, VERIFIERS = "src/FraudProofs.sol", "src/VerifierSet.sol"
STANDINGS, SORTITION, CODE = (f"src/libraries/{name}.sol" for name in ("Standings", "Sortition", "Code"))
ROUND, TRACE = "src/libraries/RoundTree.sol", "src/libraries/TraceTree.sol"
NEURAL, GAMES = "src/NeuralConsensus.sol", "src/GameCertificates.sol"
CERTIFICATE, BUFFER, RECORD = (f"src/libraries/{name}.sol" for name in ("Certificate", "PositionBuffer", "AgentRecord"))
REWARDS, ROSTER = "src/libraries/Rewards.sol", "src/libraries/Roster.sol"
LEARNING, TOKEN = "src/ProofOfLearning.sol", "src/POL.sol"

# name: file, what stands there once, what the mutant puts there
MUTANTS: dict[str, tuple[str, str, str]] = {
    "no-unbonding-lock": (VAULT, "block.timestamp < account.unlockAt || ", ""),
    "no-exposure-lock": (VAULT, " || account.exposure != 0", ""),
    "pending-escapes-slashing": (
        VAULT,
        "slashed = amount < active + pending ? amount : active + pending;",
        "slashed = amount < active ? amount : active;",
    ),
    "exposures-share-stake": (VAULT, "if (entry.active < exposure)", "if (entry.active < amount)"),
    "minimum-off-by-one": (VAULT, "if (msg.value < MINIMUM_STAKE)", "if (msg.value <= MINIMUM_STAKE)"),
    "credit-paid-forever": (VAULT, "        account.credit = 0;\n", ""),
    "reporter-takes-all": (VAULT, "if (bps > MAX_REPORTER_BPS)", "if (bps > BPS)"),
    "treasury-total-lost": (VAULT, "_credit(treasury, slashed - share);", "_credit(treasury, slashed);"),
    "withdraw-pausable": (
        VAULT,
        "function withdraw() external nonReentrant",
        "function withdraw() external whenNotPaused nonReentrant",
    ),
    "keys-may-slash": (CODE, "account.code.length != 0 && ", "account.code.length == 0 || "),
    "delegated-keys-may-slash": (CODE, " && account.code[0] != 0xef", ""),
    "stale-unlock": (
        VAULT,
        "account.unlockAt = unlockAt.toUint48();",
        "if (account.unlockAt == 0) account.unlockAt = unlockAt.toUint48();",
    ),
    "no-window": (ANCHOR, "if (block.timestamp < c.settleableAt) revert WindowOpen(c.settleableAt);", ""),
    "depth-unbound": (ROUND, " || proof.length != depth", ""),
    "index-beyond-round": (ROUND, "leaf.index >= n || ", ""),
    "claim-of-any-league": (ANCHOR, " || idOf(c.poster, claim.leagueId) != id", ""),
    "claim-of-any-match": (ANCHOR, "claim.index != leaf.index || ", ""),
    "honest-claim-slashed": (
        ANCHOR,
        "if ((isA && leaf.dA == claim.score) || (isB && leaf.dB == claim.score)) revert ScoresAgree(claim.score);",
        "",
    ),
    "slashed-twice": (ANCHOR, "if (_disqualified[id].get(seat)) revert AlreadyDisqualified(agent);", ""),
    "disqualified-not-counted": (ANCHOR, "        ++_commitments[id].nDisqualified;\n", ""),
    "paid-twice": (ANCHOR, "if (_claimed[id].get(index)) revert AlreadyClaimed(agent);", ""),
    "order-repeats": (ANCHOR, " || !_markSeen(seen, seat)", ""),
    "order-unsorted": (ANCHOR, " || scores[seat] > last", ""),
    "exposure-kept": (
        ANCHOR,
        "        c.status = Status.Settled;\n        vault.removeExposure(poster, exposure);\n",
        "        c.status = Status.Settled;\n",
    ),
    "dust-kept": (ANCHOR, "if (dust != 0) vault", "if (dust > 1 ether) vault"),
    "roster-unchecked": (ANCHOR, "if (Roster.hash(agents, scores) != c.rosterHash)", "if (agents.length != c.nAgents)"),
    "posted-twice": (
        ANCHOR,
        "if (_commitments[id].status != Status.None)",
        "if (_commitments[id].status == Status.Open)",
    ),
    "penalty-before-settlement": (
        ANCHOR,
        "if (_commitments[id].status != Status.Settled) revert NotSettled(id);\n        address reporter",
        "address reporter",
    ),
    "penalty-taken-twice": (ANCHOR, "        delete _reporters[id][agent];\n", ""),
    "penalty-to-the-caller": (ANCHOR, "claimPenalty, reporter, reporterBps", "claimPenalty, msg.sender, reporterBps"),
    "settled-while-disputed": (
        ANCHOR,
        "if (c.status != Status.Open) revert NotOpen(id);",
        "if (c.status != Status.Open && c.status != Status.Disputed) revert NotOpen(id);",
    ),
    "no-claims-while-disputed": (
        ANCHOR,
        "_requireUndecided(id, c);\n        _requireRoster",
        "if (c.status != Status.Open) revert NotOpen(id);\n        _requireRoster",
    ),
    "disputed-after-the-window": (
        ANCHOR,
        "if (block.timestamp >= c.settleableAt) revert WindowClosed(c.settleableAt);",
        "",
    ),
    "endless-extensions": (ANCHOR, "if (until > last) until = last;", ""),
    "extensions-not-summed": (ANCHOR, "            c.extended += uint48(until - due);\n", ""),
    "disputed-forever": (ANCHOR, "if (open == 0 && c.status == Status.Disputed) c.status = Status.Open;", ""),
    "open-while-disputed": (ANCHOR, "if (open == 0 && c.status", "if (c.status"),
    "rejected-opens-again": (ANCHOR, "if (open == 0 && c.status == Status.Disputed)", "if (open == 0)"),
    "rejected-twice": (
        ANCHOR,
        "_requireUndecided(id, c);\n        c.status = Status.Rejected;",
        "c.status = Status.Rejected;",
    ),
    "exposure-kept-on-rejection": (
        ANCHOR,
        "        vault.removeExposure(poster, exposure);\n        uint256 slashed",
        "        uint256 slashed",
    ),
    "pot-reclaimed-twice": (ANCHOR, "        c.pot = 0;\n", ""),
    "any-pot-reclaimed": (ANCHOR, "if (c.status != Status.Rejected) revert NotRejected(id);", ""),
    "anyone-rejects": (ANCHOR, "bytes32 reason) external onlyRole(COURT_ROLE) {", "bytes32 reason) external {"),
    "anyone-opens-disputes": (
        ANCHOR,
        "openDispute(bytes32 id) external onlyRole(COURT_ROLE)",
        "openDispute(bytes32 id) external",
    ),
    "anyone-closes-disputes": (ANCHOR, "uint256 until) external onlyRole(COURT_ROLE)", "uint256 until) external"),
    "keys-may-judge": (ANCHOR, "role == COURT_ROLE && !Code", "false && !Code"),
    "no-fraud-needed": (FRAUDS, "if (!fraud) revert NoFraud();", ""),
    "any-standings": (FRAUDS, "if (keccak256(standings) != leaf.pre) revert WrongStandings();", ""),
    "unsound-sums-pass": (FRAUDS, "!sound || digest != leaf.post", "digest != leaf.post"),
    "break-anywhere": (FRAUDS, "if (uint256(left.index) + 1 != right.index) revert IndexOutside(right.index);", ""),
    "break-left-not-posted": (FRAUDS, "        _requireIncluded(c, left, leftProof);\n", ""),
    "break-right-not-posted": (FRAUDS, "        _requireIncluded(c, right, rightProof);\n", ""),
    "terminal-of-any-leaf": (FRAUDS, "if (leaf.index != c.nSteps - 1) revert IndexOutside(leaf.index);", ""),
    "terminal-of-any-scores": (
        FRAUDS,
        "if (Roster.hash(agents, scores) != c.rosterHash) revert Roster.BadRoster();",
        "",
    ),
    "empty-round-scores": (FRAUDS, "if (c.nSteps == 0) {", "if (c.nSteps == 1) {"),
    "genesis-of-any-leaf": (FRAUDS, "if (leaf.index != 0) revert IndexOutside(leaf.index);", ""),
    "bounds-exclusive": (FRAUDS, "_size(leaf.dA) > c.bound", "_size(leaf.dA) >= c.bound"),
    "bounds-of-losses": (FRAUDS, "value < 0 ? -value : value", "value < 0 ? int256(0) : value"),
    "bounds-a-anywhere": (FRAUDS, "leaf.a >= c.nAgents || ", ""),
    "bounds-b-anywhere": (FRAUDS, "(!alone && leaf.b >= c.nAgents) || ", ""),
    "bounds-against-oneself": (FRAUDS, " || leaf.a == leaf.b", ""),
    "bounds-nobody-scores": (FRAUDS, "(alone ? 0 : c.bound)", "c.bound"),
    "equivocation-about-any-round": (
        FRAUDS,
        "if (anchor.idOf(c.poster, leagueId) != id) revert WrongLeague();",
        "",
    ),
    "equivocation-with-one-root": (FRAUDS, "otherRoot != c.root", "true"),
    "equivocation-unsigned": (FRAUDS, "revert BadSignature(c.poster);", ""),
    "leaf-not-posted": (
        FRAUDS,
        "if (!RoundTree.includes(c.root, c.nSteps, c.depth, leaf, proof)) revert NotIncluded(leaf.index);",
        "",
    ),
    "bond-unpaid": (COURT, "if (msg.value < needed) revert BondTooLow(msg.value, needed);", ""),
    "bonds-stay-low": (COURT, "bond << Math.min(_opened[id][kind], MAX_DOUBLINGS)", "bond"),
    "bonds-overflow": (COURT, "Math.min(_opened[id][kind], MAX_DOUBLINGS)", "_opened[id][kind]"),
    "surplus-kept": (COURT, "if (msg.value > needed) _credit(msg.sender, msg.value - needed);", ""),
    "disputed-again": (COURT, "_disputes[before].state != State.Refunded", "_disputes[before].state == State.Open"),
    "never-disputed-again": (
        COURT,
        "if (before != 0 && _disputes[before].state != State.Refunded)",
        "if (before != 0)",
    ),
    "demand-beyond-round": (
        COURT,
        "if (index >= _commitment(id).nSteps) revert IndexOutside(index);",
        "",
    ),
    "answered-too-late": (
        COURT,
        "if (block.timestamp >= d.deadline) revert TooLate(d.deadline);\n        if (leaf.index",
        "if (leaf.index",
    ),
    "answered-with-another-match": (COURT, "if (leaf.index != d.index) revert IndexOutside(leaf.index);", ""),
    "answered-without-evidence": (
        COURT,
        "if (TraceTree.commitmentOf(headerHash, traceRoot, steps) != leaf.evidence) revert EvidenceMismatch();",
        "",
    ),
    "answered-with-any-leaf": (
        COURT,
        "        _requireIncluded(c, leaf, proof);\n        bytes32 headerHash",
        "        bytes32 headerHash",
    ),
    "header-domain": (COURT, "bytes1(0x06)", "bytes1(0x05)"),
    "no-time-after-a-reveal": (COURT, "block.timestamp + anchor.window()", "0"),
    "timed-out-early": (
        COURT,
        'if (block.timestamp < d.deadline) revert TooEarly(d.deadline);\n        _uphold(disputeId, d, "withheld");',
        '_uphold(disputeId, d, "withheld");',
    ),
    "nothing-burned": (COURT, "uint256 half = held / 2;", "uint256 half = held;"),
    "half-rounded-up": (COURT, "uint256 half = held / 2;", "uint256 half = (held + 1) / 2;"),
    "winner-unpaid": (
        COURT,
        "anchor.reject(d.commitmentId, d.challenger, reason);\n        _credit(d.challenger, held);",
        "anchor.reject(d.commitmentId, d.challenger, reason);",
    ),
    "drawn-at-once": (COURT, "if (block.number <= drawBlock) revert TooEarly(drawBlock);", ""),
    "drawn-without-a-lot": (COURT, "if (seed == 0) {", "if (false) {"),
    "draw-stays-pending": (
        COURT,
        "        d.drawBlock = 0;\n        --_pendingDraws;\n        uint256 wanted",
        "        d.drawBlock = 0;\n        uint256 wanted",
    ),
    "voted-before-the-draw": (COURT, "if (d.drawBlock != 0) revert DrawPending();", ""),
    "voted-too-late": (
        COURT,
        "if (block.timestamp >= d.deadline) revert TooLate(d.deadline);\n        uint256 votes",
        "uint256 votes",
    ),
    "two-thirds-decide": (COURT, "votes * 3 <= uint256(d.seats) * 2", "votes * 3 < uint256(d.seats) * 2"),
    "two-decide": (COURT, "d.seats < MINIMUM_COMMITTEE || ", ""),
    "verdict-swapped": (COURT, "if (leaf == d.leaf) _dismiss", "if (leaf != d.leaf) _dismiss"),
    "outsiders-vote": (
        COURT,
        "_ballots[disputeId][signer] != SEATED) continue",
        "_ballots[disputeId][signer] == leaf) continue",
    ),
    "marks-are-leaves": (COURT, "if (uint256(leaf) <= uint256(BARRED)) revert NothingCounted();", ""),
    "extended-twice": (COURT, "if (d.extended) revert AlreadyExtended(disputeId);", ""),
    "extended-early": (
        COURT,
        "if (block.timestamp < d.deadline) revert TooEarly(d.deadline);\n        uint256 end",
        "uint256 end",
    ),
    "extended-late": (COURT, "if (block.timestamp >= end) revert TooLate(end);", ""),
    "second-vote-no-larger": (COURT, "(d.extended ? 2 * committeeSize + 1 : committeeSize)", "committeeSize"),
    "refunded-early": (COURT, "if (block.timestamp < end) revert TooEarly(end);", ""),
    "demands-refunded": (COURT, "if (d.kind != Kind.Replay) revert NotOpen(disputeId);", ""),
    "refunded-twice": (COURT, "if (d.state != State.Open) revert NotOpen(disputeId);\n        if (_comm", "if (_comm"),
    "judged-after-rejection": (
        COURT,
        "if (c.status == ILeagueAnchor.Status.Rejected) revert CommitmentRejected(d.commitmentId);",
        "",
    ),
    "bond-counted-on": (COURT, "        d.bond = 0;\n", ""),
    "one-vote-is-two": (COURT, "if (one.leaf == other.leaf) revert SameVote();", ""),
    "two-voters-are-one": (COURT, "if (_signer(disputeId, other) != verifier) revert BadSignature(verifier);", ""),
    "double-vote-of-outsiders": (COURT, "if (ballot == 0 || ballot == BARRED)", "if (ballot == BARRED)"),
    "double-vote-paid-twice": (COURT, "if (ballot == 0 || ballot == BARRED)", "if (ballot == 0)"),
    "double-vote-counts-on": (
        COURT,
        "if (ballot != SEATED && _disputes[disputeId].state == State.Open) --_votes[disputeId][ballot];",
        "",
    ),
    "double-voter-stays": (COURT, "        _remove(verifier);\n", ""),
    "word-about-any-dispute": (
        COURT,
        "ATTESTATION_TYPEHASH, disputeId, d.commitmentId",
        "ATTESTATION_TYPEHASH, uint256(0), d.commitmentId",
    ),
    "registered-twice": (VERIFIERS, "if (record.position != 0) revert AlreadyAVerifier(msg.sender);", ""),
    "verifier-without-stake": (VERIFIERS, "        _reserve(msg.sender);\n", ""),
    "verifier-stake-kept": (VERIFIERS, "        _release(verifier);\n", ""),
    "judges-leave": (VERIFIERS, "if (block.timestamp < record.heldUntil) revert Held(record.heldUntil);", ""),
    "holds-shorten": (VERIFIERS, "if (record.heldUntil < heldUntil) record", "record"),
    "poster-judges": (VERIFIERS, "candidate == poster || ", ""),
    "challenger-judges": (VERIFIERS, "candidate == challenger || ", ""),
    "seated-twice": (VERIFIERS, " || _ballots[disputeId][candidate] != 0", ""),
    "list-changes-under-the-draw": (VERIFIERS, "if (_pendingDraws != 0) revert DrawPending();", ""),
    "list-loses-its-last": (VERIFIERS, "        _records[last].position = uint32(position);\n", ""),
    "lot-repeats": (SORTITION, "        moved[j] = moved[i] == 0 ? i + 1 : moved[i];\n", ""),
    "lot-not-shuffled": (SORTITION, "moved[i] == 0 ? i + 1 : moved[i]", "i + 1"),
    "lot-is-fixed": (SORTITION, "keccak256(abi.encode(seed, i))", "keccak256(abi.encode(i))"),
    "sums-wrap-around": (STANDINGS, "if (sum != int64(sum)) return false;", ""),
    "seats-anywhere": (STANDINGS, "if (seat >= standings.length / 8) return false;", ""),
    "second-seat-forgotten": (STANDINGS, "(leaf.b == NOBODY || _add(next, leaf.b, leaf.dB))", "true"),
    "neighbours-overwritten": (STANDINGS, "or(shl(192, sum), shr(64, shl(64, mload(at))))", "shl(192, sum)"),
    "leaf-domain": (ROUND, "keccak256(start, 125)", "keccak256(add(start, 1), 124)"),
    "index-padding": (
        ROUND,
        "uint256 index = leaf.index;",
        "uint256 index;\n assembly { index := calldataload(leaf) }",
    ),
    "sides-swapped": (
        ROUND,
        "switch and(index, 1)\n                case 0",
        "switch and(index, 1)\n                case 1",
    ),
    "trace-node-domain": (TRACE, "bytes1(0x01)", "bytes1(0x00)"),
    "trace-path-too-short": (TRACE, "return sn == 0 && r == root;", "return r == root;"),
    "trace-index-outside": (TRACE, "if (index >= size) return false;", "if (size == 0) return false;"),
    "commitment-without-steps": (TRACE, "header, traceRoot, nSteps))", "header, traceRoot))"),
    "ties-take-the-best": (REWARDS, "ties * (n - position) - ties * (ties - 1) / 2", "ties * (n - position)"),
    "duplicates-in-roster": (ROSTER, "iszero(gt(account, last))", "lt(account, last)"),
    "wide-agents": (ROSTER, "bad := or(bad, gt(shr(160, last), 0))", ""),
    "agents-without-stake": (NEURAL, "        vault.addExposure(msg.sender, riskPerAgent);\n", ""),
    "agents-at-risk-twice": (NEURAL, "if (record.isAtRisk()) revert AlreadyRegistered(msg.sender);", ""),
    "banned-agents-return": (NEURAL, "if (record.isBanned()) revert AgentBanned(msg.sender);", ""),
    "numbers-shared": (NEURAL, "AgentRecord.create(agentCount++)", "AgentRecord.create(agentCount)"),
    "entry-while-paused": (
        NEURAL,
        "function register(bytes32 modelHash) external whenNotPaused",
        "function register(bytes32 modelHash) external",
    ),
    "batches-while-paused": (
        NEURAL,
        "bytes calldata packed)\n        external\n        whenNotPaused\n",
        "bytes calldata packed)\n        external\n",
    ),
    "released-at-once": (NEURAL, "if (block.timestamp < until) revert StillAtRisk(until);", ""),
    "released-without-leaving": (
        NEURAL,
        "record.leftAt() == 0 ? type(uint256).max : record.leftAt() + evidenceWindow",
        "record.leftAt() + evidenceWindow",
    ),
    "risk-kept-on-release": (
        NEURAL,
        "emit AgentReleased(msg.sender);\n            _endRisk(msg.sender);",
        "emit AgentReleased(msg.sender);",
    ),
    "anyone-opens-tasks": (NEURAL, ") external onlyRole(OPERATOR_ROLE) whenNotPaused {", ") external whenNotPaused {"),
    "tasks-open-again": (NEURAL, "if (task.status != Status.None) revert TaskExists(taskHash);", ""),
    "anyone-speaks-for-anyone": (NEURAL, "if (_agentId != msg.sender) revert BadSignature(_agentId);", ""),
    "old-nonces-count": (NEURAL, "if (nonce != record.nonce()) return Reason.StaleNonce;", ""),
    "old-nonces-count-alone": (
        NEURAL,
        "if (nonce != record.nonce()) revert StaleNonce(nonce, uint32(record.nonce()));",
        "",
    ),
    "late-positions": (
        NEURAL,
        "if (block.timestamp >= task.deadline || block.timestamp > deadline) _closed(taskHash);",
        "if (block.timestamp > deadline) _closed(taskHash);",
    ),
    "expired-signatures": (
        NEURAL,
        "if (block.timestamp >= task.deadline || block.timestamp > deadline) _closed(taskHash);",
        "if (block.timestamp >= task.deadline) _closed(taskHash);",
    ),
    "two-positions-in-slots": (NEURAL, "if (slot.commitment != 0) return Reason.AlreadySubmitted;", ""),
    "two-positions-in-the-accumulator": (NEURAL, "if (intake.bits & bit != 0) return Reason.AlreadySubmitted;", ""),
    "buckets-forgotten": (NEURAL, "            submitted[intake.bucket] = intake.bits;\n", ""),
    "confidence-without-limit": (NEURAL, "if (confidence - 1 >= MAX_CONFIDENCE)", "if (confidence == 0)"),
    "leavers-speak": (RECORD, "return isAtRisk(record) && leftAt(record) == 0;", "return isAtRisk(record);"),
    "banned-agents-speak": (
        RECORD,
        "return registeredAt(record) != 0 && !isBanned(record);",
        "return registeredAt(record) != 0;",
    ),
    "certified-too-early": (NEURAL, "if (block.timestamp < task.deadline || heads.length", "if (heads.length"),
    "certified-without-all": (NEURAL, " || heads.length != task.count || _voters", " || _voters"),
    "certified-by-few": (
        NEURAL,
        "heads.length != task.count || _voters(task) < task.minAgents",
        "heads.length != task.count",
    ),
    "certified-twice-the-same-agent": (NEURAL, "agent <= reading.last || uint48(head)", "uint48(head)"),
    "heads-with-a-tail": (NEURAL, "agent <= reading.last || uint48(head) != 0", "agent <= reading.last"),
    "certified-with-other-words": (
        NEURAL,
        "if (!reading.slots && reading.folded != task.accumulator) revert CommitmentMismatch(heads.length);",
        "",
    ),
    "the-guilty-count": (
        NEURAL,
        "if (reading.anyOut && _excluded[taskHash][address(uint160(head >> 96))]) continue;",
        "",
    ),
    "result-rounded-down": (NEURAL, "(aggregate[k] + (total << 31)) / (total << 32)", "aggregate[k] / (total << 32)"),
    "anyone-finalises": (NEURAL, "if (msg.sender != task.creator) _checkRole(OPERATOR_ROLE);", ""),
    "finalised-without-a-certificate": (NEURAL, "if (status != Status.Certified) _closed(_taskHash);", ""),
    "operators-choose-the-result": (
        NEURAL,
        "if (keccak256(abi.encode(_consensus)) != keccak256(abi.encode(certified))) revert NotTheCertified(_taskHash);",
        "",
    ),
    "void-though-enough-came": (
        NEURAL,
        "block.timestamp < task.deadline || voters >= needed",
        "block.timestamp < task.deadline",
    ),
    "credited-forever": (NEURAL, "        task.credited = true;\n", ""),
    "credited-before-the-end": (NEURAL, "if (task.status != Status.Finalized) _notReady(taskHash);", ""),
    "the-near-lose": (NEURAL, ">> 96)), scaled <= sum);", ">> 96)), scaled > sum);"),
    "the-middle-loses": (NEURAL, "voice == 0 || (scaled > sum && scaled <= 2 * sum)", "voice == 0"),
    "reputation-without-a-top": (NEURAL, "else if (value > AgentRecord.MAXIMUM) value = AgentRecord.MAXIMUM;", ""),
    "one-word-convicts": (
        NEURAL,
        "a.nonce != b.nonce\n                || (a.positionHash == b.positionHash && a.confidence == b.confidence)",
        "a.nonce != b.nonce",
    ),
    "words-of-two-rounds-convict": (NEURAL, "a.round != b.round || ", ""),
    "words-of-two-nonces-convict": (NEURAL, " || a.nonce != b.nonce", ""),
    "words-of-two-tasks-convict": (NEURAL, "b.taskHash != taskHash || ", ""),
    "one-signature-convicts": (NEURAL, "        _requireSigned(b, signatureB);\n", ""),
    "convicted-twice": (NEURAL, "if (_excluded[taskHash][agent]) revert AlreadyProven(taskHash, agent);", ""),
    "convicted-without-a-ban": (NEURAL, "        _records[agent] = record.withBan();\n", ""),
    "risk-kept-on-conviction": (NEURAL, "            _endRisk(agent);\n            slashed", "            slashed"),
    "slashed-when-not-at-risk": (NEURAL, "if (record.isAtRisk()) {", "if (true) {"),
    "certificates-outlive-the-guilty": (NEURAL, "            task.status = Status.Open;\n", ""),
    "final-results-reopen": (
        NEURAL,
        "if (task.status != Status.Certified) return;",
        "if (task.status == Status.Open) return;",
    ),
    "the-guilty-are-voters": (NEURAL, "            ++task.excluded;\n", ""),
    "unbonding-too-short": (NEURAL, "if (unbonding < needed) revert UnbondingTooShort(unbonding, needed);", ""),
    "any-equilibrium": (CERTIFICATE, "if (regret > game.eps) {", "if (false) {"),
    "results-slide": (CERTIFICATE, "if (residual > bound) revert INeuralConsensus.ResidualTooLarge(k);", ""),
    "weights-uncapped": (CERTIFICATE, "if (weight > cap) {", "if (false) {"),
    "regret-without-floors": (CERTIFICATE, "                residual += total;\n", ""),
    "regret-of-the-strongest": (CERTIFICATE, "if (d < least) least = d;", "least = d;"),
    "regret-rounded-down": (CERTIFICATE, "(a - 1) / b + 1", "a / b"),
    "aggregates-without-limit": (CERTIFICATE, "if (aggregate[k] > limit) revert INeuralConsensus.PrecisionLoss();", ""),
    "answers-of-before": (BUFFER, "            mstore(0, 0)\n            let done", "            let done"),
    "confidence-unsigned": (BUFFER, "            mstore(add(buffer, 0x80), confidence)\n", ""),
    "nonce-unsigned": (BUFFER, "            mstore(add(buffer, 0xc0), nonce)\n", ""),
    "wide-coordinates": (BUFFER, "fits := iszero(shr(48, seen))", "fits := 1"),
    "commitments-without-weight": (BUFFER, "result := keccak256(0, 38)", "result := keccak256(0, 36)"),
    "accumulator-without-heads": (BUFFER, "            mstore(add(cursor, 0x20), head)\n", ""),
    "other-chains-signatures": (BUFFER, "            mstore(add(buffer, 0x102), domain)\n", ""),
    "gap-of-the-rows-only": (GAMES, "gap = rowGap > columnGap ? rowGap : columnGap;", "gap = rowGap;"),
    "worse-profiles-replace": (
        GAMES,
        "if (known.profileHash != 0 && known.gap <= gap) revert NotBetter(gap, known.gap);",
        "",
    ),
    "equal-profiles-replace": (GAMES, "known.gap <= gap)", "known.gap < gap)"),
    "profiles-that-sum-to-nothing": (GAMES, "        _requireDistribution(q, 1);\n", ""),
    "games-of-one-hash": (GAMES, "abi.encode(nRows, rows, columns)", "abi.encode(rows, columns)"),
    "columns-read-as-rows": (GAMES, "_gap(columns, q, p, 1, q.length)", "_gap(columns, q, p, p.length, 1)"),
    "losses-are-no-best": (GAMES, "int256 best = type(int256).min;", "int256 best;"),
    "games-without-limit": (GAMES, " || cells > MAX_CELLS", ""),
    "two-thirds-are-final": (LEARNING, "2 * uint256(c.size) / 3 + 1", "(2 * uint256(c.size) + 2) / 3"),
    "votes-count-twice": (LEARNING, "validator < least || ", ""),
    "votes-of-who-left": (LEARNING, " && (until == 0 || era < until)", ""),
    "votes-of-who-is-yet-to-come": (LEARNING, " && uint32(word >> 160) <= era", ""),
    "votes-of-the-slashed": (LEARNING, "Status(uint8(word >> 224)) == Status.Staked", "uint8(word >> 224) != 0"),
    "votes-of-anybody": (
        LEARNING,
        "|| signer != account) revert BadSignature(validator);",
        ") revert BadSignature(validator);",
    ),
    "votes-cut-off": (
        LEARNING,
        "if (signatures.length % ENTRY != 0) revert MalformedSignatures(signatures.length);",
        "",
    ),
    "final-unproposed": (LEARNING, "if (c.headers[header.slot] != digest) revert NotProposed(digest);", ""),
    "final-slot-falls": (
        LEARNING,
        "if (header.slot <= c.finalSlot) revert SlotNotRising(header.slot, c.finalSlot);",
        "",
    ),
    "head-stands-still": (LEARNING, "if (header.slot <= head) revert", "if (header.slot < head) revert"),
    "anybody-proposes": (
        LEARNING,
        "if (header.proposer != expected) revert NotProposer(header.proposer, expected);",
        "",
    ),
    "headers-unsigned": (LEARNING, "        _requireSigned(c, expected, digest, signature);\n", ""),
    "slots-of-the-future": (
        LEARNING,
        "block.timestamp < c.genesisTime + uint256",
        "false && block.timestamp < c.genesisTime + uint256",
    ),
    "proposed-before-the-genesis": (
        LEARNING,
        "if (c.count < c.genesisValidators) revert GenesisOpen(c.count, c.genesisValidators);",
        "",
    ),
    "genesis-of-strangers": (
        LEARNING,
        "if (genesis && msg.sender != c.opener)",
        "if (false && msg.sender != c.opener)",
    ),
    "proposers-of-the-old-set": (
        LEARNING,
        "_isIn(c.validators[number], era)) return number",
        "_isIn(c.validators[number], c.era)) return number",
    ),
    "sets-change-at-once": (LEARNING, "uint256 from = genesis ? c.era : c.era + NOTICE;", "uint256 from = c.era;"),
    "leaving-at-once": (LEARNING, "uint256 until = c.era + NOTICE;", "uint256 until = c.era;"),
    "one-era-of-notice": (LEARNING, "NOTICE = 2;", "NOTICE = 1;"),
    "changes-repeat-each-era": (LEARNING, "        c.afterNext = 0;\n", ""),
    "slashed-stay-in-the-count": (
        LEARNING,
        "        _removeFromSets(c, v);\n        v.status = Status.Slashed;",
        "        v.status = Status.Slashed;",
    ),
    "withdrawn-stay-in-the-count": (LEARNING, "if (v.status == Status.Staked) _removeFromSets(c, v);", ""),
    "leavers-counted-out-twice": (LEARNING, "if (v.until != 0) _shift(c, v.until, 1);", ""),
    "validators-slashed-twice": (
        LEARNING,
        "if (v.status == Status.Slashed) revert AlreadySlashed(number);\n"
        "        if (v.status != Status.Staked) revert NotStaked(number);",
        "",
    ),
    "late-evidence": (LEARNING, "if (block.timestamp > closes) revert EvidenceTooLate(closes);", ""),
    "evidence-expires-for-members": (LEARNING, "if (v.until != 0 && v.until <= c.era) {", "if (v.until != 0) {"),
    "stakes-out-early": (
        LEARNING,
        "if (block.timestamp < dutyEnd + withdrawalDelay) revert",
        "if (block.timestamp + 1 < dutyEnd + withdrawalDelay) revert",
    ),
    "delay-from-the-request": (LEARNING, "        if (last > end) end = last;\n", ""),
    "delay-forgets-the-head": (LEARNING, "c.beganAt[v.until] : c.headAt;", "c.beganAt[v.until] : 0;"),
    "stakes-of-others": (LEARNING, "if (msg.sender != v.account) revert NotAccount(v.account);", ""),
    "stakes-out-twice": (LEARNING, "        v.stake = 0;\n", ""),
    "reporter-takes-the-penalty": (LEARNING, "_give(treasury, penalty - share);", ""),
    "reporter-share-unbounded": (LEARNING, "rules.reporterBps <= MAX_REPORTER_BPS", "rules.reporterBps <= BPS"),
    "evidence-outlasts-the-stake": (
        LEARNING,
        "rules.evidenceWindow < rules.withdrawalDelay",
        "rules.evidenceWindow <= rules.withdrawalDelay",
    ),
    "credits-paid-twice": (LEARNING, "        _credits[msg.sender] = 0;\n", ""),
    "one-header-is-two": (LEARNING, " && first != second;", ";"),
    "headers-of-two-slots": (
        LEARNING,
        "a.chain == b.chain && a.slot == b.slot && a.proposer == b.proposer && first",
        "a.chain == b.chain && a.proposer == b.proposer && first",
    ),
    "second-header-unsigned": (LEARNING, "        _requireSigned(c, a.proposer, second, signatureB);\n", ""),
    "acks-that-agree": (LEARNING, " && a.accept != b.accept;", ";"),
    "acks-on-two-updates": (LEARNING, " && a.updateId == b.updateId", ""),
    "second-ack-unsigned": (LEARNING, "        _requireSigned(c, a.validator, second, signatureB);\n", ""),
    "updates-unnamed": (LEARNING, "if (header.updateId == 0) revert NoUpdateNamed();", ""),
    "uncertified-unsigned": (LEARNING, "        _requireSigned(c, header.proposer, digest, signature);\n", ""),
    "acks-of-others": (LEARNING, "        _requireSigned(c, ack.validator, digest, signature);\n", ""),
    "verdicts-without-voters": (LEARNING, "        _requireQuorum(c, found.hash(), signatures);\n", ""),
    "keys-of-any-length": (LEARNING, "keys.pubkey.length != 48 || ", ""),
    "keys-used-twice": (LEARNING, "        c.pubkeys[peerId] = pubkeyHash;\n", ""),
    "peer-ids-used-twice": (LEARNING, "if (held != 0) revert DuplicatePeerId(peerId);", ""),
    "node-keys-used-twice": (LEARNING, "        c.nodeKeys[keys.nodeKey] = true;\n", ""),
    "deposits-while-paused": (LEARNING, "        private\n        whenNotPaused\n", "        private\n"),
    "exits-pausable": (
        LEARNING,
        "function requestExit(bytes32 chain, uint256 validator) external {",
        "function requestExit(bytes32 chain, uint256 validator) external whenNotPaused {",
    ),
    "slashings-pausable": (
        LEARNING,
        "function slashReported(Verdict calldata found, bytes calldata signatures) external {",
        "function slashReported(Verdict calldata found, bytes calldata signatures) external whenNotPaused {",
    ),
    "chains-opened-twice": (LEARNING, "if (c.opener != address(0)) revert ChainExists(chain);", ""),
    "chains-of-any-opener": (LEARNING, "keccak256(abi.encode(msg.sender, spec))", "keccak256(abi.encode(spec))"),
    "chains-without-end": (LEARNING, "if (index == MAX_VALIDATORS) revert ChainFull(chain);", ""),
    "faucet-for-all": (TOKEN, "external onlyRole(FAUCET_ROLE)", "external"),
    "faucet-granted-later": (TOKEN, "if (role == FAUCET_ROLE && !hasFaucet) revert NoFaucet();", ""),
    "other-tasks-signatures": (BUFFER, "            mstore(add(buffer, 0x20), taskHash)\n", ""),
}


# The tests to run first on a change of a file: most mutants die there, and compiling a part is quicker.
FIRST = {
    ANCHOR: "{FraudProofs,Demands,ScoreClaims}",
    COURT: "{Demands,Replays,Verifiers}",
    FRAUDS: "FraudProofs",
    VERIFIERS: "{Replays,Verifiers}",
    STANDINGS: "{FraudProofs,Vectors}",
    SORTITION: "Replays",
    NEURAL: "{NeuralConsensus,Equivocation,Certificates}",
    GAMES: "GameCertificates",
    CERTIFICATE: "Certificates",
    BUFFER: "{NeuralConsensus,Equivocation}",
    RECORD: "{NeuralConsensus,Equivocation}",
    LEARNING: "Learning{Stakes,Checkpoints,Slashing}",
    TOKEN: "LearningStakes",
}


def forge() -> Path:
    found = sorted(CONTRACTS.glob("node_modules/@foundry-rs/forge-*/bin/forge"))
    if not found:
        sys.exit("forge is missing: run `make setup`")
    return found[0]


def prepare(folder: Path) -> Path:
    """Copy what forge needs, so that mutants never touch the sources."""
    work = folder / "contracts"
    shutil.copytree(CONTRACTS, work, ignore=shutil.ignore_patterns("node_modules", "out", "cache"))
    (work / "node_modules").symlink_to(CONTRACTS / "node_modules")
    shutil.copytree(ROOT / "tests" / "vectors", folder / "tests" / "vectors")
    return work


def passes(work: Path, part: str | None = None) -> bool:
    """Run the suite, or the named part. Gas figures are left out: they would notice anything. What does not compile
    is no verdict.
    """
    # A figure of gas that moved must not stand for a test that failed, and would end the run without a verdict.
    settings = {"FORGE_SNAPSHOT_CHECK": "false", "FOUNDRY_SOLC": str(work / "bin" / "solc")}
    settings |= {"FOUNDRY_INVARIANT_RUNS": "8", "FOUNDRY_DENY": "never"}
    command = [forge(), "test", "--root", work, "--fail-fast", "--no-match-contract", "Gas"]
    if part is not None:
        command += ["--match-path", f"test/{part}.t.sol"]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=False)
    if "Suite result" not in done.stdout:
        sys.exit(f"forge did not get as far as testing:\n{done.stdout}{done.stderr}")
    return done.returncode == 0


def survives(work: Path, name: str) -> bool:
    """Run the suite on one mutant."""
    file, old, new = MUTANTS[name]
    path = work / file
    original = path.read_text(encoding="utf-8")
    if original.count(old) != 1:
        print(f"{name}: {file} holds it {original.count(old)} times", flush=True)
        sys.exit(2)
    path.write_text(original.replace(old, new), encoding="utf-8")
    alive = (file not in FIRST or passes(work, FIRST[file])) and passes(work)
    path.write_text(original, encoding="utf-8")
    return alive


def main(names: list[str]) -> int:
    survivors = []
    with tempfile.TemporaryDirectory() as folder:
        work = prepare(Path(folder))
        if not passes(work):
            sys.exit("the suite fails on the contracts as they are")
        for name in names or list(MUTANTS):
            alive = survives(work, name)
            print(f"{'SURVIVES' if alive else 'killed  '} {name}", flush=True)
            if alive:
                survivors.append(name)
    print(f"{len(survivors)} of {len(names or MUTANTS)} mutants survive", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
