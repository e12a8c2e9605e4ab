// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {ProofOfLearning} from "../src/ProofOfLearning.sol";
import {IProofOfLearning} from "../src/interfaces/IProofOfLearning.sol";
import {LearningFixture} from "./helpers/LearningFixture.sol";

contract LearningSlashingTest is LearningFixture, Test {
    function setUp() public {
        deployLearning();
        openLearning(6);
    }

    // Evidence that proves itself

    function testTwoHeadersOfOneSlot() public {
        IProofOfLearning.Header memory a = headerBy(7, 2);
        IProofOfLearning.Header memory b = headerBy(7, 2);
        b.modelRoot = "other";
        (bytes32 one, bytes32 other) = (structHash(a), structHash(b));
        bytes32 evidence = keccak256(one < other ? abi.encode(one, other) : abi.encode(other, one));
        (bytes memory first, bytes memory second) = (signHeader(a), signHeader(b));
        uint256 share = LOSS * SHARE_BPS / 10_000;
        vm.expectEmit(address(learning));
        emit IProofOfLearning.ValidatorSlashed(
            chain, 2, witness, IProofOfLearning.Offence.ProposerEquivocation, evidence, LOSS, share
        );
        vm.prank(witness);
        learning.slashProposer(a, first, b, second);
        _isSlashed(2);
        assertEq(learning.creditOf(witness), share);
        assertEq(learning.creditOf(chest), LOSS - share);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.AlreadySlashed.selector, 2));
        learning.slashProposer(b, second, a, first);
    }

    function testHeadersThatDoNotContradict() public {
        IProofOfLearning.Header memory a = headerBy(7, 2);
        _refusePair(a, a, IProofOfLearning.NoContradiction.selector);
        IProofOfLearning.Header memory b = headerBy(8, 2);
        _refusePair(a, b, IProofOfLearning.NoContradiction.selector);
        b = headerBy(7, 3);
        _refusePair(a, b, IProofOfLearning.NoContradiction.selector);
        b = headerBy(7, 2);
        b.chain = openNamed("second", 1);
        _refusePair(a, b, IProofOfLearning.NoContradiction.selector);
        b = headerBy(7, 2);
        b.root = "other";
        bytes memory own = signHeader(a);
        bytes memory forged = signBy(3, learning.digestOfHeader(b));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 2));
        learning.slashProposer(a, own, b, forged);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 2));
        learning.slashProposer(b, forged, a, own);
    }

    function _refusePair(IProofOfLearning.Header memory a, IProofOfLearning.Header memory b, bytes4 why) private {
        (bytes memory first, bytes memory second) = (signHeader(a), signHeader(b));
        vm.expectRevert(why);
        learning.slashProposer(a, first, b, second);
    }

    function testTwoOppositeAcks() public {
        IProofOfLearning.Ack memory yes = ackBy(4, true);
        IProofOfLearning.Ack memory no = ackBy(4, false);
        (bytes memory first, bytes memory second) = (signAck(yes), signAck(no));
        learning.slashOppositeAcks(yes, first, no, second);
        _isSlashed(4);
    }

    function testAcksThatDoNotContradict() public {
        IProofOfLearning.Ack memory yes = ackBy(4, true);
        IProofOfLearning.Ack memory no = ackBy(4, true);
        _refuseAcks(yes, no);
        no = ackBy(4, false);
        no.slot = 6;
        _refuseAcks(yes, no);
        no = ackBy(4, false);
        no.updateId = "other";
        _refuseAcks(yes, no);
        no = ackBy(4, false);
        no.baseRoot = "other";
        _refuseAcks(yes, no);
        _refuseAcks(yes, ackBy(3, false));
        no = ackBy(4, false);
        no.chain = openNamed("second", 1);
        _refuseAcks(yes, no);
        no = ackBy(4, false);
        bytes memory own = signAck(yes);
        bytes memory forged = signBy(3, learning.digestOfAck(no));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 4));
        learning.slashOppositeAcks(yes, own, no, forged);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 4));
        learning.slashOppositeAcks(no, forged, yes, own);
    }

    function _refuseAcks(IProofOfLearning.Ack memory a, IProofOfLearning.Ack memory b) private {
        (bytes memory first, bytes memory second) = (signAck(a), signAck(b));
        vm.expectRevert(IProofOfLearning.NoContradiction.selector);
        learning.slashOppositeAcks(a, first, b, second);
    }

    // Verdicts

    function testAnUpdateWithoutACertificate() public {
        IProofOfLearning.Header memory header = headerBy(7, 1);
        bytes memory signature = signHeader(header);
        vm.expectRevert(IProofOfLearning.NoUpdateNamed.selector);
        learning.slashUncertified(header, signature, "");
        header.updateId = "update";
        signature = signHeader(header);
        bytes32 hash = structHash(header);
        bytes memory said = verdict(verdictOn(1, IProofOfLearning.Offence.UncertifiedUpdate, hash), 5);
        bytes memory forged = signBy(2, learning.digestOfHeader(header));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 1));
        learning.slashUncertified(header, forged, said);
        bytes memory wrong = verdict(verdictOn(1, IProofOfLearning.Offence.ContradictedAck, hash), 5);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 0));
        learning.slashUncertified(header, signature, wrong);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.ValidatorSlashed(
            chain, 1, address(this), IProofOfLearning.Offence.UncertifiedUpdate, hash, LOSS, LOSS * SHARE_BPS / 10_000
        );
        learning.slashUncertified(header, signature, said);
        _isSlashed(1);
    }

    function testAnAckThatEvaluationContradicts() public {
        IProofOfLearning.Ack memory ack = ackBy(3, true);
        bytes memory signature = signAck(ack);
        bytes32 hash = structHash(ack);
        bytes memory said = verdict(verdictOn(3, IProofOfLearning.Offence.ContradictedAck, hash), 5);
        bytes memory forged = signBy(2, learning.digestOfAck(ack));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 3));
        learning.slashAck(ack, forged, said);
        bytes memory few = verdict(verdictOn(3, IProofOfLearning.Offence.ContradictedAck, hash), 4);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.QuorumMissing.selector, 4, 6));
        learning.slashAck(ack, signature, few);
        bytes memory other = verdict(verdictOn(3, IProofOfLearning.Offence.ContradictedAck, "other"), 5);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 0));
        learning.slashAck(ack, signature, other);
        learning.slashAck(ack, signature, said);
        _isSlashed(3);
    }

    function testWhatTheBeaconChainProved(uint8 kind, uint8 signers) public {
        IProofOfLearning.Offence offence = IProofOfLearning.Offence(bound(kind, 0, 4));
        uint256 n = bound(signers, 0, 6);
        IProofOfLearning.Verdict memory found = verdictOn(5, offence, "slashing");
        bytes memory said = verdict(found, n);
        if (n <= 4) vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.QuorumMissing.selector, n, 6));
        learning.slashReported(found, said);
        if (n > 4) _isSlashed(5);
        else assertTrue(learning.inSet(chain, 5));
    }

    function testAVerdictIsAboutOneValidatorOfOneChain() public {
        IProofOfLearning.Verdict memory found = verdictOn(5, IProofOfLearning.Offence.DoubleVote, "slashing");
        bytes memory said = verdict(found, 6);
        found.validator = 4;
        _refuseVerdict(found, said);
        found = verdictOn(5, IProofOfLearning.Offence.SurroundVote, "slashing");
        _refuseVerdict(found, said);
        found = verdictOn(5, IProofOfLearning.Offence.DoubleVote, "other");
        _refuseVerdict(found, said);
        found = verdictOn(9, IProofOfLearning.Offence.DoubleVote, "slashing");
        said = verdict(found, 6);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotStaked.selector, 9));
        learning.slashReported(found, said);
    }

    function _refuseVerdict(IProofOfLearning.Verdict memory found, bytes memory said) private {
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.BadSignature.selector, 0));
        learning.slashReported(found, said);
    }

    // What a slashing does

    /// @dev The set is what is left of it: those that remain can go on, and more than two thirds of them must.
    function testASlashingTakesEffectAtOnce() public {
        _slash(5);
        assertEq(setSize(), 5);
        IProofOfLearning.Header memory header = propose(1);
        bytes32 digest = finalityOf(header);
        bytes memory with = abi.encodePacked(quorum(digest, 0, 3), entry(5, digest));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotInSet.selector, 5));
        learning.finalize(header, with);
        bytes memory three = votes(header, 3);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.QuorumMissing.selector, 3, 5));
        learning.finalize(header, three);
        learning.finalize(header, votes(header, 4));
        passEras(3);
        assertEq(setSize(), 5);
        vm.prank(accountOf(5));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.AlreadyLeaving.selector, 5));
        learning.requestExit(chain, 5);
    }

    function testEachIsSlashedOnce() public {
        _slash(5);
        (uint256 staked, uint256 credit) = learning.totals();
        IProofOfLearning.Verdict memory found = verdictOn(5, IProofOfLearning.Offence.SurroundVote, "another");
        bytes memory said = verdict(found, 5);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.AlreadySlashed.selector, 5));
        learning.slashReported(found, said);
        (uint256 stakedAfter, uint256 creditAfter) = learning.totals();
        assertEq(stakedAfter, staked);
        assertEq(creditAfter, credit);
    }

    function testWhatIsLeftIsPaidOutAfterTheDelay() public {
        _slash(5);
        uint256 end = vm.getBlockTimestamp() + DELAY;
        assertEq(learning.withdrawableAt(chain, 5), end);
        vm.warp(end - 1);
        vm.prank(accountOf(5));
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.StillLocked.selector, end));
        learning.withdraw(chain, 5);
        vm.warp(end);
        vm.prank(accountOf(5));
        assertEq(learning.withdraw(chain, 5), STAKE - LOSS);
        assertEq(setSize(), 5);
        IProofOfLearning.Verdict memory found = verdictOn(5, IProofOfLearning.Offence.SurroundVote, "another");
        bytes memory said = verdict(found, 5);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotStaked.selector, 5));
        learning.slashReported(found, said);
    }

    function testWhoSlashesItselfLosesAtLeastHalf() public {
        vm.startPrank(accountOf(2));
        IProofOfLearning.Ack memory yes = ackBy(2, true);
        IProofOfLearning.Ack memory no = ackBy(2, false);
        (bytes memory first, bytes memory second) = (signAck(yes), signAck(no));
        learning.slashOppositeAcks(yes, first, no, second);
        uint256 got = learning.claimCredit();
        vm.warp(vm.getBlockTimestamp() + DELAY);
        got += learning.withdraw(chain, 2);
        vm.stopPrank();
        assertLe(got, STAKE - LOSS / 2);
        assertEq(got, pol.balanceOf(accountOf(2)));
    }

    function testCreditIsPulledOnce() public {
        _slash(5);
        uint256 share = LOSS * SHARE_BPS / 10_000;
        vm.startPrank(chest);
        vm.expectEmit(address(learning));
        emit IProofOfLearning.CreditClaimed(chest, LOSS - share);
        assertEq(learning.claimCredit(), LOSS - share);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NoCredit.selector, chest));
        learning.claimCredit();
        vm.stopPrank();
        assertEq(pol.balanceOf(chest), LOSS - share);
        (, uint256 credit) = learning.totals();
        assertEq(credit, share);
    }

    function testWhenTheReporterGetsNothingTheTreasuryGetsAll() public {
        ProofOfLearning.Rules memory rules = learningRules();
        rules.reporterBps = 0;
        rules.penalty = uint96(STAKE);
        learning = new ProofOfLearning(chief, pol, chest, rules);
        openLearning(4);
        _slash(3);
        assertEq(learning.creditOf(witness), 0);
        assertEq(learning.creditOf(chest), STAKE);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        vm.prank(accountOf(3));
        assertEq(learning.withdraw(chain, 3), 0);
    }

    // Leaving is no way out

    function testWhoAskedToLeaveIsSlashedStill(uint256 eras) public {
        eras = bound(eras, 0, 4);
        vm.prank(accountOf(5));
        learning.requestExit(chain, 5);
        passEras(eras);
        vm.warp(vm.getBlockTimestamp() + EVIDENCE_WINDOW);
        _slash(5);
        assertEq(setSize(), 5);
        passEras(3);
        assertEq(setSize(), 5);
        assertEq(learning.withdrawableAt(chain, 5), learning.validatorOf(chain, 5).leftAt + DELAY);
    }

    function testEvidenceHasItsTime() public {
        vm.prank(accountOf(5));
        learning.requestExit(chain, 5);
        vm.warp(vm.getBlockTimestamp() + 10 * EVIDENCE_WINDOW);
        passEras(2);
        uint256 closes = vm.getBlockTimestamp() + EVIDENCE_WINDOW;
        vm.warp(closes + 1);
        IProofOfLearning.Verdict memory found = verdictOn(5, IProofOfLearning.Offence.DoubleVote, "slashing");
        bytes memory said = verdict(found, 5);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.EvidenceTooLate.selector, closes));
        learning.slashReported(found, said);
        vm.warp(closes);
        learning.slashReported(found, said);
        _isSlashed(5);
    }

    /// @dev Who is in a set can be slashed, however long it takes until an era begins.
    function testEvidenceAgainstAMemberIsNeverTooLate() public {
        vm.prank(accountOf(5));
        learning.requestExit(chain, 5);
        passEras(1);
        vm.warp(vm.getBlockTimestamp() + 10 * EVIDENCE_WINDOW);
        _slash(5);
    }

    function testWhoIsNotYetInASetIsSlashedToo(uint256 eras) public {
        eras = bound(eras, 0, 2);
        join(6);
        passEras(eras);
        IProofOfLearning.Ack memory yes = ackBy(6, true);
        IProofOfLearning.Ack memory no = ackBy(6, false);
        (bytes memory first, bytes memory second) = (signAck(yes), signAck(no));
        learning.slashOppositeAcks(yes, first, no, second);
        _isSlashed(6);
        passEras(3);
        assertEq(setSize(), 6);
        assertFalse(learning.inSet(chain, 6));
    }

    function testWhoWithdrewHasNothingToLose() public {
        vm.prank(accountOf(5));
        learning.requestExit(chain, 5);
        passEras(2);
        vm.warp(vm.getBlockTimestamp() + DELAY);
        vm.prank(accountOf(5));
        learning.withdraw(chain, 5);
        IProofOfLearning.Verdict memory found = verdictOn(5, IProofOfLearning.Offence.DoubleVote, "slashing");
        bytes memory said = verdict(found, 5);
        vm.expectRevert(abi.encodeWithSelector(IProofOfLearning.NotStaked.selector, 5));
        learning.slashReported(found, said);
    }

    function _slash(uint256 i) private {
        IProofOfLearning.Verdict memory found = verdictOn(i, IProofOfLearning.Offence.DoubleVote, "slashing");
        bytes memory said = verdict(found, 2 * setSize() / 3 + 1);
        vm.prank(witness);
        learning.slashReported(found, said);
        _isSlashed(i);
    }

    function _isSlashed(uint256 i) private view {
        IProofOfLearning.Validator memory v = learning.validatorOf(chain, i);
        assertTrue(v.status == IProofOfLearning.Status.Slashed);
        assertEq(v.stake, STAKE - learning.penalty());
        assertEq(v.leftAt, vm.getBlockTimestamp());
        assertFalse(learning.inSet(chain, i));
        (uint256 staked, uint256 credit) = learning.totals();
        assertEq(staked + credit, pol.balanceOf(address(learning)));
        assertEq(
            credit,
            learning.creditOf(chest) + learning.creditOf(witness) + learning.creditOf(address(this))
                + learning.creditOf(accountOf(2))
        );
    }
}
