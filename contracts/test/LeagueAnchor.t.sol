// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Roster} from "../src/libraries/Roster.sol";
import {RoundLeaf} from "../src/libraries/RoundTree.sol";
import {ForcedEther, LeagueFixture} from "./helpers/LeagueFixture.sol";
import {Trees} from "./helpers/Trees.sol";

contract LeagueAnchorTest is LeagueFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        for (uint256 i = 0; i < agents.length; ++i) {
            stakeAs(agents[i], 0.1 ether);
        }
    }

    // Posting

    function testPostAnchorsAndReserves() public {
        Round memory round = _round();
        bytes32 id = anchor.idOf(poster, LEAGUE);
        uint256 due = block.timestamp + WINDOW;
        bytes32 root = Trees.root(round.leaves);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.CommitmentPosted(id, poster, LEAGUE, keccak256("system"), root, 7, 1000, 1 ether, due);
        assertEq(postAs(poster, round, 1 ether), id);
        ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
        assertEq(c.poster, poster);
        assertEq(c.settleableAt, due);
        assertEq(c.nSteps, 7);
        assertEq(c.depth, 3);
        assertEq(uint8(c.status), uint8(ILeagueAnchor.Status.Open));
        assertEq(c.root, root);
        assertEq(c.pot, 1 ether);
        assertEq(c.bound, 1000);
        assertEq(c.nAgents, 4);
        assertEq(c.nDisqualified, 0);
        assertEq(exposureOf(poster), EXPOSURE);
        assertEq(address(anchor).balance, 1 ether);
    }

    function testEachPosterPostsARoundOnce() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.AlreadyPosted.selector, id));
        this.postExternal(poster, round);
        settle(id, round);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.AlreadyPosted.selector, id));
        this.postExternal(poster, round);
        stakeAs(reporter, 1 ether);
        assertNotEq(postAs(reporter, round, 0), id);
    }

    function testThePosterNeedsStakeForEveryOpenCommitment() public {
        Round memory round = _round();
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0, EXPOSURE));
        this.postExternal(reporter, round);
        stakeAs(reporter, 2 * EXPOSURE);
        for (uint256 i = 0; i < 2; ++i) {
            postAs(reporter, soloRound(bytes32(i), deltasOf(3)), 0);
        }
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 2 * EXPOSURE, 3 * EXPOSURE));
        this.postExternal(reporter, round);
    }

    function testRostersAreStrictlyAscending() public {
        Round memory round = _round();
        (agents[0], agents[1]) = (agents[1], agents[0]);
        vm.expectRevert(Roster.BadRoster.selector);
        this.postExternal(poster, round);
        agents[0] = agents[1]; // threat: duplicate ids in scores
        vm.expectRevert(Roster.BadRoster.selector);
        this.postExternal(poster, round);
        agents[0] = address(0);
        vm.expectRevert(Roster.BadRoster.selector);
        this.postExternal(poster, round);
        agents.pop();
        vm.expectRevert(Roster.BadRoster.selector);
        this.postExternal(poster, round);
        delete agents;
        round.scores = new int64[](0);
        vm.expectRevert(Roster.BadRoster.selector);
        this.postExternal(poster, round);
    }

    function testDepthFollowsTheNumberOfMatches() public {
        int64[] memory scores = new int64[](4);
        vm.startPrank(poster);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.BadDepth.selector, 3, 2));
        anchor.post(0, LEAGUE, bytes32(uint256(1)), 4, 3, 0, agents, scores);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.BadDepth.selector, 2, 3));
        anchor.post(0, LEAGUE, bytes32(uint256(1)), 5, 2, 0, agents, scores);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.BadDepth.selector, 1, 0));
        anchor.post(0, LEAGUE, bytes32(uint256(1)), 1, 1, 0, agents, scores);
        anchor.post(0, LEAGUE, 0, 0, 0, 0, agents, scores);
        anchor.post(0, "1", bytes32(uint256(1)), type(uint32).max, 32, 0, agents, scores);
    }

    function testAPotBeyondAllEtherIsRefused() public {
        vm.deal(poster, 2 ** 97);
        vm.prank(poster);
        vm.expectRevert();
        anchor.post{value: 2 ** 96}(0, LEAGUE, 0, 0, 0, 0, agents, new int64[](4));
    }

    // Inclusion

    function testFuzzEveryHonestStepVerifies(uint8 size, int64 seed) public {
        int64[] memory deltas = new int64[](bound(size, 1, 40));
        for (uint256 i = 0; i < deltas.length; ++i) {
            deltas[i] = int64(uint64(uint256(keccak256(abi.encode(seed, i))) % 1000));
        }
        Round memory round = soloRound(LEAGUE, deltas);
        bytes32 id = postAs(poster, round, 0);
        uint256 index = uint256(keccak256(abi.encode(seed))) % deltas.length;
        RoundLeaf memory leaf = round.leaves[index];
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        assertTrue(anchor.verifyStep(id, leaf, proof));
        leaf.dA += 1;
        assertFalse(anchor.verifyStep(id, leaf, proof));
    }

    /// @dev Threat: proof at another index or depth.
    function testProofsBindIndexAndDepth() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        RoundLeaf memory leaf = round.leaves[2];
        bytes32[] memory proof = Trees.proof(round.leaves, 2);
        assertTrue(anchor.verifyStep(id, leaf, proof));
        for (uint32 other = 0; other < 16; ++other) {
            leaf.index = other;
            assertEq(anchor.verifyStep(id, leaf, proof), other == 2);
        }
        leaf.index = 2;
        bytes32[] memory longer = new bytes32[](4);
        bytes32[] memory shorter = new bytes32[](2);
        for (uint256 i = 0; i < 3; ++i) {
            longer[i] = proof[i];
            if (i < 2) shorter[i] = proof[i];
        }
        assertFalse(anchor.verifyStep(id, leaf, longer));
        assertFalse(anchor.verifyStep(id, leaf, shorter));
        assertFalse(anchor.verifyStep(id, leaf, new bytes32[](0)));
        assertFalse(anchor.verifyStep(keccak256("unknown"), leaf, proof));
        assertFalse(anchor.verifyStep(bytes32(0), leaf, new bytes32[](0)));
    }

    /// @dev A dishonest tree: its root is a leaf, or holds a leaf beyond the announced number.
    function testALeafCountsOnlyAtItsDepthAndInsideTheRound() public {
        RoundLeaf memory leaf = _round().leaves[0];
        bytes32 hash = Trees.hash(leaf);
        vm.startPrank(poster);
        bytes32 id = anchor.post(0, "shallow", hash, 2, 1, 0, agents, new int64[](4));
        assertFalse(anchor.verifyStep(id, leaf, new bytes32[](0)));
        leaf.index = 3;
        bytes32[] memory proof = new bytes32[](2);
        bytes32 root = Trees.node(Trees.node(0, 0), Trees.node(0, Trees.hash(leaf)));
        proof[1] = Trees.node(0, 0);
        id = anchor.post(0, "beyond", root, 3, 2, 0, agents, new int64[](4));
        assertFalse(anchor.verifyStep(id, leaf, proof));
        id = anchor.post(0, "inside", root, 4, 2, 0, agents, new int64[](4));
        assertTrue(anchor.verifyStep(id, leaf, proof));
    }

    /// @dev Hashes are taken over raw calldata: bits beyond a field's type must not reach them unseen.
    function testPaddingIsChecked() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        bytes memory data = abi.encodeCall(anchor.verifyStep, (id, round.leaves[0], Trees.proof(round.leaves, 0)));
        (bool ok,) = address(anchor).staticcall(data);
        assertTrue(ok);
        data[4 + 32 + 27] = 0x01; // the index becomes 2^32: its surplus bit would fall on the domain byte
        (ok,) = address(anchor).staticcall(data);
        assertFalse(ok);
        _postRaw(0, 0, "");
        bytes memory refusal = abi.encodeWithSelector(Roster.BadRoster.selector);
        _postRaw(3 * 32 + 11, 0x01, refusal); // an agent beyond 160 bits
        _postRaw(5 * 32 + 23, 0x01, refusal); // a score beyond 64 bits
        _postRaw(5 * 32 + 24, 0x80, refusal); // a negative score without its sign
    }

    /// @dev Posts with one byte of the roster changed, counted from the first agent's word.
    function _postRaw(uint256 offset, bytes1 value, bytes memory refusal) private {
        bytes memory data = abi.encodeCall(anchor.post, (0, bytes32(offset), 0, 0, 0, 0, agents, new int64[](4)));
        if (value != 0) data[4 + 8 * 32 + 32 + offset] = value;
        vm.prank(poster);
        (bool ok, bytes memory result) = address(anchor).call(data);
        assertEq(ok, refusal.length == 0);
        if (!ok) assertEq(result, refusal);
    }

    function testOnlyThePauserPauses() public {
        bytes memory refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, poster, anchor.PAUSER_ROLE()
        );
        vm.startPrank(poster);
        vm.expectRevert(refusal);
        anchor.pause();
        vm.expectRevert(refusal);
        anchor.unpause();
    }

    function testParametersAreChecked() public {
        vm.expectRevert(ILeagueAnchor.InvalidParameters.selector);
        new LeagueAnchor(admin, vault, 0, EXPOSURE, PENALTY, REPORTER_BPS);
        vm.expectRevert(ILeagueAnchor.InvalidParameters.selector);
        new LeagueAnchor(admin, vault, WINDOW, 0, PENALTY, REPORTER_BPS);
        vm.expectRevert(ILeagueAnchor.InvalidParameters.selector);
        new LeagueAnchor(admin, vault, WINDOW, EXPOSURE, PENALTY, 5001);
        StakeVault hasty = new StakeVault(admin, treasury, UNBONDING - 1);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.UnbondingTooShort.selector, UNBONDING - 1, UNBONDING));
        new LeagueAnchor(admin, hasty, WINDOW, EXPOSURE, PENALTY, REPORTER_BPS);
    }

    // Helpers; the external ones give expectRevert one call to watch.

    function postExternal(address from, Round memory round) external {
        postAs(from, round, 0);
    }

    function _round() private view returns (Round memory) {
        return soloRound(LEAGUE, deltasOf(7));
    }
}
