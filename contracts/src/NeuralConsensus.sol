// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

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

    /// @dev Where a call stands that reads all positions of a task again.
    struct Reading {
        bool slots;
        bool anyOut;
        uint256 size;
        uint256 buffer;
        uint256 cursor;
        uint256 last;
        bytes32 folded;
    }

    /// @dev A struct, so that its place is computed once where it is read and then written.
    struct Slot {
        bytes32 commitment;
    }

    /// @dev What a call that takes positions knows of the task, so that storage is read and written once for all.
    struct Intake {
        bytes32 taskHash;
        bool slots;
        uint256 count;
        uint256 limit;
        uint256 size;
        uint256 buffer;
        // Tier Accumulator: the running hash, and the word of the bitmap that was touched last.
        bytes32 accumulator;
        uint256 bucket;
        uint256 bits;
    }

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    /// @notice Unbonding must outlast this many evidence windows, so that nobody leaves before the proof.
    uint256 private constant UNBONDING_WINDOWS = 7;
    uint256 private constant MAX_REPORTER_BPS = 5000;
    uint256 private constant MAX_DIMS = 1024;
    uint256 private constant MAX_AGENTS = 1024;
    /// @notice Coordinates of all agents of a task together: more could not be certified in one transaction.
    uint256 public constant MAX_CELLS = 32_768;
    uint256 private constant MAX_KAPPA = 100_000_000;
    uint256 private constant MAX_CONFIDENCE = 1_000_000;
    /// @notice What who is near the result gains, and what who is far loses.
    uint256 private constant REPUTATION_GAIN = 2;
    uint256 private constant REPUTATION_LOSS = 5;
    bytes32 private constant REASON = "equivocation";
    bytes32 private constant _TOPIC = PositionSubmitted.selector;
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
    mapping(bytes32 taskHash => mapping(address agent => Slot)) private _slots;
    /// @dev A bit for each agent, by its number.
    mapping(bytes32 taskHash => mapping(uint256 bucket => uint256)) private _submitted;
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
        unchecked {
            uint256 record = _records[msg.sender];
            _requireAgent(record.isActive(), msg.sender);
            _records[msg.sender] = record.withTimes(record.registeredAt(), block.timestamp);
            emit AgentLeft(msg.sender, block.timestamp + evidenceWindow);
        }
    }

    /// @inheritdoc INeuralConsensus
    function release() external {
        unchecked {
            uint256 record = _records[msg.sender];
            _requireAgent(record.isAtRisk(), msg.sender);
            uint256 until = record.leftAt() == 0 ? type(uint256).max : record.leftAt() + evidenceWindow;
            if (block.timestamp < until) revert StillAtRisk(until);
            _records[msg.sender] = record.withTimes(0, 0);
            emit AgentReleased(msg.sender);
            _endRisk(msg.sender);
        }
    }

    /// @inheritdoc INeuralConsensus
    function advanceNonce() external {
        uint256 record = _records[msg.sender];
        _requireAgent(record.isKnown(), msg.sender);
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
        _require(dims != 0 && dims <= MAX_DIMS, "dims");
        _require(deadline > block.timestamp, "deadline");
        _require(kappa != 0 && kappa <= MAX_KAPPA, "kappa");
        _require(eps != 0, "eps");
        _require(minAgents >= 2 && minAgents <= _seats(dims), "minAgents");
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
        Intake memory intake = _intake(_taskHash, type(uint40).max);
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
        unchecked {
            Intake memory intake = _intake(taskHash, deadline);
            mapping(address => Slot) storage slots = _slots[taskHash];
            uint256 stride = HEADER + intake.size;
            if (packed.length == 0 || packed.length % stride != 0) revert MalformedBatch(packed.length);
            uint256 before = intake.count;
            uint256 end = _offsetOf(packed) + packed.length;
            for (uint256 cursor = _offsetOf(packed); cursor < end; cursor += stride) {
                Reason reason = _takeSigned(intake, slots, cursor);
                if (reason != Reason.None) {
                    emit PositionRejected(taskHash, address(uint160(uint256(_wordAt(cursor)) >> 96)), reason);
                }
            }
            accepted = intake.count - before;
            if (accepted != 0) _save(intake);
        }
    }

    // The equilibrium ----------------------------------------------------------------------------------------------

    /// @inheritdoc INeuralConsensus
    function proveEquilibrium(
        bytes32 taskHash,
        bytes32[] calldata heads,
        bytes calldata values,
        uint256[] calldata aggregate
    ) external {
        Entry storage task = _openTask(taskHash);
        if (block.timestamp < task.deadline || heads.length != task.count || _voters(task) < task.minAgents) {
            _notReady(taskHash);
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
        if (status == Status.Open) _notReady(_taskHash);
        if (status != Status.Certified) _closed(_taskHash);
        uint256[] memory certified = _result(_taskHash, task.dims);
        if (keccak256(abi.encode(_consensus)) != keccak256(abi.encode(certified))) revert NotTheCertified(_taskHash);
        task.status = Status.Finalized;
        emit ConsensusFinalized(_taskHash, certified);
    }

    /// @inheritdoc INeuralConsensus
    function voidTask(bytes32 taskHash) external {
        Entry storage task = _openTask(taskHash);
        uint256 voters = _voters(task);
        uint256 needed = task.minAgents;
        if (block.timestamp < task.deadline || voters >= needed) _notReady(taskHash);
        task.status = Status.Void;
        emit TaskVoided(taskHash, voters, needed);
    }

    /// @inheritdoc INeuralConsensus
    /// @dev With m the mean of the squared distances between positions and result: at most m gains, more than 2 m loses.
    function creditReputation(bytes32 taskHash, bytes32[] calldata heads, bytes calldata values) external {
        Entry storage task = _task(taskHash);
        if (task.status != Status.Finalized) _notReady(taskHash);
        if (task.credited) _closed(taskHash);
        if (heads.length != task.count) _notReady(taskHash);
        task.credited = true;
        (uint256[] memory voices,) = _weigh(taskHash, task, heads, values);
        (uint256 sum, uint256 voters) = _distances(voices, values, _result(taskHash, task.dims));
        unchecked {
            for (uint256 i = 0; i < voices.length; ++i) {
                // A voice is now 1 + the squared distance; zero still marks who is excluded.
                uint256 voice = voices[i];
                uint256 scaled = (voice - 1) * voters;
                if (voice == 0 || (scaled > sum && scaled <= 2 * sum)) continue;
                _changeReputation(taskHash, address(uint160(uint256(heads[i]) >> 96)), scaled <= sum);
            }
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
        _requireAgent(record.isKnown(), agent);
        if (_excluded[taskHash][agent]) revert AlreadyProven(taskHash, agent);
        _requireSigned(a, signatureA);
        _requireSigned(b, signatureB);
        _exclude(taskHash, agent, record);
        _records[agent] = record.withBan();
        uint256 slashed;
        // Once, and only while it is at risk; the exposure outlasts the evidence window, so that nobody runs from it.
        if (record.isAtRisk()) {
            _endRisk(agent);
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
        return _slots[taskHash][agent].commitment;
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
        unchecked {
            Entry storage task = _openTask(taskHash);
            if (block.timestamp >= task.deadline || block.timestamp > deadline) _closed(taskHash);
            uint256 dims = task.dims;
            intake.taskHash = taskHash;
            intake.slots = task.tier == Tier.Slots;
            intake.count = task.count;
            intake.limit = _seats(dims);
            intake.size = dims * PositionBuffer.BYTES;
            if (!intake.slots) {
                intake.accumulator = task.accumulator;
                intake.bits = _submitted[taskHash][0];
            }
            intake.buffer = PositionBuffer.open(_domainSeparatorV4(), taskHash, deadline, intake.size);
        }
    }

    function _pack(Intake memory intake, uint256[] calldata position) private pure returns (bytes32 positionHash) {
        if (position.length != intake.size / PositionBuffer.BYTES) revert InvalidPosition("length");
        bool fits;
        (fits, positionHash) = intake.buffer.pack(position);
        if (!fits) revert InvalidPosition("coordinate");
    }

    function _takeOne(Intake memory intake, address agent, uint256 record, uint256 confidence, bytes32 positionHash)
        private
    {
        _requireAgent(record.isActive(), agent);
        Reason reason = _take(intake, _slots[intake.taskHash], uint160(agent), record, confidence, positionHash);
        if (reason == Reason.None) return _save(intake);
        if (reason == Reason.BadConfidence) revert InvalidPosition("confidence");
        if (reason == Reason.AlreadySubmitted) revert AlreadySubmitted(intake.taskHash, agent);
        revert Closed(intake.taskHash);
    }

    /// @dev An entry is agent 20 | confidence 4 | nonce 4 | r 32 | vs 32 | position.
    function _takeSigned(Intake memory intake, mapping(address => Slot) storage slots, uint256 cursor)
        private
        returns (Reason)
    {
        unchecked {
            uint256 word = uint256(_wordAt(cursor));
            uint256 record = _records[address(uint160(word >> 96))];
            if (!record.isActive()) return Reason.NotRegistered;
            uint256 nonce = word >> 32 & type(uint32).max;
            if (nonce != record.nonce()) return Reason.StaleNonce;
            uint256 buffer = intake.buffer;
            bytes32 positionHash = buffer.load(cursor + HEADER, intake.size);
            buffer.setSignature(_wordAt(cursor + 28), _wordAt(cursor + 60));
            if (!buffer.isSignedBy(word >> 96, word >> 64 & type(uint32).max, nonce, positionHash)) {
                return Reason.BadSignature;
            }
            return _take(intake, slots, word >> 96, record, word >> 64 & type(uint32).max, positionHash);
        }
    }

    /// @dev Keeps and announces a position, unless there is a reason not to. The agent is active.
    function _take(
        Intake memory intake,
        mapping(address => Slot) storage slots,
        uint256 agent,
        uint256 record,
        uint256 confidence,
        bytes32 positionHash
    ) private returns (Reason) {
        unchecked {
            if (confidence - 1 >= MAX_CONFIDENCE) return Reason.BadConfidence;
            uint256 weight = record.reputation();
            uint256 head = PositionBuffer.headOf(agent, confidence, weight);
            if (intake.slots) {
                Slot storage slot = slots[address(uint160(agent))];
                if (slot.commitment != 0) return Reason.AlreadySubmitted;
                if (intake.count == intake.limit) return Reason.TaskFull;
                slot.commitment = PositionBuffer.commitment(positionHash, head);
            } else {
                uint256 bit = _select(intake, record.number());
                if (intake.bits & bit != 0) return Reason.AlreadySubmitted;
                if (intake.count == intake.limit) return Reason.TaskFull;
                intake.bits |= bit;
                intake.accumulator = intake.buffer.fold(intake.accumulator, head, positionHash);
            }
            ++intake.count;
            intake.buffer.announce(_TOPIC, intake.taskHash, agent, confidence, weight, intake.size);
            return Reason.None;
        }
    }

    /// @dev Makes the word of the bitmap that holds the agent's bit the current one, and returns the bit.
    function _select(Intake memory intake, uint256 number) private returns (uint256 bit) {
        uint256 bucket = number >> 8;
        if (bucket != intake.bucket) {
            mapping(uint256 => uint256) storage submitted = _submitted[intake.taskHash];
            submitted[intake.bucket] = intake.bits;
            intake.bits = submitted[bucket];
            intake.bucket = bucket;
        }
        return 1 << (number & 0xff);
    }

    function _save(Intake memory intake) private {
        Entry storage task = _tasks[intake.taskHash];
        task.count = uint16(intake.count);
        if (!intake.slots) {
            task.accumulator = intake.accumulator;
            _submitted[intake.taskHash][intake.bucket] = intake.bits;
        }
    }

    // Inside: certificates -----------------------------------------------------------------------------------------

    /// @dev Checks that heads and values are all that was submitted. Returns confidence << 16 | capped weight of each, 0
    ///      for who is excluded, and the sum of these weights.
    function _weigh(bytes32 taskHash, Entry storage task, bytes32[] calldata heads, bytes calldata values)
        private
        view
        returns (uint256[] memory voices, uint256 total)
    {
        unchecked {
            Reading memory reading;
            reading.size = task.dims * PositionBuffer.BYTES;
            if (values.length != heads.length * reading.size) revert MalformedBatch(values.length);
            reading.buffer = PositionBuffer.open(0, 0, 0, reading.size);
            reading.slots = task.tier == Tier.Slots;
            reading.anyOut = task.excluded != 0;
            reading.cursor = _offsetOf(values);
            voices = new uint256[](heads.length);
            for (uint256 i = 0; i < heads.length; ++i) {
                uint256 head = uint256(heads[i]);
                if (!_readOne(reading, taskHash, head)) revert CommitmentMismatch(i);
                if (reading.anyOut && _excluded[taskHash][address(uint160(head >> 96))]) continue;
                voices[i] = uint48(head >> 48);
                total += uint16(head >> 48);
            }
            if (!reading.slots && reading.folded != task.accumulator) revert CommitmentMismatch(heads.length);
            total = Certificate.capWeights(voices, total);
        }
    }

    /// @dev In tier Slots agents ascend, so nobody counts twice; in tier Accumulator the hash in the end tells.
    function _readOne(Reading memory reading, bytes32 taskHash, uint256 head) private view returns (bool) {
        unchecked {
            bytes32 positionHash = reading.buffer.load(reading.cursor, reading.size);
            reading.cursor += reading.size;
            if (!reading.slots) {
                reading.folded = reading.buffer.fold(reading.folded, head, positionHash);
                return true;
            }
            uint256 agent = head >> 96;
            if (agent <= reading.last || uint48(head) != 0) return false;
            reading.last = agent;
            return _slots[taskHash][address(uint160(agent))].commitment == PositionBuffer.commitment(positionHash, head);
        }
    }

    function _keepResult(bytes32 taskHash, uint256[] calldata aggregate, uint256 total) private {
        unchecked {
            mapping(uint256 => uint256) storage words = _results[taskHash];
            uint256 word;
            for (uint256 k = 0; k < aggregate.length; ++k) {
                word |= (aggregate[k] + (total << 31)) / (total << 32) << k % PER_WORD * 48;
                if (k % PER_WORD == PER_WORD - 1 || k == aggregate.length - 1) {
                    words[k / PER_WORD] = word;
                    word = 0;
                }
            }
        }
    }

    function _result(bytes32 taskHash, uint256 dims) private view returns (uint256[] memory result) {
        unchecked {
            mapping(uint256 => uint256) storage words = _results[taskHash];
            result = new uint256[](dims);
            uint256 word;
            for (uint256 k = 0; k < dims; ++k) {
                word = k % PER_WORD == 0 ? words[k / PER_WORD] : word >> 48;
                result[k] = uint48(word);
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
        unchecked {
            uint256 cursor = _offsetOf(values);
            for (uint256 i = 0; i < voices.length; ++i) {
                if (voices[i] != 0) {
                    uint256 distance = _distance(cursor, result);
                    voices[i] = distance + 1;
                    sum += distance;
                    ++voters;
                }
                cursor += result.length * PositionBuffer.BYTES;
            }
        }
    }

    function _distance(uint256 cursor, uint256[] memory result) private pure returns (uint256 distance) {
        unchecked {
            for (uint256 k = 0; k < result.length; ++k) {
                uint256 x = uint256(_wordAt(cursor)) >> 208;
                uint256 y = result[k];
                uint256 gap = x > y ? x - y : y - x;
                distance += gap * gap;
                cursor += PositionBuffer.BYTES;
            }
        }
    }

    function _changeReputation(bytes32 taskHash, address agent, bool gains) private {
        unchecked {
            uint256 record = _records[agent];
            if (record.isBanned()) return;
            uint256 old = record.reputation();
            uint256 value = old + REPUTATION_GAIN;
            if (!gains) value = old > REPUTATION_LOSS ? old - REPUTATION_LOSS : 1;
            else if (value > AgentRecord.MAXIMUM) value = AgentRecord.MAXIMUM;
            if (value == old) return;
            _records[agent] = record.withReputation(value);
            emit ReputationChanged(agent, taskHash, uint16(value));
        }
    }

    /// @dev The position stays committed, with weight 0. A result that counted it is certified no longer, unless final.
    function _exclude(bytes32 taskHash, address agent, uint256 record) private {
        unchecked {
            _excluded[taskHash][agent] = true;
            if (!_hasSubmitted(taskHash, agent, record)) return;
            Entry storage task = _tasks[taskHash];
            ++task.excluded;
            if (task.status != Status.Certified) return;
            task.status = Status.Open;
            emit CertificateRevoked(taskHash, agent);
        }
    }

    function _hasSubmitted(bytes32 taskHash, address agent, uint256 record) private view returns (bool) {
        if (_tasks[taskHash].tier == Tier.Slots) return _slots[taskHash][agent].commitment != 0;
        return record.isKnown() && _submitted[taskHash][record.number() >> 8] >> (record.number() & 0xff) & 1 != 0;
    }

    function _requireSigned(Position calldata position, bytes calldata signature) private view {
        uint256 buffer = PositionBuffer.open(_domainSeparatorV4(), position.taskHash, position.deadline, 0);
        buffer.setRound(position.round);
        _setSignature(buffer, signature);
        if (!buffer.isSignedBy(uint160(position.agent), position.confidence, position.nonce, position.positionHash)) {
            revert BadSignature(position.agent);
        }
    }

    /// @dev Anything that is no signature becomes zeros, by which nobody signed.
    function _setSignature(uint256 buffer, bytes calldata signature) private pure {
        (uint8 v, bytes32 r, bytes32 s) = ECDSA.parseCalldata(signature);
        bool valid = (v == 27 || v == 28) && uint256(s) >> 255 == 0;
        if (valid) buffer.setSignature(r, bytes32(uint256(s) | uint256(v - 27) << 255));
        else buffer.setSignature(0, 0);
    }

    function _offsetOf(bytes calldata data) private pure returns (uint256 offset) {
        assembly ("memory-safe") {
            offset := data.offset
        }
    }

    function _wordAt(uint256 offset) private pure returns (bytes32 word) {
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
    }

    function _endRisk(address agent) private {
        vault.removeExposure(agent, riskPerAgent);
    }

    function _task(bytes32 taskHash) private view returns (Entry storage task) {
        task = _tasks[taskHash];
        if (task.status == Status.None) revert UnknownTask(taskHash);
    }

    function _openTask(bytes32 taskHash) private view returns (Entry storage task) {
        task = _task(taskHash);
        if (task.status != Status.Open) _closed(taskHash);
    }

    function _require(bool good, string memory what) private pure {
        if (!good) revert InvalidTask(what);
    }

    // Errors that many places raise: one copy of the code that encodes them keeps the contract small.

    function _closed(bytes32 taskHash) private pure {
        revert Closed(taskHash);
    }

    function _notReady(bytes32 taskHash) private pure {
        revert NotReady(taskHash);
    }

    function _requireAgent(bool good, address agent) private pure {
        if (!good) revert NotRegistered(agent);
    }

    function _voters(Entry storage task) private view returns (uint256) {
        unchecked {
            return task.count - task.excluded;
        }
    }

    function _seats(uint256 dims) private pure returns (uint256) {
        return dims * MAX_AGENTS < MAX_CELLS ? MAX_AGENTS : MAX_CELLS / dims;
    }
}
