// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title How a pot is split by rank
/// @dev With n active agents the position p (from 0, best score first) weighs n - p; all positions weigh n(n+1)/2.
///      Agents of equal score share the weights of the positions they take together. Rounding is down.
library Rewards {
    /// @notice What each of `ties` agents earns who take the positions from `position` on, of `n` active agents.
    function share(uint256 pot, uint256 n, uint256 position, uint256 ties) internal pure returns (uint256) {
        uint256 weights = ties * (n - position) - ties * (ties - 1) / 2;
        return pot * weights / (ties * (n * (n + 1) / 2));
    }
}
