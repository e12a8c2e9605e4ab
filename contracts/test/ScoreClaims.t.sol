// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {Roster} from "../src/libraries/Roster.sol";
import {LeagueFixture} from "./helpers/LeagueFixture.sol";
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

contract ScoreClaimsTest is LeagueFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        for (uint256 i = 0; i < agents.length; ++i) {
            stakeAs(agents[i], 0.1 ether);
        }
    }

    /// @dev The proof disqualifies at once; the money waits until the round stands.
    function testAWrongClaimIsProvenOnceAndPaidForOnce() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 1 ether);
        address agent = agents[1];
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.ScoreMismatchProven(id, agent, reporter, 1, 7, 99);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.AgentDisqualified(id, agent);
        proveAs(reporter, id, round, 1, 99);
        assertTrue(anchor.isDisqualified(id, 1));
        assertFalse(anchor.isDisqualified(id, 0));
        assertEq(anchor.commitmentOf(id).nDisqualified, 1);
        assertEq(anchor.reporterOf(id, agent), reporter);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.AlreadyDisqualified.selector, agent));
        this.proveExternal(id, round, 5, 98);
        (uint256 active,) = stakeOf(agent);
        assertEq(active, 0.1 ether);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotSettled.selector, id));
        anchor.collectPenalty(id, agent);
        settle(id, round);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NoPenalty.selector, agents[0]));
        anchor.collectPenalty(id, agents[0]);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.PenaltyCollected(id, agent, reporter, PENALTY);
        assertEq(anchor.collectPenalty(id, agent), PENALTY);
        (active,) = stakeOf(agent);
        assertEq(active, 0.1 ether - PENALTY);
        assertEq(creditOf(reporter), PENALTY / 2);
        assertEq(creditOf(treasury), PENALTY / 2);
        assertEq(anchor.reporterOf(id, agent), address(0));
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NoPenalty.selector, agent));
        anchor.collectPenalty(id, agent);
    }

    function testTheSecondSeatsClaimIsProvenToo() public {
        Round memory round = _round();
        round.leaves[0].b = 3;
        round.leaves[0].dB = -4;
        bytes32 id = postAs(poster, round, 0);
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, 0, -4);
        claim.agent = agents[3];
        _prove(id, round, claim, abi.encodeWithSelector(ILeagueAnchor.ScoresAgree.selector, -4));
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
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, 0, 4);
        _prove(id, round, claim, abi.encodeWithSelector(ILeagueAnchor.ScoresAgree.selector, 4));
        claim.score = round.leaves[0].dA;
        _prove(id, round, claim, abi.encodeWithSelector(ILeagueAnchor.ScoresAgree.selector, claim.score));
        claim.score = 5;
        _prove(id, round, claim, "");
    }

    function testFuzzAnHonestClaimIsNeverPunished(uint256 index) public {
        Round memory round = _round();
        index = bound(index, 0, round.leaves.length - 1);
        bytes32 id = postAs(poster, round, 0);
        int64 honest = round.leaves[index].dA;
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.ScoresAgree.selector, honest));
        this.proveExternal(id, round, index, honest);
    }

    /// @dev Threat: signature replay - another round, another match, another agent.
    function testAClaimSpeaksOfOneMatchOfOneRound() public {
        Round memory first = _round();
        Round memory second = soloRound(keccak256("other"), deltasOf(7));
        postAs(poster, first, 0);
        bytes32 id = postAs(poster, second, 0);
        bytes memory elsewhere = abi.encodeWithSelector(ILeagueAnchor.ClaimElsewhere.selector);
        ILeagueAnchor.ScoreClaim memory claim = claimOf(first, 1, 99);
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
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        bytes memory refusal = abi.encodeWithSelector(ILeagueAnchor.BadSignature.selector, claim.agent);
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
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        bytes memory refusal = abi.encodeWithSelector(ILeagueAnchor.BadSignature.selector, claim.agent);
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
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        ContractAgent code = new ContractAgent(anchor.hashClaim(claim));
        vm.etch(claim.agent, address(code).code);
        _prove(id, round, 1, claim, "shut", abi.encodeWithSelector(ILeagueAnchor.BadSignature.selector, claim.agent));
        _prove(id, round, 1, claim, "open", "");
        assertTrue(anchor.isDisqualified(id, 1));
    }

    function testAProofNeedsTheRosterAndTheLeaf() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        ILeagueAnchor.ScoreClaim memory claim = claimOf(round, 1, 99);
        bytes memory signature = sign(claim);
        round.leaves[1].dA = 99; // a leaf that was not posted
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(ILeagueAnchor.NotIncluded.selector, 1));
        round.leaves[1].dA = 7;
        round.scores[0] += 1;
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(Roster.BadRoster.selector));
        round.scores[0] -= 1;
        address last = agents[3];
        agents.pop();
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(Roster.BadRoster.selector));
        agents.push(last);
        bytes32 unknown = keccak256("unknown");
        _prove(unknown, round, 1, claim, signature, abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, unknown));
        settle(id, round);
        _prove(id, round, 1, claim, signature, abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, id));
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
        settle(id, round);
        anchor.collectPenalty(id, agent);
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

    function proveExternal(bytes32 id, Round memory round, uint256 index, int64 score) external {
        proveAs(reporter, id, round, index, score);
    }

    function _prove(bytes32 id, Round memory round, ILeagueAnchor.ScoreClaim memory claim, bytes memory refusal)
        private
    {
        _prove(id, round, claim.index, claim, sign(claim), refusal);
    }

    function _prove(
        bytes32 id,
        Round memory round,
        uint256 index,
        ILeagueAnchor.ScoreClaim memory claim,
        bytes memory signature,
        bytes memory refusal
    ) private {
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        if (refusal.length != 0) vm.expectRevert(refusal);
        vm.prank(reporter);
        anchor.proveScoreMismatch(id, agents, round.scores, round.leaves[index], proof, claim, signature);
    }

    function _round() private view returns (Round memory) {
        return soloRound(LEAGUE, deltasOf(7));
    }
}
