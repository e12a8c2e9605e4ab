// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title POL
/// @notice What validators stake. The supply is made once, and is fixed: nobody can mint.
/// @dev On a development chain, and only there, it is built with a faucet: FAUCET_ROLE then gives test tokens away. A
///      token built without one can never have one, whoever asks.
contract POL is ERC20, ERC20Permit, AccessControlDefaultAdminRules {
    bytes32 public constant FAUCET_ROLE = keccak256("FAUCET_ROLE");
    /// @notice Whether there is a faucet: a development chain's token, of no worth.
    bool public immutable hasFaucet;

    error NoFaucet();

    /// @param admin holder of DEFAULT_ADMIN_ROLE, handed over in two steps a day apart; gets the supply
    /// @param supply base units (1e-18 POL)
    /// @param faucet first holder of FAUCET_ROLE; zero for a token whose supply is fixed
    constructor(address admin, uint256 supply, address faucet)
        ERC20("Proof of Learning", "POL")
        ERC20Permit("Proof of Learning")
        AccessControlDefaultAdminRules(1 days, admin)
    {
        hasFaucet = faucet != address(0);
        if (faucet != address(0)) _grantRole(FAUCET_ROLE, faucet);
        _mint(admin, supply);
    }

    /// @notice Gives test tokens away. FAUCET_ROLE, which only a development chain's token has.
    function drip(address to, uint256 amount) external onlyRole(FAUCET_ROLE) {
        _mint(to, amount);
    }

    function _grantRole(bytes32 role, address account) internal override returns (bool) {
        if (role == FAUCET_ROLE && !hasFaucet) revert NoFaucet();
        return super._grantRole(role, account);
    }
}
