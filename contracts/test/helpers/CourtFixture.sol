// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILeagueCourt} from "../../src/interfaces/ILeagueCourt.sol";
import {RoundLeaf} from "../../src/libraries/RoundTree.sol";
import {LeagueFixture} from "./LeagueFixture.sol";
import {Trees} from "./Trees.sol";

/// @notice Verifiers with keys, disputes, and votes about them.
abstract contract CourtFixture is LeagueFixture {
    bytes32 internal constant ENGINE = keccak256("engine");

    address internal immutable challenger = vm.addr(uint256(keccak256("challenger")));

    address[] internal verifiers;
    mapping(address => uint256) internal verifierKeys;

    /// @notice Adds `n` verifiers, each with a stake of twice what it reserves.
    function enrol(uint256 n) internal {
        for (uint256 i = 0; i < n; ++i) {
            uint256 key = uint256(keccak256(abi.encode("verifier", verifiers.length)));
            address verifier = vm.addr(key);
            verifiers.push(verifier);
            verifierKeys[verifier] = key;
            stakeAs(verifier, 2 * VERIFIER_STAKE);
            vm.prank(verifier);
            court.registerVerifier();
        }
    }

    function bondOf(bytes32 id, ILeagueCourt.Kind kind) internal view returns (uint256) {
        return court.bondFor(id, kind);
    }

    function demandAs(address from, bytes32 id, uint32 index) internal returns (uint256) {
        uint256 bond = bondOf(id, ILeagueCourt.Kind.Reveal);
        vm.deal(from, from.balance + bond);
        vm.prank(from);
        return court.demandReveal{value: bond}(id, index);
    }

    function revealOf(uint256 disputeId, Round memory round) internal {
        uint32 index = court.disputeOf(disputeId).index;
        (bytes memory header, bytes32 traceRoot, uint64 steps) = matchOf(round.leagueId, index);
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        court.reveal(disputeId, round.leaves[index], proof, header, traceRoot, steps);
    }

    /// @notice Opens a replay dispute and has its committee drawn in the next block.
    function disputeAs(address from, bytes32 id, Round memory round, uint32 index)
        internal
        returns (uint256 disputeId)
    {
        disputeId = disputeUndrawn(from, id, round, index);
        drawNow(disputeId);
    }

    function disputeUndrawn(address from, bytes32 id, Round memory round, uint32 index) internal returns (uint256) {
        uint256 bond = bondOf(id, ILeagueCourt.Kind.Replay);
        vm.deal(from, from.balance + bond);
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        vm.prank(from);
        return court.disputeReplay{value: bond}(id, round.leaves[index], proof);
    }

    function drawNow(uint256 disputeId) internal {
        vm.roll(vm.getBlockNumber() + 1);
        court.draw(disputeId);
    }

    /// @notice The members of the dispute's committee, in the order of their registration.
    function committeeOf(uint256 disputeId) internal view returns (address[] memory seated) {
        seated = new address[](verifiers.length);
        uint256 n;
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (bool sits,) = court.ballotOf(disputeId, verifiers[i]);
            if (sits) seated[n++] = verifiers[i];
        }
        assembly {
            mstore(seated, n)
        }
    }

    function wordOf(address verifier, uint256 disputeId, bytes32 leaf) internal view returns (bytes memory) {
        return signed(verifierKeys[verifier], court.hashAttestation(disputeId, leaf, ENGINE));
    }

    function signed(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @notice Brings the votes of members `from` to `to` (exclusive) of the committee for `leaf`.
    function attestBy(uint256 disputeId, bytes32 leaf, uint256 from, uint256 to) internal {
        address[] memory seated = committeeOf(disputeId);
        bytes[] memory words = new bytes[](to - from);
        for (uint256 i = from; i < to; ++i) {
            words[i - from] = wordOf(seated[i], disputeId, leaf);
        }
        court.attest(disputeId, leaf, ENGINE, words);
    }

    /// @notice The packed standings before match `index`, as the leaves say.
    function standingsBefore(Round memory round, uint256 index) internal view returns (bytes memory) {
        int64[] memory scores = new int64[](agents.length);
        for (uint256 i = 0; i < index; ++i) {
            RoundLeaf memory leaf = round.leaves[i];
            scores[leaf.a] += leaf.dA;
            if (leaf.b != NOBODY) scores[leaf.b] += leaf.dB;
        }
        return Trees.standings(scores);
    }

    /// @notice The hash of what an honest replay gives instead of the posted leaf.
    function otherLeaf(RoundLeaf memory leaf) internal pure returns (bytes32) {
        RoundLeaf memory other = abi.decode(abi.encode(leaf), (RoundLeaf));
        other.dA += 1;
        return Trees.hash(other);
    }
}
