// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title SHA-256 tree over the steps of a match, and the match commitment
/// @dev Shape: RFC 6962 section 2.1 (no leaf is duplicated). Audit paths: RFC 9162 section 2.1.3.2.
library TraceTree {
    /// @notice Leaf of a step: its number, hash of what the seat was shown, hash of what it did.
    function leafOf(uint64 step, bytes32 obsHash, bytes32 actionHash) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), step, obsHash, actionHash));
    }

    /// @notice What a round leaf holds as evidence.
    function commitmentOf(bytes32 header, bytes32 traceRoot, uint64 nSteps) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x05), header, traceRoot, nSteps));
    }

    /// @notice Whether `path` leads from leaf number `index` of a tree of `size` leaves to `root`.
    /// @dev Numbers are those of the RFC's list.
    function verify(bytes32 root, uint64 size, uint64 index, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
        returns (bool)
    {
        // 1. The leaf lies inside the tree.
        if (index >= size) return false;
        // 2. fn: the node's number at its level; sn: the last number of that level.
        uint256 fn = index;
        uint256 sn = size - 1;
        // 3.
        bytes32 r = leaf;
        // 4.
        for (uint256 i = 0; i < path.length; ++i) {
            // a. More siblings than levels.
            if (sn == 0) return false;
            if (fn & 1 == 1 || fn == sn) {
                // b. A right child, or the last node, whose sibling is on the left; skip the levels where it rises alone.
                r = _node(path[i], r);
                while (fn & 1 == 0 && fn != 0) {
                    fn >>= 1;
                    sn >>= 1;
                }
            } else {
                r = _node(r, path[i]);
            }
            // c.
            fn >>= 1;
            sn >>= 1;
        }
        // 5. All levels are used up, and the root is met.
        return sn == 0 && r == root;
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }
}
