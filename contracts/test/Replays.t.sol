// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {LeagueCourt} from "../src/LeagueCourt.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "../src/interfaces/ILeagueCourt.sol";
import {CourtFixture} from "./helpers/CourtFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice What only a replay can tell, verifiers decide: over two thirds of a committee that nobody chose.
contract ReplaysTest is CourtFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    Round private held;
    bytes32 private id;
    bytes32 private posted;
    bytes32 private replayed;

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        enrol(9);
        Round memory round = soloRound(LEAGUE, deltasOf(7));
        id = postAs(poster, round, 1 ether);
        held.leagueId = round.leagueId;
        held.scores = round.scores;
        for (uint256 i = 0; i < 7; ++i) {
            held.leaves.push(round.leaves[i]);
        }
        posted = Trees.hash(round.leaves[5]);
        replayed = otherLeaf(round.leaves[5]);
    }

    // The verdict

    function testACommitteeIsDrawnAndDecidesForThePoster() public {
        vm.deal(challenger, BOND);
        bytes32[] memory proof = Trees.proof(held.leaves, 5);
        uint256 deadline = block.timestamp + VOTE;
        vm.expectEmit(address(court));
        emit ILeagueCourt.DisputeOpened(1, id, challenger, ILeagueCourt.Kind.Replay, 5, posted, BOND, deadline);
        vm.prank(challenger);
        assertEq(court.disputeReplay{value: BOND}(id, held.leaves[5], proof), 1);
        assertEq(court.disputeOf(1).leaf, posted);
        drawNow(1);
        assertEq(court.disputeOf(1).seats, COMMITTEE);
        address[] memory seated = committeeOf(1);
        assertEq(seated.length, COMMITTEE);
        vm.expectEmit(address(court));
        emit ILeagueCourt.Attested(1, seated[0], posted, ENGINE);
        attestBy(1, posted, 0, 1);
        attestBy(1, posted, 1, 3);
        assertEq(court.votesFor(1, posted), 3);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Open), "3 of 5 are not over two thirds");
        vm.expectEmit(address(court));
        emit ILeagueCourt.DisputeResolved(1, id, ILeagueCourt.State.Dismissed);
        attestBy(1, posted, 3, 4);
        assertEq(creditOf(poster), BOND / 2);
        assertEq(creditOf(treasury), BOND / 2);
        assertEq(address(court).balance, 0);
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Open));
        (bool sits, bytes32 leaf) = court.ballotOf(1, seated[0]);
        assertTrue(sits);
        assertEq(leaf, posted);
        settle(id, held);
    }

    function testACommitteeDecidesForTheChallenger() public {
        disputeAs(challenger, id, held, 5);
        attestBy(1, posted, 0, 1);
        attestBy(1, replayed, 1, 4);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.FraudProven(id, challenger, "replay", EXPOSURE);
        attestBy(1, replayed, 4, 5);
        assertEq(creditOf(challenger), BOND + EXPOSURE / 2);
        assertEq(creditOf(treasury), EXPOSURE / 2);
        assertEq(exposureOf(poster), 0);
        ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
        assertEq(uint8(c.status), uint8(ILeagueAnchor.Status.Rejected));
        assertEq(c.openDisputes, 0);
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (uint256 active,) = stakeOf(verifiers[i]);
            assertEq(active, 2 * VERIFIER_STAKE, "the minority loses nothing");
        }
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 1));
        this.attestExternal(1, replayed, 0, 1);
    }

    /// @dev Of six, four are exactly two thirds, and five are over it.
    function testTwoThirdsAreNotEnough() public {
        ILeagueCourt.Rules memory rules = courtRules();
        rules.committeeSize = 6;
        deployCourt(rules);
        _enrolAgain();
        disputeAs(challenger, id, held, 5);
        attestBy(1, replayed, 0, 4);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Open));
        attestBy(1, replayed, 4, 5);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Upheld));
    }

    function testFewerThanThreeDecideNothing() public {
        for (uint256 i = 0; i < 7; ++i) {
            vm.prank(verifiers[i]);
            court.leaveVerifiers();
        }
        disputeAs(challenger, id, held, 5);
        assertEq(court.disputeOf(1).seats, 2);
        attestBy(1, replayed, 0, 2);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Open));
    }

    function testEachLeafIsJudgedOnce() public {
        disputeAs(challenger, id, held, 5);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.AlreadyDisputed.selector, 1));
        this.disputeExternal(5);
        attestBy(1, posted, 0, 5);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.AlreadyDisputed.selector, 1));
        this.disputeExternal(5);
        assertEq(disputeAs(challenger, id, held, 4), 2);
        assertEq(court.disputeOf(2).bond, 2 * BOND);
        assertEq(demandAs(challenger, id, 5), 3); // a demand is another matter
    }

    function testOnlyPostedLeavesAreDisputed() public {
        bytes32[] memory proof = Trees.proof(held.leaves, 4);
        vm.deal(challenger, BOND);
        vm.startPrank(challenger);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 5));
        court.disputeReplay{value: BOND}(id, held.leaves[5], proof);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 4));
        court.disputeReplay{value: BOND}("unknown", held.leaves[4], proof);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.BondTooLow.selector, BOND - 1, BOND));
        court.disputeReplay{value: BOND - 1}(id, held.leaves[4], proof);
        uint256 due = anchor.commitmentOf(id).settleableAt;
        vm.warp(due);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.WindowClosed.selector, due));
        court.disputeReplay{value: BOND}(id, held.leaves[4], proof);
    }

    /// @dev Threat: self-dispute laundering. Poster and challenger are one: whichever wins, half of the stake burns.
    function testDisputingOneselfBurnsHalf() public {
        disputeAs(poster, id, held, 5);
        attestBy(1, posted, 0, 5);
        assertEq(creditOf(poster), BOND / 2);
        assertEq(creditOf(treasury), BOND / 2);
        disputeAs(poster, id, held, 4);
        attestBy(2, otherLeaf(held.leaves[4]), 0, 5);
        (uint256 active,) = stakeOf(poster);
        uint256 left = active + creditOf(poster);
        assertEq(left, 1 ether - EXPOSURE / 2 + BOND / 2 + 2 * BOND);
        assertEq(creditOf(treasury), BOND / 2 + EXPOSURE / 2);
    }

    // The committee

    /// @dev Nobody who opens a dispute knows who will judge: the block's hash that draws is not there yet.
    function testTheChallengerCannotChooseItsJudges() public {
        uint256 disputeId = disputeUndrawn(challenger, id, held, 5);
        uint256 asked = vm.getBlockNumber();
        assertEq(court.disputeOf(disputeId).drawBlock, asked);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooEarly.selector, asked));
        court.draw(disputeId);
        // And meanwhile nobody changes the list that the lot falls on.
        vm.prank(verifiers[0]);
        vm.expectRevert(ILeagueCourt.DrawPending.selector);
        court.leaveVerifiers();
        vm.prank(reporter);
        vm.expectRevert(ILeagueCourt.DrawPending.selector);
        court.registerVerifier();
        vm.expectRevert(ILeagueCourt.DrawPending.selector);
        court.attest(disputeId, posted, ENGINE, new bytes[](0));
        uint256 snapshot = vm.snapshotState();
        vm.setBlockhash(asked, keccak256("one"));
        drawNow(disputeId);
        address[] memory one = committeeOf(disputeId);
        vm.revertToState(snapshot);
        vm.setBlockhash(asked, keccak256("two"));
        drawNow(disputeId);
        assertNotEq(abi.encode(one), abi.encode(committeeOf(disputeId)));
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NoDrawPending.selector, disputeId));
        court.draw(disputeId);
        assertEq(court.disputeOf(disputeId).drawBlock, 0);
        vm.prank(reporter);
        vm.expectRevert(); // its stake is missing, but the list is free again
        court.registerVerifier();
    }

    function testALateDrawIsPostponed() public {
        uint256 disputeId = disputeUndrawn(challenger, id, held, 5);
        vm.roll(vm.getBlockNumber() + 257);
        vm.expectEmit(address(court));
        emit ILeagueCourt.DrawPostponed(disputeId, vm.getBlockNumber());
        court.draw(disputeId);
        assertEq(court.disputeOf(disputeId).seats, 0);
        vm.expectRevert(ILeagueCourt.DrawPending.selector);
        court.attest(disputeId, posted, ENGINE, new bytes[](0));
        drawNow(disputeId);
        assertEq(court.disputeOf(disputeId).seats, COMMITTEE);
    }

    function testFuzzPartiesNeverJudge(bytes32 lot) public {
        vm.prank(poster);
        court.registerVerifier();
        address judge = verifiers[lot == 0 ? 0 : uint256(lot) % verifiers.length];
        uint256 disputeId = disputeUndrawn(judge, id, held, 5);
        vm.setBlockhash(vm.getBlockNumber(), lot == 0 ? bytes32(uint256(1)) : lot);
        drawNow(disputeId);
        (bool sits,) = court.ballotOf(disputeId, poster);
        assertFalse(sits);
        (sits,) = court.ballotOf(disputeId, judge);
        assertFalse(sits);
        assertEq(committeeOf(disputeId).length, COMMITTEE);
        assertEq(court.disputeOf(disputeId).seats, COMMITTEE);
    }

    /// @dev Every verifier is drawn about equally often: none of nine is left out or always in.
    function testEverybodyIsDrawn() public {
        uint256[] memory times = new uint256[](9);
        uint256 disputeId = disputeUndrawn(challenger, id, held, 5);
        uint256 asked = vm.getBlockNumber();
        for (uint256 lot = 1; lot <= 90; ++lot) {
            uint256 snapshot = vm.snapshotState();
            vm.setBlockhash(asked, keccak256(abi.encode(lot)));
            drawNow(disputeId);
            bool[] memory sits = new bool[](9);
            for (uint256 i = 0; i < 9; ++i) {
                (sits[i],) = court.ballotOf(disputeId, verifiers[i]);
            }
            vm.revertToState(snapshot);
            for (uint256 i = 0; i < 9; ++i) {
                if (sits[i]) ++times[i];
            }
        }
        for (uint256 i = 0; i < 9; ++i) {
            assertGt(times[i], 30); // 50 expected
            assertLt(times[i], 70);
        }
    }

    function testOnlyFirstVotesOfTheCommitteeCount() public {
        disputeAs(challenger, id, held, 5);
        address[] memory seated = committeeOf(1);
        address outsider;
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (bool sits,) = court.ballotOf(1, verifiers[i]);
            if (!sits) outsider = verifiers[i];
        }
        bytes[] memory words = new bytes[](7);
        words[0] = wordOf(outsider, 1, posted);
        words[1] = signed(1, court.hashAttestation(1, posted, ENGINE));
        words[2] = "not a signature";
        words[3] = wordOf(seated[0], 1, replayed); // for another leaf
        words[4] = wordOf(seated[1], 1, posted);
        words[5] = words[4];
        words[6] = "";
        court.attest(1, posted, ENGINE, words);
        assertEq(court.votesFor(1, posted), 1, "one bad signature does not spoil the batch");
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, posted, ENGINE, words);
        // Nor does the member that voted change its mind.
        words = new bytes[](1);
        words[0] = wordOf(seated[1], 1, replayed);
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, replayed, ENGINE, words);
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, posted, keccak256("another engine"), words);
        for (uint256 mark = 0; mark < 3; ++mark) {
            words[0] = wordOf(seated[2], 1, bytes32(mark));
            vm.expectRevert(ILeagueCourt.NothingCounted.selector);
            court.attest(1, bytes32(mark), ENGINE, words);
        }
        assertEq(court.votesFor(1, bytes32(uint256(1))), 0);
    }

    /// @dev Threat: signature replay - another dispute, court or chain; malleable signature.
    function testAWordSpeaksOfOneDispute() public {
        disputeAs(challenger, id, held, 5);
        disputeAs(challenger, id, held, 4);
        address judge = _memberOfBoth(1, 2);
        bytes[] memory words = new bytes[](1);
        words[0] = wordOf(judge, 1, posted);
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(2, posted, ENGINE, words);
        LeagueCourt twin = new LeagueCourt(anchor, courtRules());
        words[0] = signed(verifierKeys[judge], twin.hashAttestation(1, posted, ENGINE));
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, posted, ENGINE, words);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(verifierKeys[judge], court.hashAttestation(1, posted, ENGINE));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        words[0] = abi.encodePacked(r, order - uint256(s), v ^ 7);
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, posted, ENGINE, words);
        words[0] = abi.encodePacked(r, s, v);
        vm.chainId(block.chainid + 1);
        vm.expectRevert(ILeagueCourt.NothingCounted.selector);
        court.attest(1, posted, ENGINE, words);
        vm.chainId(block.chainid - 1);
        court.attest(1, posted, ENGINE, words);
    }

    // No verdict

    /// @dev Threat: court offline. It is asked twice, the second time with more seats; then everybody is as before.
    function testAnOfflineCourtHarmsNobody() public {
        disputeAs(challenger, id, held, 5);
        uint256 deadline = court.disputeOf(1).deadline;
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooEarly.selector, deadline));
        court.extend(1);
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooLate.selector, deadline));
        this.attestExternal(1, posted, 0, 5);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooEarly.selector, deadline + VOTE));
        court.refund(1);
        vm.expectEmit(address(court));
        emit ILeagueCourt.DisputeExtended(1, deadline + VOTE);
        court.extend(1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.AlreadyExtended.selector, 1));
        court.extend(1);
        vm.warp(deadline + VOTE - 1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooEarly.selector, deadline + VOTE));
        court.refund(1);
        vm.warp(deadline + VOTE);
        vm.expectEmit(address(court));
        emit ILeagueCourt.DisputeResolved(1, id, ILeagueCourt.State.Refunded);
        court.refund(1);
        assertEq(creditOf(challenger), BOND);
        assertEq(creditOf(poster), 0);
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Open));
        enrol(1); // no draw is pending any more
        settle(id, held);
        assertEq(address(court).balance, 0);
    }

    function testNobodyCallsForTheSecondVote() public {
        disputeAs(challenger, id, held, 5);
        uint256 end = court.disputeOf(1).deadline + VOTE;
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.TooLate.selector, end));
        court.extend(1);
        court.refund(1);
    }

    function testASecondVoteKeepsTheFirstOnes() public {
        enrol(4); // 13, of whom 11 judge at last
        disputeAs(challenger, id, held, 5);
        address[] memory first = committeeOf(1);
        attestBy(1, replayed, 0, 3);
        vm.warp(court.disputeOf(1).deadline);
        court.extend(1);
        vm.expectRevert(ILeagueCourt.DrawPending.selector);
        this.attestExternal(1, replayed, 3, 4);
        drawNow(1);
        address[] memory all = committeeOf(1);
        assertEq(all.length, 2 * COMMITTEE + 1);
        assertEq(court.disputeOf(1).seats, 2 * COMMITTEE + 1);
        for (uint256 i = 0; i < first.length; ++i) {
            (bool sits,) = court.ballotOf(1, first[i]);
            assertTrue(sits);
        }
        bytes[] memory words = new bytes[](4);
        uint256 n;
        for (uint256 i = 0; i < all.length && n < 4; ++i) {
            (, bytes32 leaf) = court.ballotOf(1, all[i]);
            if (leaf == 0) words[n++] = wordOf(all[i], 1, replayed);
        }
        court.attest(1, replayed, ENGINE, words);
        assertEq(court.votesFor(1, replayed), 7);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Open), "7 of 11 are not over two thirds");
        for (uint256 i = 0; i < all.length; ++i) {
            (, bytes32 leaf) = court.ballotOf(1, all[i]);
            if (leaf != 0) continue;
            words = new bytes[](1);
            words[0] = wordOf(all[i], 1, replayed);
            break;
        }
        court.attest(1, replayed, ENGINE, words);
        assertEq(uint8(court.disputeOf(1).state), uint8(ILeagueCourt.State.Upheld));
    }

    /// @dev A draw that nobody made is made up for by the second vote, and the list is free when all is over.
    function testAnUndrawnDisputeCanBeExtended() public {
        uint256 disputeId = disputeUndrawn(challenger, id, held, 5);
        vm.warp(court.disputeOf(disputeId).deadline);
        court.extend(disputeId);
        drawNow(disputeId);
        assertEq(court.disputeOf(disputeId).seats, 9);
        enrol(1);
        uint256 other = disputeUndrawn(challenger, _another(), held, 4);
        vm.warp(vm.getBlockTimestamp() + 2 * VOTE);
        court.refund(other);
        enrol(1);
    }

    function testARefundedLeafMayBeDisputedAgain() public {
        ILeagueCourt.Rules memory rules = courtRules();
        rules.votePeriod = uint48(VOTE / 4);
        deployCourt(rules);
        _enrolAgain();
        disputeAs(challenger, id, held, 5);
        vm.warp(vm.getBlockTimestamp() + VOTE / 2);
        court.refund(1);
        assertEq(disputeAs(challenger, id, held, 5), 2);
        assertEq(court.latestOf(id, ILeagueCourt.Kind.Replay, 5), 2);
        assertEq(court.disputeOf(2).bond, 2 * BOND);
    }

    function testDisputesOfARejectedCommitmentAreRefunded() public {
        disputeAs(challenger, id, held, 5);
        uint256 second = disputeUndrawn(reporter, id, held, 4);
        vm.roll(vm.getBlockNumber() + 1);
        court.draw(second);
        attestBy(1, replayed, 0, 5);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.CommitmentRejected.selector, id));
        this.attestExternal(second, posted, 0, 1);
        vm.warp(court.disputeOf(second).deadline);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.CommitmentRejected.selector, id));
        court.extend(second);
        court.refund(second);
        assertEq(creditOf(reporter), 2 * BOND);
        assertEq(address(court).balance, 0);
    }

    function testADemandIsNotAVote() public {
        demandAs(challenger, id, 0);
        bytes memory refusal = abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 1);
        vm.expectRevert(refusal);
        court.draw(1);
        vm.expectRevert(refusal);
        court.extend(1);
        vm.expectRevert(refusal);
        court.attest(1, posted, ENGINE, new bytes[](1));
        disputeAs(challenger, id, held, 5);
        vm.warp(vm.getBlockTimestamp() + VOTE);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotOpen.selector, 2));
        court.timeout(2);
    }

    // Helpers

    function attestExternal(uint256 disputeId, bytes32 leaf, uint256 from, uint256 to) external {
        attestBy(disputeId, leaf, from, to);
    }

    function disputeExternal(uint32 index) external {
        disputeUndrawn(challenger, id, held, index);
    }

    function _enrolAgain() private {
        for (uint256 i = 0; i < verifiers.length; ++i) {
            vm.prank(verifiers[i]);
            court.registerVerifier();
        }
    }

    function _another() private returns (bytes32) {
        held.leagueId = "another";
        return postAs(poster, held, 0);
    }

    function _memberOfBoth(uint256 one, uint256 other) private view returns (address) {
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (bool first,) = court.ballotOf(one, verifiers[i]);
            (bool second,) = court.ballotOf(other, verifiers[i]);
            if (first && second) return verifiers[i];
        }
        revert("5 + 5 of 9 share one");
    }
}
