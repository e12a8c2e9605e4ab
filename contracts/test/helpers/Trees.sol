// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {RoundLeaf} from "../../src/libraries/RoundTree.sol";

/// @notice Builds the positional tree the slow, plain way, so that nothing is shared with the code under test.
library Trees {
    function hash(RoundLeaf memory l) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                hex"00",
                bytes4(l.index),
                bytes4(l.a),
                bytes4(l.b),
                bytes8(uint64(l.dA)),
                bytes8(uint64(l.dB)),
                l.pre,
                l.post,
                l.evidence
            )
        );
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(bytes.concat(hex"01", left, right));
    }

    /// @notice The packed standings: 8 bytes a seat.
    function standings(int64[] memory scores) internal pure returns (bytes memory packed) {
        packed = new bytes(8 * scores.length);
        for (uint256 i = 0; i < packed.length; ++i) {
            packed[i] = bytes8(uint64(scores[i / 8]))[i % 8];
        }
    }

    function depth(uint256 n) internal pure returns (uint8 d) {
        while (2 ** d < n) ++d;
    }

    function root(RoundLeaf[] memory leaves) internal pure returns (bytes32) {
        return _subtree(leaves, 0, depth(leaves.length));
    }

    function proof(RoundLeaf[] memory leaves, uint256 index) internal pure returns (bytes32[] memory siblings) {
        uint8 d = depth(leaves.length);
        siblings = new bytes32[](d);
        for (uint8 height = 0; height < d; ++height) {
            siblings[height] = _subtree(leaves, (index >> height) ^ 1, height);
        }
    }

    /// @dev Root of the `number`-th subtree of a height; positions beyond the leaves are zero.
    function _subtree(RoundLeaf[] memory leaves, uint256 number, uint8 height) private pure returns (bytes32) {
        if (height == 0) return number < leaves.length ? hash(leaves[number]) : bytes32(0);
        return node(_subtree(leaves, 2 * number, height - 1), _subtree(leaves, 2 * number + 1, height - 1));
    }
}
