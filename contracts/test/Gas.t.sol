// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {RoundLeaf, RoundTree} from "../src/libraries/RoundTree.sol";
import {LeagueFixture} from "./helpers/LeagueFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice Measures the bare inclusion check, without a transaction or storage around it.
contract InclusionProbe {
    function gasOf(RoundLeaf calldata leaf, bytes32[] calldata proof, bytes32 root)
        external
        view
        returns (uint256 used)
    {
        used = gasleft();
        bool held = RoundTree.rootOf(RoundTree.hash(leaf), leaf.index, proof) == root;
        used -= gasleft();
        require(held);
    }
}

/// @notice Whole transactions (each call is one, with its 21,000 and its calldata) against the recorded figures.
/// forge-config: default.isolate = true
contract GasTest is LeagueFixture, Test {
    uint256 private constant AGENTS = 32;

    Round private round;
    bytes32 private id;

    function setUp() public {
        deployLeague(AGENTS);
        stakeAs(poster, 10 ether);
        for (uint256 i = 0; i < AGENTS; ++i) {
            stakeAs(agents[i], 1 ether);
        }
        int64[] memory deltas = new int64[](8 * AGENTS);
        for (uint256 i = 0; i < deltas.length; ++i) {
            deltas[i] = int64(uint64(i * i % 50));
        }
        Round memory built = soloRound("gas", deltas);
        round.leagueId = built.leagueId;
        round.scores = built.scores;
        for (uint256 i = 0; i < built.leaves.length; ++i) {
            round.leaves.push(built.leaves[i]);
        }
    }

    function testRuntimeCodeStaysSmall() public view {
        assertLe(address(anchor).code.length, 20_000);
        assertLe(address(vault).code.length, 20_000);
    }

    function testPost32() public {
        postAs(poster, round, 1 ether);
        assertLe(vm.snapshotGasLastCall("league", "post of 32 agents"), 165_000);
    }

    function testProofs() public {
        id = postAs(poster, round, 1 ether);
        Round memory held = round;
        assertTrue(anchor.verifyStep(id, held.leaves[77], Trees.proof(held.leaves, 77)));
        vm.snapshotGasLastCall("league", "verifyStep of 256 matches");
        proveAs(reporter, id, held, 77, 1000);
        vm.snapshotGasLastCall("league", "proveScoreMismatch of 32 agents, 256 matches");
    }

    function testSettlement() public {
        id = postAs(poster, round, 1 ether);
        settle(id, round);
        vm.snapshotGasLastCall("league", "settle 32 agents");
        anchor.claimPayout(id, agents, round.scores, 5);
        vm.snapshotGasLastCall("league", "claimPayout among 32 agents");
        vm.prank(agents[5]);
        vault.claim();
        vm.snapshotGasLastCall("vault", "claim");
    }

    function testStaking() public {
        address newcomer = makeAddr("newcomer");
        stakeAs(newcomer, 1 ether);
        vm.snapshotGasLastCall("vault", "stake");
        vm.prank(newcomer);
        vault.requestUnbond(1 ether);
        vm.snapshotGasLastCall("vault", "requestUnbond");
        vm.warp(block.timestamp + UNBONDING);
        vm.prank(newcomer);
        vault.withdraw();
        vm.snapshotGasLastCall("vault", "withdraw");
    }

    function testInclusionCheckAtDepth20() public {
        RoundLeaf memory leaf = round.leaves[77];
        bytes32[] memory proof = new bytes32[](20);
        bytes32 root = Trees.hash(leaf);
        for (uint256 i = 0; i < 20; ++i) {
            proof[i] = keccak256(abi.encode(i));
            root = leaf.index >> i & 1 == 0 ? Trees.node(root, proof[i]) : Trees.node(proof[i], root);
        }
        uint256 used = new InclusionProbe().gasOf(leaf, proof, root);
        vm.snapshotValue("league", "inclusion check at depth 20", used);
        assertLe(used, 6_000);
    }
}
