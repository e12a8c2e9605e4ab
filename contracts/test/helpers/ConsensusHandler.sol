// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {NeuralConsensus} from "../../src/NeuralConsensus.sol";
import {INeuralConsensus} from "../../src/interfaces/INeuralConsensus.sol";
import {Certificate} from "../../src/libraries/Certificate.sol";
import {CourtHandler} from "./CourtHandler.sol";

/// @notice All that can happen between agents that agree, beside all that happens in leagues and in court: over the same
///         vault, and partly by the same accounts.
contract ConsensusHandler is CourtHandler {
    uint256 public constant RISK = 0.1 ether;
    uint256 public constant FINE = 0.06 ether;
    uint256 private constant EVIDENCE = 1 days;
    uint256 private constant SUBMISSIONS = 1 hours;
    uint128 private constant EPS = 1e6;
    uint256 private constant MAX_MINDS = 14;

    struct Said {
        uint256 who;
        uint256[] position;
        uint256 confidence;
        uint256 weight;
    }

    struct Proof {
        bytes32[] heads;
        bytes values;
        uint256[] aggregate;
    }

    NeuralConsensus public consensus;
    /// @dev Who ever took part, and the keys; the first are agents of the league as well.
    address[] public minds;
    uint256[] private _mindKeys;
    bytes32[] public tasks;
    mapping(bytes32 => Said[]) private _said;
    /// @dev Of final results: that they stay is asserted at the end.
    bytes32[] public finals;
    mapping(bytes32 => bytes32) private _resultHash;
    mapping(bytes32 => Proof) private _certificates;
    mapping(bytes32 => uint256[]) private _voices;
    uint256 private _nTasks;

    function start() public override {
        super.start();
        NeuralConsensus.Rules memory rules =
            NeuralConsensus.Rules(uint96(RISK), uint96(FINE), uint48(EVIDENCE), uint16(REPORTER_BPS));
        consensus = new NeuralConsensus(admin, vault, rules);
        vm.startPrank(admin);
        vault.grantRole(vault.SLASHER_ROLE(), address(consensus));
        consensus.grantRole(consensus.OPERATOR_ROLE(), address(this));
        consensus.grantRole(consensus.PAUSER_ROLE(), pauser);
        vm.stopPrank();
        for (uint256 i = 0; i < agents.length; ++i) {
            minds.push(agents[i]);
            _mindKeys.push(keys[i]);
        }
    }

    // Actions

    function join(uint256 which) external timed(Did.Join) {
        address mind = _newcomer(which);
        uint256 exposed = exposureOf(mind);
        _fund(mind);
        vm.prank(mind);
        consensus.register("model");
        assertEq(exposureOf(mind), exposed + RISK);
        ++done[uint256(Did.Join)];
    }

    /// @dev Whoever leaves is at risk for the evidence window, also while entry is paused; then at once no more.
    function depart(uint256 which, bool paused) external timed(Did.Depart) {
        uint256 who = _active(which);
        if (paused) _pauseConsensus(true);
        _depart(minds[who]);
        if (paused) _pauseConsensus(false);
        ++done[uint256(Did.Depart)];
    }

    function openTask(uint256 dims, uint256 kappa, bool cheap) external timed(Did.Task) {
        _openTask(dims, kappa, cheap, 2);
        ++done[uint256(Did.Task)];
    }

    /// @dev One position an agent a task, whichever way it came.
    function submitOwn(uint256 which, uint256 who, uint256 seed) external timed(Did.Submit) {
        bytes32 task = _anyTask(which);
        Said memory said = _word(task, _unsaid(task, who), seed);
        this.trySubmit(task, said);
        _note(task, said);
        try this.trySubmit(task, said) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), INeuralConsensus.AlreadySubmitted.selector);
        }
        ++done[uint256(Did.Submit)];
    }

    function trySubmit(bytes32 task, Said calldata said) external {
        vm.prank(minds[said.who]);
        consensus.submitPosition(minds[said.who], said.position, said.confidence, task);
    }

    /// @dev Signed for this task only, by the agent only, and counted once.
    function relay(uint256 which, uint256 who, uint256 seed) external timed(Did.Relay) {
        bytes32 task = _anyTask(which);
        Said memory said = _word(task, _unsaid(task, who), seed);
        bytes memory signature = _sign(said.who, _message(task, said, 0));
        bytes memory elsewhere = _sign(said.who, _message(keccak256(abi.encode(task)), said, 0));
        _refuseRelay(task, said, elsewhere, INeuralConsensus.BadSignature.selector);
        this.tryRelay(task, said, signature);
        _note(task, said);
        _refuseRelay(task, said, signature, INeuralConsensus.AlreadySubmitted.selector);
        ++done[uint256(Did.Relay)];
    }

    function tryRelay(bytes32 task, Said calldata said, bytes calldata signature) external {
        address mind = minds[said.who];
        uint32 nonce = consensus.agentOf(mind).nonce;
        vm.prank(reporter);
        consensus.submitPosition(mind, said.position, said.confidence, task, nonce, _until(task), signature);
    }

    /// @dev What is not to be taken is left out, and the rest is taken.
    function submitBatch(uint256 which, uint256 who, uint256 seed) external timed(Did.Batch) {
        bytes32 task = _anyTask(which);
        uint256 n = bound(seed, 1, 3);
        bytes memory packed;
        for (uint256 i = 0; i < n; ++i) {
            Said memory said = _word(task, _unsaid(task, who ^ i), seed ^ i);
            bytes memory entry = _entry(task, said, said.who);
            packed = abi.encodePacked(packed, entry, i == 0 ? entry : _entry(task, said, (said.who + 1) % minds.length));
            _note(task, said);
        }
        vm.prank(reporter);
        assertEq(consensus.submitPositions(task, _until(task), packed), n);
        ++done[uint256(Did.Batch)];
    }

    function certify(uint256 which, uint256 seed) external timed(Did.Certify) {
        _certify(_ready(which, seed));
        ++done[uint256(Did.Certify)];
    }

    function finalizeOne(uint256 which, uint256 seed, bool paused) external timed(Did.Finalize) {
        bytes32 task = _ready(which, seed);
        if (paused) _pauseConsensus(true);
        _certify(task);
        _finalize(task);
        if (paused) _pauseConsensus(false);
        ++done[uint256(Did.Finalize)];
    }

    /// @dev To which too few came is void, and neither certified nor final ever.
    function voidEmpty(uint256 who, uint256 seed) external timed(Did.Empty) {
        bytes32 task = _openTask(seed, seed, seed % 2 == 0, 3);
        if (who % 2 == 0) {
            Said memory said = _word(task, _unsaid(task, who), seed);
            this.trySubmit(task, said);
            _note(task, said);
        }
        _refuseVoid(task);
        vm.warp(_until(task));
        consensus.voidTask(task);
        assertEq(uint8(consensus.taskOf(task).status), uint8(INeuralConsensus.Status.Void));
        _refuseVoid(task);
        _drop(task);
        ++done[uint256(Did.Empty)];
    }

    /// @dev Once a task, and a reputation stays in its bounds.
    function credit(uint256 which, uint256 seed) external timed(Did.Credit) {
        bytes32 task = _ready(which, seed);
        _certify(task);
        _finalize(task);
        Proof memory proof = _proof(task);
        consensus.creditReputation(task, proof.heads, proof.values);
        try consensus.creditReputation(task, proof.heads, proof.values) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), INeuralConsensus.Closed.selector);
        }
        for (uint256 i = 0; i < minds.length; ++i) {
            uint256 reputation = consensus.agentReputation(minds[i]);
            assertTrue(reputation <= 1000 && (reputation >= 1 || consensus.agentOf(minds[i]).registeredAt == 0));
        }
        ++done[uint256(Did.Credit)];
    }

    /// @dev Two words for one round cost the fine, once; nobody else's words, and no repeated word, cost anything.
    function convict(uint256 which, uint256 who, uint256 seed, bool certified) external timed(Did.Convict) {
        bytes32 task = certified ? _ready(which, seed) : _anyTask(which);
        uint256 guilty = certified ? _said[task][0].who : _active(who);
        if (certified) _certify(task);
        if (consensus.excluded(task, minds[guilty])) return;
        Said memory one = _word(task, guilty, seed);
        Said memory other = _word(task, guilty, ~seed);
        if (one.confidence == other.confidence) other.confidence = one.confidence % 1_000_000 + 1;
        _refuseConviction(task, one, one, guilty, INeuralConsensus.NotEquivocation.selector);
        _refuseConviction(task, one, other, (guilty + 1) % minds.length, INeuralConsensus.BadSignature.selector);
        _convict(task, one, other);
        _refuseConviction(task, one, other, guilty, INeuralConsensus.AlreadyProven.selector);
        bool revoked = consensus.taskOf(task).status == INeuralConsensus.Status.Open;
        assertTrue(revoked || !certified, "a result that counted the guilty is certified no longer");
        ++done[uint256(Did.Convict)];
    }

    /// @dev A pause stops entry: registrations, tasks, positions.
    function hush(uint256 which, uint256 seed) external timed(Did.Hush) {
        bytes32 task = _anyTask(which);
        Said memory said = _word(task, _unsaid(task, which), seed);
        address newcomer = _newcomer(seed);
        _fund(newcomer);
        _pauseConsensus(true);
        _refusePaused(abi.encodeCall(this.trySubmit, (task, said)));
        _refusePaused(abi.encodeCall(this.tryRelay, (task, said, _sign(said.who, _message(task, said, 0)))));
        _refusePaused(abi.encodeCall(this.tryRegister, (newcomer)));
        _refusePaused(abi.encodeCall(this.tryTask, (keccak256("never"))));
        _pauseConsensus(false);
        ++done[uint256(Did.Hush)];
    }

    function tryRegister(address mind) external {
        vm.prank(mind);
        consensus.register("model");
    }

    function tryTask(bytes32 task) external {
        uint40 until = uint40(vm.getBlockTimestamp() + SUBMISSIONS);
        consensus.createTask(task, 1, until, 1_000_000, EPS, 2, INeuralConsensus.Tier.Slots);
    }

    /// @dev What was signed before a new nonce is void.
    function renew(uint256 which, uint256 who, uint256 seed) external timed(Did.Renew) {
        bytes32 task = _anyTask(which);
        Said memory said = _word(task, _unsaid(task, who), seed);
        bytes memory old = _entry(task, said, said.who);
        vm.prank(minds[said.who]);
        consensus.advanceNonce();
        assertEq(consensus.submitPositions(task, _until(task), old), 0);
        assertEq(consensus.submitPositions(task, _until(task), _entry(task, said, said.who)), 1);
        _note(task, said);
        ++done[uint256(Did.Renew)];
    }

    // Views

    function accounts() public view override returns (address[] memory all) {
        address[] memory base = super.accounts();
        uint256 more = minds.length - agents.length; // the first are the league's
        all = new address[](base.length + more);
        for (uint256 i = 0; i < base.length; ++i) {
            all[i] = base[i];
        }
        for (uint256 i = 0; i < more; ++i) {
            all[base.length + i] = minds[agents.length + i];
        }
    }

    /// @notice Every account, and what of its stake is reserved, as this ledger has it.
    function reserved() external view returns (address[] memory all, uint256[] memory own) {
        all = accounts();
        own = new uint256[](all.length);
        uint256 n = agents.length;
        for (uint256 i = 0; i < open.length; ++i) {
            address poster = anchor.commitmentOf(open[i]).poster;
            for (uint256 seat = 0; seat < n; ++seat) {
                if (agents[seat] == poster) own[seat] += EXPOSURE;
            }
        }
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (bool registered,) = court.verifierOf(verifiers[i]);
            if (registered) own[n + 3 + i] += VERIFIER_STAKE;
        }
        for (uint256 i = 0; i < minds.length; ++i) {
            if (isAtRisk(minds[i])) own[i < n ? i : i + 3 + verifiers.length] += RISK;
        }
    }

    function isAtRisk(address account) public view returns (bool) {
        INeuralConsensus.Agent memory agent = consensus.agentOf(account);
        return agent.registeredAt != 0 && !agent.banned;
    }

    function taskCount() external view returns (uint256) {
        return tasks.length;
    }

    function saidCount(bytes32 task) external view returns (uint256) {
        return _said[task].length;
    }

    /// @notice Fails unless every final result is what was certified, and its certificate holds.
    function requireFinal() external view {
        for (uint256 i = 0; i < finals.length; ++i) {
            bytes32 task = finals[i];
            (uint256[] memory result, bool found) = consensus.getConsensusResult(task);
            assertTrue(found, "final stays final");
            assertEq(keccak256(abi.encode(result)), _resultHash[task], "a final result never changes");
            Proof memory proof = _certificates[task];
            uint256 regret = this.regretOf(_voices[task], consensus.taskOf(task).kappa, proof.values, proof.aggregate);
            assertLe(regret, EPS, "a final result re-verifies");
        }
    }

    /// @notice What the library finds, called by itself.
    function regretOf(uint256[] memory voices, uint256 kappa, bytes calldata values, uint256[] calldata aggregate)
        external
        pure
        returns (uint256)
    {
        uint256 total;
        for (uint256 i = 0; i < voices.length; ++i) {
            total += voices[i] & type(uint16).max;
        }
        return Certificate.regretOf(Certificate.Game(kappa, EPS, total), voices, values, aggregate);
    }

    // Steps

    function _closeCourt() internal override {
        super._closeCourt();
        for (uint256 i = 0; i < minds.length; ++i) {
            if (isAtRisk(minds[i])) _depart(minds[i]);
        }
    }

    function _unexpose(address account) internal override {
        if (isAtRisk(account)) _depart(account);
        super._unexpose(account);
    }

    function _depart(address mind) private {
        uint256 exposed = exposureOf(mind);
        vm.startPrank(mind);
        _refuseRelease();
        consensus.deregister();
        _refuseRelease();
        vm.warp(vm.getBlockTimestamp() + EVIDENCE);
        consensus.release();
        vm.stopPrank();
        assertEq(exposureOf(mind), exposed - RISK);
    }

    function _refuseRelease() private {
        try consensus.release() {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), INeuralConsensus.StillAtRisk.selector);
        }
    }

    /// @dev Somebody who may register: who left, else a new account.
    function _newcomer(uint256 which) private returns (address mind) {
        for (uint256 i = 0; i < minds.length; ++i) {
            mind = minds[addmod(which, i, minds.length)];
            if (!isAtRisk(mind) && !consensus.agentOf(mind).banned) return mind;
        }
        if (minds.length >= MAX_MINDS) {
            for (uint256 i = 0; i < minds.length; ++i) {
                mind = minds[addmod(which, i, minds.length)];
                if (!consensus.agentOf(mind).banned) {
                    _depart(mind);
                    return mind;
                }
            }
        }
        return minds[_mint()];
    }

    function _mint() private returns (uint256 who) {
        who = minds.length;
        uint256 key = uint256(keccak256(abi.encode("mind", who)));
        minds.push(vm.addr(key));
        _mindKeys.push(key);
    }

    function _fund(address mind) private {
        (uint256 active,) = stakeOf(mind);
        if (active < exposureOf(mind) + RISK) _stake(mind, exposureOf(mind) + RISK);
    }

    function _isActive(address mind) private view returns (bool) {
        return isAtRisk(mind) && consensus.agentOf(mind).leftAt == 0;
    }

    function _active(uint256 which) private returns (uint256 who) {
        for (uint256 i = 0; i < minds.length; ++i) {
            who = addmod(which, i, minds.length);
            if (_isActive(minds[who])) return who;
        }
        return _enter(which);
    }

    /// @dev An agent that takes part and has not spoken in this task.
    function _unsaid(bytes32 task, uint256 which) private returns (uint256 who) {
        for (uint256 i = 0; i < minds.length; ++i) {
            who = addmod(which, i, minds.length);
            if (_isActive(minds[who]) && !_spoke(task, who)) return who;
        }
        return _enter(which);
    }

    function _enter(uint256 which) private returns (uint256 who) {
        for (uint256 i = 0; i <= minds.length; ++i) {
            who = i == minds.length ? _mint() : addmod(which, i, minds.length);
            if (!isAtRisk(minds[who]) && !consensus.agentOf(minds[who]).banned && !_spokeAnywhere(who)) break;
        }
        _fund(minds[who]);
        vm.prank(minds[who]);
        consensus.register("model");
    }

    function _spoke(bytes32 task, uint256 who) private view returns (bool) {
        for (uint256 i = 0; i < _said[task].length; ++i) {
            if (_said[task][i].who == who) return true;
        }
        return false;
    }

    function _spokeAnywhere(uint256 who) private view returns (bool) {
        for (uint256 i = 0; i < tasks.length; ++i) {
            if (_spoke(tasks[i], who)) return true;
        }
        return false;
    }

    function _openTask(uint256 dims, uint256 kappa, bool cheap, uint16 least) private returns (bytes32 task) {
        task = keccak256(abi.encode("task", ++_nTasks));
        uint40 until = uint40(vm.getBlockTimestamp() + SUBMISSIONS);
        INeuralConsensus.Tier tier = cheap ? INeuralConsensus.Tier.Accumulator : INeuralConsensus.Tier.Slots;
        uint32 coupling = uint32(bound(kappa, 1000, 1_000_000));
        consensus.createTask(task, uint16(bound(dims, 1, 7)), until, coupling, EPS, least, tier);
        tasks.push(task);
    }

    /// @dev A task that takes positions now; tasks whose time passed with enough of them are certified, others void.
    function _anyTask(uint256 which) private returns (bytes32 task) {
        while (tasks.length != 0) {
            task = tasks[which % tasks.length];
            bool takes = consensus.taskOf(task).status == INeuralConsensus.Status.Open;
            if (takes && vm.getBlockTimestamp() < _until(task)) return task;
            _drop(task);
        }
        return _openTask(which, which, which % 2 == 0, 2);
    }

    /// @dev A task with three positions or more whose time has passed.
    function _ready(uint256 which, uint256 seed) private returns (bytes32 task) {
        task = _anyTask(which);
        for (uint256 i = 0; i < 3; ++i) {
            Said memory said = _word(task, _unsaid(task, which ^ i), seed ^ i);
            this.trySubmit(task, said);
            _note(task, said);
        }
        _refuseProof(task, _proof(task), INeuralConsensus.NotReady.selector);
        vm.warp(_until(task));
        _drop(task);
    }

    function _until(bytes32 task) private view returns (uint40) {
        return consensus.taskOf(task).deadline;
    }

    function _drop(bytes32 task) private {
        for (uint256 i = 0; i < tasks.length; ++i) {
            if (tasks[i] != task) continue;
            tasks[i] = tasks[tasks.length - 1];
            tasks.pop();
            return;
        }
    }

    function _word(bytes32 task, uint256 who, uint256 seed) private view returns (Said memory said) {
        uint256[] memory position = new uint256[](consensus.taskOf(task).dims);
        for (uint256 k = 0; k < position.length; ++k) {
            position[k] = uint48(uint256(keccak256(abi.encode(seed, who, k))));
        }
        uint256 confidence = 100_000 + uint256(keccak256(abi.encode(seed, who))) % 900_001;
        return Said(who, position, confidence, consensus.agentReputation(minds[who]));
    }

    function _note(bytes32 task, Said memory said) private {
        _said[task].push(said);
    }

    function _message(bytes32 task, Said memory said, uint32 round)
        private
        view
        returns (INeuralConsensus.Position memory)
    {
        address mind = minds[said.who];
        bytes32 hash = keccak256(_pack(said.position));
        uint32 nonce = consensus.agentOf(mind).nonce;
        return INeuralConsensus.Position(task, mind, hash, uint32(said.confidence), round, nonce, _until(task));
    }

    function _sign(uint256 who, INeuralConsensus.Position memory message) private view returns (bytes memory) {
        bytes32 digest = consensus.digestOf(message);
        return signed(_mindKeys[who], digest);
    }

    function _entry(bytes32 task, Said memory said, uint256 signer) private view returns (bytes memory) {
        INeuralConsensus.Position memory message = _message(task, said, 0);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_mindKeys[signer], consensus.digestOf(message));
        bytes memory compact = abi.encodePacked(r, uint256(s) | uint256(v - 27) << 255);
        return abi.encodePacked(message.agent, message.confidence, message.nonce, compact, _pack(said.position));
    }

    function _pack(uint256[] memory position) private pure returns (bytes memory packed) {
        for (uint256 k = 0; k < position.length; ++k) {
            packed = abi.encodePacked(packed, uint48(position[k]));
        }
    }

    function _certify(bytes32 task) private {
        Proof memory proof = _proof(task);
        uint256 honest = proof.aggregate[0];
        proof.aggregate[0] = honest > 2 ** 76 ? honest - 2 ** 76 : honest + 2 ** 76;
        _refuseProof(task, proof, INeuralConsensus.ResidualTooLarge.selector);
        proof.aggregate[0] = honest;
        proof.values[0] ^= 0x01;
        _refuseProof(task, proof, INeuralConsensus.CommitmentMismatch.selector);
        proof.values[0] ^= 0x01;
        consensus.proveEquilibrium(task, proof.heads, proof.values, proof.aggregate);
        (uint256[] memory result, bool converged) = consensus.computeNashEquilibrium(task);
        assertTrue(converged);
        uint256 total = _total(_weights(task));
        for (uint256 k = 0; k < result.length; ++k) {
            assertEq(
                result[k], (proof.aggregate[k] + total * 2 ** 31) / (total * 2 ** 32), "the weighted mean, rounded"
            );
        }
    }

    function _finalize(bytes32 task) private {
        (uint256[] memory result,) = consensus.computeNashEquilibrium(task);
        result[0] ^= 1;
        try consensus.finalizeConsensus(task, result) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), INeuralConsensus.NotTheCertified.selector);
        }
        result[0] ^= 1;
        _keep(task);
        consensus.finalizeConsensus(task, result);
        finals.push(task);
        _resultHash[task] = keccak256(abi.encode(result));
    }

    /// @dev With the weights of now: a later conviction takes nothing from a final result.
    function _keep(bytes32 task) private {
        _certificates[task] = _proof(task);
        uint256[] memory weights = _weights(task);
        for (uint256 i = 0; i < weights.length; ++i) {
            _voices[task].push(weights[i] == 0 ? 0 : _said[task][i].confidence << 16 | weights[i]);
        }
    }

    function _refuseProof(bytes32 task, Proof memory proof, bytes4 expected) private {
        try consensus.proveEquilibrium(task, proof.heads, proof.values, proof.aggregate) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), expected);
        }
    }

    function _refuseVoid(bytes32 task) private {
        try consensus.voidTask(task) {
            fail();
        } catch (bytes memory reason) {
            bytes4 selector = bytes4(reason);
            assertTrue(selector == INeuralConsensus.NotReady.selector || selector == INeuralConsensus.Closed.selector);
        }
    }

    function _refuseRelay(bytes32 task, Said memory said, bytes memory signature, bytes4 expected) private {
        try this.tryRelay(task, said, signature) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), expected);
        }
    }

    function _refusePaused(bytes memory call) private {
        (bool passed, bytes memory reason) = address(this).call(call);
        assertTrue(!passed && bytes4(reason) == Pausable.EnforcedPause.selector, "a pause stops entry");
    }

    function _convict(bytes32 task, Said memory one, Said memory other) private {
        address mind = minds[one.who];
        (uint256 active, uint256 pending) = stakeOf(mind);
        (uint256 exposed, uint256 reward) = (exposureOf(mind), creditOf(reporter));
        // Who was convicted for another task, or has left for good, has nothing at risk any more.
        uint256 risk = isAtRisk(mind) ? RISK : 0;
        uint256 expected = risk == 0 ? 0 : _min(FINE, active + pending);
        this.tryConvict(task, one, other, one.who);
        (uint256 activeAfter, uint256 pendingAfter) = stakeOf(mind);
        assertEq(activeAfter + pendingAfter, active + pending - expected, "slash = min(fine, active + pending)");
        assertEq(exposureOf(mind), exposed - risk);
        assertEq(creditOf(reporter) - reward, expected * REPORTER_BPS / 10_000);
        assertTrue(consensus.agentOf(mind).banned && consensus.excluded(task, mind));
        slashedTotal += expected;
    }

    function tryConvict(bytes32 task, Said calldata one, Said calldata other, uint256 signer) external {
        INeuralConsensus.Position memory a = _message(task, one, 2);
        INeuralConsensus.Position memory b = _message(task, other, 2);
        (bytes memory first, bytes memory second) = (_sign(one.who, a), _sign(signer, b));
        vm.prank(reporter);
        consensus.proveEquivocation(a, first, b, second);
    }

    function _refuseConviction(bytes32 task, Said memory one, Said memory other, uint256 signer, bytes4 expected)
        private
    {
        try this.tryConvict(task, one, other, signer) {
            fail();
        } catch (bytes memory reason) {
            assertEq(bytes4(reason), expected);
        }
    }

    function _pauseConsensus(bool on) private {
        vm.prank(pauser);
        if (on) consensus.pause();
        else consensus.unpause();
    }

    // The equilibrium, with the weights that were committed

    /// @dev In the order that the tier asks for: by address, or as they came.
    function _proof(bytes32 task) private returns (Proof memory proof) {
        if (consensus.taskOf(task).tier == INeuralConsensus.Tier.Slots) _sort(task);
        Said[] memory said = _said[task];
        uint256 dims = consensus.taskOf(task).dims;
        proof.heads = new bytes32[](said.length);
        for (uint256 i = 0; i < said.length; ++i) {
            uint256 head = uint256(uint160(minds[said[i].who])) << 96;
            proof.heads[i] = bytes32(head | said[i].confidence << 64 | said[i].weight << 48);
            proof.values = abi.encodePacked(proof.values, _pack(said[i].position));
        }
        uint256[] memory weights = _weights(task);
        proof.aggregate = new uint256[](dims);
        for (uint256 k = 0; k < dims; ++k) {
            proof.aggregate[k] = _solve(said, weights, consensus.taskOf(task).kappa, k);
        }
    }

    function _sort(bytes32 task) private {
        Said[] storage said = _said[task];
        for (uint256 i = 1; i < said.length; ++i) {
            for (uint256 j = i; j > 0 && minds[said[j - 1].who] > minds[said[j].who]; --j) {
                Said memory kept = said[j];
                said[j] = said[j - 1];
                said[j - 1] = kept;
            }
        }
    }

    /// @dev Capped at a third of all; zero for who equivocated.
    function _weights(bytes32 task) private view returns (uint256[] memory weights) {
        Said[] memory said = _said[task];
        weights = new uint256[](said.length);
        uint256 sum;
        for (uint256 i = 0; i < said.length; ++i) {
            if (!consensus.excluded(task, minds[said[i].who])) sum += weights[i] = said[i].weight;
        }
        for (uint256 i = 0; i < said.length; ++i) {
            weights[i] = _min(weights[i], Math.max(1, sum / 3));
        }
    }

    function _total(uint256[] memory weights) private pure returns (uint256 total) {
        for (uint256 i = 0; i < weights.length; ++i) {
            total += weights[i];
        }
    }

    /// @dev S = W * sum_i a_i x_i / sum_i a_i with a_i = w_i c_i / (c_i + kappa W), in 32 more fractional bits.
    function _solve(Said[] memory said, uint256[] memory weights, uint256 kappa, uint256 k)
        private
        pure
        returns (uint256)
    {
        uint256 total = _total(weights);
        uint256 above;
        uint256 below;
        for (uint256 i = 0; i < said.length; ++i) {
            uint256 pull = (weights[i] * said[i].confidence << 140) / (said[i].confidence + kappa * total);
            above += pull * said[i].position[k];
            below += pull;
        }
        return Math.mulDiv(above, total << 32, below);
    }
}
