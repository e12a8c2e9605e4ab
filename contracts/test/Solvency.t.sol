// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {LeagueCourt} from "../src/LeagueCourt.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {ConsensusHandler} from "./helpers/ConsensusHandler.sol";

/// @notice What holds after every call, whatever is called: money is neither made nor lost, and locks hold.
contract SolvencyTest is Test {
    ConsensusHandler private handler;
    StakeVault private vault;
    LeagueAnchor private anchor;
    LeagueCourt private court;

    function setUp() public {
        handler = new ConsensusHandler();
        handler.start();
        (vault, anchor, court) = handler.system();
        targetContract(address(handler));
        bytes4[] memory actions = new bytes4[](handler.ACTIONS());
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
        actions[12] = handler.lie.selector;
        actions[13] = handler.proveFraud.selector;
        actions[14] = handler.accuseTheHonest.selector;
        actions[15] = handler.demand.selector;
        actions[16] = handler.answer.selector;
        actions[17] = handler.staySilent.selector;
        actions[18] = handler.dispute.selector;
        actions[19] = handler.vote.selector;
        actions[20] = handler.stayOffline.selector;
        actions[21] = handler.voteTwice.selector;
        actions[22] = handler.come.selector;
        actions[23] = handler.go.selector;
        actions[24] = handler.reclaim.selector;
        actions[25] = handler.refundOfRejected.selector;
        actions[26] = handler.join.selector;
        actions[27] = handler.depart.selector;
        actions[28] = handler.openTask.selector;
        actions[29] = handler.submitOwn.selector;
        actions[30] = handler.relay.selector;
        actions[31] = handler.submitBatch.selector;
        actions[32] = handler.certify.selector;
        actions[33] = handler.finalizeOne.selector;
        actions[34] = handler.voidEmpty.selector;
        actions[35] = handler.credit.selector;
        actions[36] = handler.convict.selector;
        actions[37] = handler.hush.selector;
        actions[38] = handler.renew.selector;
        targetSelector(FuzzSelector(address(handler), actions));
    }

    function invariantEveryWeiIsAccountedFor() public view {
        (uint256 active, uint256 pending, uint256 credit, uint256 exposure, uint256 slashed) = vault.totals();
        uint256 held = active + pending + credit;
        assertEq(address(vault).balance, held + handler.forcedVault(), "vault = active + pending + credit");
        assertEq(address(anchor).balance, handler.escrow() + handler.forcedAnchor(), "anchor = escrow");
        assertEq(address(court).balance, handler.bonds() + handler.forcedCourt(), "court = bonds of open disputes");
        assertEq(handler.ethIn(), handler.ethOut() + held + handler.escrow() + handler.bonds(), "in = out + held");
        assertEq(slashed, handler.slashedTotal(), "what is slashed stays slashed");
        _totalsAreSums(active, pending, credit, exposure, slashed);
        _disputesAreCounted();
    }

    function _totalsAreSums(uint256 active, uint256 pending, uint256 credit, uint256 exposure, uint256 slashed)
        private
        view
    {
        (address[] memory all, uint256[] memory own) = handler.reserved();
        for (uint256 i = 0; i < all.length; ++i) {
            (uint256 a, uint256 p,, uint256 c, uint256 e, uint256 s) = vault.accountOf(all[i]);
            active -= a;
            pending -= p;
            credit -= c;
            exposure -= e;
            slashed -= s;
            assertEq(e, own[i], "everybody is exposed for its own: commitments, votes, words");
        }
        assertEq(active + pending + credit + exposure + slashed, 0, "totals = sums");
    }

    /// @dev Disputed exactly while disputes are open.
    function _disputesAreCounted() private view {
        for (uint256 i = 0; i < handler.openCount(); ++i) {
            bytes32 id = handler.open(i);
            ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
            assertEq(c.openDisputes, handler.disputesOf(id), "open disputes are counted");
            assertTrue(c.status == (c.openDisputes == 0 ? ILeagueAnchor.Status.Open : ILeagueAnchor.Status.Disputed));
        }
    }

    /// @dev Final is final, also at the end of the run, and a settled commitment has no disputes.
    function _finalIsFinal() private view {
        for (uint256 i = 0; i < handler.settledCount(); ++i) {
            ILeagueAnchor.Commitment memory c = anchor.commitmentOf(handler.settled(i));
            assertTrue(c.status == ILeagueAnchor.Status.Settled && c.openDisputes == 0, "settled stays settled");
        }
        for (uint256 i = 0; i < handler.rejectedCount(); ++i) {
            bytes32 id = handler.rejected(i);
            ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
            assertTrue(c.status == ILeagueAnchor.Status.Rejected, "rejected stays rejected");
            assertEq(c.openDisputes, handler.disputesOf(id), "open disputes are counted");
        }
    }

    /// @dev A full run in which an action never came to its end would prove little.
    function afterInvariant() public {
        for (uint256 i = 0; i < handler.ACTIONS(); ++i) {
            // Of 256 calls an action gets six or seven: it succeeds in every run, but where chance forgot it.
            assertTrue(handler.done(i) != 0 || handler.tried(i) < 5, "every action succeeds in every run");
        }
        _finalIsFinal();
        handler.requireFinal();
        handler.drain();
        assertEq(address(vault).balance, handler.forcedVault(), "the vault drains");
        assertEq(address(anchor).balance, handler.forcedAnchor(), "the anchor drains");
        assertEq(address(court).balance, handler.forcedCourt(), "the court drains");
        assertEq(address(handler.consensus()).balance, 0, "the consensus holds no ether");
        assertEq(handler.ethIn(), handler.ethOut());
    }
}
