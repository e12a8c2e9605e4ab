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

    function hash(RoundLeaf calldata leaf) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                bytes1(0x00), leaf.index, leaf.a, leaf.b, leaf.dA, leaf.dB, leaf.pre, leaf.post, leaf.evidence
            )
        );
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
            for { let at := proof.offset } lt(at, end) { at := add(at, 32) } {
                switch and(index, 1)
                case 0 {
                    mstore(left, node)
                    mstore(right, calldataload(at))
                }
                default {
                    mstore(left, calldataload(at))
                    mstore(right, node)
                }
                node := keccak256(sub(left, 1), 65)
                index := shr(1, index)
            }
        }
    }
}
