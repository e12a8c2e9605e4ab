// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Test} from "forge-std/Test.sol";

import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {Roster} from "../src/libraries/Roster.sol";
import {ForcedEther, LeagueFixture} from "./helpers/LeagueFixture.sol";
import {Trees} from "./helpers/Trees.sol";

contract SettlementTest is LeagueFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        for (uint256 i = 0; i < agents.length; ++i) {
            stakeAs(agents[i], 0.1 ether);
        }
    }

    function testSettleWaitsForTheWindow() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        uint256 due = block.timestamp + WINDOW;
        vm.warp(due - 1);
        uint16[] memory order = orderOf(round.scores);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.WindowOpen.selector, due));
        anchor.settle(id, agents, round.scores, order);
        vm.warp(due);
        anchor.settle(id, agents, round.scores, order);
        assertEq(exposureOf(poster), 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, id));
        anchor.settle(id, agents, round.scores, order);
    }

    function testSettleChecksRosterAndOrder() public {
        Round memory round = scoredRound(LEAGUE, scoresOf(5, 9, 5, 2));
        bytes32 id = postAs(poster, round, 1 ether);
        vm.warp(block.timestamp + WINDOW);
        _expectBadOrder(id, round, _order(1, 0, 3, 2), 3);
        _expectBadOrder(id, round, _order(1, 0, 0, 3), 2);
        _expectBadOrder(id, round, _order(0, 1, 2, 3), 1);
        _expectBadOrder(id, round, _order(4, 1, 2, 3), 0);
        _expectBadOrder(id, round, new uint16[](3), 3);
        _expectBadOrder(id, round, new uint16[](5), 5);
        round.scores[3] += 1;
        vm.expectRevert(Roster.BadRoster.selector);
        anchor.settle(id, agents, round.scores, _order(1, 0, 2, 3));
        round.scores[3] -= 1;
        anchor.settle(id, agents, round.scores, _order(1, 2, 0, 3)); // equal scores in any order
    }

    function testPayoutsByRankTiesAndDust() public {
        Round memory round = scoredRound(LEAGUE, scoresOf(5, 9, 5, 2));
        bytes32 id = postAs(poster, round, 1001);
        // weights 4 | 3 + 2 shared by two | 1, of 10
        uint256 paid = 400 + 2 * 250 + 100;
        vm.warp(block.timestamp + WINDOW);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.Settled(id, paid, 1001 - paid);
        settle(id, round);
        assertEq(creditOf(poster), 1001 - paid);
        _claim(id, round, 0, 250);
        _claim(id, round, 1, 400);
        _claim(id, round, 2, 250);
        _claim(id, round, 3, 100);
        assertEq(address(anchor).balance, 0);
        vm.prank(agents[1]);
        assertEq(vault.claim(), 400);
    }

    function testTheDisqualifiedEarnNothingAndOthersMore() public {
        Round memory round = scoredRound(LEAGUE, scoresOf(5, 9, 5, 2));
        bytes32 id = postAs(poster, round, 600);
        proveAs(reporter, id, round, 1, 10);
        settle(id, round);
        // weights 3 + 2 shared by two | 1, of 6
        _claim(id, round, 0, 250);
        _claim(id, round, 2, 250);
        _claim(id, round, 3, 100);
        assertEq(anchor.payoutOf(id, agents, round.scores, 1), 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NothingToPay.selector, agents[1]));
        anchor.claimPayout(id, agents, round.scores, 1);
    }

    function testWithoutActiveAgentsThePotReturns() public {
        Round memory round = scoredRound(LEAGUE, scoresOf(5, 9, 5, 2));
        bytes32 id = postAs(poster, round, 1 ether);
        for (uint256 i = 0; i < 4; ++i) {
            proveAs(reporter, id, round, i, 10);
        }
        settle(id, round);
        assertEq(creditOf(poster), 1 ether);
        assertEq(address(anchor).balance, 0);
    }

    function testAPayoutIsClaimedOnce() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotSettled.selector, id));
        anchor.claimPayout(id, agents, round.scores, 0);
        settle(id, round);
        assertFalse(anchor.isClaimed(id, 0));
        anchor.claimPayout(id, agents, round.scores, 0);
        assertTrue(anchor.isClaimed(id, 0));
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.AlreadyClaimed.selector, agents[0]));
        anchor.claimPayout(id, agents, round.scores, 0);
        vm.expectRevert(Roster.BadRoster.selector);
        anchor.claimPayout(id, agents, round.scores, 4);
        round.scores[1] += 1;
        vm.expectRevert(Roster.BadRoster.selector);
        anchor.claimPayout(id, agents, round.scores, 1);
    }

    /// @dev Sum and single payouts come from two loops: they agree, whatever the scores and the order of ties.
    function testFuzzPayoutsAddUpToTheSettledSum(uint96 pot, int8[4] memory scores, uint8 disqualified) public {
        int64[] memory wide = scoresOf(scores[0], scores[1], scores[2], scores[3]);
        Round memory round = scoredRound(LEAGUE, wide);
        bytes32 id = postAs(poster, round, pot);
        for (uint256 i = 0; i < 4; ++i) {
            if (disqualified >> i & 1 == 1) proveAs(reporter, id, round, i, 1000);
        }
        settle(id, round);
        uint256 sum = creditOf(poster);
        for (uint256 i = 0; i < 4; ++i) {
            uint256 amount = anchor.payoutOf(id, agents, round.scores, i);
            sum += amount;
            if (amount != 0) anchor.claimPayout(id, agents, round.scores, i);
            assertTrue(disqualified >> i & 1 == 0 || amount == 0);
        }
        assertEq(sum, pot);
        assertEq(address(anchor).balance, 0);
    }

    function testRostersBeyondOneBitmapWord() public {
        delete agents;
        for (uint160 i = 1; i <= 300; ++i) {
            agents.push(address(i << 32));
        }
        int64[] memory deltas = new int64[](300);
        for (uint256 i = 0; i < 300; ++i) {
            deltas[i] = int64(uint64(i));
        }
        Round memory round = soloRound(LEAGUE, deltas);
        bytes32 id = postAs(poster, round, 1 ether);
        uint16[] memory order = new uint16[](300);
        for (uint16 i = 0; i < 300; ++i) {
            order[i] = 299 - i;
        }
        vm.warp(block.timestamp + WINDOW);
        anchor.settle(id, agents, round.scores, order);
        assertEq(anchor.claimPayout(id, agents, round.scores, 299), 300 * 1 ether / uint256(45150));
        assertEq(anchor.claimPayout(id, agents, round.scores, 43), 44 * 1 ether / uint256(45150));
        assertTrue(anchor.isClaimed(id, 299));
    }

    /// @dev Threat: forced ether.
    function testForcedEtherChangesNothing() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        vm.deal(address(this), 3 ether);
        new ForcedEther{value: 3 ether}(payable(address(anchor)));
        (bool ok,) = address(anchor).call{value: 0}("");
        assertFalse(ok);
        settle(id, round);
        for (uint256 i = 0; i < 4; ++i) {
            anchor.claimPayout(id, agents, round.scores, i);
        }
        assertEq(address(anchor).balance, 3 ether);
    }

    function testPausingStopsPostingAndNothingElse() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        vm.startPrank(pauser);
        anchor.pause();
        vault.pause();
        vm.stopPrank();
        Round memory second = soloRound("2", deltasOf(3));
        vm.expectRevert(Pausable.EnforcedPause.selector);
        this.postExternal(poster, second);
        proveAs(reporter, id, round, 1, 99);
        assertTrue(anchor.verifyStep(id, round.leaves[0], Trees.proof(round.leaves, 0)));
        settle(id, round);
        anchor.claimPayout(id, agents, round.scores, 0);
        vm.startPrank(agents[0]);
        vault.claim();
        vault.requestUnbond(0.1 ether);
        vm.warp(vm.getBlockTimestamp() + UNBONDING);
        vault.withdraw();
        vm.stopPrank();
        vm.startPrank(pauser);
        anchor.unpause();
        vault.unpause();
        vm.stopPrank();
        postAs(poster, second, 0);
    }

    function postExternal(address from, Round memory round) external {
        postAs(from, round, 0);
    }

    function _claim(bytes32 id, Round memory round, uint256 index, uint256 expected) private {
        uint256 before = creditOf(agents[index]);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.PayoutClaimed(id, agents[index], expected);
        assertEq(anchor.claimPayout(id, agents, round.scores, index), expected);
        assertEq(creditOf(agents[index]) - before, expected);
    }

    function _expectBadOrder(bytes32 id, Round memory round, uint16[] memory order, uint256 position) private {
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.BadOrder.selector, position));
        anchor.settle(id, agents, round.scores, order);
    }

    function _order(uint16 a, uint16 b, uint16 c, uint16 d) private pure returns (uint16[] memory order) {
        order = new uint16[](4);
        (order[0], order[1], order[2], order[3]) = (a, b, c, d);
    }

    function _round() private view returns (Round memory) {
        return soloRound(LEAGUE, deltasOf(7));
    }
}
