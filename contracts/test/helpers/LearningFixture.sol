// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {CommonBase} from "forge-std/Base.sol";

import {POL} from "../../src/POL.sol";
import {ProofOfLearning} from "../../src/ProofOfLearning.sol";
import {IProofOfLearning} from "../../src/interfaces/IProofOfLearning.sol";

/// @notice The token, the staking contract, a chain with its genesis validators, and what they sign.
abstract contract LearningFixture is CommonBase {
    uint256 internal constant STAKE = 32e18;
    uint256 internal constant LOSS = 20e18;
    uint256 internal constant SHARE_BPS = 4000;
    uint256 internal constant EVIDENCE_WINDOW = 1 days;
    uint256 internal constant DELAY = 2 days;
    uint32 internal constant EPOCH = 8;
    uint256 internal constant SUPPLY = 1e27;

    address internal immutable chief = vm.addr(uint256(keccak256("chief")));
    address internal immutable warden = vm.addr(uint256(keccak256("warden")));
    address internal immutable chest = vm.addr(uint256(keccak256("chest")));
    address internal immutable opener = vm.addr(uint256(keccak256("opener")));
    address internal immutable witness = vm.addr(uint256(keccak256("witness")));

    POL internal pol;
    ProofOfLearning internal learning;
    bytes32 internal chain;

    function deployLearning() internal {
        if (block.timestamp < 1_800_000_000) vm.warp(1_800_000_000);
        pol = new POL(chief, SUPPLY, chief);
        learning = new ProofOfLearning(chief, pol, chest, learningRules());
        bytes32 role = learning.PAUSER_ROLE();
        vm.prank(chief);
        learning.grantRole(role, warden);
    }

    function learningRules() internal pure returns (ProofOfLearning.Rules memory) {
        return ProofOfLearning.Rules(uint96(LOSS), uint16(SHARE_BPS), uint40(EVIDENCE_WINDOW), uint40(DELAY));
    }

    /// @dev A chain with `n` genesis validators, ready for headers.
    function openLearning(uint32 n) internal {
        chain = openNamed("chain", n);
        for (uint256 i = 0; i < n; ++i) {
            depositBy(opener, accountOf(i), i);
        }
    }

    function openNamed(bytes32 salt, uint32 n) internal returns (bytes32 name) {
        vm.prank(opener);
        return learning.openChain(spec(salt, n));
    }

    function spec(bytes32 salt, uint32 n) internal pure returns (IProofOfLearning.ChainSpec memory) {
        return IProofOfLearning.ChainSpec("genesis", salt, 0, EPOCH, 0, n);
    }

    function depositBy(address payer, address account, uint256 i) internal returns (uint256) {
        fund(payer);
        vm.prank(payer);
        return learning.depositFor(chain, account, blsKeys(i));
    }

    /// @dev 32 POL, and leave to take them.
    function fund(address payer) internal {
        vm.prank(chief);
        pol.drip(payer, STAKE);
        vm.prank(payer);
        pol.approve(address(learning), STAKE);
    }

    function join(uint256 i) internal returns (uint256) {
        return depositBy(accountOf(i), accountOf(i), i);
    }

    function keyOf(uint256 i) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode("validator", i)));
    }

    function accountOf(uint256 i) internal pure returns (address) {
        return vm.addr(keyOf(i));
    }

    function blsKeys(uint256 i) internal pure returns (IProofOfLearning.Keys memory) {
        bytes memory pubkey = abi.encodePacked(keccak256(abi.encode("bls", i)), bytes16(uint128(i)));
        bytes32 word = keccak256(abi.encode("proof", i));
        return IProofOfLearning.Keys(pubkey, keccak256(abi.encode("node", i)), abi.encodePacked(word, word, word));
    }

    // What is signed

    function headerOf(uint64 slot) internal view returns (IProofOfLearning.Header memory) {
        return headerBy(slot, uint32(learning.proposerOf(chain, slot)));
    }

    function headerBy(uint64 slot, uint32 proposer) internal view returns (IProofOfLearning.Header memory) {
        return IProofOfLearning.Header(
            chain, slot, proposer, keccak256(abi.encode("root", slot)), "parent", "model", bytes32(0), bytes32(0)
        );
    }

    function ackBy(uint32 validator, bool accept) internal view returns (IProofOfLearning.Ack memory) {
        return IProofOfLearning.Ack(chain, 5, validator, accept, "base", "update");
    }

    function verdictOn(uint256 validator, IProofOfLearning.Offence offence, bytes32 evidence)
        internal
        view
        returns (IProofOfLearning.Verdict memory)
    {
        return IProofOfLearning.Verdict(chain, uint32(validator), offence, evidence);
    }

    function propose(uint64 slot) internal returns (IProofOfLearning.Header memory header) {
        header = headerOf(slot);
        learning.propose(header, signHeader(header));
    }

    function signHeader(IProofOfLearning.Header memory header) internal view returns (bytes memory) {
        return signBy(header.proposer, learning.digestOfHeader(header));
    }

    function signAck(IProofOfLearning.Ack memory ack) internal view returns (bytes memory) {
        return signBy(ack.validator, learning.digestOfAck(ack));
    }

    function signBy(uint256 i, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(i), digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Of the validators from `first` on, without those not in the set.
    function quorum(bytes32 digest, uint256 first, uint256 n) internal view returns (bytes memory packed) {
        uint256 found;
        for (uint256 i = first; found < n; ++i) {
            if (i == learning.chainOf(chain).deposits) break;
            if (!learning.inSet(chain, i)) continue;
            packed = abi.encodePacked(packed, entry(i, digest));
            ++found;
        }
    }

    function entry(uint256 i, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(i), digest);
        return abi.encodePacked(uint32(i), r, uint256(s) | uint256(v - 27) << 255);
    }

    function votes(IProofOfLearning.Header memory header, uint256 n) internal view returns (bytes memory) {
        return quorum(finalityOf(header), 0, n);
    }

    function finalityOf(IProofOfLearning.Header memory header) internal view returns (bytes32) {
        return learning.digestOfFinality(IProofOfLearning.Finality(structHash(header)));
    }

    function verdict(IProofOfLearning.Verdict memory found, uint256 n) internal view returns (bytes memory) {
        return quorum(learning.digestOfVerdict(found), 0, n);
    }

    /// @dev The hash of a header or an ACK, as a verdict names it.
    function structHash(IProofOfLearning.Header memory header) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "Header(bytes32 chain,uint64 slot,uint32 proposer,bytes32 root,bytes32 parentRoot,bytes32 modelRoot,bytes32 updateId,bytes32 certificate)"
                ),
                header
            )
        );
    }

    function structHash(IProofOfLearning.Ack memory ack) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(
                    "Ack(bytes32 chain,uint64 slot,uint32 validator,bool accept,bytes32 baseRoot,bytes32 updateId)"
                ),
                ack
            )
        );
    }

    /// @dev Headers of the next epochs, one each.
    function passEras(uint256 n) internal {
        for (uint256 i = 0; i < n; ++i) {
            propose((learning.chainOf(chain).headSlot / EPOCH + 1) * EPOCH);
        }
    }

    function setSize() internal view returns (uint256) {
        return learning.chainOf(chain).size;
    }
}
