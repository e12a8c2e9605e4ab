// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {IProofOfLearning} from "../src/interfaces/IProofOfLearning.sol";
import {LearningFixture} from "./helpers/LearningFixture.sol";

/// @notice Gas of whole transactions: isolated, each call is one, with its 21,000 and its calldata.
/// forge-config: default.isolate = true
contract LearningGasTest is LearningFixture, Test {
    function setUp() public {
        deployLearning();
        openLearning(16);
        // Not the first of the chain's life, the reporter's or the treasury's.
        _slash(15, "warm");
        depositBy(opener, accountOf(16), 16);
        passEras(3);
        IProofOfLearning.Header memory header = propose(4 * EPOCH);
        learning.finalize(header, votes(header, 11));
        assertEq(setSize(), 16);
    }

    function testRuntimeCodeStaysSmall() public view {
        assertLe(address(learning).code.length, 20_000);
        assertLe(address(pol).code.length, 20_000);
    }

    function testStakes() public {
        openNamed("another", 16);
        vm.snapshotGasLastCall("learning", "openChain");
        fund(accountOf(17));
        vm.prank(accountOf(17));
        learning.deposit(chain, blsKeys(17));
        vm.snapshotGasLastCall("learning", "deposit");
        depositBy(opener, accountOf(18), 18);
        vm.snapshotGasLastCall("learning", "depositFor");
        vm.prank(accountOf(3));
        learning.requestExit(chain, 3);
        vm.snapshotGasLastCall("learning", "requestExit");
        passEras(2);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        vm.prank(accountOf(3));
        learning.withdraw(chain, 3);
        vm.snapshotGasLastCall("learning", "withdraw");
        vm.prank(witness);
        learning.claimCredit();
        vm.snapshotGasLastCall("learning", "claimCredit");
    }

    function testCheckpoints() public {
        IProofOfLearning.Header memory header = headerOf(4 * EPOCH + 1);
        learning.propose(header, signHeader(header));
        vm.snapshotGasLastCall("learning", "propose, same epoch");
        header = headerOf(5 * EPOCH);
        learning.propose(header, signHeader(header));
        vm.snapshotGasLastCall("learning", "propose, next epoch");
        learning.finalize(header, votes(header, 11));
        assertLe(vm.snapshotGasLastCall("learning", "finalize, 11 of 16 sign"), 135_000);
        header = propose(6 * EPOCH);
        learning.finalize(header, votes(header, 16));
        assertLe(vm.snapshotGasLastCall("learning", "finalize, 16 of 16 sign"), 135_000);
    }

    function testALargeSet() public {
        openLearning(128);
        IProofOfLearning.Header memory header = propose(1);
        learning.finalize(header, votes(header, 86));
        vm.snapshotGasLastCall("learning", "finalize, 86 of 128 sign");
    }

    function testSlashings() public {
        _slash(4, "one");
        vm.snapshotGasLastCall("learning", "slashReported, 11 of 16 sign");
        IProofOfLearning.Header memory a = headerBy(99, 5);
        IProofOfLearning.Header memory b = headerBy(99, 5);
        b.root = "other";
        (bytes memory first, bytes memory second) = (signHeader(a), signHeader(b));
        vm.prank(witness);
        learning.slashProposer(a, first, b, second);
        vm.snapshotGasLastCall("learning", "slashProposer");
        IProofOfLearning.Ack memory yes = ackBy(6, true);
        IProofOfLearning.Ack memory no = ackBy(6, false);
        (first, second) = (signAck(yes), signAck(no));
        vm.prank(witness);
        learning.slashOppositeAcks(yes, first, no, second);
        vm.snapshotGasLastCall("learning", "slashOppositeAcks");
    }

    function _slash(uint256 i, bytes32 evidence) private {
        IProofOfLearning.Verdict memory found = verdictOn(i, IProofOfLearning.Offence.DoubleVote, evidence);
        bytes memory said = verdict(found, 11);
        vm.prank(witness);
        learning.slashReported(found, said);
    }
}
