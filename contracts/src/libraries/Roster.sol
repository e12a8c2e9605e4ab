// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Who took part in a round, and with what score
/// @dev Agents ascend strictly, so nobody is named twice; scores stand beside them. Only the hash is stored:
///      keccak256(agents | scores), 32 bytes each. With both lists equally long the border between them is fixed.
library Roster {
    /// @notice Agents are none, too many, not strictly ascending, not as many as scores, or not those posted.
    error BadRoster();

    uint256 private constant MAX_AGENTS = type(uint16).max;

    /// @notice The hash of a new roster; reverts where it is malformed.
    /// @dev The words are read raw, so their padding is checked here, once and for all: later calls compare hashes.
    function check(address[] calldata agents, int64[] calldata scores) internal pure returns (bytes32) {
        if (agents.length == 0 || agents.length > MAX_AGENTS) revert BadRoster();
        bytes32 digest = hash(agents, scores);
        bool bad;
        assembly ("memory-safe") {
            let last := 0
            let score := scores.offset
            let end := add(agents.offset, shl(5, agents.length))
            for { let agent := agents.offset } lt(agent, end) { agent := add(agent, 32) } {
                let account := calldataload(agent)
                let value := calldataload(score)
                bad := or(bad, or(iszero(gt(account, last)), iszero(eq(value, signextend(7, value)))))
                last := account
                score := add(score, 32)
            }
            // They ascend, so the last one is the largest.
            bad := or(bad, gt(shr(160, last), 0))
        }
        if (bad) revert BadRoster();
        return digest;
    }

    function hash(address[] calldata agents, int64[] calldata scores) internal pure returns (bytes32 digest) {
        if (agents.length != scores.length) revert BadRoster();
        assembly ("memory-safe") {
            let size := shl(5, agents.length)
            let free := mload(0x40)
            calldatacopy(free, agents.offset, size)
            calldatacopy(add(free, size), scores.offset, size)
            digest := keccak256(free, shl(1, size))
        }
    }
}
