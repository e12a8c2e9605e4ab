// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Test, Vm} from "forge-std/Test.sol";

import {NeuralConsensus} from "../src/NeuralConsensus.sol";
import {StakeVault} from "../src/StakeVault.sol";
import {INeuralConsensus} from "../src/interfaces/INeuralConsensus.sol";
import {IStakeVault} from "../src/interfaces/IStakeVault.sol";
import {PositionBuffer} from "../src/libraries/PositionBuffer.sol";
import {ConsensusFixture} from "./helpers/ConsensusFixture.sol";

contract NeuralConsensusTest is ConsensusFixture, Test {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() public {
        deployConsensus(6);
    }

    // The contract itself ------------------------------------------------------------------------------------------

    function testRulesAreChecked() public {
        NeuralConsensus.Rules memory bad;
        for (uint256 i = 0; i < 5; ++i) {
            bad = rules();
            if (i == 0) bad.riskPerAgent = 0;
            else if (i == 1) bad.equivocationPenalty = 0;
            else if (i == 2) bad.equivocationPenalty = bad.riskPerAgent + 1;
            else if (i == 3) bad.evidenceWindow = 0;
            else bad.reporterBps = 5001;
            vm.expectRevert(NeuralConsensus.InvalidRules.selector);
            new NeuralConsensus(admin, vault, bad);
        }
        bad = rules();
        bad.evidenceWindow += 1;
        vm.expectRevert(
            abi.encodeWithSelector(NeuralConsensus.UnbondingTooShort.selector, 7 * WINDOW, 7 * (WINDOW + 1))
        );
        new NeuralConsensus(admin, vault, bad);
        bad = rules();
        bad.equivocationPenalty = bad.riskPerAgent;
        assertEq(new NeuralConsensus(admin, vault, bad).equivocationPenalty(), RISK);
        assertEq(address(consensus.vault()), address(vault));
        assertEq(consensus.riskPerAgent(), RISK);
        assertEq(consensus.equivocationPenalty(), PENALTY);
        assertEq(consensus.evidenceWindow(), WINDOW);
        assertEq(consensus.reporterBps(), REPORTER_BPS);
        assertEq(consensus.minStake(), RISK);
        assertEq(consensus.stakes(agents[0]), RISK);
    }

    function testTheDigestIsEip712() public view {
        INeuralConsensus.Position memory p = message(TASK, words(1, 2)[0], 3, 4, 5);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Nashboard NeuralConsensus"),
                keccak256("1"),
                block.chainid,
                address(consensus)
            )
        );
        bytes32 typeHash = keccak256(
            "Position(bytes32 taskHash,address agent,bytes32 positionHash,uint32 confidence,uint32 round,uint32 nonce,uint40 deadline)"
        );
        assertEq(PositionBuffer.TYPEHASH, typeHash);
        bytes32 content = keccak256(
            abi.encode(typeHash, TASK, agents[0], p.positionHash, p.confidence, uint32(3), uint32(4), uint40(5))
        );
        assertEq(consensus.digestOf(p), keccak256(abi.encodePacked(hex"1901", domain, content)));
    }

    // Agents -------------------------------------------------------------------------------------------------------

    function testRegistrationPutsStakeAtRisk() public {
        address agent = makeAddr("newcomer");
        vm.prank(agent);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientStake.selector, 0, RISK));
        consensus.register("model");
        vm.deal(agent, 1 ether);
        vm.startPrank(agent);
        vault.stake{value: RISK}();
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.AgentRegistered(agent, "model");
        consensus.register("model");
        INeuralConsensus.Agent memory state = consensus.agentOf(agent);
        assertEq(state.modelHash, "model");
        assertEq(state.registeredAt, vm.getBlockTimestamp());
        assertEq(state.leftAt, 0);
        assertEq(state.reputation, 100);
        assertEq(consensus.agentReputation(agent), 100);
        assertEq(consensus.agentCount(), 7);
        (,,,, uint256 exposure,) = vault.accountOf(agent);
        assertEq(exposure, RISK);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.AlreadyRegistered.selector, agent));
        consensus.register("other");
        vm.stopPrank();
        assertEq(consensus.agentReputation(makeAddr("nobody")), 0);
    }

    /// @dev Threat: exit before slash. The stake stays until the evidence window after leaving is over.
    function testWhoLeavesStaysAtRiskForTheWindow() public {
        address agent = agents[0];
        vm.startPrank(agent);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.StillAtRisk.selector, type(uint256).max));
        consensus.release();
        vault.requestUnbond(RISK);
        uint256 until = vm.getBlockTimestamp() + WINDOW;
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.AgentLeft(agent, until);
        consensus.deregister();
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, agent));
        consensus.deregister();
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.AlreadyRegistered.selector, agent));
        consensus.register("again");
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.StillAtRisk.selector, until));
        consensus.release();
        vm.warp(until + 7 * WINDOW);
        vm.expectPartialRevert(IStakeVault.Locked.selector);
        vault.withdraw();
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.AgentReleased(agent);
        consensus.release();
        assertEq(vault.withdraw(), RISK);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, agent));
        consensus.release();
        vm.stopPrank();
    }

    /// @dev A new life keeps the old reputation, number and nonce.
    function testComingBackChangesNoReputation() public {
        address agent = agents[0];
        _creditOnce(agents.length);
        uint256 before = consensus.agentReputation(agent);
        assertNotEq(before, 100);
        vm.startPrank(agent);
        consensus.advanceNonce();
        consensus.deregister();
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        consensus.release();
        consensus.register("again");
        vm.stopPrank();
        INeuralConsensus.Agent memory state = consensus.agentOf(agent);
        assertEq(state.reputation, before);
        assertEq(state.nonce, 1);
        assertEq(state.modelHash, "again");
        assertEq(consensus.agentCount(), 6);
    }

    // Tasks --------------------------------------------------------------------------------------------------------

    function testOnlyAnOperatorOpensTasks() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, address(this), consensus.OPERATOR_ROLE()
            )
        );
        consensus.createTask(TASK, 2, deadline(), KAPPA, EPS, 2, INeuralConsensus.Tier.Slots);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.TaskCreated(
            TASK, operator, 2, deadline(), KAPPA, EPS, 2, INeuralConsensus.Tier.Accumulator
        );
        open(TASK, 2, INeuralConsensus.Tier.Accumulator);
        INeuralConsensus.Task memory task = consensus.taskOf(TASK);
        assertEq(task.creator, operator);
        assertEq(task.deadline, deadline());
        assertEq(task.dims, 2);
        assertEq(task.minAgents, 2);
        assertEq(task.count, 0);
        assertEq(task.kappa, KAPPA);
        assertEq(task.eps, EPS);
        assertEq(task.accumulator, 0);
        assertTrue(task.status == INeuralConsensus.Status.Open && task.tier == INeuralConsensus.Tier.Accumulator);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.TaskExists.selector, TASK));
        open(TASK, 2, INeuralConsensus.Tier.Slots);
    }

    function testTasksOutOfBoundsAreRefused() public {
        uint40 soon = deadline();
        _refuseTask(0, soon, KAPPA, EPS, 2, "dims");
        _refuseTask(1025, soon, KAPPA, EPS, 2, "dims");
        _refuseTask(2, uint40(vm.getBlockTimestamp()), KAPPA, EPS, 2, "deadline");
        _refuseTask(2, soon, 0, EPS, 2, "kappa");
        _refuseTask(2, soon, 100_000_001, EPS, 2, "kappa");
        _refuseTask(2, soon, KAPPA, 0, 2, "eps");
        _refuseTask(2, soon, KAPPA, EPS, 1, "minAgents");
        _refuseTask(2, soon, KAPPA, EPS, 1025, "minAgents");
        _refuseTask(64, soon, KAPPA, EPS, 513, "minAgents");
        _refuseTask(1024, soon, KAPPA, EPS, 33, "minAgents");
        open("a", 2, INeuralConsensus.Tier.Slots, 100_000_000, type(uint128).max, 1024);
        open("b", 64, INeuralConsensus.Tier.Slots, 1, 1, 512);
        open("c", 1024, INeuralConsensus.Tier.Slots, 1, 1, 32);
    }

    function _refuseTask(uint16 dims, uint40 until, uint32 kappa, uint128 eps, uint16 least, string memory what)
        private
    {
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.InvalidTask.selector, what));
        consensus.createTask(TASK, dims, until, kappa, eps, least, INeuralConsensus.Tier.Slots);
    }

    // Positions ----------------------------------------------------------------------------------------------------

    function testFuzzEveryWayOfSubmittingKeepsTheSame(uint256 seed, uint8 dims, bool slots) public {
        dims = uint8(bound(dims, 1, 40));
        INeuralConsensus.Tier tier = slots ? INeuralConsensus.Tier.Slots : INeuralConsensus.Tier.Accumulator;
        Word memory word = Word(seed % 6, new uint256[](dims), 1 + seed % MILLION);
        for (uint256 k = 0; k < dims; ++k) {
            word.position[k] = uint256(keccak256(abi.encode(seed, k))) % COORDINATES;
        }
        bytes32 positionHash = keccak256(pack(word.position));
        bytes32 expected = keccak256(abi.encodePacked(positionHash, uint32(word.confidence), uint16(100)));
        if (!slots) expected = keccak256(abi.encodePacked(bytes32(0), head(word, 100), positionHash));
        for (uint256 way = 0; way < 4; ++way) {
            bytes32 task = keccak256(abi.encode(way));
            open(task, dims, tier);
            bytes memory signature = sign(message(task, word, 0, 0, deadline()), word.who);
            vm.expectEmit(address(consensus));
            emit INeuralConsensus.PositionSubmitted(
                task, agents[word.who], uint32(word.confidence), 100, pack(word.position)
            );
            if (way == 0) submit(task, word);
            else if (way == 1) _submitSigned(task, word, 0, deadline(), signature);
            else if (way == 2) _submitSigned(task, word, 0, deadline(), _long(signature));
            else assertEq(consensus.submitPositions(task, deadline(), entry(word, 0, signature)), 1);
            assertEq(
                slots ? consensus.commitmentOf(task, agents[word.who]) : consensus.taskOf(task).accumulator, expected
            );
            assertTrue(consensus.hasSubmitted(task, agents[word.who]));
            assertFalse(consensus.hasSubmitted(task, agents[(word.who + 1) % 6]));
            assertEq(consensus.taskOf(task).count, 1);
        }
    }

    function testPositionsAreChecked() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        Word memory word = words(1, 3)[0];
        bytes memory refusal = abi.encodeWithSelector(INeuralConsensus.InvalidPosition.selector, "length");
        _refuse(word, refusal);
        word.position = new uint256[](0);
        _refuse(word, refusal);
        word.position = new uint256[](2);
        word.position[1] = COORDINATES;
        _refuse(word, abi.encodeWithSelector(INeuralConsensus.InvalidPosition.selector, "coordinate"));
        word.position[1] = type(uint256).max;
        _refuse(word, abi.encodeWithSelector(INeuralConsensus.InvalidPosition.selector, "coordinate"));
        word.position[1] = COORDINATES - 1;
        refusal = abi.encodeWithSelector(INeuralConsensus.InvalidPosition.selector, "confidence");
        word.confidence = 0;
        _refuse(word, refusal);
        word.confidence = MILLION + 1;
        _refuse(word, refusal);
        word.confidence = 2 ** 32 + 1;
        _refuse(word, refusal);
        word.confidence = MILLION;
        submit(TASK, word);
        _refuse(word, abi.encodeWithSelector(INeuralConsensus.AlreadySubmitted.selector, TASK, agents[0]));
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.BadSignature.selector, agents[1]));
        consensus.submitPosition(agents[1], word.position, MILLION, TASK);
        address stranger = makeAddr("stranger");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, stranger));
        consensus.submitPosition(stranger, word.position, MILLION, TASK);
    }

    /// @dev Threat: late. The last second before the deadline counts, the deadline does not.
    function testPositionsComeBeforeTheDeadline() public {
        Word memory word = words(1, 2)[0];
        vm.prank(agents[0]);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.UnknownTask.selector, TASK));
        consensus.submitPosition(agents[0], word.position, 1, TASK);
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        uint256 end = deadline();
        vm.warp(end);
        _refuse(word, _closed());
        bytes memory one = entry(TASK, word, type(uint40).max);
        vm.expectRevert(_closed());
        consensus.submitPositions(TASK, type(uint40).max, one);
        vm.warp(end - 1);
        assertEq(consensus.submitPositions(TASK, type(uint40).max, one), 1);
    }

    /// @dev Threat: signature replay - another task, another contract, another chain, an expired one.
    function testASignatureHoldsInOnePlace() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        open("other", 2, INeuralConsensus.Tier.Slots);
        Word memory word = words(1, 2)[0];
        uint40 until = uint40(vm.getBlockTimestamp() + 60);
        bytes memory good = sign(message(TASK, word, 0, 0, until), 0);
        _refuseSigned("other", word, 0, until, good);
        _refuseSigned(TASK, word, 0, until + 1, good);
        _refuseSigned(TASK, word, 0, until, _signedForTwin(message(TASK, word, 0, 0, until)));
        vm.chainId(block.chainid + 1);
        _refuseSigned(TASK, word, 0, until, good);
        vm.chainId(block.chainid - 1);
        // Announcements of later rounds are no submissions.
        _refuseSigned(TASK, word, 0, until, sign(message(TASK, word, 1, 0, until), 0));
        vm.warp(until + 1);
        vm.expectRevert(_closed());
        _submitSigned(TASK, word, 0, until, good);
        vm.expectRevert(_closed());
        consensus.submitPositions(TASK, until, entry(word, 0, good));
        vm.warp(until);
        _submitSigned(TASK, word, 0, until, good);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.AlreadySubmitted.selector, TASK, agents[0]));
        _submitSigned(TASK, word, 0, until, good);
    }

    /// @dev Threat: malleable signature, and simply wrong ones, alone and in a batch.
    function testOnlyTheCanonicalSignatureCounts() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        Word memory word = words(1, 2)[0];
        bytes32 digest = consensus.digestOf(message(TASK, word, 0, 0, deadline()));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keys[0], digest);
        bytes32 high = bytes32(ORDER - uint256(s));
        bytes32 vs = bytes32(uint256(s) | uint256(v - 27) << 255);
        _refuseSigned(TASK, word, 0, deadline(), abi.encodePacked(r, high, v ^ 7));
        _refuseSigned(TASK, word, 0, deadline(), abi.encodePacked(r, s, v ^ 7));
        _refuseSigned(TASK, word, 0, deadline(), abi.encodePacked(r, s, uint8(v - 27)));
        _refuseSigned(TASK, word, 0, deadline(), abi.encodePacked(r, s, v, uint8(0)));
        _refuseSigned(TASK, word, 0, deadline(), abi.encodePacked(r, s, uint8(0)));
        _refuseSigned(TASK, word, 0, deadline(), "");
        _refuseSigned(TASK, word, 0, deadline(), new bytes(64));
        _refuseSigned(TASK, word, 0, deadline(), new bytes(65));
        _refuseSigned(TASK, word, 0, deadline(), compact(keys[1], digest));
        // In a compact signature the high half of s has no room but the bit that tells v.
        _refuseEntry(entry(word, 0, abi.encodePacked(r, high)), INeuralConsensus.Reason.BadSignature);
        _refuseEntry(
            entry(word, 0, abi.encodePacked(r, vs ^ bytes32(uint256(1) << 255))), INeuralConsensus.Reason.BadSignature
        );
        _refuseEntry(entry(word, 0, abi.encodePacked(r, bytes32(0))), INeuralConsensus.Reason.BadSignature);
        _refuseEntry(entry(word, 0, abi.encodePacked(bytes32(0), vs)), INeuralConsensus.Reason.BadSignature);
        _refuseEntry(entry(word, 0, abi.encodePacked(bytes32(ORDER), vs)), INeuralConsensus.Reason.BadSignature);
        assertEq(consensus.submitPositions(TASK, deadline(), entry(word, 0, abi.encodePacked(r, vs))), 1);
    }

    /// @dev ecrecover answers nothing for a bad signature; what an earlier entry left in memory must not be taken for it.
    function testABadSignatureBehindAGoodOneIsBad() public {
        open(TASK, 2, INeuralConsensus.Tier.Accumulator);
        Word[] memory all = words(2, 2);
        bytes memory good = entry(TASK, all[0], deadline());
        all[1].who = 0;
        bytes memory bad = entry(all[1], 0, new bytes(64));
        bytes memory late = entry(TASK, words(2, 2)[1], deadline());
        assertEq(consensus.submitPositions(TASK, deadline(), bytes.concat(good, bad, bad, late)), 2);
        assertEq(consensus.taskOf(TASK).count, 2);
    }

    function testAdvancingTheNonceMakesOldSignaturesVoid() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        Word memory word = words(1, 2)[0];
        bytes memory old = sign(message(TASK, word, 0, 0, deadline()), 0);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.NonceAdvanced(agents[0], 1);
        vm.prank(agents[0]);
        consensus.advanceNonce();
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.StaleNonce.selector, 0, 1));
        _submitSigned(TASK, word, 0, deadline(), old);
        _refuseEntry(entry(word, 0, old), INeuralConsensus.Reason.StaleNonce);
        _refuseSigned(TASK, word, 1, deadline(), old);
        _refuseEntry(entry(word, 1, old), INeuralConsensus.Reason.BadSignature);
        _submitSigned(TASK, word, 1, deadline(), sign(message(TASK, word, 0, 1, deadline()), 0));
        address stranger = makeAddr("stranger");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotRegistered.selector, stranger));
        consensus.advanceNonce();
    }

    /// @dev A batch takes what it can: bad entries are skipped and say why, and spoil nothing.
    function testFuzzBadEntriesAreSkipped(uint256 seed, bool slots) public {
        open(TASK, 3, slots ? INeuralConsensus.Tier.Slots : INeuralConsensus.Tier.Accumulator);
        vm.prank(agents[2]);
        consensus.deregister();
        Word[] memory all = words(6, 3);
        bytes memory packed;
        uint256 good;
        bytes32 accumulator;
        vm.recordLogs();
        for (uint256 i = 0; i < 6; ++i) {
            uint256 kind = i == 2 ? 0 : uint256(keccak256(abi.encode(seed, i))) % 6;
            bytes memory one = entry(TASK, all[i], deadline());
            if (kind == 1) one[27] ^= 0x01;
            if (kind == 2) one[40] ^= 0x01;
            if (kind == 3) one[93] ^= 0x01;
            if (kind == 4) {
                all[i].confidence = 0;
                one = entry(TASK, all[i], deadline());
            }
            packed = bytes.concat(packed, one);
            // Once more the same: a duplicate inside the batch.
            if (kind == 5) packed = bytes.concat(packed, one);
            if (i != 2 && (kind == 0 || kind == 5)) {
                ++good;
                accumulator =
                    keccak256(abi.encodePacked(accumulator, head(all[i], 100), keccak256(pack(all[i].position))));
            }
        }
        assertEq(consensus.submitPositions(TASK, deadline(), packed), good);
        assertEq(consensus.taskOf(TASK).count, good);
        assertEq(consensus.taskOf(TASK).accumulator, slots ? bytes32(0) : accumulator);
        assertEq(_count(INeuralConsensus.PositionRejected.selector), packed.length / 110 - good);
    }

    function testEveryReasonIsTold() public {
        open(TASK, 2, INeuralConsensus.Tier.Accumulator);
        Word memory word = words(1, 2)[0];
        bytes memory good = entry(TASK, word, deadline());
        bytes memory other = bytes.concat(good);
        other[0] ^= 0xff;
        _refuseEntry(other, INeuralConsensus.Reason.NotRegistered, address(bytes20(other)));
        word.confidence = MILLION + 1;
        _refuseEntry(entry(TASK, word, deadline()), INeuralConsensus.Reason.BadConfidence);
        consensus.submitPositions(TASK, deadline(), good);
        _refuseEntry(good, INeuralConsensus.Reason.AlreadySubmitted);
    }

    /// @dev More agents than fit a certificate are not taken.
    function testATaskCanBeFull() public {
        deployConsensus(33);
        for (uint256 t = 0; t < 2; ++t) {
            bytes32 task = keccak256(abi.encode("full", t));
            open(task, 1024, INeuralConsensus.Tier(t));
            Word[] memory all = words(33, 1024);
            vm.expectEmit(address(consensus));
            emit INeuralConsensus.PositionRejected(task, agents[32], INeuralConsensus.Reason.TaskFull);
            submitAll(task, all);
            assertEq(consensus.taskOf(task).count, 32);
            vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.Closed.selector, task));
            this.submitExternal(task, all[32]);
        }
    }

    /// @dev Agents with numbers in different words of the bitmap, there and back again.
    function testTheBitmapReachesOverItsWords() public {
        address[3] memory all = [agents[0], makeAddr("x"), agents[1]];
        vm.store(address(consensus), _slotOf("agentCount"), bytes32(uint256(700)));
        assertEq(consensus.agentCount(), 700);
        (all[1], keys[2]) = makeAddrAndKey("x");
        agents[2] = all[1];
        enrol(all[1]);
        open(TASK, 2, INeuralConsensus.Tier.Accumulator);
        Word[] memory said = words(3, 2);
        (said[1].who, said[2].who) = (2, 1);
        submitAll(TASK, said);
        for (uint256 i = 0; i < 3; ++i) {
            assertTrue(consensus.hasSubmitted(TASK, all[i]));
            vm.expectRevert(
                abi.encodeWithSelector(INeuralConsensus.AlreadySubmitted.selector, TASK, agents[said[i].who])
            );
            this.submitExternal(TASK, said[i]);
        }
        assertFalse(consensus.hasSubmitted(TASK, agents[3]));
        pass();
        prove(TASK, proofOf(TASK, said));
    }

    function testFuzzAMalformedBatchIsRefused(uint256 size) public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        size = bound(size, 0, 400);
        if (size != 0 && size % 104 == 0) ++size;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.MalformedBatch.selector, size));
        consensus.submitPositions(TASK, deadline(), new bytes(size));
    }

    // The pause ----------------------------------------------------------------------------------------------------

    /// @dev A pause stops what begins, never what ends.
    function testAPauseStopsOnlyTheEntry() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        open("void", 2, INeuralConsensus.Tier.Slots);
        Word[] memory all = words(6, 2);
        Word memory last = all[5];
        bytes memory one = entry(TASK, last, deadline());
        assembly ("memory-safe") {
            mstore(all, 5)
        }
        submitAll(TASK, all);
        vm.expectRevert();
        consensus.pause();
        vm.prank(pauser);
        consensus.pause();
        bytes memory paused = abi.encodeWithSelector(Pausable.EnforcedPause.selector);
        _refuse(last, paused);
        vm.expectRevert(paused);
        consensus.submitPositions(TASK, deadline(), one);
        vm.expectRevert(paused);
        consensus.submitPosition(agents[5], last.position, last.confidence, TASK, 0, deadline(), new bytes(64));
        vm.expectRevert(paused);
        open("new", 2, INeuralConsensus.Tier.Slots);
        vm.expectRevert(paused);
        vm.prank(makeAddr("stranger"));
        consensus.register("model");
        vm.startPrank(agents[5]);
        consensus.advanceNonce();
        consensus.deregister();
        vm.warp(vm.getBlockTimestamp() + WINDOW);
        consensus.release();
        vm.stopPrank();
        Proof memory proof = proofOf(TASK, all);
        prove(TASK, proof);
        finalize(TASK);
        consensus.creditReputation(TASK, proof.heads, proof.values);
        consensus.voidTask("void");
        vm.expectRevert();
        consensus.unpause();
        vm.prank(pauser);
        consensus.unpause();
        open("new", 2, INeuralConsensus.Tier.Slots);
    }

    // The result ---------------------------------------------------------------------------------------------------

    /// @dev Threat: an operator cannot cheat. Nothing but the certified result becomes final, whoever asks.
    function testFuzzNothingButTheCertifiedResultBecomesFinal(uint256 k, uint256 by) public {
        bytes memory refusal = abi.encodeWithSelector(INeuralConsensus.UnknownTask.selector, TASK);
        _refuseFinal(operator, new uint256[](0), refusal);
        open(TASK, 6, INeuralConsensus.Tier.Slots);
        Word[] memory all = words(6, 6);
        submitEach(TASK, all);
        pass();
        (uint256[] memory result, bool converged) = consensus.computeNashEquilibrium(TASK);
        assertEq(result.length, 0);
        assertFalse(converged);
        _refuseFinal(operator, result, abi.encodeWithSelector(INeuralConsensus.NotReady.selector, TASK));
        prove(TASK, proofOf(TASK, all));
        (result, converged) = consensus.computeNashEquilibrium(TASK);
        assertTrue(converged);
        refusal = abi.encodeWithSelector(
            IAccessControl.AccessControlUnauthorizedAccount.selector, reporter, consensus.OPERATOR_ROLE()
        );
        _refuseFinal(reporter, result, refusal);
        refusal = abi.encodeWithSelector(INeuralConsensus.NotTheCertified.selector, TASK);
        _refuseFinal(operator, new uint256[](0), refusal);
        _refuseFinal(operator, new uint256[](6), refusal);
        _refuseFinal(operator, new uint256[](7), refusal);
        k = bound(k, 0, 5);
        by = bound(by, 1, type(uint256).max);
        unchecked {
            result[k] += by;
        }
        _refuseFinal(operator, result, refusal);
        unchecked {
            result[k] -= by;
        }
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.ConsensusFinalized(TASK, result);
        vm.prank(operator);
        consensus.finalizeConsensus(TASK, result);
        _refuseFinal(operator, result, _closed());
        assertTrue(consensus.taskOf(TASK).status == INeuralConsensus.Status.Finalized);
    }

    /// @dev Who opened a task may end it, also when it is no operator any more.
    function testTheCreatorMayFinalize() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        Word[] memory all = words(3, 2);
        submitAll(TASK, all);
        pass();
        prove(TASK, proofOf(TASK, all));
        bytes32 role = consensus.OPERATOR_ROLE();
        vm.prank(admin);
        consensus.revokeRole(role, operator);
        finalize(TASK);
    }

    function testATaskIsVoidOnlyWithoutItsQuorum() public {
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.UnknownTask.selector, TASK));
        consensus.voidTask(TASK);
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        open("enough", 2, INeuralConsensus.Tier.Slots);
        submitAll("enough", words(2, 2));
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotReady.selector, TASK));
        consensus.voidTask(TASK);
        pass();
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.NotReady.selector, bytes32("enough")));
        consensus.voidTask("enough");
        consensus.voidTask(TASK);
        assertTrue(consensus.taskOf(TASK).status == INeuralConsensus.Status.Void);
        vm.expectRevert(_closed());
        consensus.voidTask(TASK);
        _refuseFinal(operator, new uint256[](2), _closed());
    }

    // Reputation ---------------------------------------------------------------------------------------------------

    function testWhoIsNearGainsAndWhoIsFarLoses() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots);
        Word[] memory all = words(6, 2);
        all[3].position[0] += 5 * 2 ** 32;
        submitAll(TASK, all);
        pass();
        Proof memory proof = proofOf(TASK, all);
        bytes memory early = abi.encodeWithSelector(INeuralConsensus.NotReady.selector, TASK);
        vm.expectRevert(early);
        consensus.creditReputation(TASK, proof.heads, proof.values);
        prove(TASK, proof);
        vm.expectRevert(early);
        consensus.creditReputation(TASK, proof.heads, proof.values);
        finalize(TASK);
        vm.expectRevert(early);
        consensus.creditReputation(TASK, new bytes32[](5), proof.values);
        proof.values[0] ^= 0x01;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.CommitmentMismatch.selector, 0));
        consensus.creditReputation(TASK, proof.heads, proof.values);
        proof.values[0] ^= 0x01;
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.ReputationChanged(agents[3], TASK, 95);
        consensus.creditReputation(TASK, proof.heads, proof.values);
        for (uint256 i = 0; i < 6; ++i) {
            assertEq(consensus.agentReputation(agents[i]), i == 3 ? 95 : 102);
        }
        vm.expectRevert(_closed());
        consensus.creditReputation(TASK, proof.heads, proof.values);
    }

    /// @dev Between one and two mean squared distances nothing changes: here 2, 2, 2, 2 and 4 times the same, mean 2.4.
    function testWhoIsNeitherNearNorFarStays() public {
        open(TASK, 3, INeuralConsensus.Tier.Slots);
        Word[] memory all = words(6, 3);
        // Pairs around the centre, so that the result is the centre: distances 1, 1, 1, 1 and sqrt(1.5) twice.
        for (uint256 i = 0; i < 6; ++i) {
            all[i].confidence = MILLION;
            uint256 by = i / 2 == 2 ? 1_225 * 2 ** 20 : 1_000 * 2 ** 20;
            for (uint256 k = 0; k < 3; ++k) {
                all[i].position[k] = 2 ** 47;
            }
            all[i].position[i / 2] = i % 2 == 0 ? 2 ** 47 + by : 2 ** 47 - by;
        }
        submitAll(TASK, all);
        pass();
        Proof memory proof = proofOf(TASK, all);
        prove(TASK, proof);
        finalize(TASK);
        consensus.creditReputation(TASK, proof.heads, proof.values);
        for (uint256 i = 0; i < 6; ++i) {
            assertEq(consensus.agentReputation(agents[i]), i / 2 == 2 ? 100 : 102);
        }
    }

    /// @dev Reputation stays in 1..1000, and is the weight of the next positions.
    function testReputationHasBoundsAndIsTheWeight() public {
        _setReputation(agents[0], 999);
        _setReputation(agents[1], 5);
        _creditOnce(agents.length);
        assertEq(consensus.agentReputation(agents[0]), 1000);
        assertEq(consensus.agentReputation(agents[1]), 7);
        _creditOnce(agents.length);
        assertEq(consensus.agentReputation(agents[0]), 1000);
        _setReputation(agents[1], 4);
        bytes32 task = keccak256("far");
        open(task, 2, INeuralConsensus.Tier.Accumulator);
        Word[] memory all = words(6, 2);
        all[1].position[0] += 50 * 2 ** 32;
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.PositionSubmitted(task, agents[1], uint32(all[1].confidence), 4, pack(all[1].position));
        submitAll(task, all);
        pass();
        Proof memory proof = proofOf(task, all);
        prove(task, proof);
        finalize(task);
        consensus.creditReputation(task, proof.heads, proof.values);
        assertEq(consensus.agentReputation(agents[1]), 1);
    }

    // ----------------------------------------------------------------------------------------------------------------

    /// @dev A task in which all say the same.
    function _creditOnce(uint256 n) private {
        bytes32 task = keccak256(abi.encode("credit", vm.getBlockTimestamp()));
        open(task, 2, INeuralConsensus.Tier.Slots);
        Word[] memory all = words(n, 2);
        for (uint256 i = 0; i < n; ++i) {
            all[i].position[0] = all[i].position[1] = 2 ** 47;
        }
        submitAll(task, all);
        pass();
        Proof memory proof = proofOf(task, all);
        prove(task, proof);
        finalize(task);
        consensus.creditReputation(task, proof.heads, proof.values);
    }

    function _setReputation(address agent, uint256 value) private {
        bytes32 slot = keccak256(abi.encode(agent, _slotOf("records")));
        uint256 record = uint256(vm.load(address(consensus), slot));
        vm.store(address(consensus), slot, bytes32(record & ~(uint256(0xffff) << 112) | value << 112));
        assertEq(consensus.agentReputation(agent), value);
    }

    /// @dev The counter of agents is the first variable of the contract's own, their records are next.
    function _slotOf(string memory what) private view returns (bytes32) {
        for (uint256 slot = 0; slot < 20; ++slot) {
            bytes32 found = keccak256(abi.encode(agents[0], slot + 1));
            if (uint256(vm.load(address(consensus), found)) >> 112 & 0xffff == 0) continue;
            return bytes32(keccak256(bytes(what)) == keccak256("records") ? slot + 1 : slot);
        }
        revert("no such variable");
    }

    function _count(bytes32 topic) private returns (uint256 found) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic) ++found;
        }
    }

    function _signedForTwin(INeuralConsensus.Position memory position) private returns (bytes memory) {
        NeuralConsensus twin = new NeuralConsensus(admin, vault, rules());
        return compact(keys[0], twin.digestOf(position));
    }

    function _long(bytes memory signature) private pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = abi.decode(signature, (bytes32, bytes32));
        return abi.encodePacked(r, vs << 1 >> 1, uint8(27 + (uint256(vs) >> 255)));
    }

    function submitExternal(bytes32 task, Word memory word) external {
        submit(task, word);
    }

    function _submitSigned(bytes32 task, Word memory word, uint32 nonce, uint40 until, bytes memory signature) private {
        consensus.submitPosition(agents[word.who], word.position, word.confidence, task, nonce, until, signature);
    }

    function _refuse(Word memory word, bytes memory refusal) private {
        vm.prank(agents[word.who]);
        vm.expectRevert(refusal);
        consensus.submitPosition(agents[word.who], word.position, word.confidence, TASK);
    }

    function _refuseSigned(bytes32 task, Word memory word, uint32 nonce, uint40 until, bytes memory signature) private {
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.BadSignature.selector, agents[word.who]));
        _submitSigned(task, word, nonce, until, signature);
    }

    function _refuseEntry(bytes memory one, INeuralConsensus.Reason reason) private {
        _refuseEntry(one, reason, agents[0]);
    }

    function _refuseEntry(bytes memory one, INeuralConsensus.Reason reason, address agent) private {
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.PositionRejected(TASK, agent, reason);
        assertEq(consensus.submitPositions(TASK, deadline(), one), 0);
    }

    function _refuseFinal(address who, uint256[] memory result, bytes memory refusal) private {
        vm.prank(who);
        vm.expectRevert(refusal);
        consensus.finalizeConsensus(TASK, result);
    }

    function _closed() private pure returns (bytes memory) {
        return abi.encodeWithSelector(INeuralConsensus.Closed.selector, TASK);
    }
}
