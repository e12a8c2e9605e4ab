// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What stands behind an address
library Code {
    /// @notice Whether the account is a contract. Code that starts with 0xef is a key that delegates (EIP-7702).
    function isContract(address account) internal view returns (bool) {
        return account.code.length != 0 && account.code[0] != 0xef;
    }
}
