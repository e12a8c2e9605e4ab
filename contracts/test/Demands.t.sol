// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "../src/interfaces/ILeagueCourt.sol";
import {CourtFixture} from "./helpers/CourtFixture.sol";
import {ForcedEther} from "./helpers/LeagueFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice A poster shows what it posted, or loses it.
contract DemandsTest is CourtFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    Round private held;
    bytes32 private id;

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        Round memory round = soloRound(LEAGUE, deltasOf(7));
        id = postAs(poster, round, 1 ether);
        held.leagueId = round.leagueId;
        held.scores = round.scores;
        for (uint256 i = 0; i < 7; ++i) {
            held.leaves.push(round.leaves[i]);
        }
    }

    function testADemandHoldsTheCommitmentUp() public {
        uint256 deadline = block.timestamp + REVEAL;
        vm.deal(challenger, 1 ether);
        vm.expectEmit(address(court));
        emit ILeagueCourt.DisputeOpened(1, id, challenger, ILeagueCourt.Kind.Reveal, 3, 0, BOND, deadline);
        vm.prank(challenger);
        assertEq(court.demandReveal{value: BOND}(id, 3), 1);
        ILeagueCourt.Dispute memory d = court.disputeOf(1);
        assertEq(d.challenger, challenger);
        assertEq(d.deadline, deadline);
        assertEq(d.index, 3);
        assertEq(uint8(d.kind), uint8(ILeagueCourt.Kind.Reveal));
        assertEq(uint8(d.state), uint8(ILeagueCourt.State.Open));
        assertEq(d.commitmentId, id);
        assertEq(d.bond, BOND);
        assertEq(court.latestOf(id, ILeagueCourt.Kind.Reveal, 3), 1);
        assertEq(court.disputeCount(), 1);
        assertEq(address(court).balance, BOND);
        _requireStatus(ILeagueAnchor.Status.Disputed, 1);
        vm.warp(vm.getBlockTimestamp() + 2 * WINDOW);
        uint16[] memory order = orderOf(held.scores);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, id));
        anchor.settle(id, agents, held.scores, order);
    }

    function testAnAnswerPaysThePosterAndBurnsHalf() public {
        vm.deal(challenger, BOND + 1);
        vm.prank(challenger);
        court.demandReveal{value: BOND + 1}(id, 3);
        assertEq(creditOf(challenger), 1, "what is above the bond comes back");
        (bytes memory header, bytes32 traceRoot, uint64 steps) = matchOf(LEAGUE, 3);
        vm.expectEmit(address(court));
        bytes32[] memory proof = Trees.proof(held.leaves, 3);
        emit ILeagueCourt.Revealed(1, id, 3, held.leaves[3], proof, header, traceRoot, steps);
        vm.expectEmit(address(court));
        emit ILeagueCourt.DisputeResolved(1, id, ILeagueCourt.State.Dismissed);
        vm.prank(reporter); // anybody may answer
        court.reveal(1, held.leaves[3], proof, header, traceRoot, steps);
        assertEq(creditOf(poster), BOND / 2);
        assertEq(creditOf(treasury), BOND / 2);
        assertEq(creditOf(challenger), 1);
        assertEq(address(court).balance, 0);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Dismissed));
        assertEq(court.disputeOf(1).bond, 0);
        _requireStatus(ILeagueAnchor.Status.Open, 0);
        settle(id, held);
    }

    /// @dev Threat: withheld trace.
    function testAWithheldMatchCostsThePosterTheCommitment() public {
        demandAs(challenger, id, 3);
        uint256 deadline = court.disputeOf(1).deadline;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooEarly.selector, deadline));
        court.timeout(1);
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooLate.selector, deadline));
        this.revealExternal(1);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.FraudProven(id, challenger, "withheld", EXPOSURE);
        vm.prank(reporter); // anybody may call; the reward is the challenger's
        court.timeout(1);
        assertEq(creditOf(challenger), BOND + EXPOSURE / 2);
        assertEq(creditOf(reporter), 0);
        assertEq(creditOf(poster), 0);
        assertEq(address(court).balance, 0);
        _requireStatus(ILeagueAnchor.Status.Rejected, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 1));
        court.timeout(1);
    }

    function testTheLastSecondCounts() public {
        demandAs(challenger, id, 3);
        vm.warp(court.disputeOf(1).deadline - 1);
        revealOf(1, held);
    }

    function testAnAnswerShowsTheMatchThatWasAskedFor() public {
        demandAs(challenger, id, 3);
        (bytes memory header, bytes32 traceRoot, uint64 steps) = matchOf(LEAGUE, 3);
        bytes32[] memory proof = Trees.proof(held.leaves, 3);
        bytes memory mismatch = abi.encodeWithSelector(ILeagueCourt.EvidenceMismatch.selector);
        vm.expectRevert(mismatch);
        court.reveal(1, held.leaves[3], proof, bytes.concat(header, " "), traceRoot, steps);
        vm.expectRevert(mismatch);
        court.reveal(1, held.leaves[3], proof, header, ~traceRoot, steps);
        vm.expectRevert(mismatch);
        court.reveal(1, held.leaves[3], proof, header, traceRoot, steps + 1);
        (header, traceRoot, steps) = matchOf(LEAGUE, 2);
        proof = Trees.proof(held.leaves, 2);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 2));
        court.reveal(1, held.leaves[2], proof, header, traceRoot, steps);
        // A leaf made up for the occasion, at the right place and with evidence that opens.
        Round memory forged = held;
        forged.leaves[3].evidence = held.leaves[2].evidence;
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 3));
        court.reveal(1, forged.leaves[3], proof, header, traceRoot, steps);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 2));
        this.revealExternal(2);
        revealOf(1, held);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 1));
        this.revealExternal(1);
    }

    function testAMatchIsDemandedOnce() public {
        demandAs(challenger, id, 3);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.AlreadyDisputed.selector, 1));
        this.demandExternal(id, 3);
        revealOf(1, held);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.AlreadyDisputed.selector, 1));
        this.demandExternal(id, 3);
        assertEq(demandAs(challenger, id, 4), 2);
    }

    function testOnlyMatchesOfOpenCommitmentsAreDemanded() public {
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 7));
        this.demandExternal(id, 7);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 0));
        this.demandExternal("unknown", 0);
        uint256 due = anchor.commitmentOf(id).settleableAt;
        vm.warp(due);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.WindowClosed.selector, due));
        this.demandExternal(id, 0);
        vm.warp(due - 1);
        demandAs(challenger, id, 0);
        revealOf(1, held);
        settle(id, held);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, id));
        this.demandExternal(id, 1);
    }

    /// @dev Griefing costs more each time: bonds double, and the kinds of disputes do not raise each other's.
    function testBondsDouble() public {
        for (uint32 i = 0; i < 5; ++i) {
            assertEq(court.bondFor(id, ILeagueCourt.Kind.Reveal), BOND << i);
            demandAs(challenger, id, i);
            assertEq(court.disputeOf(i + 1).bond, BOND << i);
        }
        assertEq(court.bondFor(id, ILeagueCourt.Kind.Replay), BOND);
        assertEq(court.bondFor("other", ILeagueCourt.Kind.Reveal), BOND);
        vm.deal(challenger, 1000 ether);
        vm.startPrank(challenger);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.BondTooLow.selector, 32 * BOND - 1, 32 * BOND));
        court.demandReveal{value: 32 * BOND - 1}(id, 5);
        court.demandReveal{value: 32 * BOND}(id, 5);
        assertEq(anchor.commitmentOf(id).openDisputes, 6);
        assertEq(address(court).balance, 63 * BOND);
    }

    /// @dev Bonds never overflow: after 32 doublings there is no ether left for another anyway.
    function testBondsStopDoublingWhereNobodyCanPay() public {
        int64[] memory none = new int64[](40);
        Round memory round = soloRound("long", none);
        bytes32 long = postAs(poster, round, 0);
        for (uint32 i = 0; i < 34; ++i) {
            demandAs(challenger, long, i);
        }
        assertEq(court.bondFor(long, ILeagueCourt.Kind.Reveal), BOND << 32);
    }

    /// @dev Threat: self-dispute laundering. A poster that raises the price of demands by demanding from itself pays it.
    function testDemandingFromOneselfBurnsHalfEachTime() public {
        for (uint32 i = 0; i < 4; ++i) {
            demandAs(poster, id, i);
            revealOf(i + 1, held);
        }
        assertEq(creditOf(poster), 15 * BOND / 2);
        assertEq(creditOf(treasury), 15 * BOND / 2);
    }

    /// @dev Every penny arrives: of an odd bond the treasury has the larger half.
    function testAnOddBondIsSplitWithoutLoss() public {
        ILeagueCourt.Rules memory rules = courtRules();
        rules.bond = 3;
        deployCourt(rules);
        uint256 disputeId = demandAs(challenger, id, 1);
        revealOf(disputeId, held);
        assertEq(creditOf(poster), 1);
        assertEq(creditOf(treasury), 2);
    }

    function testARevealGivesTimeToActOnIt() public {
        uint256 due = anchor.commitmentOf(id).settleableAt;
        demandAs(challenger, id, 0);
        vm.warp(due - WINDOW / 2);
        revealOf(1, held);
        assertEq(anchor.commitmentOf(id).settleableAt, due + WINDOW / 2);
        assertEq(anchor.commitmentOf(id).extended, WINDOW / 2);
        demandAs(challenger, id, 1);
        revealOf(2, held);
        assertEq(anchor.commitmentOf(id).settleableAt, due + WINDOW / 2, "not twice for the same second");
        vm.warp(due + WINDOW / 4);
        demandAs(challenger, id, 2);
        revealOf(3, held);
        assertEq(anchor.commitmentOf(id).settleableAt, due + 5 * WINDOW / 4);
    }

    /// @dev However many demands there are, one after the other: two windows are all that they put the end off by.
    function testFuzzExtensionsAreBounded(uint256[6] memory gaps) public {
        uint256 due = anchor.commitmentOf(id).settleableAt;
        uint256 last = due;
        for (uint32 i = 0; i < 6; ++i) {
            if (vm.getBlockTimestamp() >= last) break;
            vm.warp(bound(gaps[i], vm.getBlockTimestamp(), last - 1));
            uint256 disputeId = demandAs(challenger, id, i);
            vm.warp(bound(gaps[i] / 7, vm.getBlockTimestamp(), court.disputeOf(disputeId).deadline - 1));
            revealOf(disputeId, held);
            uint256 next = anchor.commitmentOf(id).settleableAt;
            assertGe(next, last);
            assertLe(next, due + 2 * WINDOW);
            assertEq(anchor.commitmentOf(id).extended, next - due);
            last = next;
        }
        assertLe(vm.getBlockTimestamp(), due + 2 * WINDOW + REVEAL);
    }

    function testOtherDisputesOfARejectedCommitmentAreRefunded() public {
        demandAs(challenger, id, 0);
        demandAs(reporter, id, 1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 2));
        court.refund(2);
        vm.warp(vm.getBlockTimestamp() + REVEAL);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 2));
        court.refund(2);
        court.timeout(1);
        _requireStatus(ILeagueAnchor.Status.Rejected, 1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.CommitmentRejected.selector, id));
        court.timeout(2);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.CommitmentRejected.selector, id));
        this.revealExternal(2);
        court.refund(2);
        assertEq(creditOf(reporter), 2 * BOND);
        assertEq(address(court).balance, 0);
        _requireStatus(ILeagueAnchor.Status.Rejected, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 2));
        court.refund(2);
    }

    /// @dev Several disputes about one commitment: it is settleable when the last one has ended.
    function testOpenDisputesAreCounted() public {
        for (uint32 i = 0; i < 3; ++i) {
            demandAs(challenger, id, i);
        }
        _requireStatus(ILeagueAnchor.Status.Disputed, 3);
        revealOf(2, held);
        revealOf(1, held);
        _requireStatus(ILeagueAnchor.Status.Disputed, 1);
        revealOf(3, held);
        _requireStatus(ILeagueAnchor.Status.Open, 0);
    }

    /// @dev A PAUSER stops new rounds and stakes; disputes, answers and proofs go on.
    function testPausingStopsNoDispute() public {
        vm.startPrank(pauser);
        vault.pause();
        anchor.pause();
        vm.stopPrank();
        demandAs(challenger, id, 0);
        demandAs(challenger, id, 1);
        revealOf(1, held);
        vm.warp(vm.getBlockTimestamp() + REVEAL);
        court.timeout(2);
        vm.prank(challenger);
        assertGt(vault.claim(), 0);
    }

    /// @dev Threat: forced ether.
    function testForcedEtherChangesNothing() public {
        demandAs(challenger, id, 0);
        vm.deal(address(this), 1 ether);
        new ForcedEther{value: 1 ether}(payable(address(court)));
        (bool ok,) = address(court).call{value: 0}("");
        assertFalse(ok);
        revealOf(1, held);
        assertEq(address(court).balance, 1 ether);
    }

    // Helpers

    function demandExternal(bytes32 which, uint32 index) external {
        demandAs(challenger, which, index);
    }

    function revealExternal(uint256 disputeId) external {
        revealOf(disputeId, held);
    }

    function _requireStatus(ILeagueAnchor.Status status, uint256 openDisputes) private view {
        ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
        assertEq(uint8(c.status), uint8(status));
        assertEq(c.openDisputes, openDisputes);
    }
}
