// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {INeuralConsensus} from "../src/interfaces/INeuralConsensus.sol";
import {ConsensusFixture} from "./helpers/ConsensusFixture.sol";
import {NaivePositions} from "./helpers/NaivePositions.sol";

/// @notice Gas of whole transactions: isolated, each call is one, with its 21,000 and its calldata (16 a byte, 4 a zero
///         byte). Where the floor of EIP-7623 (40 and 10 a byte) would be higher, the floor is what counts.
/// forge-config: default.isolate = true
contract NeuralGasTest is ConsensusFixture, Test {
    uint256 private constant BATCH = 64;

    NaivePositions private naive;

    function setUp() public {
        deployConsensus(BATCH);
        naive = new NaivePositions();
        // Not the first of the contract's life: what everybody shares is there.
        _naive(BATCH - 1, 8);
        open("warm", 8, INeuralConsensus.Tier.Slots);
    }

    function testRuntimeCodeStaysSmall() public view {
        assertLe(address(consensus).code.length, 20_000);
    }

    function testPositions8() public {
        _compare(8, 11, 28, 410_511);
    }

    function testPositions32() public {
        _compare(32, 23, 52, 948_294);
    }

    function testPositions128() public {
        _compare(128, 55, 95, 3_099_377);
    }

    function _compare(uint256 dims, uint256 slotsTimes, uint256 accumulatorTimes, uint256 prototype) private {
        string memory d = string.concat(" d=", vm.toString(dims));
        uint256 plain = _naive(0, dims);
        vm.snapshotValue("neural", string.concat("position, naive", d), plain);
        vm.snapshotValue("neural", string.concat("position, own transaction", d), _single(dims));
        vm.snapshotValue("neural", string.concat("position, signed by itself", d), _signed(dims));
        uint256 slots = _batch("slots", dims, INeuralConsensus.Tier.Slots);
        vm.snapshotValue("neural", string.concat("position, batch of 64, slots", d), slots);
        uint256 accumulator = _batch("accumulator", dims, INeuralConsensus.Tier.Accumulator);
        vm.snapshotValue("neural", string.concat("position, batch of 64, accumulator", d), accumulator);
        // The first prototype of the plain way kept a little less: compare with the cheaper of the two.
        if (prototype < plain) plain = prototype;
        assertGe(plain, slotsTimes * slots, "slots");
        assertGe(plain, accumulatorTimes * accumulator, "accumulator");
    }

    function _naive(uint256 who, uint256 dims) private returns (uint256) {
        Word memory word = words(who + 1, dims)[who];
        bytes32 digest = naive.digestOf(agents[who], word.position, word.confidence, TASK, naive.nonces(agents[who]));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[who], digest);
        bytes memory signature = abi.encodePacked(r, s, v);
        naive.submitPosition(agents[who], word.position, word.confidence, TASK, signature);
        return
            _used(abi.encodeCall(naive.submitPosition, (agents[who], word.position, word.confidence, TASK, signature)));
    }

    function _single(uint256 dims) private returns (uint256) {
        bytes32 task = keccak256(abi.encode("single", dims));
        open(task, dims, INeuralConsensus.Tier.Slots);
        Word memory word = words(1, dims)[0];
        submit(task, word);
        return _used(
            abi.encodeWithSignature(
                "submitPosition(address,uint256[],uint256,bytes32)", agents[0], word.position, word.confidence, task
            )
        );
    }

    function _signed(uint256 dims) private returns (uint256) {
        bytes32 task = keccak256(abi.encode("signed", dims));
        open(task, dims, INeuralConsensus.Tier.Slots);
        Word memory word = words(1, dims)[0];
        bytes memory packed = entry(task, word, deadline());
        consensus.submitPositions(task, deadline(), packed);
        return _used(abi.encodeCall(consensus.submitPositions, (task, deadline(), packed)));
    }

    function _batch(string memory name, uint256 dims, INeuralConsensus.Tier tier) private returns (uint256) {
        bytes32 task = keccak256(abi.encode(name, dims));
        open(task, dims, tier);
        bytes memory packed = batch(task, words(BATCH, dims), deadline());
        assertEq(consensus.submitPositions(task, deadline(), packed), BATCH);
        return _used(abi.encodeCall(consensus.submitPositions, (task, deadline(), packed))) / BATCH;
    }

    function testARound() public {
        Word[] memory all = words(8, 8);
        open(TASK, 8, INeuralConsensus.Tier.Slots);
        vm.snapshotGasLastCall("neural", "createTask");
        submitAll(TASK, all);
        pass();
        Proof memory proof = proofOf(TASK, all);
        prove(TASK, proof);
        assertLe(vm.snapshotGasLastCall("neural", "proveEquilibrium n=8 d=8, slots"), 160_000);
        finalize(TASK);
        vm.snapshotGasLastCall("neural", "finalizeConsensus d=8");
        consensus.creditReputation(TASK, proof.heads, proof.values);
        vm.snapshotGasLastCall("neural", "creditReputation n=8 d=8");
        bytes32 task = keccak256("cheap");
        open(task, 8, INeuralConsensus.Tier.Accumulator);
        submitAll(task, all);
        pass();
        prove(task, proofOf(task, all));
        assertLe(vm.snapshotGasLastCall("neural", "proveEquilibrium n=8 d=8, accumulator"), 160_000);
    }

    /// @dev 64 agents and 64 coordinates: what a round of size costs to certify.
    function testALargeRound() public {
        Word[] memory all = words(BATCH, 64);
        for (uint256 t = 0; t < 2; ++t) {
            bytes32 task = keccak256(abi.encode("large", t));
            open(task, 64, INeuralConsensus.Tier(t));
            submitAll(task, all);
            vm.warp(consensus.taskOf(task).deadline);
            prove(task, proofOf(task, all));
            string memory tier = t == 0 ? "slots" : "accumulator";
            vm.snapshotGasLastCall("neural", string.concat("proveEquilibrium n=64 d=64, ", tier));
        }
    }

    function testAnAgentsLife() public {
        // The reporter's and the agent's first time, not the chain's.
        _convict(1, makeAddr("another reporter"));
        _convict(0, reporter);
        assertLe(vm.snapshotGasLastCall("neural", "proveEquivocation"), 175_000);
        address agent = makeAddr("newcomer");
        vm.deal(agent, 1 ether);
        vm.startPrank(agent);
        vault.stake{value: RISK}();
        consensus.register("model");
        vm.snapshotGasLastCall("neural", "register");
        consensus.deregister();
        vm.snapshotGasLastCall("neural", "deregister");
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        consensus.release();
        vm.snapshotGasLastCall("neural", "release");
        vm.stopPrank();
    }

    function _convict(uint256 who, address by) private {
        Word memory word = words(who + 1, 8)[who];
        INeuralConsensus.Position memory a = message(TASK, word, 1, 0, deadline());
        word.position[0] += 1;
        INeuralConsensus.Position memory b = message(TASK, word, 1, 0, deadline());
        bytes memory signatureA = sign(a, who);
        bytes memory signatureB = sign(b, who);
        vm.prank(by);
        consensus.proveEquivocation(a, signatureA, b, signatureB);
    }

    /// @dev What the last call cost as a transaction.
    function _used(bytes memory data) private returns (uint256 used) {
        used = vm.lastCallGas().gasTotalUsed;
        uint256 tokens;
        for (uint256 i = 0; i < data.length; ++i) {
            tokens += data[i] == 0 ? 1 : 4;
        }
        uint256 floor = 21_000 + 10 * tokens;
        assertGt(used, 21_000 + 4 * tokens, "calldata is in it");
        if (floor > used) used = floor;
    }
}
