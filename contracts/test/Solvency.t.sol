// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {LeagueHandler} from "./helpers/LeagueHandler.sol";

/// @notice What holds after every call, whatever is called: money is neither made nor lost, and locks hold.
contract SolvencyTest is Test {
    uint256 private constant EXPOSURE = 0.1 ether;

    LeagueHandler private handler;
    StakeVault private vault;
    LeagueAnchor private anchor;

    function setUp() public {
        handler = new LeagueHandler();
        handler.start();
        (vault, anchor) = handler.system();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](12);
        actions[0] = handler.stake.selector;
        actions[1] = handler.unbond.selector;
        actions[2] = handler.withdraw.selector;
        actions[3] = handler.exitWhileExposed.selector;
        actions[4] = handler.claim.selector;
        actions[5] = handler.post.selector;
        actions[6] = handler.prove.selector;
        actions[7] = handler.proveAgainstTheHonest.selector;
        actions[8] = handler.settleOne.selector;
        actions[9] = handler.claimPayout.selector;
        actions[10] = handler.slash.selector;
        actions[11] = handler.forceEther.selector;
        targetSelector(FuzzSelector(address(handler), actions));
    }

    function invariantEveryWeiIsAccountedFor() public view {
        (uint256 active, uint256 pending, uint256 credit, uint256 exposure, uint256 slashed) = vault.totals();
        uint256 held = active + pending + credit;
        assertEq(address(vault).balance, held + handler.forcedVault(), "vault = active + pending + credit");
        assertEq(address(anchor).balance, handler.escrow() + handler.forcedAnchor(), "anchor = escrow");
        assertEq(handler.ethIn(), handler.ethOut() + held + handler.escrow(), "in = out + held");
        assertEq(exposure, handler.openCount() * EXPOSURE, "exposure = open commitments");
        assertEq(slashed, handler.slashedTotal(), "what is slashed stays slashed");
        _totalsAreSums(active, pending, credit, slashed);
    }

    function _totalsAreSums(uint256 active, uint256 pending, uint256 credit, uint256 slashed) private view {
        address[] memory all = handler.accounts();
        for (uint256 i = 0; i < all.length; ++i) {
            (uint256 a, uint256 p,, uint256 c, uint256 e, uint256 s) = vault.accountOf(all[i]);
            active -= a;
            pending -= p;
            credit -= c;
            slashed -= s;
            assertEq(e, handler.openOf(all[i]) * EXPOSURE, "each poster is exposed for its own");
        }
        assertEq(active + pending + credit + slashed, 0, "totals = sums");
    }

    /// @dev A full run in which an action never came to its end would prove little.
    function afterInvariant() public {
        for (uint256 i = 0; i < 12; ++i) {
            assertTrue(handler.done(i) != 0 || handler.calls() < 256, "every action succeeds in every run");
        }
        handler.drain();
        assertEq(address(vault).balance, handler.forcedVault(), "the vault drains");
        assertEq(address(anchor).balance, handler.forcedAnchor(), "the anchor drains");
        assertEq(handler.ethIn(), handler.ethOut());
    }
}
