// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {StakeVault} from "../src/StakeVault.sol";
import {AgentRecord} from "../src/libraries/AgentRecord.sol";

/// @notice What halmos proves for all values at once: fields of a record do not touch each other, weights are capped,
///         and the vault neither makes nor loses money in any sequence of two calls.
contract SymbolicTest is Test {
    using AgentRecord for uint256;

    StakeVault private vault;

    function setUp() public {
        vault = new StakeVault(address(0xad), address(0x7e), 7 days);
        vm.startPrank(address(0xad));
        vault.grantRole(vault.SLASHER_ROLE(), address(this));
        vm.stopPrank();
    }

    function check_fieldsOfARecordAreApart(uint256 record, uint40 registered, uint40 left, uint16 reputation)
        public
        pure
    {
        uint256 changed = record.withTimes(registered, left);
        assertEq(changed.registeredAt(), registered);
        assertEq(changed.leftAt(), left);
        assertEq(changed.nonce(), record.nonce());
        assertEq(changed.reputation(), record.reputation());
        assertEq(changed.number(), record.number());
        assertTrue(changed.isBanned() == record.isBanned());
        changed = record.withReputation(reputation);
        assertEq(changed.reputation(), reputation);
        assertEq(changed.registeredAt(), record.registeredAt());
        assertEq(changed.leftAt(), record.leftAt());
        assertEq(changed.nonce(), record.nonce());
        assertEq(changed.number(), record.number());
        changed = record.withNextNonce();
        assertTrue(changed.nonce() >= record.nonce());
        assertEq(changed.reputation(), record.reputation());
        assertEq(changed.number(), record.number());
        assertEq(changed.leftAt(), record.leftAt());
        changed = record.withBan();
        assertTrue(changed.isBanned() && !changed.isActive() && !changed.isAtRisk());
        assertEq(changed.number(), record.number());
    }

    function check_theVaultKeepsItsSums(
        address agent,
        address reporter,
        uint96 staked,
        uint96 unbonded,
        uint96 slashed,
        uint16 bps
    ) public {
        vm.assume(agent != reporter && agent != address(0x7e) && reporter != address(0x7e) && reporter != address(0));
        vm.assume(staked >= 0.1 ether && staked < 2 ** 90);
        vm.deal(agent, staked);
        vm.prank(agent);
        vault.stake{value: staked}();
        vm.prank(agent);
        (bool ok,) = address(vault).call(abi.encodeCall(vault.requestUnbond, (unbonded)));
        (ok,) = address(vault).call(abi.encodeCall(vault.slash, (agent, slashed, reporter, bps, "x")));
        (uint256 active, uint256 pending, uint256 credit,, uint256 gone) = vault.totals();
        assertEq(active + pending + credit, staked);
        (uint256 a, uint256 p,,,,) = vault.accountOf(agent);
        assertEq(a, active);
        assertEq(p, pending);
        assertEq(gone, credit);
        if (ok) assertEq(gone, slashed < staked ? slashed : staked);
    }
}
