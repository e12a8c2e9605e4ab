// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Agents with stakes submit signed positions; the chain keeps an equilibrium only with a certificate it checked
/// @dev Numbers. A coordinate is a uint48: (real + 2^15) * 2^32. Confidence `c` and coupling `kappa` are in millionths.
///      A weight `w` is the agent's reputation when it submitted. `S` is the sum of w * y over all agents, a coordinate
///      with 32 more fractional bits. `eps` is a regret in 1e-18.
///
///      The game: u_i = -c_i |y_i - x_i|^2 - kappa * sum_j w_j |y_i - y_j|^2. With W the sum of weights,
///      y_i = (c_i x_i + kappa S) / (c_i + kappa W), and r = sum_i w_i y_i - S, agent i can gain exactly
///      kappa^2 |r|^2 / (c_i + kappa (W - w_i)): d words certify an equilibrium.
///
///      A packed position is its coordinates, six bytes each, big-endian.
interface INeuralConsensus {
    enum Status {
        None,
        Open,
        Certified,
        Finalized,
        Void
    }

    /// @notice How submissions are kept: a slot for each, or one accumulator for all (cheaper, and certified in order).
    enum Tier {
        Slots,
        Accumulator
    }

    /// @notice Why a position of a batch was skipped.
    enum Reason {
        None,
        NotRegistered,
        StaleNonce,
        BadSignature,
        AlreadySubmitted,
        BadConfidence,
        TaskFull
    }

    struct Agent {
        bytes32 modelHash;
        uint40 registeredAt;
        uint40 leftAt;
        uint32 nonce;
        uint16 reputation;
        bool banned;
    }

    struct Task {
        address creator;
        uint40 deadline;
        uint16 dims;
        uint16 minAgents;
        uint16 count;
        Status status;
        Tier tier;
        uint32 kappa;
        uint128 eps;
        bytes32 accumulator;
    }

    /// @notice What an agent signs (EIP-712). Round 0 goes on chain; later rounds are announced off chain.
    ///         Two messages of one agent, task, round and nonce with another position or confidence are an equivocation;
    ///         to sign the same again with another deadline is not, nor is to sign anew after `advanceNonce`.
    struct Position {
        bytes32 taskHash;
        address agent;
        bytes32 positionHash;
        uint32 confidence;
        uint32 round;
        uint32 nonce;
        uint40 deadline;
    }

    event AgentRegistered(address indexed agent, bytes32 modelHash);
    event AgentLeft(address indexed agent, uint256 releasableAt);
    event AgentReleased(address indexed agent);
    event NonceAdvanced(address indexed agent, uint32 nonce);
    event TaskCreated(
        bytes32 indexed taskHash,
        address indexed creator,
        uint16 dims,
        uint40 deadline,
        uint32 kappa,
        uint128 eps,
        uint16 minAgents,
        Tier tier
    );
    event PositionSubmitted(
        bytes32 indexed taskHash, address indexed agent, uint32 confidence, uint16 weight, bytes position
    );
    event PositionRejected(bytes32 indexed taskHash, address indexed agent, Reason reason);
    event CertificateVerified(bytes32 indexed taskHash, address indexed prover, uint256 regret, uint256 totalWeight);
    event CertificateRevoked(bytes32 indexed taskHash, address indexed agent);
    event ConsensusFinalized(bytes32 indexed taskHash, uint256[] consensus);
    event TaskVoided(bytes32 indexed taskHash, uint256 submitted, uint256 needed);
    event ReputationChanged(address indexed agent, bytes32 indexed taskHash, uint16 reputation);
    event EquivocationProven(
        address indexed agent, bytes32 indexed taskHash, uint32 round, address indexed reporter, uint256 slashed
    );

    error NotRegistered(address agent);
    error AlreadyRegistered(address agent);
    error AgentBanned(address agent);
    /// @notice What an agent put at risk stays until then.
    error StillAtRisk(uint256 until);
    error TaskExists(bytes32 taskHash);
    error UnknownTask(bytes32 taskHash);
    error InvalidTask(string what);
    /// @notice The task, or the signature, has expired, or the task is not open any more.
    error Closed(bytes32 taskHash);
    error AlreadySubmitted(bytes32 taskHash, address agent);
    error InvalidPosition(string what);
    error StaleNonce(uint32 given, uint32 current);
    error BadSignature(address agent);
    error MalformedBatch(uint256 length);
    /// @notice The head or the values at `index` are not what was submitted.
    error CommitmentMismatch(uint256 index);
    error GapTooLarge(uint256 regret, uint256 eps);
    /// @notice The aggregate of coordinate `index` is off by so much that the result would be another one.
    error ResidualTooLarge(uint256 index);
    /// @notice Fixed-point numbers cannot certify so small a regret, or hold so large an aggregate.
    error PrecisionLoss();
    /// @notice The deadline is not over, positions are missing, or there is no certificate yet.
    error NotReady(bytes32 taskHash);
    error NotTheCertified(bytes32 taskHash);
    error NotEquivocation();
    error AlreadyProven(bytes32 taskHash, address agent);

    /// @notice Puts `riskPerAgent` of the sender's stake in the vault at risk and lets it take part.
    function register(bytes32 modelHash) external;
    /// @notice Takes part no longer; the risk is released by `release` after the evidence window.
    function deregister() external;
    function release() external;
    /// @notice Makes everything void that the sender signed with its present nonce and that is not on chain.
    function advanceNonce() external;

    /// @notice OPERATOR_ROLE. Positions are taken until `deadline` (seconds since the epoch).
    function createTask(
        bytes32 taskHash,
        uint16 dims,
        uint40 deadline,
        uint32 kappa,
        uint128 eps,
        uint16 minAgents,
        Tier tier
    ) external;

    /// @notice The sender's own position; `_agentId` must be the sender.
    function submitPosition(address _agentId, uint256[] calldata _position, uint256 _confidence, bytes32 _taskHash)
        external;
    /// @notice Somebody's signed position (round 0), by anyone. `signature` has 64 (EIP-2098) or 65 bytes.
    function submitPosition(
        address _agentId,
        uint256[] calldata _position,
        uint256 _confidence,
        bytes32 _taskHash,
        uint32 nonce,
        uint40 deadline,
        bytes calldata signature
    ) external;
    /// @notice Signed positions (round 0, all of one `deadline`), by anyone. What cannot be taken is skipped with PositionRejected.
    /// @param packed entries of 92 + 6 * dims bytes: agent 20 | confidence 4 | nonce 4 | r 32 | vs 32 (EIP-2098) | position
    /// @return accepted how many were taken
    function submitPositions(bytes32 taskHash, uint40 deadline, bytes calldata packed)
        external
        returns (uint256 accepted);

    /// @notice Anyone, after the deadline. All submissions must be there: ascending by agent in tier Slots, in the order
    ///         of submission in tier Accumulator.
    /// @param heads agent << 96 | confidence << 64 | weight << 48
    /// @param values the packed positions in the order of `heads`
    function proveEquilibrium(
        bytes32 taskHash,
        bytes32[] calldata heads,
        bytes calldata values,
        uint256[] calldata aggregate
    ) external;
    /// @notice The certified result (the weighted mean S / W, rounded), else ([], false).
    function computeNashEquilibrium(bytes32 _taskHash)
        external
        view
        returns (uint256[] memory equilibrium, bool converged);
    /// @notice OPERATOR_ROLE or the task's creator; `_consensus` must equal the certified result.
    function finalizeConsensus(bytes32 _taskHash, uint256[] calldata _consensus) external;
    /// @notice The finalised result and true, else ([], false).
    function getConsensusResult(bytes32 _taskHash) external view returns (uint256[] memory, bool);
    /// @notice Anyone, after the deadline, when fewer than `minAgents` positions came.
    function voidTask(bytes32 taskHash) external;
    /// @notice Anyone, once, after finalisation: who was near the result gains reputation, who was far loses some.
    function creditReputation(bytes32 taskHash, bytes32[] calldata heads, bytes calldata values) external;

    /// @notice Anyone: slashes and bans the agent that signed both. A certificate not yet finalised is revoked, and the
    ///         agent's position counts with weight 0 from then on.
    function proveEquivocation(
        Position calldata a,
        bytes calldata signatureA,
        Position calldata b,
        bytes calldata signatureB
    ) external;

    function agentReputation(address agent) external view returns (uint256);
    function agentOf(address agent) external view returns (Agent memory);
    function taskOf(bytes32 taskHash) external view returns (Task memory);
    /// @notice The commitment kept in tier Slots: keccak256(keccak256(packed position) | confidence uint32 | weight uint16).
    function commitmentOf(bytes32 taskHash, address agent) external view returns (bytes32);
    /// @notice Whether the agent equivocated in the task: its weight is 0 there.
    function excluded(bytes32 taskHash, address agent) external view returns (bool);
    /// @notice The EIP-712 digest of a position.
    function digestOf(Position calldata position) external view returns (bytes32);
}
