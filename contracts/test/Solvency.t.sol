// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {LeagueCourt} from "../src/LeagueCourt.sol";
import {POL} from "../src/POL.sol";
import {ProofOfLearning} from "../src/ProofOfLearning.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {IProofOfLearning} from "../src/interfaces/IProofOfLearning.sol";
import {ConsensusHandler} from "./helpers/ConsensusHandler.sol";
import {LearningHandler} from "./helpers/LearningHandler.sol";

/// @notice What holds after every call, whatever is called: money is neither made nor lost, and locks hold.
contract SolvencyTest is Test {
    ConsensusHandler private handler;
    StakeVault private vault;
    LeagueAnchor private anchor;
    LeagueCourt private court;
    LearningHandler private stakes;
    ProofOfLearning private learning;
    POL private pol;
    bytes32 private chain;

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
        _targetStakes();
    }

    function _targetStakes() private {
        stakes = new LearningHandler();
        (address contract_, address token, bytes32 name) = stakes.system();
        (learning, pol, chain) = (ProofOfLearning(contract_), POL(token), name);
        targetContract(address(stakes));
        bytes4[] memory actions = new bytes4[](stakes.ACTIONS());
        actions[0] = stakes.enter.selector;
        actions[1] = stakes.putForward.selector;
        actions[2] = stakes.finalizeOne.selector;
        actions[3] = stakes.askToLeave.selector;
        actions[4] = stakes.withdrawOne.selector;
        actions[5] = stakes.equivocate.selector;
        actions[6] = stakes.contradict.selector;
        actions[7] = stakes.report.selector;
        actions[8] = stakes.accuse.selector;
        actions[9] = stakes.reward.selector;
        actions[10] = stakes.hush.selector;
        actions[11] = stakes.send.selector;
        targetSelector(FuzzSelector(address(stakes), actions));
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
        _stakesAreAccountedFor();
    }

    /// @dev Invariant 12: balance = sum of stakes and credits, the head's slot rises, nothing final at two thirds or less
    ///      (what becomes final is noted where more than two thirds signed, and nowhere else).
    function _stakesAreAccountedFor() private view {
        (uint256 staked, uint256 credit) = learning.totals();
        (uint256 sum, uint256 credits, uint256 members, uint256 slashed) = stakes.sums();
        assertEq(pol.balanceOf(address(learning)), staked + credit + stakes.sent(), "balance = stakes + credits");
        assertEq(staked, sum, "staked = sum of stakes");
        assertEq(credit, credits, "credit = sum of credits");
        assertEq(stakes.polIn(), stakes.polOut() + staked + credit, "in = out + held");
        IProofOfLearning.ChainState memory state = learning.chainOf(chain);
        assertEq(state.headSlot, stakes.head(), "the head rises");
        assertEq(state.finalSlot, stakes.finalSlot(), "nothing final without a quorum");
        assertLe(state.finalSlot, state.headSlot);
        assertEq(state.size, members, "the set is who is in it");
        assertEq(slashed, stakes.slashings(), "each is slashed once, and stays so");
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
        for (uint256 i = 0; i < stakes.ACTIONS(); ++i) {
            assertTrue(stakes.done(i) != 0 || stakes.tried(i) < 5, "every action on stakes succeeds in every run");
        }
        _finalIsFinal();
        handler.requireFinal();
        stakes.drain();
        assertEq(pol.balanceOf(address(learning)), stakes.sent(), "the stakes drain");
        handler.drain();
        assertEq(address(vault).balance, handler.forcedVault(), "the vault drains");
        assertEq(address(anchor).balance, handler.forcedAnchor(), "the anchor drains");
        assertEq(address(court).balance, handler.forcedCourt(), "the court drains");
        assertEq(address(handler.consensus()).balance, 0, "the consensus holds no ether");
        assertEq(handler.ethIn(), handler.ethOut());
    }
}
