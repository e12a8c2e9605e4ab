// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Test} from "forge-std/Test.sol";

import {LeagueCourt} from "../src/LeagueCourt.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "../src/interfaces/ILeagueCourt.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {CourtFixture} from "./helpers/CourtFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice Who judges stands in for it; and how long everybody else has to stay.
contract VerifiersTest is CourtFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    bytes32 private id;
    bytes32 private posted;
    bytes32 private replayed;

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        enrol(6);
        id = postAs(poster, _round(), 1 ether);
        posted = Trees.hash(_round().leaves[5]);
        replayed = otherLeaf(_round().leaves[5]);
    }

    // Coming and going

    function testAVerifierReservesStake() public {
        address verifier = verifiers[2];
        assertEq(court.verifierCount(), 6);
        assertEq(court.verifierAt(2), verifier);
        (bool registered, uint256 heldUntil) = court.verifierOf(verifier);
        assertTrue(registered);
        assertEq(heldUntil, 0);
        assertEq(exposureOf(verifier), VERIFIER_STAKE);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.AlreadyAVerifier.selector, verifier));
        vm.prank(verifier);
        court.registerVerifier();
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0, VERIFIER_STAKE));
        vm.prank(reporter);
        court.registerVerifier();
        assertEq(court.verifierCount(), 6);
    }

    function testWhoLeavesIsReplacedByTheLast() public {
        vm.startPrank(verifiers[2]);
        vm.expectEmit(address(court));
        emit ILeagueCourt.VerifierLeft(verifiers[2]);
        court.leaveVerifiers();
        assertEq(exposureOf(verifiers[2]), 0);
        assertEq(court.verifierCount(), 5);
        assertEq(court.verifierAt(2), verifiers[5]);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotAVerifier.selector, verifiers[2]));
        court.leaveVerifiers();
        court.registerVerifier();
        assertEq(court.verifierAt(5), verifiers[2]);
        vm.stopPrank();
        vm.prank(verifiers[5]);
        court.leaveVerifiers();
        assertEq(court.verifierAt(2), verifiers[2]);
        (bool registered,) = court.verifierOf(verifiers[5]);
        assertFalse(registered);
    }

    function testACommitteeIsHeldUntilItCanVoteNoMore() public {
        disputeAs(challenger, id, _round(), 5);
        uint256 end = court.disputeOf(1).deadline + VOTE;
        for (uint256 i = 0; i < 6; ++i) {
            (bool sits,) = court.ballotOf(1, verifiers[i]);
            (, uint256 heldUntil) = court.verifierOf(verifiers[i]);
            assertEq(heldUntil, sits ? end : 0);
            if (sits) vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.Held.selector, end));
            vm.prank(verifiers[i]);
            court.leaveVerifiers();
        }
        vm.warp(end);
        court.refund(1);
        address judge = committeeOf(1)[0];
        vm.startPrank(judge);
        court.leaveVerifiers();
        vault.requestUnbond(2 * VERIFIER_STAKE);
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        vault.withdraw();
    }

    /// @dev Of two committees it is the later one that counts, also when the earlier is drawn last.
    function testHoldsDoNotShorten() public {
        uint256 first = disputeUndrawn(challenger, id, _round(), 5);
        vm.warp(vm.getBlockTimestamp() + 100);
        vm.roll(vm.getBlockNumber() + 1);
        Round memory other = _round();
        other.leagueId = "other";
        uint256 second = disputeUndrawn(challenger, postAs(poster, other, 0), other, 5);
        drawNow(second);
        drawNow(first);
        uint256 end = court.disputeOf(second).deadline + VOTE;
        for (uint256 i = 0; i < 6; ++i) {
            (bool inSecond,) = court.ballotOf(second, verifiers[i]);
            (bool inFirst,) = court.ballotOf(first, verifiers[i]);
            (, uint256 heldUntil) = court.verifierOf(verifiers[i]);
            assertEq(heldUntil, inSecond ? end : inFirst ? end - 100 : 0);
        }
    }

    // Double votes

    /// @dev Threat: court equivocation.
    function testAVerifierThatSignsTwoLeavesIsSlashed() public {
        disputeAs(challenger, id, _round(), 5);
        address judge = committeeOf(1)[1];
        attestBy(1, posted, 1, 2);
        assertEq(court.votesFor(1, posted), 1);
        vm.expectEmit(address(court));
        emit ILeagueCourt.DoubleVoteProven(1, judge, reporter, VERIFIER_STAKE);
        _double(1, judge, posted, replayed, "");
        assertEq(court.votesFor(1, posted), 0, "its vote is taken back");
        (bool sits, bytes32 leaf) = court.ballotOf(1, judge);
        assertFalse(sits);
        assertEq(leaf, 0);
        (bool registered,) = court.verifierOf(judge);
        assertFalse(registered);
        assertEq(exposureOf(judge), 0);
        (uint256 active,) = stakeOf(judge);
        assertEq(active, VERIFIER_STAKE);
        assertEq(creditOf(reporter), VERIFIER_STAKE / 2);
        assertEq(creditOf(treasury), VERIFIER_STAKE / 2);
        bytes memory gone = abi.encodeWithSelector(ILeagueCourt.NotAVerifier.selector, judge);
        _double(1, judge, posted, replayed, gone);
        bytes[] memory words = new bytes[](1);
        words[0] = wordOf(judge, 1, replayed);
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, replayed, ENGINE, words);
    }

    /// @dev Both words were never brought to the chain: that they were signed is enough.
    function testWordsThatWereNotCountedProveItToo() public {
        disputeAs(challenger, id, _round(), 5);
        attestBy(1, replayed, 0, 4);
        attestedAndDecided(1);
        address judge = committeeOf(1)[4];
        _double(1, judge, keccak256("x"), keccak256("y"), "");
        assertEq(court.votesFor(1, replayed), 4);
        judge = committeeOf(1)[0];
        _double(1, judge, posted, replayed, "");
        assertEq(court.votesFor(1, replayed), 4, "a decided dispute is not counted again");
    }

    function testWhatIsNoDoubleVote() public {
        disputeAs(challenger, id, _round(), 5);
        address[] memory seated = committeeOf(1);
        _double(1, seated[0], posted, posted, abi.encodeWithSelector(ILeagueCourt.SameVote.selector));
        address outsider;
        for (uint256 i = 0; i < 6; ++i) {
            (bool sits,) = court.ballotOf(1, verifiers[i]);
            if (!sits) outsider = verifiers[i];
        }
        bytes memory refusal = abi.encodeWithSelector(ILeagueCourt.NotAVerifier.selector, outsider);
        _double(1, outsider, posted, replayed, refusal);
        ILeagueCourt.Vote memory one = _vote(seated[0], 1, posted);
        ILeagueCourt.Vote memory other = _vote(seated[1], 1, replayed);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.BadSignature.selector, seated[0]));
        court.proveDoubleVote(1, one, other);
        other.signature = "";
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.BadSignature.selector, address(0)));
        court.proveDoubleVote(1, one, other);
        // What was signed about another dispute does not count here.
        disputeAs(challenger, id, _round(), 4);
        address judge = _memberOfBoth(1, 2);
        one = _vote(judge, 1, posted);
        other = _vote(judge, 2, replayed);
        vm.expectRevert(); // it recovers to somebody else
        court.proveDoubleVote(1, one, other);
    }

    /// @dev The list that a pending lot falls on stands still for this too.
    function testADoubleVoteWaitsForThePendingDraw() public {
        disputeAs(challenger, id, _round(), 5);
        uint256 second = disputeUndrawn(challenger, id, _round(), 4);
        address judge = committeeOf(1)[0];
        _double(1, judge, posted, replayed, abi.encodeWithSelector(ILeagueCourt.DrawPending.selector));
        drawNow(second);
        _double(1, judge, posted, replayed, "");
    }

    /// @dev Threat: exit before slash. Who left and asked for its stake is slashed for what it signed.
    function testLeavingDoesNotHelpTheDoubleVoter() public {
        disputeAs(challenger, id, _round(), 5);
        address judge = committeeOf(1)[0];
        vm.warp(vm.getBlockTimestamp() + 2 * VOTE);
        vm.startPrank(judge);
        court.leaveVerifiers();
        vault.requestUnbond(2 * VERIFIER_STAKE);
        vm.stopPrank();
        vm.warp(vm.getBlockTimestamp() + UNBONDING - 1);
        _double(1, judge, posted, replayed, "");
        (uint256 active, uint256 pending) = stakeOf(judge);
        assertEq(active, 0);
        assertEq(pending, VERIFIER_STAKE);
    }

    /// @dev Threat: self-dispute laundering. Reporting oneself costs half.
    function testReportingOnesOwnDoubleVoteBurnsHalf() public {
        disputeAs(challenger, id, _round(), 5);
        address judge = committeeOf(1)[0];
        ILeagueCourt.Vote memory one = _vote(judge, 1, posted);
        ILeagueCourt.Vote memory other = _vote(judge, 1, replayed);
        vm.prank(judge);
        court.proveDoubleVote(1, one, other);
        (uint256 active,) = stakeOf(judge);
        assertEq(active + creditOf(judge), 2 * VERIFIER_STAKE - VERIFIER_STAKE / 2);
    }

    // How long it can take

    /// @dev Threat: exit before slash. The longest way that a commitment can take, with an agent that asked for its stake in
    ///      the second that the round was posted: two windows of extensions, then a replay dispute with its second vote,
    ///      opened at the very end. There is time left to settle and to collect.
    function testTheLongestDisputeEndsBeforeUnbondingDoes() public {
        Round memory round = soloRound("long", deltasOf(7));
        stakeAs(agents[1], 0.1 ether);
        bytes32 long = postAs(poster, round, 0);
        uint256 start = vm.getBlockTimestamp();
        vm.prank(agents[1]);
        vault.requestUnbond(0.1 ether);
        proveAs(reporter, long, round, 1, 99);
        for (uint32 i = 0; i < 3; ++i) {
            vm.warp(anchor.commitmentOf(long).settleableAt - 1);
            uint256 demand = demandAs(challenger, long, i);
            if (i == 2) break;
            revealOf(demand, round);
        }
        assertEq(anchor.commitmentOf(long).settleableAt, start + 3 * WINDOW - 2);
        vm.warp(anchor.commitmentOf(long).settleableAt - 1);
        uint256 last = disputeAs(challenger, long, round, 5);
        vm.warp(court.disputeOf(last).deadline);
        court.extend(last);
        vm.warp(court.disputeOf(last).deadline);
        assertLt(vm.getBlockTimestamp(), start + 5 * WINDOW);
        court.refund(last);
        court.timeout(3); // which could have been called long ago: rejected after all, the penalty is void
        assertEq(uint8(anchor.commitmentOf(long).status), uint8(ILeagueAnchor.Status.Rejected));
        (, uint256 pending) = stakeOf(agents[1]);
        assertEq(pending, 0.1 ether);
    }

    function testThePenaltyIsStillThereAfterTheLongestDispute() public {
        Round memory round = soloRound("long", deltasOf(7));
        stakeAs(agents[1], 0.1 ether);
        bytes32 long = postAs(poster, round, 0);
        uint256 start = vm.getBlockTimestamp();
        vm.startPrank(agents[1]);
        vault.requestUnbond(0.1 ether);
        vm.stopPrank();
        proveAs(reporter, long, round, 1, 99);
        for (uint32 i = 0; i < 2; ++i) {
            vm.warp(anchor.commitmentOf(long).settleableAt - 1);
            revealOf(demandAs(challenger, long, i), round);
        }
        vm.warp(anchor.commitmentOf(long).settleableAt - 1);
        uint256 last = disputeAs(challenger, long, round, 5);
        vm.warp(court.disputeOf(last).deadline + VOTE);
        court.refund(last);
        settle(long, round);
        assertLt(vm.getBlockTimestamp(), start + 5 * WINDOW);
        vm.warp(start + UNBONDING - 1);
        vm.expectPartialRevert(IStakeVault.Locked.selector);
        vm.prank(agents[1]);
        vault.withdraw();
        assertEq(anchor.collectPenalty(long, agents[1]), PENALTY);
    }

    // The parts

    function testOnlyTheCourtActsOnCommitments() public {
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, reporter, anchor.COURT_ROLE()
        );
        vm.startPrank(reporter);
        vm.expectRevert(refusal);
        anchor.openDispute(id);
        vm.expectRevert(refusal);
        anchor.closeDispute(id, 0);
        vm.expectRevert(refusal);
        anchor.reject(id, reporter, "mine");
    }

    function testOnlyContractsMayJudge() public {
        bytes32 role = anchor.COURT_ROLE();
        vm.startPrank(admin);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.CourtNotContract.selector, reporter));
        anchor.grantRole(role, reporter);
        vm.etch(reporter, abi.encodePacked(hex"ef0100", admin));
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.CourtNotContract.selector, reporter));
        anchor.grantRole(role, reporter);
        anchor.grantRole(role, address(vault));
        assertTrue(anchor.hasRole(role, address(vault)));
    }

    function testParametersAreChecked() public {
        _refuse(ILeagueCourt.Rules(0, uint48(VOTE), uint96(BOND), uint96(VERIFIER_STAKE), 3));
        _refuse(ILeagueCourt.Rules(uint48(WINDOW + 1), uint48(VOTE), uint96(BOND), uint96(VERIFIER_STAKE), 3));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), 0, uint96(BOND), uint96(VERIFIER_STAKE), 3));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), uint48(WINDOW + 1), uint96(BOND), uint96(VERIFIER_STAKE), 3));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), uint48(VOTE), 0, uint96(VERIFIER_STAKE), 3));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), uint48(VOTE), 2 ** 64, uint96(VERIFIER_STAKE), 3));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), uint48(VOTE), uint96(BOND), 0, 3));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), uint48(VOTE), uint96(BOND), uint96(VERIFIER_STAKE), 2));
        _refuse(ILeagueCourt.Rules(uint48(REVEAL), uint48(VOTE), uint96(BOND), uint96(VERIFIER_STAKE), 1001));
        ILeagueCourt.Rules memory rules =
            ILeagueCourt.Rules(uint48(WINDOW), uint48(WINDOW), 2 ** 64 - 1, uint96(VERIFIER_STAKE), 1000);
        LeagueCourt built = new LeagueCourt(anchor, rules);
        assertEq(address(built.anchor()), address(anchor));
        assertEq(address(built.vault()), address(vault));
        assertEq(built.reporterBps(), REPORTER_BPS);
        assertEq(built.revealPeriod(), WINDOW);
        assertEq(built.votePeriod(), WINDOW);
        assertEq(built.bond(), 2 ** 64 - 1);
        assertEq(built.verifierStake(), VERIFIER_STAKE);
        assertEq(built.committeeSize(), 1000);
    }

    // Helpers

    function attestedAndDecided(uint256 disputeId) internal view {
        assertEq(uint8(court.disputeOf(disputeId).state), uint8(ILeagueCourt.State.Upheld));
    }

    function _refuse(ILeagueCourt.Rules memory rules) private {
        vm.expectRevert(ILeagueCourt.InvalidParameters.selector);
        new LeagueCourt(anchor, rules);
    }

    function _round() private view returns (Round memory) {
        return soloRound(LEAGUE, deltasOf(7));
    }

    function _vote(address judge, uint256 disputeId, bytes32 leaf) private view returns (ILeagueCourt.Vote memory) {
        return ILeagueCourt.Vote(leaf, ENGINE, wordOf(judge, disputeId, leaf));
    }

    function _double(uint256 disputeId, address judge, bytes32 first, bytes32 second, bytes memory refusal) private {
        ILeagueCourt.Vote memory one = _vote(judge, disputeId, first);
        ILeagueCourt.Vote memory other = _vote(judge, disputeId, second);
        if (refusal.length != 0) vm.expectRevert(refusal);
        vm.prank(reporter);
        court.proveDoubleVote(disputeId, one, other);
    }

    function _memberOfBoth(uint256 one, uint256 other) private view returns (address) {
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (bool first,) = court.ballotOf(one, verifiers[i]);
            (bool second,) = court.ballotOf(other, verifiers[i]);
            if (first && second) return verifiers[i];
        }
        revert("5 + 5 of 6 share one");
    }
}
