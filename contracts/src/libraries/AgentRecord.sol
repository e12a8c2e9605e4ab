// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What the consensus contract knows of an agent, in one word
/// @dev Every position of a batch needs most of the fields: one read instead of one a field.
///      From the lowest bit: registeredAt 40 | leftAt 40 | nonce 32 | reputation 16 | banned 1 | number 32.
library AgentRecord {
    uint256 private constant SECONDS = type(uint40).max;
    uint256 private constant LEFT = 40;
    uint256 private constant NONCE = 80;
    uint256 private constant REPUTATION = 112;
    uint256 private constant BANNED = 128;
    uint256 private constant NUMBER = 129;

    uint256 internal constant START = 100;
    uint256 internal constant MAXIMUM = 1000;

    /// @notice A new agent. Its number counts agents from 0 and never changes.
    function create(uint256 index) internal pure returns (uint256) {
        return index << NUMBER | START << REPUTATION;
    }

    /// @notice Whether the agent was ever registered.
    function isKnown(uint256 record) internal pure returns (bool) {
        return record != 0;
    }

    /// @notice Whether its stake is at risk: registered, neither released nor banned.
    function isAtRisk(uint256 record) internal pure returns (bool) {
        return registeredAt(record) != 0 && !isBanned(record);
    }

    /// @notice Whether it may submit: at risk, and not leaving.
    function isActive(uint256 record) internal pure returns (bool) {
        return isAtRisk(record) && leftAt(record) == 0;
    }

    function registeredAt(uint256 record) internal pure returns (uint256) {
        return record & SECONDS;
    }

    function leftAt(uint256 record) internal pure returns (uint256) {
        return record >> LEFT & SECONDS;
    }

    function nonce(uint256 record) internal pure returns (uint256) {
        return record >> NONCE & type(uint32).max;
    }

    function reputation(uint256 record) internal pure returns (uint256) {
        return record >> REPUTATION & type(uint16).max;
    }

    function isBanned(uint256 record) internal pure returns (bool) {
        return record >> BANNED & 1 != 0;
    }

    function number(uint256 record) internal pure returns (uint256) {
        return record >> NUMBER & type(uint32).max;
    }

    /// @notice Sets when it came and when it left; zero is "not".
    function withTimes(uint256 record, uint256 registered, uint256 left) internal pure returns (uint256) {
        return record >> NONCE << NONCE | left << LEFT | registered;
    }

    function withNextNonce(uint256 record) internal pure returns (uint256) {
        // The field ends in 2^32 calls of the agent itself; then it can sign nothing more that anybody would take.
        return nonce(record) == type(uint32).max ? record : record + (1 << NONCE);
    }

    function withReputation(uint256 record, uint256 value) internal pure returns (uint256) {
        return record & ~(uint256(type(uint16).max) << REPUTATION) | value << REPUTATION;
    }

    function withBan(uint256 record) internal pure returns (uint256) {
        return record | 1 << BANNED;
    }
}
