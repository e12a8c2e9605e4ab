// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {RoundLeaf, RoundTree} from "../src/libraries/RoundTree.sol";
import {CourtFixture} from "./helpers/CourtFixture.sol";
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
contract GasTest is CourtFixture, Test {
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
        assertLe(address(court).code.length, 20_000);
    }

    // Fraud proofs: 32 agents, 256 matches. It is the reporter's and the poster's first time, not the chain's: their slots
    // are new, the treasury's and the totals are not.

    function testProveArithmetic() public {
        Round memory held = _forged();
        held.leaves[0].dA += 1;
        id = postAs(poster, held, 1 ether);
        bytes32[] memory proof = Trees.proof(held.leaves, 0);
        vm.prank(reporter);
        court.proveArithmetic(id, held.leaves[0], proof, Trees.standings(new int64[](AGENTS)));
        _record("proveArithmetic");
    }

    function testProveBreak() public {
        Round memory held = _forged();
        held.leaves[77].post = keccak256("elsewhere");
        id = postAs(poster, held, 1 ether);
        bytes32[] memory left = Trees.proof(held.leaves, 77);
        bytes32[] memory right = Trees.proof(held.leaves, 78);
        vm.prank(reporter);
        court.proveBreak(id, held.leaves[77], left, held.leaves[78], right);
        _record("proveBreak");
    }

    function testProveTerminal() public {
        Round memory held = _forged();
        held.scores[5] += 1;
        id = postAs(poster, held, 1 ether);
        bytes32[] memory proof = Trees.proof(held.leaves, held.leaves.length - 1);
        vm.prank(reporter);
        court.proveTerminal(id, agents, held.scores, held.leaves[held.leaves.length - 1], proof);
        _record("proveTerminal");
    }

    function testProveGenesis() public {
        Round memory held = _forged();
        held.leaves[0].pre = keccak256("elsewhere");
        id = postAs(poster, held, 1 ether);
        bytes32[] memory proof = Trees.proof(held.leaves, 0);
        vm.prank(reporter);
        court.proveGenesis(id, held.leaves[0], proof);
        _record("proveGenesis");
    }

    function testProveBounds() public {
        Round memory held = _forged();
        held.leaves[77].dA = 1001;
        id = postAs(poster, held, 1 ether);
        bytes32[] memory proof = Trees.proof(held.leaves, 77);
        vm.prank(reporter);
        court.proveBounds(id, held.leaves[77], proof);
        _record("proveBounds");
    }

    function testProveEquivocation() public {
        Round memory held = _forged();
        id = postAs(poster, held, 1 ether);
        bytes32 other = keccak256("other");
        bytes memory signature = signed(uint256(keccak256("poster")), court.hashRoundRoot(held.leagueId, other));
        vm.prank(reporter);
        court.proveEquivocation(id, held.leagueId, other, signature);
        _record("proveEquivocation");
    }

    function testDemand() public {
        Round memory held = _forged();
        id = postAs(poster, held, 1 ether);
        uint256 disputeId = demandAs(challenger, id, 77);
        vm.snapshotGasLastCall("court", "demandReveal");
        revealOf(disputeId, held);
        vm.snapshotGasLastCall("court", "reveal");
        disputeId = demandAs(challenger, id, 78);
        vm.warp(vm.getBlockTimestamp() + REVEAL);
        court.timeout(disputeId);
        vm.snapshotGasLastCall("court", "timeout");
    }

    function testReplay() public {
        enrol(9);
        vm.snapshotGasLastCall("court", "registerVerifier");
        Round memory held = _forged();
        id = postAs(poster, held, 1 ether);
        uint256 disputeId = disputeUndrawn(challenger, id, held, 77);
        vm.snapshotGasLastCall("court", "disputeReplay");
        drawNow(disputeId);
        vm.snapshotGasLastCall("court", "draw 5 of 9");
        attestBy(disputeId, otherLeaf(held.leaves[77]), 0, 4);
        vm.snapshotGasLastCall("court", "attest: 4 votes and the verdict");
    }

    /// @dev The round, after another poster's fraud was proven.
    function _forged() private returns (Round memory held) {
        held = round;
        address other = makeAddr("other poster");
        stakeAs(other, 1 ether);
        bytes32 pre = held.leaves[0].pre;
        held.leaves[0].pre = 0;
        id = postAs(other, held, 0);
        court.proveGenesis(id, held.leaves[0], Trees.proof(held.leaves, 0));
        held.leaves[0].pre = pre;
    }

    function _record(string memory name) private {
        assertLe(vm.snapshotGasLastCall("court", name), 175_000);
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Rejected));
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
        assertLe(vm.snapshotGasLastCall("league", "proveScoreMismatch of 32 agents, 256 matches"), 175_000);
        settle(id, held);
        anchor.collectPenalty(id, agents[77 % AGENTS]);
        vm.snapshotGasLastCall("league", "collectPenalty");
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
