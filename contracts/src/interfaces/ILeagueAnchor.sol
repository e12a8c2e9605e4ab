// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IStakeVault} from "./IStakeVault.sol";

/// @title What the anchor of league rounds records, tells and refuses
interface ILeagueAnchor {
    /// @notice None -> Open <-> Disputed -> Settled or Rejected, which are final.
    enum Status {
        None,
        Open,
        Settled,
        Disputed,
        Rejected
    }

    /// @param settleableAt second of the earliest settlement; until then disputes may be opened
    /// @param nSteps matches of the round, which are the steps of its tree
    /// @param bound largest score, by amount, that a match may give
    /// @param openDisputes zero while Open and once Settled
    /// @param extended seconds that disputes moved `settleableAt` by, in all
    struct Commitment {
        address poster;
        uint48 settleableAt;
        uint32 nSteps;
        uint8 depth;
        Status status;
        bytes32 root;
        bytes32 rosterHash;
        uint96 pot;
        uint64 bound;
        uint16 nAgents;
        uint16 nDisqualified;
        uint16 openDisputes;
        uint48 extended;
    }

    /// @notice Signed by an agent: "in match `index` of this round I scored `score`; `evidence` commits to the match".
    struct ScoreClaim {
        bytes32 leagueId;
        uint32 index;
        address agent;
        int64 score;
        bytes32 evidence;
    }

    event CommitmentPosted(
        bytes32 indexed id,
        address indexed poster,
        bytes32 indexed leagueId,
        bytes32 systemId,
        bytes32 root,
        uint32 nSteps,
        uint64 bound,
        uint256 pot,
        uint256 settleableAt
    );
    event ScoreMismatchProven(
        bytes32 indexed id, address indexed agent, address indexed reporter, uint32 index, int64 posted, int64 claimed
    );
    event AgentDisqualified(bytes32 indexed id, address indexed agent);
    event PenaltyCollected(bytes32 indexed id, address indexed agent, address indexed reporter, uint256 slashed);
    event DisputesChanged(bytes32 indexed id, uint256 openDisputes, uint256 settleableAt);
    /// @notice The commitment is rejected; `slashed` was taken from its poster.
    event FraudProven(bytes32 indexed id, address indexed reporter, bytes32 indexed reason, uint256 slashed);
    event Settled(bytes32 indexed id, uint256 payouts, uint256 dust);
    event PotReclaimed(bytes32 indexed id, address indexed poster, uint256 amount);
    event PayoutClaimed(bytes32 indexed id, address indexed agent, uint256 amount);

    error InvalidParameters();
    /// @notice The vault's unbonding period is shorter than seven challenge windows.
    error UnbondingTooShort(uint256 unbonding, uint256 needed);
    error AlreadyPosted(bytes32 id);
    /// @notice Unknown, settled or rejected; for a settlement also disputed.
    error NotOpen(bytes32 id);
    error NotSettled(bytes32 id);
    error NotRejected(bytes32 id);
    error WindowOpen(uint256 settleableAt);
    error WindowClosed(uint256 settleableAt);
    error BadDepth(uint256 depth, uint256 expected);
    /// @notice Not a permutation of the roster, or not by descending score.
    error BadOrder(uint256 position);
    error NotIncluded(uint256 index);
    /// @notice The claim speaks of another round, another match, or an agent that did not play it.
    error ClaimElsewhere();
    error ScoresAgree(int64 score);
    error BadSignature(address agent);
    error AlreadyDisqualified(address agent);
    /// @notice No proof against the agent waits for its penalty.
    error NoPenalty(address agent);
    /// @notice Only code can judge: a key could be stolen, or its owner bribed.
    error CourtNotContract(address account);
    error AlreadyClaimed(address agent);
    error NothingToPay(address agent);

    /// @notice Counts a dispute that begins; the commitment cannot be settled before it ends. COURT_ROLE only.
    function openDispute(bytes32 id) external;

    /// @notice Counts a dispute that ended, and keeps the commitment challengeable until `until` if that is later than it
    ///         was; all such extensions together never exceed two windows. COURT_ROLE only.
    function closeDispute(bytes32 id, uint256 until) external;

    /// @notice Ends a commitment as a fraud: releases the exposure and slashes the poster by it, with the reporter's share
    ///         to `reporter`. The pot is the poster's to reclaim, penalties that waited are void. COURT_ROLE only.
    function reject(bytes32 id, address reporter, bytes32 reason) external;

    /// @notice The commitment; all zero when there is none.
    function commitmentOf(bytes32 id) external view returns (Commitment memory);

    /// @notice Where the stakes are.
    function vault() external view returns (IStakeVault);

    /// @notice Seconds between posting and the earliest settlement.
    function window() external view returns (uint256);

    /// @notice The reporter's share of what is slashed, in basis points.
    function reporterBps() external view returns (uint256);

    /// @notice The id of a poster's commitment to a round, known before it is mined.
    function idOf(address poster, bytes32 leagueId) external pure returns (bytes32);
}
