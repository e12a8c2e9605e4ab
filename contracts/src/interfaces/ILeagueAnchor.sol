// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What the anchor of league rounds records, tells and refuses
interface ILeagueAnchor {
    enum Status {
        None,
        Open,
        Settled
    }

    /// @param nSteps matches of the round, which are the steps of its tree
    /// @param bound largest score, by amount, that a match may give
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
        bytes32 indexed id,
        address indexed agent,
        address indexed reporter,
        uint32 index,
        int64 posted,
        int64 claimed,
        uint256 slashed
    );
    event AgentDisqualified(bytes32 indexed id, address indexed agent);
    event Settled(bytes32 indexed id, uint256 payouts, uint256 dust);
    event PayoutClaimed(bytes32 indexed id, address indexed agent, uint256 amount);

    error InvalidParameters();
    /// @notice The vault's unbonding period is shorter than seven challenge windows.
    error UnbondingTooShort(uint256 unbonding, uint256 needed);
    error AlreadyPosted(bytes32 id);
    error NotOpen(bytes32 id);
    error NotSettled(bytes32 id);
    error WindowOpen(uint256 settleableAt);
    error BadDepth(uint256 depth, uint256 expected);
    /// @notice Not a permutation of the roster, or not by descending score.
    error BadOrder(uint256 position);
    error NotIncluded(uint256 index);
    /// @notice The claim speaks of another round, another match, or an agent that did not play it.
    error ClaimElsewhere();
    error ScoresAgree(int64 score);
    error BadSignature(address agent);
    error AlreadyDisqualified(address agent);
    error AlreadyClaimed(address agent);
    error NothingToPay(address agent);
}
