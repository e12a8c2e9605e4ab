// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundLeaf} from "./RoundTree.sol";

/// @title Packed standings: the score of every seat as a big-endian int64, one after the other
/// @dev A leaf holds their Keccak-256 before and after its match.
library Standings {
    /// @notice Seat of the opponent in a match that has none.
    uint32 internal constant NOBODY = type(uint32).max;

    /// @notice Hash of the packed scores, whose words must be clean (see Roster).
    function hash(int64[] calldata scores) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            let to := start
            let end := add(scores.offset, shl(5, scores.length))
            for { let cursor := scores.offset } lt(cursor, end) { cursor := add(cursor, 32) } {
                // The word spills to the right, over bytes that the next one writes.
                mstore(to, shl(192, calldataload(cursor)))
                to := add(to, 8)
            }
            digest := keccak256(start, sub(to, start))
        }
    }

    /// @notice Hash of `seats` scores of zero.
    function zero(uint256 seats) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let start := mload(0x40)
            // What lies beyond the calldata reads as zero.
            calldatacopy(start, calldatasize(), shl(3, seats))
            digest := keccak256(start, shl(3, seats))
        }
    }

    /// @notice Hash of the standings after the match of `leaf`.
    /// @return sound false when a seat does not exist or a sum is beyond int64: no standings can follow then
    function hashAfter(bytes calldata standings, RoundLeaf calldata leaf)
        internal
        pure
        returns (bool sound, bytes32 digest)
    {
        bytes memory next = standings;
        sound = _add(next, leaf.a, leaf.dA) && (leaf.b == NOBODY || _add(next, leaf.b, leaf.dB));
        digest = keccak256(next);
    }

    function _add(bytes memory standings, uint256 seat, int256 delta) private pure returns (bool) {
        if (seat >= standings.length / 8) return false;
        int256 sum;
        assembly ("memory-safe") {
            sum := add(sar(192, mload(add(add(standings, 32), shl(3, seat)))), delta)
        }
        if (sum != int64(sum)) return false;
        assembly ("memory-safe") {
            let at := add(add(standings, 32), shl(3, seat))
            // Only the upper 8 bytes of the word are this seat's.
            mstore(at, or(shl(192, sum), shr(64, shl(64, mload(at)))))
        }
        return true;
    }
}
