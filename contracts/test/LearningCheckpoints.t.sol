// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {ProofOfLearning} from "../src/ProofOfLearning.sol";
import {IProofOfLearning} from "../src/interfaces/IProofOfLearning.sol";
import {LearningFixture} from "./helpers/LearningFixture.sol";

contract LearningCheckpointsTest is LearningFixture, Test {
    uint256 private constant ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function setUp() public {
        deployLearning();
        openLearning(4);
    }

    // Proposing

    function testTheSlotsProposerPutsAHeaderForward() public {
        IProofOfLearning.Header memory header = headerOf(3);
        header.updateId = "update";
        bytes32 hash = structHash(header);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.Proposed(chain, 3, header.proposer, hash, header.root, "update");
        learning.propose(header, signHeader(header));
        IProofOfLearning.ChainState memory state = learning.chainOf(chain);
        assertEq(state.headSlot, 3);
        assertEq(state.head, hash);
        assertEq(learning.headerAt(chain, 3), hash);
        assertEq(learning.headerAt(chain, 2), 0);
        assertEq(state.era, 0);
        assertEq(state.finalSlot, 0);
    }

    function testTheHeadsSlotRises(uint64 first, uint64 second) public {
        first = uint64(bound(first, 1, 1e6));
        second = uint64(bound(second, 0, first));
        propose(first);
        IProofOfLearning.Header memory header = headerBy(second, 0);
        bytes memory signature = signHeader(header);
        bytes memory reason = abi.encodeWithSelector(IProofOfLearning.SlotNotRising.selector, second, first);
        vm.expectRevert(reason);
        learning.propose(header, signature);
        vm.expectRevert(reason);
        learning.proposerOf(chain, second);
        propose(first + 1);
        assertEq(learning.chainOf(chain).headSlot, first + 1);
    }

    function testNobodyElseProposes(uint256 which) public {
        IProofOfLearning.Header memory header = headerOf(5);
        uint256 expected = header.proposer;
        uint256 other = (expected + 1 + which % 3) % 4;
        bytes memory signature = signBy(other, learning.digestOfHeader(header));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, expected));
        learning.propose(header, signature);
        header.proposer = uint32(other);
        signature = signHeader(header);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotProposer.selector, other, expected));
        learning.propose(header, signature);
    }

    function testASignatureIsOfThisHeaderHereAndNowhereElse() public {
        IProofOfLearning.Header memory header = headerOf(5);
        bytes memory signature = signHeader(header);
        ProofOfLearning elsewhere = new ProofOfLearning(chief, pol, chest, learningRules());
        _refuseProposal(header, signBy(header.proposer, elsewhere.digestOfHeader(header)));
        vm.chainId(block.chainid + 1);
        _refuseProposal(header, signature);
        vm.chainId(block.chainid - 1);
        _refuseProposal(header, new bytes(65));
        _refuseProposal(header, new bytes(64));
        _refuseProposal(header, "");
        IProofOfLearning.Header memory changed = headerOf(5);
        changed.modelRoot = "other";
        _refuseProposal(changed, signature);
        learning.propose(header, signature);
    }

    function testBothFormsOfASignatureAndNoMalleableOne() public {
        IProofOfLearning.Header memory header = headerOf(5);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(header.proposer), learning.digestOfHeader(header));
        _refuseProposal(header, abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27)));
        learning.propose(header, abi.encodePacked(r, uint256(s) | uint256(v - 27) << 255));
    }

    function _refuseProposal(IProofOfLearning.Header memory header, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, header.proposer));
        learning.propose(header, signature);
    }

    function testASlotWaitsForItsTime(uint64 slot) public {
        slot = uint64(bound(slot, 1, 1e6));
        IProofOfLearning.ChainSpec memory timed = spec("timed", 1);
        timed.genesisTime = uint64(vm.getBlockTimestamp() + 100);
        timed.secondsPerSlot = 12;
        vm.prank(opener);
        chain = learning.openChain(timed);
        depositBy(opener, accountOf(0), 0);
        IProofOfLearning.Header memory header = headerOf(slot);
        bytes memory signature = signHeader(header);
        uint256 due = uint256(timed.genesisTime) + 12 * uint256(slot);
        vm.warp(due - 1);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.SlotInFuture.selector, slot));
        learning.propose(header, signature);
        vm.warp(due);
        learning.propose(header, signature);
        IProofOfLearning.ChainState memory state = learning.chainOf(chain);
        assertEq(state.genesisTime, timed.genesisTime);
        assertEq(state.secondsPerSlot, 12);
    }

    // Sets

    function testAnEpochWithAHeaderBeginsAnEra() public {
        propose(EPOCH - 1);
        assertEq(learning.chainOf(chain).era, 0);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.EraBegan(chain, 1, 4);
        propose(EPOCH);
        propose(2 * EPOCH - 1);
        assertEq(learning.chainOf(chain).era, 1);
        propose(7 * EPOCH + 3);
        assertEq(learning.chainOf(chain).era, 2);
    }

    /// @dev Neither by coming nor by asking to leave can anybody change who proposes in this epoch or the next.
    function testTheSetOfAnEpochIsFixedBeforeItBegins(uint64 slot) public {
        propose(EPOCH);
        slot = uint64(bound(slot, EPOCH + 1, 3 * EPOCH - 1));
        IProofOfLearning.Header memory before = headerOf(slot);
        join(4);
        vm.prank(accountOf(0));
        learning.requestExit(chain, 0);
        assertFalse(learning.inSet(chain, 4));
        assertTrue(learning.inSet(chain, 0));
        assertEq(setSize(), 4);
        // The draw is over all that ever came, so that it may fall on another member, but on a member.
        uint256 now_ = learning.proposerOf(chain, slot);
        assertLt(now_, 4);
        if (now_ == before.proposer) learning.propose(before, signHeader(before));
        passEras(2);
        assertTrue(learning.inSet(chain, 4));
        assertFalse(learning.inSet(chain, 0));
        assertEq(setSize(), 4);
    }

    function testProposersAreMembersAndAllAreDrawn() public {
        openNamed("x", 1);
        join(4);
        vm.prank(accountOf(1));
        learning.requestExit(chain, 1);
        passEras(2);
        uint256[5] memory drawn;
        uint64 head = learning.chainOf(chain).headSlot;
        for (uint64 i = 1; i <= 200; ++i) {
            ++drawn[learning.proposerOf(chain, head + i)];
        }
        assertEq(drawn[1], 0);
        for (uint256 i = 0; i < 5; ++i) {
            if (i != 1) assertTrue(drawn[i] > 25 && drawn[i] < 85, "each is as likely as any other");
        }
    }

    /// @dev A header of a later epoch is of the next era's set: who joins with it proposes in it.
    function testTheNextErasSetProposesInTheNextEpoch() public {
        chain = openNamed("one", 1);
        depositBy(opener, accountOf(0), 0);
        vm.prank(accountOf(0));
        learning.requestExit(chain, 0);
        join(1);
        propose(EPOCH);
        assertEq(learning.proposerOf(chain, 2 * EPOCH - 1), 0);
        for (uint64 slot = 2 * EPOCH; slot < 4 * EPOCH; ++slot) {
            assertEq(learning.proposerOf(chain, slot), 1);
        }
    }

    // Finality

    function testMoreThanTwoThirdsFinalise() public {
        IProofOfLearning.Header memory header = propose(3);
        bytes memory three = votes(header, 3);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.Finalized(chain, 3, structHash(header), header.root, "model", 3, 4);
        learning.finalize(header, three);
        IProofOfLearning.ChainState memory state = learning.chainOf(chain);
        assertEq(state.finalSlot, 3);
        assertEq(state.finalHeader, structHash(header));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.SlotNotRising.selector, 3, 3));
        learning.finalize(header, three);
    }

    /// @dev Nothing is final at two thirds or less, whatever the size of the set.
    function testNothingIsFinalAtTwoThirds(uint8 size, uint8 signers) public {
        uint256 n = bound(size, 1, 24);
        uint256 k = bound(signers, 0, n);
        chain = openNamed("sized", uint32(n));
        for (uint256 i = 0; i < n; ++i) {
            depositBy(opener, accountOf(i), i);
        }
        IProofOfLearning.Header memory header = propose(1);
        bytes memory packed = votes(header, k);
        bool enough = 3 * k > 2 * n;
        if (!enough) vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.QuorumMissing.selector, k, n));
        learning.finalize(header, packed);
        assertEq(learning.chainOf(chain).finalSlot, enough ? 1 : 0);
    }

    function testOnlyWhatWasProposedBecomesFinal() public {
        IProofOfLearning.Header memory header = propose(3);
        header.root = "other";
        bytes memory all = votes(header, 4);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotProposed.selector, structHash(header)));
        learning.finalize(header, all);
        header.slot = 2;
        all = votes(header, 4);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotProposed.selector, structHash(header)));
        learning.finalize(header, all);
    }

    function testFinalSlotsRise() public {
        IProofOfLearning.Header memory first = propose(3);
        IProofOfLearning.Header memory second = propose(4);
        learning.finalize(second, votes(second, 4));
        bytes memory all = votes(first, 4);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.SlotNotRising.selector, 3, 4));
        learning.finalize(first, all);
    }

    function testAVoteCountsOnce() public {
        IProofOfLearning.Header memory header = propose(3);
        bytes32 digest = finalityOf(header);
        bytes memory twice = abi.encodePacked(entry(0, digest), entry(1, digest), entry(1, digest));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotInSet.selector, 1));
        learning.finalize(header, twice);
        bytes memory unsorted = abi.encodePacked(entry(0, digest), entry(2, digest), entry(1, digest));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotInSet.selector, 1));
        learning.finalize(header, unsorted);
        bytes memory first = abi.encodePacked(entry(0, digest), entry(0, digest), entry(1, digest));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotInSet.selector, 0));
        learning.finalize(header, first);
    }

    function testVotesOfOthersAreRefused() public {
        join(4);
        IProofOfLearning.Header memory header = propose(3);
        bytes32 digest = finalityOf(header);
        bytes memory base = abi.encodePacked(entry(0, digest), entry(1, digest));
        _refuse(header, abi.encodePacked(base, entry(4, digest)), IProofOfLearning.NotInSet.selector);
        _refuse(header, abi.encodePacked(base, entry(9, digest)), IProofOfLearning.NotInSet.selector);
        bytes memory posing = entry(4, digest);
        posing[3] = 0x03;
        _refuse(header, abi.encodePacked(base, posing), IProofOfLearning.BadSignature.selector);
        _refuse(
            header, abi.encodePacked(base, uint32(3), bytes32(0), bytes32(0)), IProofOfLearning.BadSignature.selector
        );
        _refuse(header, abi.encodePacked(base, hex"00"), IProofOfLearning.MalformedSignatures.selector);
        _refuse(header, "", IProofOfLearning.QuorumMissing.selector);
        bytes memory other = entry(3, keccak256("another header"));
        _refuse(header, abi.encodePacked(base, other), IProofOfLearning.BadSignature.selector);
        // What is not needed is not read.
        learning.finalize(header, abi.encodePacked(base, entry(3, digest), other));
    }

    /// @dev To propose is not to vote: the signature under a proposal finalises nothing.
    function testAProposalIsNoVote() public {
        chain = openNamed("alone", 1);
        depositBy(opener, accountOf(0), 0);
        IProofOfLearning.Header memory header = propose(1);
        bytes memory proposal = quorum(learning.digestOfHeader(header), 0, 1);
        _refuse(header, proposal, IProofOfLearning.BadSignature.selector);
        learning.finalize(header, votes(header, 1));
    }

    function testANumberThatNobodyHasHasNoAccount() public {
        IProofOfLearning.Header memory header = propose(3);
        bytes32 digest = finalityOf(header);
        bytes memory nobody = abi.encodePacked(uint32(77), bytes32(uint256(1)), bytes32(uint256(1)));
        _refuse(header, abi.encodePacked(entry(0, digest), nobody), IProofOfLearning.NotInSet.selector);
    }

    function _refuse(IProofOfLearning.Header memory header, bytes memory packed, bytes4 why) private {
        vm.expectPartialRevert(why);
        learning.finalize(header, packed);
    }

    function testWhoLeftHasNoVoteAnyMore() public {
        vm.prank(accountOf(3));
        learning.requestExit(chain, 3);
        passEras(2);
        IProofOfLearning.Header memory header = propose(2 * EPOCH + 1);
        bytes32 digest = finalityOf(header);
        bytes memory packed = abi.encodePacked(entry(0, digest), entry(1, digest), entry(3, digest));
        _refuse(header, packed, IProofOfLearning.NotInSet.selector);
        _refuse(header, votes(header, 2), IProofOfLearning.QuorumMissing.selector);
        learning.finalize(header, votes(header, 3));
    }

    /// @dev One account may stand for several validators: each of its stakes is a vote.
    function testOneAccountMayHoldSeveralStakes() public {
        chain = openNamed("twins", 3);
        depositBy(opener, accountOf(0), 0);
        depositBy(opener, accountOf(0), 1);
        depositBy(opener, accountOf(0), 2);
        IProofOfLearning.Header memory header = headerOf(1);
        bytes32 digest = finalityOf(header);
        learning.propose(header, signBy(0, learning.digestOfHeader(header)));
        bytes memory one = entry(0, digest);
        bytes memory two = entry(0, digest);
        bytes memory three = entry(0, digest);
        two[3] = 0x01;
        three[3] = 0x02;
        learning.finalize(header, abi.encodePacked(one, two, three));
    }

    /// @dev What is kept under another chain is not mixed up with this one.
    function testChainsAreApart() public {
        IProofOfLearning.Header memory header = propose(3);
        bytes32 first = chain;
        chain = openNamed("second", 4);
        for (uint256 i = 0; i < 4; ++i) {
            depositBy(opener, accountOf(i), i);
        }
        IProofOfLearning.Header memory copy = header;
        copy.chain = chain;
        bytes memory elsewhere = votes(header, 4);
        assertEq(learning.chainOf(chain).headSlot, 0);
        propose(1);
        vm.expectPartialRevert(IProofOfLearning.NotProposed.selector);
        learning.finalize(copy, elsewhere);
        assertEq(learning.chainOf(first).headSlot, 3);
        assertEq(learning.chainOf(first).finalSlot, 0);
    }
}
