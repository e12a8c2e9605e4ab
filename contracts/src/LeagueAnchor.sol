// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {ILeagueAnchor} from "./interfaces/ILeagueAnchor.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {Code} from "./libraries/Code.sol";
import {Rewards} from "./libraries/Rewards.sol";
import {Roster} from "./libraries/Roster.sol";
import {RoundLeaf, RoundTree} from "./libraries/RoundTree.sol";
import {TraceTree} from "./libraries/TraceTree.sol";

/// @title LeagueAnchor
/// @notice Anchors league rounds as one root each, proves single matches and single steps against it, punishes agents
///         whose signed claim contradicts it, and settles the pot by rank. It never runs a match. Whether a posted round
///         is true at all, a court decides (see ILeagueCourt): it can hold up a commitment, and end it as a fraud.
/// @dev A roster (agents ascending by address, scores beside them) is kept as a hash; callers bring it along.
///      Holds SLASHER_ROLE in the vault. Balance = the pots of commitments that are not settled + what settled ones still
///      owe.
contract LeagueAnchor is ILeagueAnchor, AccessControlDefaultAdminRules, Pausable, ReentrancyGuardTransient, EIP712 {
    using BitMaps for BitMaps.BitMap;
    using SafeCast for uint256;

    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant COURT_ROLE = keccak256("COURT_ROLE");
    bytes32 public constant SCORE_CLAIM_TYPEHASH =
        keccak256("ScoreClaim(bytes32 leagueId,uint32 index,address agent,int64 score,bytes32 evidence)");
    /// @notice Unbonding must outlast this many challenge windows, so that nobody leaves before the proof.
    uint256 public constant UNBONDING_WINDOWS = 7;
    /// @notice By how many windows disputes may put off a settlement, beside the time that they take themselves.
    uint256 public constant EXTENSION_WINDOWS = 2;
    uint256 public constant MAX_REPORTER_BPS = 5000;
    bytes32 private constant REASON = "score mismatch";

    /// @inheritdoc ILeagueAnchor
    IStakeVault public immutable vault;
    /// @inheritdoc ILeagueAnchor
    uint256 public immutable window;
    /// @notice Stake of the poster, in wei, reserved for each open commitment.
    uint256 public immutable exposure;
    /// @notice Wei taken from an agent whose claim is proven wrong.
    uint256 public immutable claimPenalty;
    /// @inheritdoc ILeagueAnchor
    uint256 public immutable reporterBps;

    mapping(bytes32 id => Commitment) private _commitments;
    mapping(bytes32 id => BitMaps.BitMap) private _disqualified;
    mapping(bytes32 id => BitMaps.BitMap) private _claimed;
    mapping(bytes32 id => mapping(address agent => address)) private _reporters;

    constructor(
        address admin,
        IStakeVault vault_,
        uint256 window_,
        uint256 exposure_,
        uint256 claimPenalty_,
        uint256 reporterBps_
    ) AccessControlDefaultAdminRules(1 days, admin) EIP712("Nashboard LeagueAnchor", "1") {
        if (window_ == 0 || exposure_ == 0 || reporterBps_ > MAX_REPORTER_BPS) {
            revert InvalidParameters();
        }
        uint256 unbonding = vault_.unbondingPeriod();
        if (unbonding / UNBONDING_WINDOWS < window_) revert UnbondingTooShort(unbonding, window_ * UNBONDING_WINDOWS);
        vault = vault_;
        window = window_;
        exposure = exposure_;
        claimPenalty = claimPenalty_;
        reporterBps = reporterBps_;
    }

    /// @notice Anchors a round and escrows its pot. The poster's stake is reserved until the settlement.
    /// @param leagueId names one round; each poster can post it once
    /// @param root of the positional tree over `nSteps` matches, `depth` = ceil(log2(max(nSteps, 1)))
    /// @param agents strictly ascending; `scores` are their totals
    /// @return id idOf(sender, leagueId)
    function post(
        bytes32 systemId,
        bytes32 leagueId,
        bytes32 root,
        uint32 nSteps,
        uint8 depth,
        uint64 bound,
        address[] calldata agents,
        int64[] calldata scores
    ) external payable whenNotPaused nonReentrant returns (bytes32 id) {
        id = idOf(msg.sender, leagueId);
        if (_commitments[id].status != Status.None) revert AlreadyPosted(id);
        if (depth != RoundTree.depthOf(nSteps)) revert BadDepth(depth, RoundTree.depthOf(nSteps));
        _open(id, root, Roster.check(agents, scores), nSteps, depth, bound, agents.length);
        vault.addExposure(msg.sender, exposure);
        emit CommitmentPosted(
            id, msg.sender, leagueId, systemId, root, nSteps, bound, msg.value, block.timestamp + window
        );
    }

    /// @notice Disqualifies an agent who signed another score than the posted leaf gives it. Open to anyone until the
    ///         settlement. No money moves yet, for the posted leaf may be the lie: see `collectPenalty`.
    function proveScoreMismatch(
        bytes32 id,
        address[] calldata agents,
        int64[] calldata scores,
        RoundLeaf calldata leaf,
        bytes32[] calldata proof,
        ScoreClaim calldata claim,
        bytes calldata signature
    ) external nonReentrant {
        Commitment storage c = _commitments[id];
        _requireUndecided(id, c);
        _requireRoster(c, agents, scores);
        if (!_includes(c, leaf, proof)) revert NotIncluded(leaf.index);
        if (claim.index != leaf.index || idOf(c.poster, claim.leagueId) != id) revert ClaimElsewhere();
        (uint256 seat, int64 posted) = _postedScore(agents, leaf, claim);
        if (!SignatureChecker.isValidSignatureNow(claim.agent, hashClaim(claim), signature)) {
            revert BadSignature(claim.agent);
        }
        _disqualify(id, seat, posted, claim);
    }

    /// @notice Slashes an agent that was disqualified, once its round stands: the reporter's share goes to whoever proved
    ///         it, whoever calls. A rejected round never gets here, and its agents keep their stake.
    function collectPenalty(bytes32 id, address agent) external nonReentrant returns (uint256 slashed) {
        if (_commitments[id].status != Status.Settled) revert NotSettled(id);
        address reporter = _reporters[id][agent];
        if (reporter == address(0)) revert NoPenalty(agent);
        delete _reporters[id][agent];
        slashed = vault.slash(agent, claimPenalty, reporter, reporterBps, REASON);
        emit PenaltyCollected(id, agent, reporter, slashed);
    }

    /// @notice Fixes the payouts after the challenge window, unless a dispute is open. Anyone may call.
    /// @param order all seats of the roster, by descending score; seats of equal score in any order
    function settle(bytes32 id, address[] calldata agents, int64[] calldata scores, uint16[] calldata order)
        external
        nonReentrant
    {
        Commitment storage c = _commitments[id];
        if (c.status != Status.Open) revert NotOpen(id);
        if (block.timestamp < c.settleableAt) revert WindowOpen(c.settleableAt);
        _requireRoster(c, agents, scores);
        uint256 payouts = _sumPayouts(id, c, scores, order);
        uint256 dust = c.pot - payouts;
        address poster = c.poster;
        c.status = Status.Settled;
        vault.removeExposure(poster, exposure);
        if (dust != 0) vault.depositCredit{value: dust}(poster);
        emit Settled(id, payouts, dust);
    }

    /// @notice Moves an agent's payout into its credit in the vault. Anyone may call; never pausable.
    function claimPayout(bytes32 id, address[] calldata agents, int64[] calldata scores, uint256 index)
        external
        nonReentrant
        returns (uint256 amount)
    {
        if (_commitments[id].status != Status.Settled) revert NotSettled(id);
        amount = payoutOf(id, agents, scores, index);
        address agent = agents[index];
        if (_claimed[id].get(index)) revert AlreadyClaimed(agent);
        if (amount == 0) revert NothingToPay(agent);
        _claimed[id].set(index);
        vault.depositCredit{value: amount}(agent);
        emit PayoutClaimed(id, agent, amount);
    }

    /// @notice Moves the pot of a rejected commitment into its poster's credit in the vault. Anyone may call; never
    ///         pausable.
    function reclaimPot(bytes32 id) external nonReentrant returns (uint256 pot) {
        Commitment storage c = _commitments[id];
        if (c.status != Status.Rejected) revert NotRejected(id);
        address poster = c.poster;
        pot = c.pot;
        if (pot == 0) revert NothingToPay(poster);
        c.pot = 0;
        vault.depositCredit{value: pot}(poster);
        emit PotReclaimed(id, poster, pot);
    }

    /// @inheritdoc ILeagueAnchor
    function openDispute(bytes32 id) external onlyRole(COURT_ROLE) {
        Commitment storage c = _commitments[id];
        _requireUndecided(id, c);
        if (block.timestamp >= c.settleableAt) revert WindowClosed(c.settleableAt);
        c.status = Status.Disputed;
        emit DisputesChanged(id, ++c.openDisputes, c.settleableAt);
    }

    /// @inheritdoc ILeagueAnchor
    function closeDispute(bytes32 id, uint256 until) external onlyRole(COURT_ROLE) {
        Commitment storage c = _commitments[id];
        uint256 open = --c.openDisputes;
        if (open == 0 && c.status == Status.Disputed) c.status = Status.Open;
        uint256 due = c.settleableAt;
        uint256 last = due - c.extended + EXTENSION_WINDOWS * window;
        if (until > last) until = last;
        if (until > due) {
            c.extended += uint48(until - due);
            c.settleableAt = uint48(until);
        }
        emit DisputesChanged(id, open, c.settleableAt);
    }

    /// @inheritdoc ILeagueAnchor
    function reject(bytes32 id, address reporter, bytes32 reason) external onlyRole(COURT_ROLE) {
        Commitment storage c = _commitments[id];
        _requireUndecided(id, c);
        c.status = Status.Rejected;
        address poster = c.poster;
        vault.removeExposure(poster, exposure);
        uint256 slashed = vault.slash(poster, exposure, reporter, reporterBps, reason);
        emit FraudProven(id, reporter, reason, slashed);
    }

    /// @notice Stops new commitments; nothing else.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @notice Whether the leaf is what was posted at its index. False for an unknown commitment.
    function verifyStep(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof) external view returns (bool) {
        return _includes(_commitments[id], leaf, proof);
    }

    /// @notice Whether a step of a match belongs to the posted round: step -> trace root -> match commitment -> leaf -> root.
    function verifyTrace(
        bytes32 id,
        RoundLeaf calldata leaf,
        bytes32[] calldata leafProof,
        bytes32 header,
        bytes32 traceRoot,
        uint64 nSteps,
        uint64 step,
        bytes32 obsHash,
        bytes32 actionHash,
        bytes32[] calldata path
    ) external view returns (bool) {
        if (!TraceTree.verify(traceRoot, nSteps, step, TraceTree.leafOf(step, obsHash, actionHash), path)) return false;
        if (TraceTree.commitmentOf(header, traceRoot, nSteps) != leaf.evidence) return false;
        return _includes(_commitments[id], leaf, leafProof);
    }

    /// @inheritdoc ILeagueAnchor
    function commitmentOf(bytes32 id) external view returns (Commitment memory) {
        return _commitments[id];
    }

    function isDisqualified(bytes32 id, uint256 index) external view returns (bool) {
        return _disqualified[id].get(index);
    }

    function isClaimed(bytes32 id, uint256 index) external view returns (bool) {
        return _claimed[id].get(index);
    }

    /// @notice Who proved the agent's false claim, as long as its penalty waits; zero when none does.
    function reporterOf(bytes32 id, address agent) external view returns (address) {
        return _reporters[id][agent];
    }

    /// @notice What the agent in seat `index` earns: final once settled, before that as things stand.
    function payoutOf(bytes32 id, address[] calldata agents, int64[] calldata scores, uint256 index)
        public
        view
        returns (uint256)
    {
        Commitment storage c = _commitments[id];
        _requireRoster(c, agents, scores);
        if (index >= scores.length) revert Roster.BadRoster();
        BitMaps.BitMap storage out = _disqualified[id];
        if (out.get(index)) return 0;
        bool anyOut = c.nDisqualified != 0;
        int64 score = scores[index];
        uint256 ahead;
        uint256 ties;
        for (uint256 i = 0; i < scores.length; ++i) {
            if (scores[i] < score || (anyOut && out.get(i))) continue;
            if (scores[i] == score) ++ties;
            else ++ahead;
        }
        return Rewards.share(c.pot, scores.length - c.nDisqualified, ahead, ties);
    }

    /// @inheritdoc ILeagueAnchor
    function idOf(address poster, bytes32 leagueId) public pure returns (bytes32) {
        return keccak256(abi.encode(poster, leagueId));
    }

    /// @notice The EIP-712 digest that the agent signs.
    function hashClaim(ScoreClaim calldata claim) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(SCORE_CLAIM_TYPEHASH, claim.leagueId, claim.index, claim.agent, claim.score, claim.evidence)
            )
        );
    }

    function _open(
        bytes32 id,
        bytes32 root,
        bytes32 rosterHash,
        uint32 nSteps,
        uint8 depth,
        uint64 bound,
        uint256 nAgents
    ) private {
        Commitment storage c = _commitments[id];
        uint96 pot = msg.value.toUint96();
        uint48 settleableAt = uint48(block.timestamp + window);
        // Nothing branches between these, so that the compiler joins the fields of a slot into one write.
        c.poster = msg.sender;
        c.settleableAt = settleableAt;
        c.nSteps = nSteps;
        c.depth = depth;
        c.status = Status.Open;
        c.root = root;
        c.rosterHash = rosterHash;
        c.pot = pot;
        c.bound = bound;
        c.nAgents = uint16(nAgents);
    }

    function _includes(Commitment storage c, RoundLeaf calldata leaf, bytes32[] calldata proof)
        private
        view
        returns (bool)
    {
        return RoundTree.includes(c.root, c.nSteps, c.depth, leaf, proof);
    }

    /// @dev Seat of the claim's agent and what the leaf gives it. Someone on both seats is wrong only if both differ.
    function _postedScore(address[] calldata agents, RoundLeaf calldata leaf, ScoreClaim calldata claim)
        private
        pure
        returns (uint256 seat, int64 posted)
    {
        bool isA = leaf.a < agents.length && agents[leaf.a] == claim.agent;
        bool isB = leaf.b < agents.length && agents[leaf.b] == claim.agent;
        if (!isA && !isB) revert ClaimElsewhere();
        if ((isA && leaf.dA == claim.score) || (isB && leaf.dB == claim.score)) revert ScoresAgree(claim.score);
        return isA ? (leaf.a, leaf.dA) : (leaf.b, leaf.dB);
    }

    function _disqualify(bytes32 id, uint256 seat, int64 posted, ScoreClaim calldata claim) private {
        address agent = claim.agent;
        if (_disqualified[id].get(seat)) revert AlreadyDisqualified(agent);
        _disqualified[id].set(seat);
        ++_commitments[id].nDisqualified;
        _reporters[id][agent] = msg.sender;
        emit ScoreMismatchProven(id, agent, msg.sender, claim.index, posted, claim.score);
        emit AgentDisqualified(id, agent);
    }

    /// @dev Walks the ranking once: a group of equal score ends where the next score is lower.
    function _sumPayouts(bytes32 id, Commitment storage c, int64[] calldata scores, uint16[] calldata order)
        private
        view
        returns (uint256 sum)
    {
        if (order.length != scores.length) revert BadOrder(order.length);
        BitMaps.BitMap storage out = _disqualified[id];
        uint256[] memory seen = new uint256[](scores.length / 256 + 1);
        bool anyOut = c.nDisqualified != 0;
        uint256 active = scores.length - c.nDisqualified;
        uint256 pot = c.pot;
        uint256 ahead;
        uint256 ties;
        int64 last = type(int64).max;
        for (uint256 i = 0; i < order.length; ++i) {
            uint256 seat = order[i];
            if (seat >= scores.length || scores[seat] > last || !_markSeen(seen, seat)) revert BadOrder(i);
            if (scores[seat] != last) {
                if (ties != 0) sum += ties * Rewards.share(pot, active, ahead, ties);
                ahead += ties;
                ties = 0;
                last = scores[seat];
            }
            if (!anyOut || !out.get(seat)) ++ties;
        }
        if (ties != 0) sum += ties * Rewards.share(pot, active, ahead, ties);
    }

    function _markSeen(uint256[] memory seen, uint256 seat) private pure returns (bool fresh) {
        uint256 bit = 1 << (seat & 0xff);
        fresh = seen[seat >> 8] & bit == 0;
        seen[seat >> 8] |= bit;
    }

    function _requireUndecided(bytes32 id, Commitment storage c) private view {
        Status status = c.status;
        if (status != Status.Open && status != Status.Disputed) revert NotOpen(id);
    }

    function _requireRoster(Commitment storage c, address[] calldata agents, int64[] calldata scores) private view {
        if (Roster.hash(agents, scores) != c.rosterHash) revert Roster.BadRoster();
    }

    function _grantRole(bytes32 role, address account) internal override returns (bool) {
        if (role == COURT_ROLE && !Code.isContract(account)) revert CourtNotContract(account);
        return super._grantRole(role, account);
    }
}
