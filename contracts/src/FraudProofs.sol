// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {ILeagueAnchor} from "./interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "./interfaces/ILeagueCourt.sol";
import {Roster} from "./libraries/Roster.sol";
import {RoundLeaf, RoundTree} from "./libraries/RoundTree.sol";
import {Standings} from "./libraries/Standings.sol";

/// @title Frauds that prove themselves
/// @notice Nobody has to be asked: what was posted contradicts itself.
abstract contract FraudProofs is ILeagueCourt, ReentrancyGuardTransient, EIP712 {
    bytes32 public constant ROUND_ROOT_TYPEHASH = keccak256("RoundRoot(bytes32 leagueId,bytes32 root)");

    ILeagueAnchor public immutable anchor;

    constructor(ILeagueAnchor anchor_) EIP712("Nashboard LeagueCourt", "1") {
        anchor = anchor_;
    }

    /// @inheritdoc ILeagueCourt
    function proveArithmetic(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof, bytes calldata standings)
        external
        nonReentrant
    {
        _requireIncluded(_commitment(id), leaf, proof);
        if (keccak256(standings) != leaf.pre) revert WrongStandings();
        (bool sound, bytes32 digest) = Standings.hashAfter(standings, leaf);
        _reject(id, "arithmetic", !sound || digest != leaf.post);
    }

    /// @inheritdoc ILeagueCourt
    function proveBreak(
        bytes32 id,
        RoundLeaf calldata left,
        bytes32[] calldata leftProof,
        RoundLeaf calldata right,
        bytes32[] calldata rightProof
    ) external nonReentrant {
        ILeagueAnchor.Commitment memory c = _commitment(id);
        _requireIncluded(c, left, leftProof);
        _requireIncluded(c, right, rightProof);
        if (uint256(left.index) + 1 != right.index) revert IndexOutside(right.index);
        _reject(id, "break", left.post != right.pre);
    }

    /// @inheritdoc ILeagueCourt
    function proveTerminal(
        bytes32 id,
        address[] calldata agents,
        int64[] calldata scores,
        RoundLeaf calldata leaf,
        bytes32[] calldata proof
    ) external nonReentrant {
        ILeagueAnchor.Commitment memory c = _commitment(id);
        if (Roster.hash(agents, scores) != c.rosterHash) revert Roster.BadRoster();
        bytes32 last;
        if (c.nSteps == 0) {
            last = Standings.zero(c.nAgents);
        } else {
            _requireIncluded(c, leaf, proof);
            if (leaf.index != c.nSteps - 1) revert IndexOutside(leaf.index);
            last = leaf.post;
        }
        _reject(id, "terminal", last != Standings.hash(scores));
    }

    /// @inheritdoc ILeagueCourt
    function proveGenesis(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof) external nonReentrant {
        ILeagueAnchor.Commitment memory c = _commitment(id);
        _requireIncluded(c, leaf, proof);
        if (leaf.index != 0) revert IndexOutside(leaf.index);
        _reject(id, "genesis", leaf.pre != Standings.zero(c.nAgents));
    }

    /// @inheritdoc ILeagueCourt
    function proveBounds(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof) external nonReentrant {
        ILeagueAnchor.Commitment memory c = _commitment(id);
        _requireIncluded(c, leaf, proof);
        bool alone = leaf.b == Standings.NOBODY;
        bool outside = leaf.a >= c.nAgents || (!alone && leaf.b >= c.nAgents) || leaf.a == leaf.b;
        bool beyond = _size(leaf.dA) > c.bound || _size(leaf.dB) > (alone ? 0 : c.bound);
        _reject(id, "bounds", outside || beyond);
    }

    /// @inheritdoc ILeagueCourt
    function proveEquivocation(bytes32 id, bytes32 leagueId, bytes32 otherRoot, bytes calldata signature)
        external
        nonReentrant
    {
        ILeagueAnchor.Commitment memory c = _commitment(id);
        if (anchor.idOf(c.poster, leagueId) != id) revert WrongLeague();
        if (!SignatureChecker.isValidSignatureNow(c.poster, hashRoundRoot(leagueId, otherRoot), signature)) {
            revert BadSignature(c.poster);
        }
        _reject(id, "equivocation", otherRoot != c.root);
    }

    /// @inheritdoc ILeagueCourt
    function hashRoundRoot(bytes32 leagueId, bytes32 root) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ROUND_ROOT_TYPEHASH, leagueId, root)));
    }

    function _commitment(bytes32 id) internal view returns (ILeagueAnchor.Commitment memory) {
        return anchor.commitmentOf(id);
    }

    function _requireIncluded(ILeagueAnchor.Commitment memory c, RoundLeaf calldata leaf, bytes32[] calldata proof)
        internal
        pure
    {
        if (!RoundTree.includes(c.root, c.nSteps, c.depth, leaf, proof)) revert NotIncluded(leaf.index);
    }

    function _reject(bytes32 id, bytes32 reason, bool fraud) private {
        if (!fraud) revert NoFraud();
        anchor.reject(id, msg.sender, reason);
    }

    function _size(int256 value) private pure returns (uint256) {
        return uint256(value < 0 ? -value : value);
    }
}
