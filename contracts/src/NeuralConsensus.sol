// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";

import {INeuralConsensus} from "./interfaces/INeuralConsensus.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {AgentRecord} from "./libraries/AgentRecord.sol";
import {Certificate} from "./libraries/Certificate.sol";
import {PositionBuffer} from "./libraries/PositionBuffer.sol";

/// @title NeuralConsensus
/// @notice Takes signed positions of agents whose stake is at risk, and keeps an equilibrium of them once somebody shows
///         a certificate, which it checks itself. An operator opens tasks and finalises; it can choose no result.
/// @dev Holds SLASHER_ROLE in the vault, and no ether. The game and its numbers: see INeuralConsensus; the arithmetic of
///      a certificate to the last digit: see Certificate. A pause stops registrations, tasks and positions, nothing else.
contract NeuralConsensus is INeuralConsensus, AccessControlDefaultAdminRules, Pausable, EIP712 {
    using AgentRecord for uint256;
    using BitMaps for BitMaps.BitMap;
    using PositionBuffer for uint256;

    /// @notice What an agent risks, what it loses by an equivocation (both wei), how long its risk outlasts its leaving
    ///         (seconds), and the part of the loss that goes to who proves it (basis points).
    struct Rules {
        uint96 riskPerAgent;
        uint96 equivocationPenalty;
        uint48 evidenceWindow;
        uint16 reporterBps;
    }

    // The first word is read and written once a batch; nothing else of a task changes with positions in tier Slots.
    struct Entry {
        address creator;
        uint40 deadline;
        uint16 dims;
        uint16 minAgents;
        uint16 count;
        Status status;
        Tier tier;
        uint32 kappa;
        uint128 eps;
        uint16 excluded;
        bool credited;
        bytes32 accumulator;
    }

    /// @dev What a call that takes positions knows of the task, so that storage is read and written once for all.
    struct Intake {
        bytes32 taskHash;
        bool slots;
        uint256 count;
        uint256 limit;
        uint256 size;
        bytes32 accumulator;
        uint256 buffer;
    }

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    bytes32 public constant POSITION_TYPEHASH = PositionBuffer.TYPEHASH;
    /// @notice Unbonding must outlast this many evidence windows, so that nobody leaves before the proof.
    uint256 public constant UNBONDING_WINDOWS = 7;
    uint256 public constant MAX_REPORTER_BPS = 5000;
    uint256 public constant MAX_DIMS = 1024;
    uint256 public constant MAX_AGENTS = 1024;
    /// @notice Coordinates of all agents of a task together: more could not be certified in one transaction.
    uint256 public constant MAX_CELLS = 65_536;
    uint256 public constant MAX_KAPPA = 100_000_000;
    uint256 public constant MAX_CONFIDENCE = 1_000_000;
    /// @notice What who is near the result gains, and what who is far loses.
    uint256 public constant REPUTATION_GAIN = 2;
    uint256 public constant REPUTATION_LOSS = 5;
    bytes32 private constant REASON = "equivocation";
    uint256 private constant HEADER = 92;
    uint256 private constant PER_WORD = 5;

    IStakeVault public immutable vault;
    uint256 public immutable riskPerAgent;
    uint256 public immutable equivocationPenalty;
    uint256 public immutable evidenceWindow;
    uint256 public immutable reporterBps;

    /// @notice How many agents have ever registered.
    uint256 public agentCount;

    mapping(address agent => uint256 record) private _records;
    mapping(address agent => bytes32) private _models;
    mapping(bytes32 taskHash => Entry) private _tasks;
    mapping(bytes32 taskHash => mapping(address agent => bytes32)) private _commitments;
    mapping(bytes32 taskHash => BitMaps.BitMap) private _submitted;
    mapping(bytes32 taskHash => mapping(address agent => bool)) private _excluded;
    /// @dev Five coordinates a word, the first lowest.
    mapping(bytes32 taskHash => mapping(uint256 index => uint256)) private _results;

    error InvalidRules();
    error UnbondingTooShort(uint256 given, uint256 needed);

    constructor(address admin, IStakeVault vault_, Rules memory rules)
        AccessControlDefaultAdminRules(1 days, admin)
        EIP712("Nashboard NeuralConsensus", "1")
    {
        if (
            rules.riskPerAgent == 0 || rules.equivocationPenalty == 0 || rules.equivocationPenalty > rules.riskPerAgent
                || rules.evidenceWindow == 0 || rules.reporterBps > MAX_REPORTER_BPS
        ) revert InvalidRules();
        uint256 needed = UNBONDING_WINDOWS * rules.evidenceWindow;
        uint256 unbonding = vault_.unbondingPeriod();
        if (unbonding < needed) revert UnbondingTooShort(unbonding, needed);
        vault = vault_;
        riskPerAgent = rules.riskPerAgent;
        equivocationPenalty = rules.equivocationPenalty;
        evidenceWindow = rules.evidenceWindow;
        reporterBps = rules.reporterBps;
    }

    // Agents -------------------------------------------------------------------------------------------------------

    /// @inheritdoc INeuralConsensus
    function register(bytes32 modelHash) external whenNotPaused {
        uint256 record = _records[msg.sender];
        if (record.isBanned()) revert AgentBanned(msg.sender);
        if (record.isAtRisk()) revert AlreadyRegistered(msg.sender);
        if (!record.isKnown()) record = AgentRecord.create(agentCount++);
        _records[msg.sender] = record.withTimes(block.timestamp, 0);
        _models[msg.sender] = modelHash;
        emit AgentRegistered(msg.sender, modelHash);
        vault.addExposure(msg.sender, riskPerAgent);
    }

    /// @inheritdoc INeuralConsensus
    function deregister() external {
        uint256 record = _records[msg.sender];
        if (!record.isActive()) revert NotRegistered(msg.sender);
        _records[msg.sender] = record.withTimes(record.registeredAt(), block.timestamp);
        emit AgentLeft(msg.sender, block.timestamp + evidenceWindow);
    }

    /// @inheritdoc INeuralConsensus
    function release() external {
        uint256 record = _records[msg.sender];
        if (!record.isAtRisk()) revert NotRegistered(msg.sender);
        uint256 left = record.leftAt();
        if (left == 0) revert StillAtRisk(type(uint256).max);
        uint256 until = left + evidenceWindow;
        if (block.timestamp < until) revert StillAtRisk(until);
        _records[msg.sender] = record.withTimes(0, 0);
        emit AgentReleased(msg.sender);
        vault.removeExposure(msg.sender, riskPerAgent);
    }

    /// @inheritdoc INeuralConsensus
    function advanceNonce() external {
        uint256 record = _records[msg.sender];
        if (!record.isKnown()) revert NotRegistered(msg.sender);
        record = record.withNextNonce();
        _records[msg.sender] = record;
        emit NonceAdvanced(msg.sender, uint32(record.nonce()));
    }

    // Tasks and positions ------------------------------------------------------------------------------------------

    /// @inheritdoc INeuralConsensus
    function createTask(
        bytes32 taskHash,
        uint16 dims,
        uint40 deadline,
        uint32 kappa,
        uint128 eps,
        uint16 minAgents,
        Tier tier
    ) external onlyRole(OPERATOR_ROLE) whenNotPaused {
        Entry storage task = _tasks[taskHash];
        if (task.status != Status.None) revert TaskExists(taskHash);
        if (dims == 0 || dims > MAX_DIMS) revert InvalidTask("dims");
        if (deadline <= block.timestamp) revert InvalidTask("deadline");
        if (kappa == 0 || kappa > MAX_KAPPA) revert InvalidTask("kappa");
        if (eps == 0) revert InvalidTask("eps");
        if (minAgents < 2 || minAgents > _seats(dims)) revert InvalidTask("minAgents");
        task.creator = msg.sender;
        task.deadline = deadline;
        task.dims = dims;
        task.minAgents = minAgents;
        task.status = Status.Open;
        task.tier = tier;
        task.kappa = kappa;
        task.eps = eps;
        emit TaskCreated(taskHash, msg.sender, dims, deadline, kappa, eps, minAgents, tier);
    }

    /// @inheritdoc INeuralConsensus
    function submitPosition(address _agentId, uint256[] calldata _position, uint256 _confidence, bytes32 _taskHash)
        external
        whenNotPaused
    {
        if (_agentId != msg.sender) revert BadSignature(_agentId);
        Intake memory intake = _intake(_taskHash, 0);
        bytes32 positionHash = _pack(intake, _position);
        _takeOne(intake, _agentId, _records[_agentId], _confidence, positionHash);
    }

    /// @inheritdoc INeuralConsensus
    function submitPosition(
        address _agentId,
        uint256[] calldata _position,
        uint256 _confidence,
        bytes32 _taskHash,
        uint32 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external whenNotPaused {
        if (block.timestamp > deadline) revert Closed(_taskHash);
        Intake memory intake = _intake(_taskHash, deadline);
        bytes32 positionHash = _pack(intake, _position);
        uint256 record = _records[_agentId];
        if (nonce != record.nonce()) revert StaleNonce(nonce, uint32(record.nonce()));
        _setSignature(intake.buffer, signature);
        if (!intake.buffer.isSignedBy(uint160(_agentId), _confidence, nonce, positionHash)) {
            revert BadSignature(_agentId);
        }
        _takeOne(intake, _agentId, record, _confidence, positionHash);
    }

    /// @inheritdoc INeuralConsensus
    function submitPositions(bytes32 taskHash, uint40 deadline, bytes calldata packed)
        external
        whenNotPaused
        returns (uint256 accepted)
    {
        if (block.timestamp > deadline) revert Closed(taskHash);
        Intake memory intake = _intake(taskHash, deadline);
        mapping(address => bytes32) storage commitments = _commitments[taskHash];
        uint256 stride = HEADER + intake.size;
        if (packed.length == 0 || packed.length % stride != 0) revert MalformedBatch(packed.length);
        uint256 before = intake.count;
        uint256 cursor;
        uint256 end;
        assembly ("memory-safe") {
            cursor := packed.offset
            end := add(cursor, packed.length)
        }
        for (; cursor < end; cursor += stride) {
            uint256 word = uint256(_wordAt(cursor));
            address agent = address(uint160(word >> 96));
            Reason reason = _takeSigned(intake, commitments, agent, word, cursor);
            if (reason != Reason.None) emit PositionRejected(taskHash, agent, reason);
        }
        accepted = intake.count - before;
        if (accepted != 0) _save(intake);
    }

    // The equilibrium ----------------------------------------------------------------------------------------------

    /// @inheritdoc INeuralConsensus
    function proveEquilibrium(
        bytes32 taskHash,
        bytes32[] calldata heads,
        bytes calldata values,
        uint256[] calldata aggregate
    ) external {
        Entry storage task = _task(taskHash);
        if (task.status != Status.Open) revert Closed(taskHash);
        if (block.timestamp < task.deadline || heads.length != task.count || _voters(task) < task.minAgents) {
            revert NotReady(taskHash);
        }
        if (aggregate.length != task.dims) revert MalformedBatch(aggregate.length);
        (uint256[] memory voices, uint256 total) = _weigh(taskHash, task, heads, values);
        uint256 regret = Certificate.regretOf(Certificate.Game(task.kappa, task.eps, total), voices, values, aggregate);
        task.status = Status.Certified;
        _keepResult(taskHash, aggregate, total);
        emit CertificateVerified(taskHash, msg.sender, regret, total);
    }

    /// @inheritdoc INeuralConsensus
    function finalizeConsensus(bytes32 _taskHash, uint256[] calldata _consensus) external {
        Entry storage task = _task(_taskHash);
        if (msg.sender != task.creator) _checkRole(OPERATOR_ROLE);
        Status status = task.status;
        if (status == Status.Open) revert NotReady(_taskHash);
        if (status != Status.Certified) revert Closed(_taskHash);
        uint256[] memory certified = _result(_taskHash, task.dims);
        if (keccak256(abi.encodePacked(_consensus)) != keccak256(abi.encodePacked(certified))) {
            revert NotTheCertified(_taskHash);
        }
        task.status = Status.Finalized;
        emit ConsensusFinalized(_taskHash, certified);
    }

    /// @inheritdoc INeuralConsensus
    function voidTask(bytes32 taskHash) external {
        Entry storage task = _task(taskHash);
        if (task.status != Status.Open) revert Closed(taskHash);
        uint256 voters = _voters(task);
        uint256 needed = task.minAgents;
        if (block.timestamp < task.deadline || voters >= needed) revert NotReady(taskHash);
        task.status = Status.Void;
        emit TaskVoided(taskHash, voters, needed);
    }

    /// @inheritdoc INeuralConsensus
    /// @dev With m the mean of the squared distances between positions and result: at most m gains, more than 2 m loses.
    function creditReputation(bytes32 taskHash, bytes32[] calldata heads, bytes calldata values) external {
        Entry storage task = _task(taskHash);
        if (task.status != Status.Finalized) revert NotReady(taskHash);
        if (task.credited) revert Closed(taskHash);
        if (heads.length != task.count) revert NotReady(taskHash);
        task.credited = true;
        (uint256[] memory voices,) = _weigh(taskHash, task, heads, values);
        (uint256 sum, uint256 voters) = _distances(voices, values, _result(taskHash, task.dims));
        for (uint256 i = 0; i < heads.length; ++i) {
            // A voice is now 1 + the squared distance; zero still marks who is excluded.
            if (voices[i] == 0) continue;
            uint256 scaled = (voices[i] - 1) * voters;
            if (scaled <= sum) _changeReputation(taskHash, address(uint160(uint256(heads[i]) >> 96)), true);
            else if (scaled > 2 * sum) _changeReputation(taskHash, address(uint160(uint256(heads[i]) >> 96)), false);
        }
    }

    /// @inheritdoc INeuralConsensus
    function proveEquivocation(
        Position calldata a,
        bytes calldata signatureA,
        Position calldata b,
        bytes calldata signatureB
    ) external {
        address agent = a.agent;
        bytes32 taskHash = a.taskHash;
        if (
            b.agent != agent || b.taskHash != taskHash || a.round != b.round || a.nonce != b.nonce
                || (a.positionHash == b.positionHash && a.confidence == b.confidence)
        ) revert NotEquivocation();
        uint256 record = _records[agent];
        if (!record.isKnown()) revert NotRegistered(agent);
        if (_excluded[taskHash][agent]) revert AlreadyProven(taskHash, agent);
        _requireSigned(a, signatureA);
        _requireSigned(b, signatureB);
        _exclude(taskHash, agent, record);
        _records[agent] = record.withBan();
        uint256 slashed;
        // Once, and only while it is at risk; the exposure outlasts the evidence window, so that nobody runs from it.
        if (record.isAtRisk()) {
            vault.removeExposure(agent, riskPerAgent);
            slashed = vault.slash(agent, equivocationPenalty, msg.sender, reporterBps, REASON);
        }
        emit EquivocationProven(agent, taskHash, a.round, msg.sender, slashed);
    }

    /// @notice Stops registrations, tasks and positions; nothing else.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    // Views --------------------------------------------------------------------------------------------------------

    /// @inheritdoc INeuralConsensus
    function computeNashEquilibrium(bytes32 _taskHash)
        external
        view
        returns (uint256[] memory equilibrium, bool converged)
    {
        Entry storage task = _tasks[_taskHash];
        Status status = task.status;
        converged = status == Status.Certified || status == Status.Finalized;
        if (converged) equilibrium = _result(_taskHash, task.dims);
    }

    /// @inheritdoc INeuralConsensus
    function getConsensusResult(bytes32 _taskHash) external view returns (uint256[] memory result, bool finalized) {
        Entry storage task = _tasks[_taskHash];
        finalized = task.status == Status.Finalized;
        if (finalized) result = _result(_taskHash, task.dims);
    }

    /// @inheritdoc INeuralConsensus
    function agentReputation(address agent) external view returns (uint256) {
        return _records[agent].reputation();
    }

    /// @inheritdoc INeuralConsensus
    function agentOf(address agent) external view returns (Agent memory) {
        uint256 record = _records[agent];
        return Agent({
            modelHash: _models[agent],
            registeredAt: uint40(record.registeredAt()),
            leftAt: uint40(record.leftAt()),
            nonce: uint32(record.nonce()),
            reputation: uint16(record.reputation()),
            banned: record.isBanned()
        });
    }

    /// @inheritdoc INeuralConsensus
    function taskOf(bytes32 taskHash) external view returns (Task memory) {
        Entry storage task = _tasks[taskHash];
        return Task({
            creator: task.creator,
            deadline: task.deadline,
            dims: task.dims,
            minAgents: task.minAgents,
            count: task.count,
            status: task.status,
            tier: task.tier,
            kappa: task.kappa,
            eps: task.eps,
            accumulator: task.accumulator
        });
    }

    /// @inheritdoc INeuralConsensus
    function commitmentOf(bytes32 taskHash, address agent) external view returns (bytes32) {
        return _commitments[taskHash][agent];
    }

    /// @notice Whether a position of the agent was taken, in either tier.
    function hasSubmitted(bytes32 taskHash, address agent) external view returns (bool) {
        return _hasSubmitted(taskHash, agent, _records[agent]);
    }

    /// @inheritdoc INeuralConsensus
    function excluded(bytes32 taskHash, address agent) external view returns (bool) {
        return _excluded[taskHash][agent];
    }

    /// @inheritdoc INeuralConsensus
    function digestOf(Position calldata position) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(PositionBuffer.TYPEHASH, position)));
    }

    /// @notice The agent's active stake in the vault, in wei.
    function stakes(address agent) external view returns (uint256 active) {
        (active,,,,,) = vault.accountOf(agent);
    }

    /// @notice The active stake, in wei, that an agent must have free to register.
    function minStake() external view returns (uint256) {
        return riskPerAgent;
    }

    // Inside: taking positions -------------------------------------------------------------------------------------

    function _intake(bytes32 taskHash, uint256 deadline) private view returns (Intake memory intake) {
        Entry storage task = _task(taskHash);
        if (task.status != Status.Open || block.timestamp >= task.deadline) revert Closed(taskHash);
        uint256 dims = task.dims;
        intake.taskHash = taskHash;
        intake.slots = task.tier == Tier.Slots;
        intake.count = task.count;
        intake.limit = _seats(dims);
        intake.size = dims * PositionBuffer.BYTES;
        if (!intake.slots) intake.accumulator = task.accumulator;
        intake.buffer = PositionBuffer.open(_domainSeparatorV4(), taskHash, deadline, intake.size);
    }

    function _pack(Intake memory intake, uint256[] calldata position) private pure returns (bytes32 positionHash) {
        if (position.length * PositionBuffer.BYTES != intake.size) revert InvalidPosition("length");
        bool fits;
        (fits, positionHash) = intake.buffer.pack(position);
        if (!fits) revert InvalidPosition("coordinate");
    }

    function _takeOne(Intake memory intake, address agent, uint256 record, uint256 confidence, bytes32 positionHash)
        private
    {
        Reason reason = _take(intake, _commitments[intake.taskHash], agent, record, confidence, positionHash);
        if (reason == Reason.None) return _save(intake);
        if (reason == Reason.NotRegistered) revert NotRegistered(agent);
        if (reason == Reason.BadConfidence) revert InvalidPosition("confidence");
        if (reason == Reason.AlreadySubmitted) revert AlreadySubmitted(intake.taskHash, agent);
        revert Closed(intake.taskHash);
    }

    /// @dev An entry is agent 20 | confidence 4 | nonce 4 | r 32 | vs 32 | position; `word` is its first word.
    function _takeSigned(
        Intake memory intake,
        mapping(address => bytes32) storage commitments,
        address agent,
        uint256 word,
        uint256 cursor
    ) private returns (Reason) {
        uint256 record = _records[agent];
        uint256 nonce = word >> 32 & type(uint32).max;
        if (!record.isActive()) return Reason.NotRegistered;
        if (nonce != record.nonce()) return Reason.StaleNonce;
        uint256 confidence = word >> 64 & type(uint32).max;
        bytes32 positionHash = intake.buffer.load(cursor + HEADER, intake.size);
        intake.buffer.setSignature(_wordAt(cursor + 28), _wordAt(cursor + 60));
        if (!intake.buffer.isSignedBy(uint160(agent), confidence, nonce, positionHash)) return Reason.BadSignature;
        return _take(intake, commitments, agent, record, confidence, positionHash);
    }

    function _take(
        Intake memory intake,
        mapping(address => bytes32) storage commitments,
        address agent,
        uint256 record,
        uint256 confidence,
        bytes32 positionHash
    ) private returns (Reason) {
        if (!record.isActive()) return Reason.NotRegistered;
        if (confidence == 0 || confidence > MAX_CONFIDENCE) return Reason.BadConfidence;
        uint256 weight = record.reputation();
        uint256 head = PositionBuffer.headOf(uint160(agent), confidence, weight);
        if (intake.slots) {
            if (commitments[agent] != 0) return Reason.AlreadySubmitted;
            if (intake.count == intake.limit) return Reason.TaskFull;
            commitments[agent] = PositionBuffer.commitment(positionHash, head);
        } else {
            BitMaps.BitMap storage submitted = _submitted[intake.taskHash];
            uint256 number = record.number();
            if (submitted.get(number)) return Reason.AlreadySubmitted;
            if (intake.count == intake.limit) return Reason.TaskFull;
            submitted.set(number);
            intake.accumulator = intake.buffer.fold(intake.accumulator, head, positionHash);
        }
        ++intake.count;
        intake.buffer
            .announce(PositionSubmitted.selector, intake.taskHash, uint160(agent), confidence, weight, intake.size);
        return Reason.None;
    }

    function _save(Intake memory intake) private {
        Entry storage task = _tasks[intake.taskHash];
        task.count = uint16(intake.count);
        if (!intake.slots) task.accumulator = intake.accumulator;
    }

    // Inside: certificates -----------------------------------------------------------------------------------------

    /// @dev Checks that heads and values are all that was submitted. Returns confidence << 16 | capped weight of each, 0
    ///      for who is excluded, and the sum of these weights.
    function _weigh(bytes32 taskHash, Entry storage task, bytes32[] calldata heads, bytes calldata values)
        private
        view
        returns (uint256[] memory voices, uint256 total)
    {
        uint256 size = uint256(task.dims) * PositionBuffer.BYTES;
        if (values.length != heads.length * size) revert MalformedBatch(values.length);
        if (task.tier == Tier.Slots) _checkSlots(taskHash, heads, values, size);
        else _checkAccumulator(task.accumulator, heads, values, size);
        voices = new uint256[](heads.length);
        bool anyOut = task.excluded != 0;
        for (uint256 i = 0; i < heads.length; ++i) {
            uint256 head = uint256(heads[i]);
            if (anyOut && _excluded[taskHash][address(uint160(head >> 96))]) continue;
            voices[i] = uint48(head >> 48);
            total += uint16(head >> 48);
        }
        total = Certificate.capWeights(voices, total);
    }

    /// @dev Ascending agents, so nobody counts twice.
    function _checkSlots(bytes32 taskHash, bytes32[] calldata heads, bytes calldata values, uint256 size) private view {
        mapping(address => bytes32) storage commitments = _commitments[taskHash];
        uint256 buffer = PositionBuffer.open(0, 0, 0, size);
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := values.offset
        }
        uint256 last;
        for (uint256 i = 0; i < heads.length; ++i) {
            uint256 head = uint256(heads[i]);
            uint256 agent = head >> 96;
            bytes32 commitment = PositionBuffer.commitment(buffer.load(cursor, size), head);
            if (agent <= last || uint48(head) != 0 || commitments[address(uint160(agent))] != commitment) {
                revert CommitmentMismatch(i);
            }
            last = agent;
            cursor += size;
        }
    }

    function _checkAccumulator(bytes32 accumulator, bytes32[] calldata heads, bytes calldata values, uint256 size)
        private
        pure
    {
        uint256 buffer = PositionBuffer.open(0, 0, 0, size);
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := values.offset
        }
        bytes32 folded;
        for (uint256 i = 0; i < heads.length; ++i) {
            folded = buffer.fold(folded, uint256(heads[i]), buffer.load(cursor, size));
            cursor += size;
        }
        if (folded != accumulator) revert CommitmentMismatch(heads.length);
    }

    function _keepResult(bytes32 taskHash, uint256[] calldata aggregate, uint256 total) private {
        mapping(uint256 => uint256) storage words = _results[taskHash];
        uint256 dims = aggregate.length;
        uint256 k;
        for (uint256 index = 0; k < dims; ++index) {
            uint256 word;
            for (uint256 shift = 0; shift < PER_WORD * 48 && k < dims; shift += 48) {
                word |= (aggregate[k] + (total << 31)) / (total << 32) << shift;
                ++k;
            }
            words[index] = word;
        }
    }

    function _result(bytes32 taskHash, uint256 dims) private view returns (uint256[] memory result) {
        mapping(uint256 => uint256) storage words = _results[taskHash];
        result = new uint256[](dims);
        uint256 k;
        for (uint256 index = 0; k < dims; ++index) {
            uint256 word = words[index];
            for (uint256 shift = 0; shift < PER_WORD * 48 && k < dims; shift += 48) {
                result[k++] = uint48(word >> shift);
            }
        }
    }

    // Inside: what follows -----------------------------------------------------------------------------------------

    /// @dev Puts 1 + the squared distance to the result in the place of every voice that is not zero.
    function _distances(uint256[] memory voices, bytes calldata values, uint256[] memory result)
        private
        pure
        returns (uint256 sum, uint256 voters)
    {
        uint256 size = result.length * PositionBuffer.BYTES;
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := values.offset
        }
        for (uint256 i = 0; i < voices.length; ++i) {
            if (voices[i] != 0) {
                uint256 distance = _distance(cursor, result);
                voices[i] = distance + 1;
                sum += distance;
                ++voters;
            }
            cursor += size;
        }
    }

    function _distance(uint256 cursor, uint256[] memory result) private pure returns (uint256 distance) {
        unchecked {
            for (uint256 k = 0; k < result.length; ++k) {
                uint256 x;
                assembly ("memory-safe") {
                    x := shr(208, calldataload(cursor))
                }
                uint256 y = result[k];
                uint256 gap = x > y ? x - y : y - x;
                distance += gap * gap;
                cursor += PositionBuffer.BYTES;
            }
        }
    }

    function _changeReputation(bytes32 taskHash, address agent, bool gains) private {
        uint256 record = _records[agent];
        if (record.isBanned()) return;
        uint256 old = record.reputation();
        uint256 value = gains ? old + REPUTATION_GAIN : old > REPUTATION_LOSS ? old - REPUTATION_LOSS : 1;
        if (value > AgentRecord.MAXIMUM) value = AgentRecord.MAXIMUM;
        if (value == old) return;
        _records[agent] = record.withReputation(value);
        emit ReputationChanged(agent, taskHash, uint16(value));
    }

    /// @dev The position stays committed, with weight 0. A result that counted it is certified no longer, unless final.
    function _exclude(bytes32 taskHash, address agent, uint256 record) private {
        _excluded[taskHash][agent] = true;
        if (!_hasSubmitted(taskHash, agent, record)) return;
        Entry storage task = _tasks[taskHash];
        ++task.excluded;
        if (task.status != Status.Certified) return;
        task.status = Status.Open;
        emit CertificateRevoked(taskHash, agent);
    }

    function _hasSubmitted(bytes32 taskHash, address agent, uint256 record) private view returns (bool) {
        if (_tasks[taskHash].tier == Tier.Slots) return _commitments[taskHash][agent] != 0;
        return record.isKnown() && _submitted[taskHash].get(record.number());
    }

    function _requireSigned(Position calldata position, bytes calldata signature) private view {
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature);
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digestOf(position), v, r, s);
        if (failure != ECDSA.RecoverError.NoError || signer != position.agent) revert BadSignature(position.agent);
    }

    /// @dev Anything that is no signature becomes zeros, by which nobody signed.
    function _setSignature(uint256 buffer, bytes calldata signature) private pure {
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature);
        bool valid = (v == 27 || v == 28) && uint256(s) >> 255 == 0;
        if (valid) buffer.setSignature(r, bytes32(uint256(s) | uint256(v - 27) << 255));
        else buffer.setSignature(0, 0);
    }

    function _wordAt(uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
    }

    function _task(bytes32 taskHash) private view returns (Entry storage task) {
        task = _tasks[taskHash];
        if (task.status == Status.None) revert UnknownTask(taskHash);
    }

    function _voters(Entry storage task) private view returns (uint256) {
        return task.count - task.excluded;
    }

    function _seats(uint256 dims) private pure returns (uint256) {
        uint256 seats = MAX_CELLS / dims;
        return seats < MAX_AGENTS ? seats : MAX_AGENTS;
    }
}
