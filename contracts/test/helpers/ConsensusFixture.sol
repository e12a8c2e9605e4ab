// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {CommonBase} from "forge-std/Base.sol";
import {StdUtils} from "forge-std/StdUtils.sol";

import {NeuralConsensus} from "../../src/NeuralConsensus.sol";
import {StakeVault} from "../../src/StakeVault.sol";
import {INeuralConsensus} from "../../src/interfaces/INeuralConsensus.sol";

/// @notice A vault, the consensus contract, agents with keys, tasks, signed positions and certificates.
abstract contract ConsensusFixture is CommonBase, StdUtils {
    /// @dev What one agent says, in the contract's numbers.
    struct Word {
        uint256 who;
        uint256[] position;
        uint256 confidence;
    }

    struct Proof {
        bytes32[] heads;
        bytes values;
        uint256[] aggregate;
        uint256 total;
    }

    uint256 internal constant WINDOW = 1 days;
    uint256 internal constant RISK = 0.1 ether;
    uint256 internal constant PENALTY = 0.06 ether;
    uint256 internal constant REPORTER_BPS = 5000;
    uint256 internal constant MILLION = 1_000_000;
    uint256 internal constant COORDINATES = 2 ** 48;
    uint128 internal constant EPS = 1e12;
    uint32 internal constant KAPPA = 1_000_000;
    bytes32 internal constant TASK = keccak256("task");

    address internal immutable admin = vm.addr(uint256(keccak256("admin")));
    address internal immutable operator = vm.addr(uint256(keccak256("operator")));
    address internal immutable pauser = vm.addr(uint256(keccak256("pauser")));
    address internal immutable treasury = vm.addr(uint256(keccak256("treasury")));
    address internal immutable reporter = vm.addr(uint256(keccak256("reporter")));

    StakeVault internal vault;
    NeuralConsensus internal consensus;
    /// @dev Ascending, as a certificate in tier Slots names them; keys[i] signs for agents[i].
    address[] internal agents;
    uint256[] internal keys;

    function deployConsensus(uint256 nAgents) internal {
        vm.warp(1_800_000_000);
        delete agents;
        delete keys;
        vault = new StakeVault(admin, treasury, 7 * WINDOW);
        consensus = new NeuralConsensus(admin, vault, rules());
        vm.startPrank(admin);
        vault.grantRole(vault.SLASHER_ROLE(), address(consensus));
        consensus.grantRole(consensus.OPERATOR_ROLE(), operator);
        consensus.grantRole(consensus.PAUSER_ROLE(), pauser);
        vm.stopPrank();
        for (uint256 i = 0; i < nAgents; ++i) {
            _insert(uint256(keccak256(abi.encode("agent", i))));
        }
        for (uint256 i = 0; i < nAgents; ++i) {
            enrol(agents[i]);
        }
    }

    function rules() internal pure returns (NeuralConsensus.Rules memory) {
        return NeuralConsensus.Rules(uint96(RISK), uint96(PENALTY), uint48(WINDOW), uint16(REPORTER_BPS));
    }

    function _insert(uint256 key) private {
        address account = vm.addr(key);
        agents.push(account);
        keys.push(key);
        for (uint256 i = agents.length - 1; i > 0 && agents[i - 1] > account; --i) {
            (agents[i], agents[i - 1]) = (agents[i - 1], agents[i]);
            (keys[i], keys[i - 1]) = (keys[i - 1], keys[i]);
        }
    }

    function enrol(address agent) internal {
        vm.deal(agent, agent.balance + RISK);
        vm.startPrank(agent);
        vault.stake{value: RISK}();
        consensus.register(keccak256(abi.encode("model", agent)));
        vm.stopPrank();
    }

    function open(bytes32 task, uint256 dims, INeuralConsensus.Tier tier) internal {
        open(task, dims, tier, KAPPA, EPS, 2);
    }

    function open(bytes32 task, uint256 dims, INeuralConsensus.Tier tier, uint32 kappa, uint128 eps, uint16 minAgents)
        internal
    {
        vm.prank(operator);
        consensus.createTask(task, uint16(dims), deadline(), kappa, eps, minAgents, tier);
    }

    function deadline() internal view returns (uint40) {
        return uint40(vm.getBlockTimestamp() + 1 hours);
    }

    function pass() internal {
        vm.warp(vm.getBlockTimestamp() + 1 hours);
    }

    /// @notice Agents 0..n-1 with coordinates near each other and confidences of 0.3 to 1.
    function words(uint256 n, uint256 dims) internal pure returns (Word[] memory all) {
        all = new Word[](n);
        for (uint256 i = 0; i < n; ++i) {
            all[i] = Word(i, new uint256[](dims), 300_000 + i * 7919 % 700_001);
            for (uint256 k = 0; k < dims; ++k) {
                // Between 0 and 1, as shares and probabilities are.
                all[i].position[k] = 2 ** 47 + uint256(keccak256(abi.encode(i, k))) % 2 ** 32;
            }
        }
    }

    function pack(uint256[] memory position) internal pure returns (bytes memory packed) {
        bytes6[] memory parts = new bytes6[](position.length);
        for (uint256 k = 0; k < position.length; ++k) {
            parts[k] = bytes6(uint48(position[k]));
        }
        packed = new bytes(6 * position.length);
        assembly ("memory-safe") {
            let to := add(packed, 0x20)
            for { let k := 1 } iszero(gt(k, mload(parts))) { k := add(k, 1) } {
                mcopy(to, add(parts, shl(5, k)), 6)
                to := add(to, 6)
            }
        }
    }

    function message(bytes32 task, Word memory word, uint256 round, uint256 nonce, uint40 until)
        internal
        view
        returns (INeuralConsensus.Position memory)
    {
        bytes32 positionHash = keccak256(pack(word.position));
        return INeuralConsensus.Position(
            task, agents[word.who], positionHash, uint32(word.confidence), uint32(round), uint32(nonce), until
        );
    }

    /// @dev EIP-2098.
    function compact(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, uint256(s) | uint256(v - 27) << 255);
    }

    function sign(INeuralConsensus.Position memory position, uint256 who) internal view returns (bytes memory) {
        return compact(keys[who], consensus.digestOf(position));
    }

    function entry(bytes32 task, Word memory word, uint40 until) internal view returns (bytes memory) {
        uint32 nonce = consensus.agentOf(agents[word.who]).nonce;
        return entry(word, nonce, sign(message(task, word, 0, nonce, until), word.who));
    }

    function entry(Word memory word, uint32 nonce, bytes memory signature) internal view returns (bytes memory) {
        return abi.encodePacked(agents[word.who], uint32(word.confidence), nonce, signature, pack(word.position));
    }

    function batch(bytes32 task, Word[] memory all, uint40 until) internal view returns (bytes memory packed) {
        bytes[] memory parts = new bytes[](all.length);
        uint256 size;
        for (uint256 i = 0; i < all.length; ++i) {
            parts[i] = entry(task, all[i], until);
            size += parts[i].length;
        }
        packed = new bytes(size);
        uint256 cursor;
        assembly ("memory-safe") {
            cursor := add(packed, 0x20)
        }
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes memory part = parts[i];
            assembly ("memory-safe") {
                mcopy(cursor, add(part, 0x20), mload(part))
                cursor := add(cursor, mload(part))
            }
        }
    }

    function submitAll(bytes32 task, Word[] memory all) internal {
        uint40 until = deadline();
        consensus.submitPositions(task, until, batch(task, all, until));
    }

    /// @notice As submitAll, each by itself: without signatures, so that fuzzing stays quick.
    function submitEach(bytes32 task, Word[] memory all) internal {
        for (uint256 i = 0; i < all.length; ++i) {
            submit(task, all[i]);
        }
    }

    function submit(bytes32 task, Word memory word) internal {
        vm.prank(agents[word.who]);
        consensus.submitPosition(agents[word.who], word.position, word.confidence, task);
    }

    /// @notice Heads, values and the equilibrium's aggregate, with the weights that count now.
    function proofOf(bytes32 task, Word[] memory all) internal view returns (Proof memory proof) {
        uint256[] memory weights = new uint256[](all.length);
        uint256[] memory raw = new uint256[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            raw[i] = consensus.agentReputation(agents[all[i].who]);
            weights[i] = consensus.excluded(task, agents[all[i].who]) ? 0 : raw[i];
        }
        return proofWith(all, raw, weights, consensus.taskOf(task).kappa);
    }

    function proofWith(Word[] memory all, uint256[] memory raw, uint256[] memory weights, uint256 kappa)
        internal
        view
        returns (Proof memory proof)
    {
        uint256 dims = all[0].position.length;
        proof.heads = new bytes32[](all.length);
        bytes[] memory parts = new bytes[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            proof.heads[i] = head(all[i], raw[i]);
            parts[i] = pack(all[i].position);
        }
        proof.values = join(parts);
        weights = capped(weights);
        for (uint256 i = 0; i < all.length; ++i) {
            proof.total += weights[i];
        }
        proof.aggregate = new uint256[](dims);
        for (uint256 k = 0; k < dims; ++k) {
            proof.aggregate[k] = solve(all, weights, kappa, proof.total, k);
        }
    }

    function head(Word memory word, uint256 weight) internal view returns (bytes32) {
        return bytes32(uint256(uint160(agents[word.who])) << 96 | word.confidence << 64 | weight << 48);
    }

    function join(bytes[] memory parts) internal pure returns (bytes memory joined) {
        uint256 size = parts[0].length;
        joined = new bytes(parts.length * size);
        for (uint256 i = 0; i < parts.length; ++i) {
            bytes memory part = parts[i];
            assembly ("memory-safe") {
                mcopy(add(add(joined, 0x20), mul(i, size)), add(part, 0x20), size)
            }
        }
    }

    function capped(uint256[] memory weights) internal pure returns (uint256[] memory result) {
        uint256 sum;
        for (uint256 i = 0; i < weights.length; ++i) {
            sum += weights[i];
        }
        uint256 cap = Math.max(1, sum / 3);
        result = new uint256[](weights.length);
        for (uint256 i = 0; i < weights.length; ++i) {
            result[i] = Math.min(weights[i], cap);
        }
    }

    /// @notice The fixed point of S = sum_i w_i (c_i x_i + kappa S) / (c_i + kappa W), in closed form:
    ///         S = W sum_i a_i x_i / sum_i a_i with a_i = w_i c_i / (c_i + kappa W).
    function solve(Word[] memory all, uint256[] memory weights, uint256 kappa, uint256 total, uint256 k)
        internal
        pure
        returns (uint256)
    {
        uint256 above;
        uint256 below;
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 c = all[i].confidence;
            uint256 a = (weights[i] * c << 140) / (c + kappa * total);
            above += a * all[i].position[k];
            below += a;
        }
        return Math.mulDiv(above, total << 32, below);
    }

    function prove(bytes32 task, Proof memory proof) internal {
        consensus.proveEquilibrium(task, proof.heads, proof.values, proof.aggregate);
    }

    function finalize(bytes32 task) internal {
        (uint256[] memory result,) = consensus.computeNashEquilibrium(task);
        vm.prank(operator);
        consensus.finalizeConsensus(task, result);
    }
}
