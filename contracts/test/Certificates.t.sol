// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {Test} from "forge-std/Test.sol";

import {INeuralConsensus} from "../src/interfaces/INeuralConsensus.sol";
import {Certificate} from "../src/libraries/Certificate.sol";
import {ConsensusFixture} from "./helpers/ConsensusFixture.sol";

/// @notice Gives the library calldata.
contract CertificateProbe {
    function regretOf(
        Certificate.Game memory game,
        uint256[] memory voices,
        bytes calldata values,
        uint256[] calldata aggregate
    ) external pure returns (uint256) {
        return Certificate.regretOf(game, voices, values, aggregate);
    }

    function capWeights(uint256[] memory voices, uint256 sum) external pure returns (uint256, uint256[] memory) {
        return (Certificate.capWeights(voices, sum), voices);
    }
}

/// @notice The arithmetic of a certificate against its definition, and what a certificate is made of.
contract CertificatesTest is ConsensusFixture, Test {
    uint256 private constant NO_LIMIT = type(uint256).max;

    CertificateProbe private probe;

    function setUp() public {
        deployConsensus(8);
        probe = new CertificateProbe();
    }

    // The arithmetic -----------------------------------------------------------------------------------------------

    /// @dev Any agents, weights, couplings, positions and claims: the library agrees with the formulas, written down
    ///      plainly with checked arithmetic, to the last digit.
    function testFuzzTheRegretIsThePlainOne(uint256 seed, uint256 n, uint256 dims, uint256 noise) public view {
        (Word[] memory all, uint256[] memory weights, uint256 kappa) = _game(seed, bound(n, 1, 6), bound(dims, 1, 5));
        uint256 total = _sum(weights);
        uint256[] memory aggregate = _claim(all, weights, kappa, seed, bound(noise, 0, 46));
        (uint256 expected, uint256 tooLarge) = _plain(all, weights, kappa, aggregate);
        Certificate.Game memory game = Certificate.Game(kappa, NO_LIMIT, total);
        try probe.regretOf(game, _voices(all, weights), _values(all), aggregate) returns (uint256 regret) {
            assertEq(regret, expected);
            assertEq(tooLarge, aggregate.length);
        } catch (bytes memory refusal) {
            assertEq(refusal, abi.encodeWithSelector(INeuralConsensus.ResidualTooLarge.selector, tooLarge));
        }
    }

    /// @dev Whatever is certified, the result is the exact one, give or take a unit for the bound and one for rounding.
    function testFuzzWhatIsCertifiedIsTheOneResult(uint256 seed, uint256 n, uint256 noise) public view {
        (Word[] memory all, uint256[] memory weights, uint256 kappa) = _game(seed, bound(n, 2, 6), 1);
        for (uint256 i = 0; i < all.length; ++i) {
            // Nobody without an opinion: there the floors leave more open.
            all[i].confidence = 10_000 + all[i].confidence % 990_001;
        }
        uint256 total = _sum(weights);
        uint256 exact = _claim(all, weights, kappa, seed, 0)[0] / (total << 32);
        uint256[] memory aggregate = _claim(all, weights, kappa, seed, bound(noise, 0, 46));
        Certificate.Game memory game = Certificate.Game(kappa, NO_LIMIT, total);
        try probe.regretOf(game, _voices(all, weights), _values(all), aggregate) {
            assertApproxEqAbs((aggregate[0] + (total << 31)) / (total << 32), exact, 2);
        } catch {
            assertGt(aggregate[0] / total, exact << 32);
        }
    }

    /// @dev What an agent could gain, by its utility as the game defines it: never more than what the formula certifies,
    ///      and, where it is not tiny, not much less.
    function testFuzzNoAgentGainsMoreThanIsCertified(uint256 seed, uint256 n, uint256 dims, uint256 noise) public view {
        (Word[] memory all, uint256[] memory weights, uint256 kappa) = _game(seed, bound(n, 2, 5), bound(dims, 1, 3));
        // Of a size that squares can hold.
        for (uint256 i = 0; i < all.length; ++i) {
            for (uint256 k = 0; k < all[i].position.length; ++k) {
                all[i].position[k] = 2 ** 47 + all[i].position[k] % 2 ** 32;
            }
        }
        uint256[] memory aggregate = _claim(all, weights, kappa, seed, bound(noise, 0, 60));
        (uint256 regret,) = _plain(all, weights, kappa, aggregate);
        uint256 gain = _gain(all, weights, kappa, aggregate);
        assertLe(gain, regret + 1, "an upper bound");
        if (gain > 1e9) assertLe(regret, gain + gain / 1e3 + 1e6, "and a close one");
    }

    /// @dev The largest numbers there are.
    function testNothingOverflowsAtTheLimits() public {
        uint256 n = 1024;
        uint256[] memory voices = new uint256[](n);
        bytes memory values = new bytes(6 * n);
        for (uint256 i = 0; i < n; ++i) {
            voices[i] = MILLION << 16 | 1000;
        }
        for (uint256 i = 0; i < values.length; ++i) {
            values[i] = 0xff;
        }
        uint256 total = 1000 * n;
        uint256[] memory aggregate = new uint256[](1);
        aggregate[0] = total * (COORDINATES - 1) << 32;
        uint256[2] memory couplings = [1, 100 * MILLION];
        for (uint256 i = 0; i < 2; ++i) {
            Certificate.Game memory game = Certificate.Game(couplings[i], NO_LIMIT, total);
            assertEq(probe.regretOf(game, voices, values, aggregate), 1);
            aggregate[0] -= total << 31;
            assertEq(probe.regretOf(game, voices, values, aggregate), 1);
            aggregate[0] -= total << 34;
            vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.ResidualTooLarge.selector, 0));
            probe.regretOf(game, voices, values, aggregate);
            aggregate[0] = total * (COORDINATES - 1) << 32;
        }
    }

    function testAnAggregateOutOfRangeIsRefused() public {
        (Word[] memory all, uint256[] memory weights, uint256 kappa) = _game(1, 3, 2);
        uint256 total = _sum(weights);
        uint256[] memory aggregate = _claim(all, weights, kappa, 1, 0);
        Certificate.Game memory game = Certificate.Game(kappa, NO_LIMIT, total);
        uint256 good = aggregate[1];
        aggregate[1] = total * (COORDINATES - 1) * 2 ** 32 + 1;
        vm.expectRevert(INeuralConsensus.PrecisionLoss.selector);
        probe.regretOf(game, _voices(all, weights), _values(all), aggregate);
        aggregate[1] = type(uint256).max;
        vm.expectRevert(INeuralConsensus.PrecisionLoss.selector);
        probe.regretOf(game, _voices(all, weights), _values(all), aggregate);
        aggregate[1] = 0;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.ResidualTooLarge.selector, 1));
        probe.regretOf(game, _voices(all, weights), _values(all), aggregate);
        aggregate[1] = good;
        probe.regretOf(game, _voices(all, weights), _values(all), aggregate);
    }

    /// @dev The bound of a residual, exactly: one agent alone with c = kappa W, so that y moves half, and A = 2^31.
    function testTheBoundOfAResidualIsExact() public {
        uint256[] memory voices = new uint256[](1);
        voices[0] = 2 << 16 | 1;
        bytes memory values = hex"800000000000";
        uint256[] memory aggregate = new uint256[](1);
        uint256 exact = 2 ** 47 << 32;
        aggregate[0] = exact + 2 ** 32;
        Certificate.Game memory game = Certificate.Game(2, NO_LIMIT, 1);
        // r = (x + S) / 2 - S = -2^31; D = c = 2; regret = 10^12 * 4 * (2^31 + 1)^2 / (2 * 2^128) < 1.
        assertEq(probe.regretOf(game, voices, values, aggregate), 1);
        aggregate[0] = exact - 2 ** 32;
        assertEq(probe.regretOf(game, voices, values, aggregate), 1);
        aggregate[0] -= 2;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.ResidualTooLarge.selector, 0));
        probe.regretOf(game, voices, values, aggregate);
        aggregate[0] = exact + 2 ** 32 + 2;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.ResidualTooLarge.selector, 0));
        probe.regretOf(game, voices, values, aggregate);
    }

    /// @dev A regret of more than 1 needs many coordinates, and agents who mind each other little.
    function testARegretJustAtEpsPasses() public {
        (Certificate.Game memory game, uint256[] memory voices, bytes memory values, uint256[] memory aggregate) =
            _loose();
        uint256 regret = probe.regretOf(game, voices, values, aggregate);
        assertEq(regret, Math.ceilDiv(1e12 * 50_000 ** 2 * 1024 * (10 * 2 ** 32 + 20) ** 2, 1_500_000 * 2 ** 128));
        assertGt(regret, 2);
        game.eps = regret;
        assertEq(probe.regretOf(game, voices, values, aggregate), regret);
        game.eps = regret - 1;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.GapTooLarge.selector, regret, regret - 1));
        probe.regretOf(game, voices, values, aggregate);
        game.eps = 0;
        vm.expectRevert(INeuralConsensus.PrecisionLoss.selector);
        probe.regretOf(game, voices, values, aggregate);
    }

    /// @dev The regret is that of the agent with the least at stake, wherever it stands.
    function testTheRegretIsOfTheOneMovedMostEasily() public view {
        (Certificate.Game memory game, uint256[] memory voices, bytes memory values, uint256[] memory aggregate) =
            _loose();
        uint256 claim = (20 << 32) - 1200;
        for (uint256 k = 0; k < 1024; ++k) {
            aggregate[k] = claim;
        }
        uint256 residual = claim - 10 * (50_000 * claim / 1_500_000 + 50_000 * claim / 2_000_000);
        uint256 expected = Math.ceilDiv(1e12 * 50_000 ** 2 * 1024 * (residual + 20) ** 2, 1_000_000 * 2 ** 128);
        voices[0] = 500_000 << 16 | 10;
        assertEq(probe.regretOf(game, voices, values, aggregate), expected);
        (voices[0], voices[1]) = (voices[1], voices[0]);
        assertEq(probe.regretOf(game, voices, values, aggregate), expected);
        assertGt(expected, Math.ceilDiv(1e12 * 50_000 ** 2 * 1024 * (residual + 20) ** 2, 1_500_000 * 2 ** 128));
    }

    /// @dev Two agents of weight 10 and confidence 1, kappa 0.05: kappa W = 1, so A = 10 * 2^32, and the claim just
    ///      reaches it in each of 1024 coordinates. D = 1 + 0.05 * 10.
    function _loose()
        private
        pure
        returns (Certificate.Game memory game, uint256[] memory voices, bytes memory values, uint256[] memory aggregate)
    {
        game = Certificate.Game(50_000, NO_LIMIT, 20);
        voices = new uint256[](2);
        voices[0] = voices[1] = MILLION << 16 | 10;
        values = new bytes(2 * 6 * 1024);
        aggregate = new uint256[](1024);
        for (uint256 k = 0; k < 1024; ++k) {
            // All want 0, so the responses are half of the claim, and the residual the other half.
            aggregate[k] = 20 << 32;
        }
    }

    function testFuzzWeightsAreCappedAtAThirdOnce(uint16[5] memory raw, uint256 out) public view {
        uint256[] memory voices = new uint256[](5);
        uint256 sum;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 weight = out >> i & 1 != 0 ? 0 : bound(raw[i], 1, 1000);
            voices[i] = weight == 0 ? 0 : (i + 1) << 16 | weight;
            sum += weight;
        }
        (uint256 total, uint256[] memory capped_) = probe.capWeights(voices, sum);
        uint256 cap = sum / 3 == 0 ? 1 : sum / 3;
        uint256 expected;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 weight = voices[i] & 0xffff;
            assertEq(capped_[i] & 0xffff, weight < cap ? weight : cap);
            assertEq(capped_[i] >> 16, voices[i] >> 16);
            expected += weight < cap ? weight : cap;
        }
        assertEq(total, expected);
    }

    // What a certificate is made of --------------------------------------------------------------------------------

    function testFuzzTheEquilibriumIsCertifiedInBothTiers(uint256 n, uint256 dims, uint256 kappa, bool slots) public {
        n = bound(n, 2, 8);
        INeuralConsensus.Tier tier = slots ? INeuralConsensus.Tier.Slots : INeuralConsensus.Tier.Accumulator;
        open(TASK, bound(dims, 1, 12), tier, uint32(bound(kappa, 1, 100 * MILLION)), EPS, 2);
        Word[] memory all = words(n, bound(dims, 1, 12));
        submitEach(TASK, all);
        pass();
        Proof memory proof = proofOf(TASK, all);
        prove(TASK, proof);
        (uint256[] memory result, bool converged) = consensus.computeNashEquilibrium(TASK);
        assertTrue(converged);
        assertEq(result.length, all[0].position.length);
        for (uint256 k = 0; k < result.length; ++k) {
            assertEq(result[k], (proof.aggregate[k] + (proof.total << 31)) / (proof.total << 32));
        }
        (uint256[] memory none, bool finalized) = consensus.getConsensusResult(TASK);
        assertEq(none.length, 0);
        assertFalse(finalized);
        finalize(TASK);
        (none, finalized) = consensus.getConsensusResult(TASK);
        assertEq(none, result);
        assertTrue(finalized);
        (none, converged) = consensus.computeNashEquilibrium(TASK);
        assertEq(none, result);
        assertTrue(converged);
    }

    function testTheCertificateTellsItsRegretAndWeight() public {
        (Word[] memory all, Proof memory proof) = _round(INeuralConsensus.Tier.Slots);
        (uint256 regret,) = _plain(all, capped(_hundreds(all.length)), KAPPA, proof.aggregate);
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.CertificateVerified(TASK, address(this), regret, 800);
        prove(TASK, proof);
    }

    /// @dev Threat: fake S.
    function testFuzzAFakeAggregateIsRefused(uint256 k, uint256 by, bool up, bool slots) public {
        (Word[] memory all, Proof memory proof) =
            _round(slots ? INeuralConsensus.Tier.Slots : INeuralConsensus.Tier.Accumulator);
        k = bound(k, 0, 3);
        // Two units of the result are enough.
        by = bound(by, proof.total << 33, 2 ** 78);
        proof.aggregate[k] = up ? proof.aggregate[k] + by : proof.aggregate[k] - by;
        assertEq(all.length, 8);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.ResidualTooLarge.selector, k));
        prove(TASK, proof);
    }

    /// @dev Threat: changed positions, confidences and weights.
    function testFuzzChangedSubmissionsAreRefused(uint256 who, uint256 what, bool slots) public {
        (, Proof memory proof) = _round(slots ? INeuralConsensus.Tier.Slots : INeuralConsensus.Tier.Accumulator);
        who = bound(who, 0, 7);
        what = bound(what, 0, 3);
        if (what == 0) proof.values[24 * who + 7] ^= 0x01;
        else if (what == 1) proof.heads[who] = bytes32(uint256(proof.heads[who]) ^ 1 << 64);
        else if (what == 2) proof.heads[who] = bytes32(uint256(proof.heads[who]) ^ 1 << 48);
        else proof.heads[who] = bytes32(uint256(proof.heads[who]) ^ 1);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.CommitmentMismatch.selector, slots ? who : 8));
        prove(TASK, proof);
    }

    /// @dev Threats: a missing position, a duplicate in its place, another order, somebody who never submitted.
    function testAllPositionsAndEachOnce() public {
        for (uint256 t = 0; t < 2; ++t) {
            bytes32 task = keccak256(abi.encode("task", t));
            open(task, 4, INeuralConsensus.Tier(t));
            Word[] memory all = words(7, 4);
            submitAll(task, all);
            vm.warp(consensus.taskOf(task).deadline);
            Word[] memory fewer = words(6, 4);
            _refuse(task, fewer, abi.encodeWithSelector(INeuralConsensus.NotReady.selector, task));
            _refuse(task, words(8, 4), abi.encodeWithSelector(INeuralConsensus.NotReady.selector, task));
            all[3] = all[2];
            _refuse(task, all, _mismatch(t == 0 ? 3 : 7));
            all = words(7, 4);
            (all[3], all[2]) = (all[2], all[3]);
            _refuse(task, all, _mismatch(t == 0 ? 3 : 7));
            all = words(7, 4);
            all[6].who = 7;
            _refuse(task, all, _mismatch(t == 0 ? 6 : 7));
            prove(task, proofOf(task, words(7, 4)));
        }
    }

    function testTheLengthsMustFit() public {
        (, Proof memory proof) = _round(INeuralConsensus.Tier.Slots);
        bytes memory values = proof.values;
        proof.values = bytes.concat(values, hex"00");
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.MalformedBatch.selector, values.length + 1));
        prove(TASK, proof);
        proof.values = "";
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.MalformedBatch.selector, 0));
        prove(TASK, proof);
        proof.values = values;
        uint256[] memory aggregate = proof.aggregate;
        proof.aggregate = new uint256[](5);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.MalformedBatch.selector, 5));
        prove(TASK, proof);
        proof.aggregate = aggregate;
        prove(TASK, proof);
    }

    function testACertificateNeedsTheDeadlineAndTheQuorum() public {
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.UnknownTask.selector, TASK));
        consensus.proveEquilibrium(TASK, new bytes32[](0), "", new uint256[](0));
        open(TASK, 2, INeuralConsensus.Tier.Slots, KAPPA, EPS, 3);
        Word[] memory all = words(3, 2);
        submit(TASK, all[0]);
        submit(TASK, all[1]);
        bytes memory early = abi.encodeWithSelector(INeuralConsensus.NotReady.selector, TASK);
        _refuse(TASK, words(2, 2), early);
        vm.warp(vm.getBlockTimestamp() + 1 hours - 1);
        submit(TASK, all[2]);
        _refuse(TASK, all, early);
        vm.warp(vm.getBlockTimestamp() + 1);
        prove(TASK, proofOf(TASK, all));
    }

    function testTwoAgentsAreTooFewWhereThreeAreNeeded() public {
        open(TASK, 2, INeuralConsensus.Tier.Slots, KAPPA, EPS, 3);
        Word[] memory all = words(2, 2);
        submitAll(TASK, all);
        pass();
        _refuse(TASK, all, abi.encodeWithSelector(INeuralConsensus.NotReady.selector, TASK));
        vm.expectEmit(address(consensus));
        emit INeuralConsensus.TaskVoided(TASK, 2, 3);
        consensus.voidTask(TASK);
        _refuse(TASK, all, abi.encodeWithSelector(INeuralConsensus.Closed.selector, TASK));
    }

    /// @dev The first proof stands: what is certified is replaced by nothing else.
    function testACertifiedResultStays() public {
        (, Proof memory proof) = _round(INeuralConsensus.Tier.Slots);
        prove(TASK, proof);
        proof.aggregate[0] += 2 ** 33;
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.Closed.selector, TASK));
        prove(TASK, proof);
        vm.expectRevert(abi.encodeWithSelector(INeuralConsensus.Closed.selector, TASK));
        consensus.voidTask(TASK);
    }

    /// @dev The largest tasks that the contract takes fit into a transaction (2^24 gas since EIP-7825).
    /// forge-config: default.isolate = true
    function testTheLargestTaskFitsATransaction() public {
        uint256 cells = consensus.MAX_CELLS();
        for (uint256 n = 32; n <= 1024; n *= 32) {
            uint256[] memory voices = new uint256[](n);
            for (uint256 i = 0; i < n; ++i) {
                voices[i] = MILLION << 16 | 100;
            }
            bytes memory values = new bytes(6 * cells);
            for (uint256 i = 0; i < values.length; ++i) {
                values[i] = i % 6 == 0 ? bytes1(0x80) : bytes1(0);
            }
            uint256[] memory aggregate = new uint256[](cells / n);
            for (uint256 k = 0; k < aggregate.length; ++k) {
                aggregate[k] = 100 * n << 79;
            }
            probe.regretOf(Certificate.Game(KAPPA, NO_LIMIT, 100 * n), voices, values, aggregate);
            // Without zero bytes it would be 12 gas a byte more; beside the arithmetic there are reading and hashing the
            // commitments, and writing the result.
            uint256 used = vm.lastCallGas().gasTotalUsed + 12 * values.length + 3_500 * n + 4_500 * aggregate.length;
            assertLe(used, 2 ** 24);
        }
    }

    // ----------------------------------------------------------------------------------------------------------------

    function _round(INeuralConsensus.Tier tier) private returns (Word[] memory all, Proof memory proof) {
        open(TASK, 4, tier);
        all = words(8, 4);
        submitEach(TASK, all);
        pass();
        proof = proofOf(TASK, all);
    }

    function _refuse(bytes32 task, Word[] memory all, bytes memory refusal) private {
        Proof memory proof = proofOf(task, all);
        vm.expectRevert(refusal);
        prove(task, proof);
    }

    function _mismatch(uint256 index) private pure returns (bytes memory) {
        return abi.encodeWithSelector(INeuralConsensus.CommitmentMismatch.selector, index);
    }

    function _hundreds(uint256 n) private pure returns (uint256[] memory weights) {
        weights = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            weights[i] = 100;
        }
    }

    function _game(uint256 seed, uint256 n, uint256 dims)
        private
        pure
        returns (Word[] memory all, uint256[] memory weights, uint256 kappa)
    {
        all = new Word[](n);
        weights = new uint256[](n);
        kappa = 1 + uint256(keccak256(abi.encode(seed, "kappa"))) % (seed % 3 == 0 ? 100 * MILLION : 10 * MILLION);
        for (uint256 i = 0; i < n; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            all[i] = Word(i, new uint256[](dims), 1 + random % MILLION);
            weights[i] = 1 + (random >> 64) % 1000;
            for (uint256 k = 0; k < dims; ++k) {
                all[i].position[k] = uint256(keccak256(abi.encode(seed, i, k))) % COORDINATES;
            }
        }
        weights = capped(weights);
    }

    function _sum(uint256[] memory weights) private pure returns (uint256 sum) {
        for (uint256 i = 0; i < weights.length; ++i) {
            sum += weights[i];
        }
    }

    function _voices(Word[] memory all, uint256[] memory weights) private pure returns (uint256[] memory voices) {
        voices = new uint256[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            voices[i] = all[i].confidence << 16 | weights[i];
        }
    }

    function _values(Word[] memory all) private pure returns (bytes memory) {
        bytes[] memory parts = new bytes[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            parts[i] = pack(all[i].position);
        }
        return join(parts);
    }

    /// @dev The equilibrium's aggregate, moved by up to 2^noise.
    function _claim(Word[] memory all, uint256[] memory weights, uint256 kappa, uint256 seed, uint256 noise)
        private
        pure
        returns (uint256[] memory aggregate)
    {
        uint256 total = _sum(weights);
        uint256 limit = total * (COORDINATES - 1) << 32;
        aggregate = new uint256[](all[0].position.length);
        for (uint256 k = 0; k < aggregate.length; ++k) {
            uint256 moved = solve(all, weights, kappa, total, k);
            moved += uint256(keccak256(abi.encode(seed, "noise", k))) % 2 ** noise;
            aggregate[k] = moved < limit ? moved : limit;
        }
    }

    /// @dev The formulas of the library's documentation, one after the other. `tooLarge` is the first coordinate whose
    ///      residual is, or their number.
    function _plain(Word[] memory all, uint256[] memory weights, uint256 kappa, uint256[] memory aggregate)
        private
        pure
        returns (uint256 regret, uint256 tooLarge)
    {
        uint256 total = _sum(weights);
        uint256 least = type(uint256).max;
        uint256 limit;
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 c = all[i].confidence;
            least = Math.min(least, c + kappa * (total - weights[i]));
            limit += weights[i] * c * 2 ** 32 / (c + kappa * total);
        }
        uint256 squares;
        tooLarge = aggregate.length;
        for (uint256 k = aggregate.length; k > 0;) {
            --k;
            uint256 residual = SignedMath.abs(_residual(all, weights, kappa, aggregate[k], k));
            if (residual > limit) tooLarge = k;
            squares += (residual + total) ** 2;
        }
        regret = Math.ceilDiv(10 ** 12 * kappa * kappa * squares, least * 2 ** 128);
    }

    function _residual(Word[] memory all, uint256[] memory weights, uint256 kappa, uint256 claimed, uint256 k)
        private
        pure
        returns (int256 r)
    {
        uint256 total = _sum(weights);
        r = -int256(claimed);
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 c = all[i].confidence;
            uint256 y = (c * all[i].position[k] * 2 ** 32 + kappa * claimed) / (c + kappa * total);
            r += int256(weights[i] * y);
        }
    }

    struct Play {
        Word[] all;
        uint256[] weights;
        uint256[] y;
        uint256 kappa;
        uint256 total;
        uint256 sum;
    }

    /// @dev The most that anybody gains by its best response when all stand at theirs to the claimed aggregate, in 1e-18.
    ///      Coordinates with 48 fractional bits more than the contract's positions have.
    function _gain(Word[] memory all, uint256[] memory weights, uint256 kappa, uint256[] memory aggregate)
        private
        pure
        returns (uint256 most)
    {
        Play memory play = Play(all, weights, new uint256[](all.length), kappa, _sum(weights), 0);
        uint256[] memory gains = new uint256[](all.length);
        for (uint256 k = 0; k < aggregate.length; ++k) {
            play.sum = 0;
            for (uint256 i = 0; i < all.length; ++i) {
                uint256 c = all[i].confidence;
                play.y[i] = ((c * all[i].position[k] << 48) + (kappa * aggregate[k] << 16)) / (c + kappa * play.total);
                play.sum += weights[i] * play.y[i];
            }
            for (uint256 i = 0; i < all.length; ++i) {
                gains[i] += _gainOf(play, i, k);
            }
        }
        for (uint256 i = 0; i < all.length; ++i) {
            most = Math.max(most, Math.mulDiv(gains[i], 1e12, 2 ** 160));
        }
    }

    function _gainOf(Play memory play, uint256 i, uint256 k) private pure returns (uint256) {
        uint256 weight = play.weights[i];
        uint256 c = play.all[i].confidence;
        uint256 others = play.sum - weight * play.y[i];
        uint256 best = (c * play.all[i].position[k] << 48) + play.kappa * others;
        best /= c + play.kappa * (play.total - weight);
        uint256 here = _cost(play, i, k, play.y[i]);
        uint256 there = _cost(play, i, k, best);
        return here > there ? here - there : 0;
    }

    /// @dev -u_i in coordinate k, with agent i at `y`: c (y - x)^2 + kappa sum_j w_j (y - y_j)^2.
    function _cost(Play memory play, uint256 i, uint256 k, uint256 y) private pure returns (uint256 cost) {
        cost = play.all[i].confidence * _square(y, play.all[i].position[k] << 48);
        for (uint256 j = 0; j < play.all.length; ++j) {
            if (j != i) cost += play.kappa * play.weights[j] * _square(y, play.y[j]);
        }
    }

    function _square(uint256 a, uint256 b) private pure returns (uint256) {
        uint256 gap = a > b ? a - b : b - a;
        return gap * gap;
    }
}
