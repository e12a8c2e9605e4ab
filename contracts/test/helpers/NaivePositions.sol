// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @notice Positions as the first sketch of the contract kept them: structs with arrays in storage, the signature beside
///         them so that anybody can check it later. What the gas figures are compared with.
contract NaivePositions is EIP712("Naive", "1") {
    struct AgentPosition {
        address agentId;
        uint256[] position;
        uint256 confidence;
        uint256 timestamp;
        bytes signature;
    }

    bytes32 private constant TYPEHASH =
        keccak256("Position(bytes32 taskHash,address agent,uint256[] position,uint256 confidence,uint256 nonce)");

    mapping(bytes32 taskHash => AgentPosition[]) public positions;
    mapping(bytes32 taskHash => mapping(address agent => bool)) public hasSubmitted;
    mapping(address agent => uint256) public nonces;

    event PositionSubmitted(bytes32 indexed taskHash, address indexed agent, uint256 confidence);

    error Refused();

    function submitPosition(
        address _agentId,
        uint256[] calldata _position,
        uint256 _confidence,
        bytes32 _taskHash,
        bytes calldata signature
    ) external {
        bytes32 digest = digestOf(_agentId, _position, _confidence, _taskHash, nonces[_agentId]++);
        if (hasSubmitted[_taskHash][_agentId] || ECDSA.recover(digest, signature) != _agentId) revert Refused();
        hasSubmitted[_taskHash][_agentId] = true;
        positions[_taskHash].push(AgentPosition(_agentId, _position, _confidence, block.timestamp, signature));
        emit PositionSubmitted(_taskHash, _agentId, _confidence);
    }

    function digestOf(address agent, uint256[] calldata position, uint256 confidence, bytes32 taskHash, uint256 nonce)
        public
        view
        returns (bytes32)
    {
        bytes32 values = keccak256(abi.encodePacked(position));
        return _hashTypedDataV4(keccak256(abi.encode(TYPEHASH, taskHash, agent, values, confidence, nonce)));
    }
}
