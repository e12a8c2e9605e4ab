// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {IProofOfLearning} from "../interfaces/IProofOfLearning.sol";

/// @title EIP-712 struct hashes of what validators sign
library LearningHashes {
    bytes32 private constant HEADER = keccak256(
        "Header(bytes32 chain,uint64 slot,uint32 proposer,bytes32 root,bytes32 parentRoot,bytes32 modelRoot,bytes32 updateId,bytes32 certificate)"
    );
    bytes32 private constant ACK =
        keccak256("Ack(bytes32 chain,uint64 slot,uint32 validator,bool accept,bytes32 baseRoot,bytes32 updateId)");
    bytes32 private constant VERDICT =
        keccak256("Verdict(bytes32 chain,uint32 validator,uint8 offence,bytes32 evidence)");

    bytes32 private constant FINALITY = keccak256("Finality(bytes32 header)");

    function hash(IProofOfLearning.Finality memory vote) internal pure returns (bytes32) {
        return keccak256(abi.encode(FINALITY, vote));
    }

    function hash(IProofOfLearning.Header calldata header) internal pure returns (bytes32) {
        return keccak256(abi.encode(HEADER, header));
    }

    function hash(IProofOfLearning.Ack calldata ack) internal pure returns (bytes32) {
        return keccak256(abi.encode(ACK, ack));
    }

    function hash(IProofOfLearning.Verdict memory found) internal pure returns (bytes32) {
        return keccak256(abi.encode(VERDICT, found));
    }
}
