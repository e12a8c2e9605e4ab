// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {NeuralConsensus} from "../src/NeuralConsensus.sol";
import {INeuralConsensus} from "../src/interfaces/INeuralConsensus.sol";
import {ConsensusFixture} from "./helpers/ConsensusFixture.sol";

/// @notice Two words of one agent for one round convict it; nothing else does.
contract EquivocationTest is ConsensusFixture, Test {
    function setUp() public {
        deployConsensus(5);
        open(TASK, 2, INeuralConsensus.Tier.Slots);
    }

    function testEvidenceSlashesBansAndExcludes() public {
        Word[] memory all = words(5, 2);
        submitAll(TASK, all);
        address agent = agents[1];
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.EquivocationProven(agent, TASK, 3, reporter, PENALTY);
        _convict(TASK, 1, 3, 0);
        (uint256 active,,,, uint256 exposure, uint256 slashed) = vault.accountOf(agent);
        assertEq(active, RISK - PENALTY);
        assertEq(exposure, 0);
        assertEq(slashed, PENALTY);
        assertEq(_credit(reporter), PENALTY / 2);
        assertEq(_credit(treasury), PENALTY / 2);
        assertTrue(consensus.agentOf(agent).banned);
        assertTrue(consensus.excluded(TASK, agent));
        assertFalse(consensus.excluded("other", agent));
        vm.startPrank(agent);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.AgentBanned.selector, agent));
        consensus.register("again");
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, agent));
        consensus.release();
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, agent));
        consensus.deregister();
        vm.stopPrank();
        open("next", 2, INeuralConsensus.Tier.Slots);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.PositionRejected("next", agent, INeuralConsensus.Reason.NotRegistered);
        submitAll("next", all);
    }

    /// @dev Its position stays committed and counts nothing: the equilibrium is that of the others.
    function testTheExcludedWeighNothingInSlots() public {
        _excludedWeighNothing(INeuralConsensus.Tier.Slots);
    }

    function testTheExcludedWeighNothingInTheAccumulator() public {
        _excludedWeighNothing(INeuralConsensus.Tier.Accumulator);
    }

    function _excludedWeighNothing(INeuralConsensus.Tier tier) private {
        open("task", 2, tier);
        Word[] memory all = words(5, 2);
        submitAll("task", all);
        Proof memory whole = proofOf("task", all);
        assertEq(whole.total, 500);
        _convict("task", 2, 1, 0);
        pass();
        vm.expectPartialRevert(INeuralConsensus.ResidualTooLarge.selector);
        prove("task", whole);
        Proof memory proof = proofOf("task", all);
        assertEq(proof.total, 400);
        // Who is left out cannot be left away.
        Proof memory rest = proofOf("task", _without(all, 2));
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotReady.selector, bytes32("task")));
        prove("task", rest);
        vm.expectEmit(true, true, false, false, address(consensus));
        emit INeuralConsensus.CertificateVerified("task", address(this), 0, 0);
        prove("task", proof);
        assertEq(abi.encode(rest.aggregate), abi.encode(proof.aggregate));
        finalize("task");
        consensus.creditReputation("task", proof.heads, proof.values);
        assertEq(consensus.agentReputation(agents[2]), 100);
        uint256 changed;
        for (uint256 i = 0; i < 5; ++i) {
            if (consensus.agentReputation(agents[i]) != 100) ++changed;
        }
        assertGe(changed, 2);
    }

    /// @dev What is certified with the position of somebody convicted is certified no longer, unless it is final.
    function testACertificateIsRevoked() public {
        Word[] memory all = words(4, 2);
        submitAll(TASK, all);
        pass();
        prove(TASK, proofOf(TASK, all));
        // Somebody who took no part changes nothing.
        _convict(TASK, 4, 1, 0);
        assertTrue(consensus.taskOf(TASK).status == INeuralConsensus.Status.Certified);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.CertificateRevoked(TASK, agents[0]);
        _convict(TASK, 0, 1, 0);
        assertTrue(consensus.taskOf(TASK).status == INeuralConsensus.Status.Open);
        (uint256[] memory result, bool converged) = consensus.computeNashEquilibrium(TASK);
        assertEq(result.length, 0);
        assertFalse(converged);
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotReady.selector, TASK));
        consensus.finalizeConsensus(TASK, result);
        Proof memory proof = proofOf(TASK, all);
        assertEq(proof.total, 300);
        prove(TASK, proof);
        finalize(TASK);
        (result,) = consensus.getConsensusResult(TASK);
        _convict(TASK, 1, 1, 0);
        (uint256[] memory still, bool finalized) = consensus.getConsensusResult(TASK);
        assertTrue(finalized);
        assertEq(still, result);
    }

    /// @dev The excluded do not count for the quorum; without it the task can be ended.
    function testWithoutTheConvictedTheQuorumMayBeMissed() public {
        open("three", 2, INeuralConsensus.Tier.Accumulator, KAPPA, EPS, 3);
        Word[] memory all = words(3, 2);
        submitAll("three", all);
        pass();
        prove("three", proofOf("three", all));
        _convict("three", 2, 1, 0);
        Proof memory proof = proofOf("three", all);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotReady.selector, bytes32("three")));
        prove("three", proof);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.TaskVoided("three", 2, 3);
        consensus.voidTask("three");
    }

    /// @dev An agent loses its penalty once; evidence of further tasks only takes its positions out.
    function testFurtherEvidenceOnlyExcludes() public {
        Word[] memory all = words(5, 2);
        open("second", 2, INeuralConsensus.Tier.Accumulator);
        submitAll(TASK, all);
        submitAll("second", all);
        _convict(TASK, 1, 1, 0);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.EquivocationProven(agents[1], "second", 1, reporter, 0);
        _convict("second", 1, 1, 0);
        assertTrue(consensus.excluded("second", agents[1]));
        (,,,,, uint256 slashed) = vault.accountOf(agents[1]);
        assertEq(slashed, PENALTY);
        _refuse(TASK, 1, 2, 0, abi.encodeWithSelector(INeuralConsensus.AlreadyProven.selector, TASK, agents[1]));
    }

    /// @dev Evidence of the negotiation comes before the task is on chain.
    function testEvidenceMayComeBeforeTheTask() public {
        _convict("not yet", 1, 1, 0);
        assertTrue(consensus.agentOf(agents[1]).banned);
        open("not yet", 2, INeuralConsensus.Tier.Slots);
        Word[] memory all = _without(words(5, 2), 1);
        submitAll("not yet", all);
        pass();
        prove("not yet", proofOf("not yet", all));
    }

    /// @dev Threat: exit before slash. Unbonding and leaving help nothing while the window is open.
    function testNobodyRunsFromTheEvidence() public {
        vm.startPrank(agents[1]);
        vault.requestUnbond(RISK);
        consensus.deregister();
        vm.stopPrank();
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        _convict(TASK, 1, 1, 0);
        (uint256 active, uint256 pending,,,,) = vault.accountOf(agents[1]);
        assertEq(active + pending, RISK - PENALTY);
        vm.warp(vm.getBlockTimestamp() + 7 * WINDOW);
        vm.prank(agents[1]);
        assertEq(vault.withdraw(), RISK - PENALTY);
    }

    /// @dev After the release nothing is at risk any more, but the position still falls.
    function testAfterTheReleaseOnlyThePositionFalls() public {
        open("long", 2, INeuralConsensus.Tier.Slots);
        submitAll("long", words(5, 2));
        vm.startPrank(agents[1]);
        consensus.deregister();
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        consensus.release();
        vm.stopPrank();
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.EquivocationProven(agents[1], "long", 1, reporter, 0);
        _convict("long", 1, 1, 0);
        (uint256 active,,,,, uint256 slashed) = vault.accountOf(agents[1]);
        assertEq(active, RISK);
        assertEq(slashed, 0);
        assertTrue(consensus.excluded("long", agents[1]));
        assertTrue(consensus.agentOf(agents[1]).banned);
    }

    /// @dev Threat: laundering. Who reports itself, with the largest share there is, burns half all the same.
    function testSelfAccusationBurnsHalf() public {
        (INeuralConsensus.Position memory a, INeuralConsensus.Position memory b) = _pair(TASK, 1, 1, 0);
        bytes memory signatureA = sign(a, 1);
        bytes memory signatureB = sign(b, 1);
        vm.prank(agents[1]);
        consensus.proveEquivocation(a, signatureA, b, signatureB);
        assertEq(_credit(agents[1]), PENALTY / 2);
        assertEq(_credit(treasury), PENALTY / 2);
        (uint256 active,,,,,) = vault.accountOf(agents[1]);
        assertEq(active + _credit(agents[1]), RISK - PENALTY / 2);
    }

    /// @dev An honest agent signs the same again with another deadline, or something new after it advanced its nonce, or
    ///      something else in another round or task. Whatever two of these are put together, it is never convicted.
    function testFuzzHonestAgentsAreNeverConvicted(uint256 first, uint256 second, bool swap) public {
        INeuralConsensus.Position[8] memory said;
        Word[] memory all = words(3, 2);
        all[1].who = 0;
        all[2].who = 0;
        said[0] = message(TASK, all[0], 0, 0, 100);
        said[1] = message(TASK, all[0], 0, 0, 200);
        said[2] = message(TASK, all[1], 0, 1, 100);
        said[3] = message(TASK, all[1], 1, 0, 100);
        said[4] = message(TASK, all[2], 1, 1, 100);
        said[5] = message("other", all[1], 0, 0, 100);
        said[6] = message("other", all[2], 2, 0, 100);
        said[7] = message(TASK, all[0], 0, 2, 100);
        first = bound(first, 0, 7);
        second = bound(second, 0, 7);
        if (swap) (first, second) = (second, first);
        bytes memory signatureA = sign(said[first], 0);
        bytes memory signatureB = sign(said[second], 0);
        vm.expectRevert(INeuralConsensus.NotEquivocation.selector);
        consensus.proveEquivocation(said[first], signatureA, said[second], signatureB);
    }

    /// @dev The confidence is part of the word; so is the position; each alone convicts.
    function testAnotherConfidenceIsAnotherWord() public {
        Word memory word = words(1, 2)[0];
        INeuralConsensus.Position memory a = message(TASK, word, 1, 0, 100);
        word.confidence += 1;
        INeuralConsensus.Position memory b = message(TASK, word, 1, 0, 100);
        consensus.proveEquivocation(a, sign(a, 0), b, sign(b, 0));
        assertTrue(consensus.agentOf(agents[0]).banned);
    }

    /// @dev Threat: forged evidence - somebody else's signature, another place's, a malleable one, one for both.
    function testOnlyItsOwnSignaturesConvict() public {
        (INeuralConsensus.Position memory a, INeuralConsensus.Position memory b) = _pair(TASK, 1, 1, 0);
        bytes memory refusal = abi.encodeWithSelector(INeuralConsensus.BadSignature.selector, agents[1]);
        bytes memory good = sign(a, 1);
        _refuse(a, good, b, good, refusal);
        _refuse(a, good, b, sign(b, 2), refusal);
        _refuse(a, sign(a, 2), b, sign(b, 1), refusal);
        _refuse(a, good, b, "", refusal);
        _refuse(a, good, b, new bytes(64), refusal);
        _refuse(a, good, b, new bytes(65), refusal);
        NeuralConsensus twin = new NeuralConsensus(admin, vault, rules());
        _refuse(a, good, b, compact(keys[1], twin.digestOf(b)), refusal);
        vm.chainId(block.chainid + 1);
        bytes memory elsewhere = sign(b, 1);
        vm.chainId(block.chainid - 1);
        _refuse(a, good, b, elsewhere, refusal);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[1], consensus.digestOf(b));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        _refuse(a, good, b, abi.encodePacked(r, order - uint256(s), v ^ 7), refusal);
        b.round = 0;
        _refuse(a, good, b, sign(b, 1), abi.encodeWithSelector(INeuralConsensus.NotEquivocation.selector));
        b.round = 1;
        b.agent = agents[2];
        _refuse(a, good, b, sign(b, 2), abi.encodeWithSelector(INeuralConsensus.NotEquivocation.selector));
        b.agent = agents[1];
        consensus.proveEquivocation(a, good, b, abi.encodePacked(r, s, v));
    }

    function testStrangersHaveNothingToLose() public {
        (address stranger, uint256 key) = makeAddrAndKey("stranger");
        (INeuralConsensus.Position memory a, INeuralConsensus.Position memory b) = _pair(TASK, 1, 1, 0);
        a.agent = b.agent = stranger;
        bytes memory refusal = abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, stranger);
        _refuse(a, compact(key, consensus.digestOf(a)), b, compact(key, consensus.digestOf(b)), refusal);
    }

    /// @dev A message signed with an old nonce convicts all the same: advancing it is no way out.
    function testAdvancingTheNonceIsNoWayOut() public {
        vm.prank(agents[1]);
        consensus.advanceNonce();
        _convict(TASK, 1, 1, 0);
        assertTrue(consensus.agentOf(agents[1]).banned);
    }

    // ----------------------------------------------------------------------------------------------------------------

    function _pair(bytes32 task, uint256 who, uint256 round, uint256 nonce)
        private
        view
        returns (INeuralConsensus.Position memory a, INeuralConsensus.Position memory b)
    {
        Word memory word = words(who + 1, 2)[who];
        a = message(task, word, round, nonce, deadline());
        word.position[0] += 1;
        b = message(task, word, round, nonce, deadline());
    }

    function _convict(bytes32 task, uint256 who, uint256 round, uint256 nonce) private {
        (INeuralConsensus.Position memory a, INeuralConsensus.Position memory b) = _pair(task, who, round, nonce);
        bytes memory signatureA = sign(a, who);
        bytes memory signatureB = sign(b, who);
        vm.prank(reporter);
        consensus.proveEquivocation(a, signatureA, b, signatureB);
    }

    function _refuse(bytes32 task, uint256 who, uint256 round, uint256 nonce, bytes memory refusal) private {
        (INeuralConsensus.Position memory a, INeuralConsensus.Position memory b) = _pair(task, who, round, nonce);
        _refuse(a, sign(a, who), b, sign(b, who), refusal);
    }

    function _refuse(
        INeuralConsensus.Position memory a,
        bytes memory signatureA,
        INeuralConsensus.Position memory b,
        bytes memory signatureB,
        bytes memory refusal
    ) private {
        vm.expectRevert(refusal);
        consensus.proveEquivocation(a, signatureA, b, signatureB);
    }

    function _credit(address account) private view returns (uint256 credit) {
        (,,, credit,,) = vault.accountOf(account);
    }

    function _without(Word[] memory all, uint256 who) private pure returns (Word[] memory rest) {
        rest = new Word[](all.length - 1);
        uint256 next;
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i].who != who) rest[next++] = all[i];
        }
    }
}
