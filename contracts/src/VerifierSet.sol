// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ILeagueCourt} from "./interfaces/ILeagueCourt.sol";
import {Sortition} from "./libraries/Sortition.sol";

/// @title Who may be drawn to judge
/// @notice Verifiers reserve stake in the vault; committees are drawn from them by lot.
/// @dev The set stands still from the moment a dispute asks for a committee until it is drawn: the block's hash is not
///      known when the dispute opens, and the list that it chooses from cannot be changed once it is.
abstract contract VerifierSet is ILeagueCourt {
    struct Verifier {
        // From 1; 0 is nobody.
        uint32 position;
        uint48 heldUntil;
    }

    bytes32 internal constant SEATED = bytes32(uint256(1));
    bytes32 internal constant BARRED = bytes32(uint256(2));

    /// @dev Of a dispute's committee: SEATED, then the hash of the leaf voted for; BARRED once it voted twice.
    mapping(uint256 disputeId => mapping(address verifier => bytes32)) internal _ballots;
    mapping(address verifier => Verifier) private _records;
    address[] private _verifiers;
    uint256 internal _pendingDraws;

    modifier whenSetMayChange() {
        if (_pendingDraws != 0) revert DrawPending();
        _;
    }

    /// @inheritdoc ILeagueCourt
    function registerVerifier() external whenSetMayChange {
        Verifier storage record = _records[msg.sender];
        if (record.position != 0) revert AlreadyAVerifier(msg.sender);
        _verifiers.push(msg.sender);
        record.position = uint32(_verifiers.length);
        _reserve(msg.sender);
        emit VerifierRegistered(msg.sender);
    }

    /// @inheritdoc ILeagueCourt
    function leaveVerifiers() external whenSetMayChange {
        Verifier storage record = _records[msg.sender];
        if (record.position == 0) revert NotAVerifier(msg.sender);
        if (block.timestamp < record.heldUntil) revert Held(record.heldUntil);
        _remove(msg.sender);
    }

    /// @inheritdoc ILeagueCourt
    function verifierCount() external view returns (uint256) {
        return _verifiers.length;
    }

    /// @inheritdoc ILeagueCourt
    function verifierAt(uint256 position) external view returns (address) {
        return _verifiers[position];
    }

    /// @inheritdoc ILeagueCourt
    function verifierOf(address account) external view returns (bool registered, uint256 heldUntil) {
        Verifier storage record = _records[account];
        return (record.position != 0, record.heldUntil);
    }

    /// @inheritdoc ILeagueCourt
    function ballotOf(uint256 disputeId, address verifier) external view returns (bool seated, bytes32 leaf) {
        bytes32 ballot = _ballots[disputeId][verifier];
        return (ballot != 0 && ballot != BARRED, ballot == SEATED || ballot == BARRED ? bytes32(0) : ballot);
    }

    /// @dev Seats up to `wanted` more verifiers, none of them `poster` or `challenger`, and holds them.
    function _seat(
        uint256 disputeId,
        uint256 wanted,
        bytes32 seed,
        address poster,
        address challenger,
        uint256 heldUntil
    ) internal returns (uint256 count) {
        uint256[] memory moved = new uint256[](_verifiers.length);
        address[] memory drawn = new address[](wanted < moved.length ? wanted : moved.length);
        for (uint256 i = 0; i < moved.length && count < wanted; ++i) {
            address candidate = _verifiers[Sortition.pick(moved, i, seed)];
            if (candidate == poster || candidate == challenger || _ballots[disputeId][candidate] != 0) continue;
            _ballots[disputeId][candidate] = SEATED;
            Verifier storage record = _records[candidate];
            if (record.heldUntil < heldUntil) record.heldUntil = uint48(heldUntil);
            drawn[count++] = candidate;
        }
        assembly ("memory-safe") {
            mstore(drawn, count)
        }
        emit CommitteeDrawn(disputeId, drawn);
    }

    /// @dev Takes the verifier off the list, if it is on it, and releases its stake.
    function _remove(address verifier) internal {
        uint256 position = _records[verifier].position;
        if (position == 0) return;
        address last = _verifiers[_verifiers.length - 1];
        _verifiers[position - 1] = last;
        _records[last].position = uint32(position);
        _verifiers.pop();
        _records[verifier].position = 0;
        _release(verifier);
        emit VerifierLeft(verifier);
    }

    function _reserve(address verifier) internal virtual;

    function _release(address verifier) internal virtual;
}
