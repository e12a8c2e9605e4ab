// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Drawing without putting back
/// @dev Fisher and Yates's shuffle, one step at a time, over positions that are their own value until they are moved:
///      zero stands for "not moved", so a fresh array costs next to nothing.
library Sortition {
    /// @notice The position that step `i` draws of `moved.length`; steps go from 0 on and share `moved`.
    function pick(uint256[] memory moved, uint256 i, bytes32 seed) internal pure returns (uint256 drawn) {
        uint256 j = i + uint256(keccak256(abi.encode(seed, i))) % (moved.length - i);
        drawn = moved[j] == 0 ? j : moved[j] - 1;
        moved[j] = moved[i] == 0 ? i + 1 : moved[i];
    }
}
