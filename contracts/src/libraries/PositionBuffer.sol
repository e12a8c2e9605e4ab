// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title One stretch of memory in which every position of a batch is hashed, recovered and announced
/// @dev A batch of 64 positions pays this code 64 times; abi.encode and a new array each would cost more than the
///      signature check. What is the same for all entries is written once, and each position is copied once: the same
///      bytes are hashed for the signature and emitted.
///
///      Layout, in bytes from the start:
///        0x000  the EIP-712 struct: type hash, task hash, agent, position hash, confidence, round (0), nonce, deadline
///        0x100  0x1901 (2 bytes), domain separator, struct hash
///        0x160  digest, v, r, s for ecrecover; later the three words of an accumulator's step
///        0x1e0  the event's data: confidence, weight, 0x60, length, the packed position with zeros to a full word
library PositionBuffer {
    bytes32 internal constant TYPEHASH = keccak256(
        "Position(bytes32 taskHash,address agent,bytes32 positionHash,uint32 confidence,uint32 round,uint32 nonce,uint40 deadline)"
    );
    uint256 internal constant BYTES = 6;
    uint256 private constant BITS = 48;
    /// @dev Half the order of secp256k1: of the two signatures that fit a message, only the lower one counts.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    /// @notice Reserves a buffer for positions of `size` bytes.
    function open(bytes32 domain, bytes32 taskHash, uint256 deadline, uint256 size)
        internal
        pure
        returns (uint256 buffer)
    {
        bytes32 typeHash = TYPEHASH;
        assembly ("memory-safe") {
            buffer := mload(0x40)
            mstore(buffer, typeHash)
            mstore(add(buffer, 0x20), taskHash)
            mstore(add(buffer, 0xa0), 0)
            mstore(add(buffer, 0xe0), deadline)
            mstore(add(buffer, 0x100), shl(240, 0x1901))
            mstore(add(buffer, 0x102), domain)
            mstore(add(buffer, 0x220), 0x60)
            mstore(add(buffer, 0x240), size)
            let end := add(add(buffer, 0x260), size)
            mstore(end, 0)
            // A word more, for what `pack` writes behind the last coordinate.
            mstore(0x40, and(add(end, 0x3f), not(0x1f)))
        }
    }

    /// @notice Copies a packed position out of calldata and returns its hash.
    function load(uint256 buffer, uint256 offset, uint256 size) internal pure returns (bytes32 positionHash) {
        assembly ("memory-safe") {
            let data := add(buffer, 0x260)
            calldatacopy(data, offset, size)
            positionHash := keccak256(data, size)
        }
    }

    /// @notice Packs coordinates and returns their hash; `fits` is false when one has more than 48 bits.
    function pack(uint256 buffer, uint256[] calldata position) internal pure returns (bool fits, bytes32 positionHash) {
        assembly ("memory-safe") {
            let data := add(buffer, 0x260)
            let cursor := data
            let seen := 0
            let end := add(position.offset, shl(5, position.length))
            for { let from := position.offset } lt(from, end) { from := add(from, 0x20) } {
                let value := calldataload(from)
                seen := or(seen, value)
                // Writes 26 bytes too many, which the next one, or the padding below, writes over.
                mstore(cursor, shl(208, value))
                cursor := add(cursor, 6)
            }
            mstore(cursor, 0)
            fits := iszero(shr(48, seen))
            positionHash := keccak256(data, sub(cursor, data))
        }
    }

    /// @notice Sets the round, which is 0 on chain.
    function setRound(uint256 buffer, uint256 round) internal pure {
        assembly ("memory-safe") {
            mstore(add(buffer, 0xa0), round)
        }
    }

    /// @notice Puts an EIP-2098 signature in its place.
    function setSignature(uint256 buffer, bytes32 r, bytes32 vs) internal pure {
        assembly ("memory-safe") {
            mstore(add(buffer, 0x180), add(27, shr(255, vs)))
            mstore(add(buffer, 0x1a0), r)
            mstore(add(buffer, 0x1c0), shr(1, shl(1, vs)))
        }
    }

    /// @notice Whether the signature in the buffer is that of `agent`, for the position with this hash.
    function isSignedBy(uint256 buffer, uint256 agent, uint256 confidence, uint256 nonce, bytes32 positionHash)
        internal
        view
        returns (bool signed)
    {
        uint256 half = HALF_ORDER;
        assembly ("memory-safe") {
            mstore(add(buffer, 0x40), agent)
            mstore(add(buffer, 0x60), positionHash)
            mstore(add(buffer, 0x80), confidence)
            mstore(add(buffer, 0xc0), nonce)
            mstore(add(buffer, 0x122), keccak256(buffer, 0x100))
            let input := add(buffer, 0x160)
            mstore(input, keccak256(add(buffer, 0x100), 0x42))
            // The precompile answers nothing at all for a bad signature: what lay there before must not be read.
            mstore(0, 0)
            let done := staticcall(gas(), 1, input, 0x80, 0, 0x20)
            let low := iszero(gt(mload(add(input, 0x60)), half))
            signed := and(and(done, low), and(eq(mload(0), agent), iszero(iszero(agent))))
        }
    }

    /// @notice Emits PositionSubmitted(taskHash, agent, confidence, weight, position).
    function announce(
        uint256 buffer,
        bytes32 topic,
        bytes32 taskHash,
        uint256 agent,
        uint256 confidence,
        uint256 weight,
        uint256 size
    ) internal {
        assembly ("memory-safe") {
            mstore(add(buffer, 0x1e0), confidence)
            mstore(add(buffer, 0x200), weight)
            log3(add(buffer, 0x1e0), add(0x80, and(add(size, 0x1f), not(0x1f))), topic, taskHash, agent)
        }
    }

    /// @notice What is kept of a position: keccak256(position hash | confidence uint32 | weight uint16).
    function commitment(bytes32 positionHash, uint256 head) internal pure returns (bytes32 result) {
        assembly ("memory-safe") {
            mstore(0, positionHash)
            mstore(0x20, shl(160, head))
            result := keccak256(0, 38)
        }
    }

    /// @notice A step of the accumulator: keccak256(before | head | position hash).
    function fold(uint256 buffer, bytes32 before, uint256 head, bytes32 positionHash)
        internal
        pure
        returns (bytes32 result)
    {
        assembly ("memory-safe") {
            let cursor := add(buffer, 0x160)
            mstore(cursor, before)
            mstore(add(cursor, 0x20), head)
            mstore(add(cursor, 0x40), positionHash)
            result := keccak256(cursor, 0x60)
        }
    }

    /// @notice agent << 96 | confidence << 64 | weight << 48
    function headOf(uint256 agent, uint256 confidence, uint256 weight) internal pure returns (uint256) {
        return agent << 96 | confidence << 64 | weight << 48;
    }
}
