// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Roster} from "../src/libraries/Roster.sol";
import {RoundLeaf} from "../src/libraries/RoundTree.sol";
import {ForcedEther, LeagueFixture} from "./helpers/LeagueFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice An agent that is a contract: it signs by ERC-1271 and stakes.
contract ContractAgent is IERC1271 {
    bytes32 private immutable accepted;

    constructor(bytes32 accepted_) {
        accepted = accepted_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return
            digest == accepted && keccak256(signature) == keccak256("open") ? this.isValidSignature.selector : bytes4(0);
    }
}

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
        emit LeagueAnchor.CommitmentPosted(id, poster, LEAGUE, keccak256("system"), root, 7, 1000, 1 ether, due);
        assertEq(postAs(poster, round, 1 ether), id);
        LeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
        assertEq(c.poster, poster);
        assertEq(c.settleableAt, due);
        assertEq(c.nSteps, 7);
        assertEq(c.depth, 3);
        assertEq(uint8(c.status), uint8(LeagueAnchor.Status.Open));
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
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.AlreadyPosted.selector, id));
        this.postExternal(poster, round);
        settle(id, round);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.AlreadyPosted.selector, id));
        this.postExternal(poster, round);
        stakeAs(reporter, 1 ether);
        assertNotEq(postAs(reporter, round, 0), id);
    }

    function testThePosterNeedsStakeForEveryOpenCommitment() public {
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0, EXPOSURE));
        this.postExternal(reporter, _round());
        stakeAs(reporter, 2 * EXPOSURE);
        for (uint256 i = 0; i < 2; ++i) {
            postAs(reporter, soloRound(bytes32(i), _deltas(3)), 0);
        }
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 2 * EXPOSURE, 3 * EXPOSURE));
        this.postExternal(reporter, _round());
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
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.BadDepth.selector, 3, 2));
        anchor.post(0, LEAGUE, bytes32(uint256(1)), 4, 3, 0, agents, scores);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.BadDepth.selector, 2, 3));
        anchor.post(0, LEAGUE, bytes32(uint256(1)), 5, 2, 0, agents, scores);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.BadDepth.selector, 1, 0));
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

    // Score claims

    function testAWrongClaimIsSlashedOnce() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        address agent = agents[1];
        vm.expectEmit(address(anchor));
        emit LeagueAnchor.ScoreMismatchProven(id, agent, reporter, 1, 7, 99, PENALTY);
        vm.expectEmit(address(anchor));
        emit LeagueAnchor.AgentDisqualified(id, agent);
        proveAs(reporter, id, round, 1, 99);
        (uint256 active,) = stakeOf(agent);
        assertEq(active, 0.1 ether - PENALTY);
        assertEq(creditOf(reporter), PENALTY / 2);
        assertEq(creditOf(treasury), PENALTY / 2);
        assertTrue(anchor.isDisqualified(id, 1));
        assertFalse(anchor.isDisqualified(id, 0));
        assertEq(anchor.commitmentOf(id).nDisqualified, 1);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.AlreadyDisqualified.selector, agent));
        this.proveExternal(id, round, 5, 98);
    }

    function testTheSecondSeatsClaimIsProvenToo() public {
        Round memory round = _round();
        round.leaves[0].b = 3;
        round.leaves[0].dB = -4;
        bytes32 id = postAs(poster, round, 0);
        LeagueAnchor.ScoreClaim memory claim = claimOf(round, 0, -4);
        claim.agent = agents[3];
        _prove(id, round, claim, abi.encodeWithSelector(LeagueAnchor.ScoresAgree.selector, -4));
        claim.score = 4;
        _prove(id, round, claim, "");
        assertTrue(anchor.isDisqualified(id, 3));
        assertFalse(anchor.isDisqualified(id, 0));
    }

    function testWhoPlaysBothSeatsIsWrongOnlyIfBothDiffer() public {
        Round memory round = _round();
        round.leaves[0].b = 0;
        round.leaves[0].dB = 4;
        bytes32 id = postAs(poster, round, 0);
        LeagueAnchor.ScoreClaim memory claim = claimOf(round, 0, 4);
        _prove(id, round, claim, abi.encodeWithSelector(LeagueAnchor.ScoresAgree.selector, 4));
        claim.score = round.leaves[0].dA;
        _prove(id, round, claim, abi.encodeWithSelector(LeagueAnchor.ScoresAgree.selector, claim.score));
        claim.score = 5;
        _prove(id, round, claim, "");
    }

    function testFuzzAnHonestClaimIsNeverPunished(uint256 index) public {
        Round memory round = _round();
        index = bound(index, 0, round.leaves.length - 1);
        bytes32 id = postAs(poster, round, 0);
        int64 honest = round.leaves[index].dA;
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.ScoresAgree.selector, honest));
        this.proveExternal(id, round, index, honest);
    }

    /// @dev Threat: signature replay - another round, another match, another agent.
    function testAClaimSpeaksOfOneMatchOfOneRound() public {
        Round memory first = _round();
        Round memory second = soloRound(keccak256("other"), _deltas(7));
        postAs(poster, first, 0);
        bytes32 id = postAs(poster, second, 0);
        bytes memory elsewhere = abi.encodeWithSelector(LeagueAnchor.ClaimElsewhere.selector);
        LeagueAnchor.ScoreClaim memory claim = claimOf(first, 1, 99);
        _prove(id, second, 1, claim, sign(claim), elsewhere);
        claim = claimOf(second, 5, 99);
        _prove(id, second, 1, claim, sign(claim), elsewhere);
        claim = claimOf(second, 1, 99);
        claim.agent = agents[2];
        _prove(id, second, 1, claim, sign(claim), elsewhere);
        claim.agent = makeAddr("outsider");
        _prove(id, second, 1, claim, "", elsewhere);
    }

    /// @dev Threat: signature replay - another contract, another chain.
    function testAClaimSpeaksToOneContractOnOneChain() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        LeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        bytes memory refusal = abi.encodeWithSelector(LeagueAnchor.BadSignature.selector, claim.agent);
        LeagueAnchor twin = new LeagueAnchor(admin, vault, WINDOW, EXPOSURE, PENALTY, REPORTER_BPS);
        assertNotEq(twin.hashClaim(claim), anchor.hashClaim(claim));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(claim.agent), twin.hashClaim(claim));
        _prove(id, round, 1, claim, abi.encodePacked(r, s, v), refusal);
        bytes memory signature = sign(claim);
        vm.chainId(block.chainid + 1);
        _prove(id, round, 1, claim, signature, refusal);
        vm.chainId(block.chainid - 1);
        _prove(id, round, 1, claim, signature, "");
    }

    /// @dev Threat: malleable signature, and simply wrong ones.
    function testOnlyTheCanonicalSignatureCounts() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        LeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        bytes memory refusal = abi.encodeWithSelector(LeagueAnchor.BadSignature.selector, claim.agent);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(claim.agent), anchor.hashClaim(claim));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        _prove(id, round, 1, claim, abi.encodePacked(r, order - uint256(s), v ^ 7), refusal);
        _prove(id, round, 1, claim, abi.encodePacked(r, s, v ^ 7), refusal);
        _prove(id, round, 1, claim, abi.encodePacked(r, s), refusal);
        _prove(id, round, 1, claim, "", refusal);
        (v, r, s) = vm.sign(keys[0], anchor.hashClaim(claim));
        _prove(id, round, 1, claim, abi.encodePacked(r, s, v), refusal);
        bytes memory good = sign(claim);
        claim.score = 98; // what was signed is not what is shown
        _prove(id, round, 1, claim, good, refusal);
    }

    function testAContractSignsByErc1271() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        LeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        ContractAgent code = new ContractAgent(anchor.hashClaim(claim));
        vm.etch(claim.agent, address(code).code);
        _prove(id, round, 1, claim, "shut", abi.encodeWithSelector(LeagueAnchor.BadSignature.selector, claim.agent));
        _prove(id, round, 1, claim, "open", "");
        assertTrue(anchor.isDisqualified(id, 1));
    }

    function testAProofNeedsTheRosterAndTheLeaf() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        LeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        bytes memory signature = sign(claim);
        round.leaves[1].dA = 99; // a leaf that was not posted
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(LeagueAnchor.NotIncluded.selector, 1));
        round.leaves[1].dA = 7;
        round.scores[0] += 1;
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(Roster.BadRoster.selector));
        round.scores[0] -= 1;
        address last = agents[3];
        agents.pop();
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(Roster.BadRoster.selector));
        agents.push(last);
        bytes32 unknown = keccak256("unknown");
        _prove(unknown, round, 1, claim, signature, abi.encodeWithSelector(LeagueAnchor.NotOpen.selector, unknown));
        settle(id, round);
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(LeagueAnchor.NotOpen.selector, id));
    }

    /// @dev Threat: exit before slash. Who asks to leave when the round is posted is still there for the proof.
    function testNobodyLeavesBeforeTheProof() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        address agent = agents[1];
        vm.startPrank(agent);
        vault.requestUnbond(0.1 ether);
        vm.warp(block.timestamp + WINDOW);
        vm.expectPartialRevert(IStakeVault.Locked.selector);
        vault.withdraw();
        vm.stopPrank();
        proveAs(reporter, id, round, 1, 99);
        (uint256 active, uint256 pending) = stakeOf(agent);
        assertEq(active, 0);
        assertEq(pending, 0.1 ether - PENALTY);
    }

    function testThePosterCannotLeaveAnOpenCommitment() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        vm.startPrank(poster);
        vault.requestUnbond(1 ether);
        vm.warp(block.timestamp + UNBONDING);
        vm.expectPartialRevert(IStakeVault.Locked.selector);
        vault.withdraw();
        vm.stopPrank();
        settle(id, round);
        vm.prank(poster);
        assertEq(vault.withdraw(), 1 ether);
    }

    // Settlement

    function testSettleWaitsForTheWindow() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        uint256 due = block.timestamp + WINDOW;
        vm.warp(due - 1);
        uint16[] memory order = orderOf(round.scores);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.WindowOpen.selector, due));
        anchor.settle(id, agents, round.scores, order);
        vm.warp(due);
        anchor.settle(id, agents, round.scores, order);
        assertEq(exposureOf(poster), 0);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.NotOpen.selector, id));
        anchor.settle(id, agents, round.scores, order);
    }

    function testSettleChecksRosterAndOrder() public {
        Round memory round = scoredRound(LEAGUE, _scores(5, 9, 5, 2));
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
        Round memory round = scoredRound(LEAGUE, _scores(5, 9, 5, 2));
        bytes32 id = postAs(poster, round, 1001);
        // weights 4 | 3 + 2 shared by two | 1, of 10
        uint256 paid = 400 + 2 * 250 + 100;
        vm.warp(block.timestamp + WINDOW);
        vm.expectEmit(address(anchor));
        emit LeagueAnchor.Settled(id, paid, 1001 - paid);
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
        Round memory round = scoredRound(LEAGUE, _scores(5, 9, 5, 2));
        bytes32 id = postAs(poster, round, 600);
        proveAs(reporter, id, round, 1, 10);
        settle(id, round);
        // weights 3 + 2 shared by two | 1, of 6
        _claim(id, round, 0, 250);
        _claim(id, round, 2, 250);
        _claim(id, round, 3, 100);
        assertEq(anchor.payoutOf(id, agents, round.scores, 1), 0);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.NothingToPay.selector, agents[1]));
        anchor.claimPayout(id, agents, round.scores, 1);
    }

    function testWithoutActiveAgentsThePotReturns() public {
        Round memory round = scoredRound(LEAGUE, _scores(5, 9, 5, 2));
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
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.NotSettled.selector, id));
        anchor.claimPayout(id, agents, round.scores, 0);
        settle(id, round);
        assertFalse(anchor.isClaimed(id, 0));
        anchor.claimPayout(id, agents, round.scores, 0);
        assertTrue(anchor.isClaimed(id, 0));
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.AlreadyClaimed.selector, agents[0]));
        anchor.claimPayout(id, agents, round.scores, 0);
        vm.expectRevert(Roster.BadRoster.selector);
        anchor.claimPayout(id, agents, round.scores, 4);
        round.scores[1] += 1;
        vm.expectRevert(Roster.BadRoster.selector);
        anchor.claimPayout(id, agents, round.scores, 1);
    }

    /// @dev Sum and single payouts come from two loops: they agree, whatever the scores and the order of ties.
    function testFuzzPayoutsAddUpToTheSettledSum(uint96 pot, int8[4] memory scores, uint8 disqualified) public {
        int64[] memory wide = _scores(scores[0], scores[1], scores[2], scores[3]);
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
        vm.expectRevert(Pausable.EnforcedPause.selector);
        this.postExternal(poster, soloRound("2", _deltas(3)));
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
        postAs(poster, soloRound("2", _deltas(3)), 0);
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
        vm.expectRevert(LeagueAnchor.InvalidParameters.selector);
        new LeagueAnchor(admin, vault, 0, EXPOSURE, PENALTY, REPORTER_BPS);
        vm.expectRevert(LeagueAnchor.InvalidParameters.selector);
        new LeagueAnchor(admin, vault, WINDOW, 0, PENALTY, REPORTER_BPS);
        vm.expectRevert(LeagueAnchor.InvalidParameters.selector);
        new LeagueAnchor(admin, vault, WINDOW, EXPOSURE, PENALTY, 5001);
        StakeVault hasty = new StakeVault(admin, treasury, UNBONDING - 1);
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.UnbondingTooShort.selector, UNBONDING - 1, UNBONDING));
        new LeagueAnchor(admin, hasty, WINDOW, EXPOSURE, PENALTY, REPORTER_BPS);
    }

    // Helpers; the external ones give expectRevert one call to watch.

    function postExternal(address from, Round memory round) external {
        postAs(from, round, 0);
    }

    function proveExternal(bytes32 id, Round memory round, uint256 index, int64 score) external {
        proveAs(reporter, id, round, index, score);
    }

    function _prove(bytes32 id, Round memory round, LeagueAnchor.ScoreClaim memory claim, bytes memory refusal)
        private
    {
        _prove(id, round, claim.index, claim, sign(claim), refusal);
    }

    function _prove(
        bytes32 id,
        Round memory round,
        uint256 index,
        LeagueAnchor.ScoreClaim memory claim,
        bytes memory signature,
        bytes memory refusal
    ) private {
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        if (refusal.length != 0) vm.expectRevert(refusal);
        vm.prank(reporter);
        anchor.proveScoreMismatch(id, agents, round.scores, round.leaves[index], proof, claim, signature);
    }

    function _claim(bytes32 id, Round memory round, uint256 index, uint256 expected) private {
        uint256 before = creditOf(agents[index]);
        vm.expectEmit(address(anchor));
        emit LeagueAnchor.PayoutClaimed(id, agents[index], expected);
        assertEq(anchor.claimPayout(id, agents, round.scores, index), expected);
        assertEq(creditOf(agents[index]) - before, expected);
    }

    function _expectBadOrder(bytes32 id, Round memory round, uint16[] memory order, uint256 position) private {
        vm.expectRevert(abi.encodeWithSelector(LeagueAnchor.BadOrder.selector, position));
        anchor.settle(id, agents, round.scores, order);
    }

    function _round() private view returns (Round memory) {
        return soloRound(LEAGUE, _deltas(7));
    }

    /// @dev 0, 7, 14, ...: match 1 is played by agent 1 and scores 7.
    function _deltas(uint256 n) private pure returns (int64[] memory deltas) {
        deltas = new int64[](n);
        for (uint256 i = 0; i < n; ++i) {
            deltas[i] = int64(uint64(7 * i));
        }
    }

    function _scores(int64 a, int64 b, int64 c, int64 d) private pure returns (int64[] memory scores) {
        scores = new int64[](4);
        (scores[0], scores[1], scores[2], scores[3]) = (a, b, c, d);
    }

    function _order(uint16 a, uint16 b, uint16 c, uint16 d) private pure returns (uint16[] memory order) {
        order = new uint16[](4);
        (order[0], order[1], order[2], order[3]) = (a, b, c, d);
    }
}
