// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @notice One match of a league round. `a` and `b` index the roster; a solo match has b = 0xffffffff and dB = 0.
/// @param dA what the match added to a's score
/// @param pre hash of the packed standings before the match, `post` after it
/// @param evidence commitment of the match (see TraceTree)
struct RoundLeaf {
    uint32 index;
    uint32 a;
    uint32 b;
    int64 dA;
    int64 dB;
    bytes32 pre;
    bytes32 post;
    bytes32 evidence;
}

/// @title Positional Keccak tree over the matches of a round
/// @dev The bits of the index choose the side at every level, so a proof binds the position (sorted pairs would not).
///      Leaves and inner nodes hash under different first bytes: a node never passes as a leaf.
library RoundTree {
    /// @notice ceil(log2(max(n, 1)))
    function depthOf(uint256 nLeaves) internal pure returns (uint256) {
        return nLeaves < 2 ? 0 : Math.log2(nLeaves - 1) + 1;
    }

    /// @notice Whether the leaf stands at its index of the tree of `n` leaves.
    function includes(bytes32 root, uint256 n, uint256 depth, RoundLeaf calldata leaf, bytes32[] calldata proof)
        internal
        pure
        returns (bool)
    {
        // The depth too is bound: a dishonest tree could otherwise hold two leaves of one index at two depths.
        if (leaf.index >= n || proof.length != depth) return false;
        return rootOf(hash(leaf), leaf.index, proof) == root;
    }

    /// @notice keccak256(0x00 | abi.encodePacked of the leaf's fields): 125 bytes.
    function hash(RoundLeaf calldata leaf) internal pure returns (bytes32 digest) {
        // Read by the compiler, which refuses a value wider than its type: it also gives the leading 0x00.
        uint256 index = leaf.index;
        assembly ("memory-safe") {
            // Each word ends where its field ends and spills to the left, over bytes that the next ones write.
            let start := add(mload(0x40), 32)
            calldatacopy(add(start, 29), add(leaf, 160), 96)
            mstore(sub(start, 3), calldataload(add(leaf, 128)))
            mstore(sub(start, 11), calldataload(add(leaf, 96)))
            mstore(sub(start, 19), calldataload(add(leaf, 64)))
            mstore(sub(start, 23), calldataload(add(leaf, 32)))
            mstore(sub(start, 27), index)
            digest := keccak256(start, 125)
        }
    }

    /// @notice The root that `proof` (siblings from the leaf up) leads to from position `index`.
    function rootOf(bytes32 leafHash, uint256 index, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        node = leafHash;
        assembly ("memory-safe") {
            // 0x01 | left | right, built once beyond the allocated memory; only the two children change.
            let left := add(mload(0x40), 1)
            let right := add(left, 32)
            mstore8(sub(left, 1), 1)
            let end := add(proof.offset, shl(5, proof.length))
            for { let cursor := proof.offset } lt(cursor, end) { cursor := add(cursor, 32) } {
                switch and(index, 1)
                case 0 {
                    mstore(left, node)
                    mstore(right, calldataload(cursor))
                }
                default {
                    mstore(left, calldataload(cursor))
                    mstore(right, node)
                }
                node := keccak256(sub(left, 1), 65)
                index := shr(1, index)
            }
        }
    }
}
