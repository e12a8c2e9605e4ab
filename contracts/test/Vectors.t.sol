// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Test} from "forge-std/Test.sol";

import {LeagueAnchor} from "../src/LeagueAnchor.sol";
import {LeagueCourt} from "../src/LeagueCourt.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";

import {RoundLeaf, RoundTree} from "../src/libraries/RoundTree.sol";
import {Standings} from "../src/libraries/Standings.sol";
import {TraceTree} from "../src/libraries/TraceTree.sol";
import {CourtFixture} from "./helpers/CourtFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice Gives the libraries calldata.
contract Libraries {
    function roundHash(RoundLeaf calldata leaf) external pure returns (bytes32) {
        return RoundTree.hash(leaf);
    }

    function roundRoot(bytes32 leafHash, uint256 index, bytes32[] calldata proof) external pure returns (bytes32) {
        return RoundTree.rootOf(leafHash, index, proof);
    }

    function standingsHash(int64[] calldata scores) external pure returns (bytes32) {
        return Standings.hash(scores);
    }

    function standingsZero(uint256 seats) external pure returns (bytes32) {
        return Standings.zero(seats);
    }

    function standingsAfter(bytes calldata standings, RoundLeaf calldata leaf) external pure returns (bool, bytes32) {
        return Standings.hashAfter(standings, leaf);
    }

    function traceLeaf(uint64 step, bytes32 obs, bytes32 action) external pure returns (bytes32) {
        return TraceTree.leafOf(step, obs, action);
    }

    function traceVerify(bytes32 root, uint64 size, uint64 index, bytes32 leaf, bytes32[] calldata path)
        external
        pure
        returns (bool)
    {
        return TraceTree.verify(root, size, index, leaf, path);
    }

    function commitment(bytes32 header, bytes32 root, uint64 nSteps) external pure returns (bytes32) {
        return TraceTree.commitmentOf(header, root, nSteps);
    }
}

/// @notice The contracts against tests/vectors/round_and_trace.json, which Python reads too.
contract VectorsTest is CourtFixture, Test {
    string private json;
    Libraries private libraries;

    function setUp() public {
        json = vm.readFile("../tests/vectors/round_and_trace.json");
        libraries = new Libraries();
        deployLeague(6);
        stakeAs(poster, 10 ether);
    }

    function testStepsAndCommitments() public view {
        for (uint256 i = 0; i < 3; ++i) {
            string memory item = _item("steps", i);
            bytes32 leaf = libraries.traceLeaf(
                uint64(_uint(item, "step")), _bytes32(item, "obsHash"), _bytes32(item, "actionHash")
            );
            assertEq(leaf, _bytes32(item, "leaf"));
        }
        for (uint256 i = 0; i < 4; ++i) {
            string memory item = _item("commitments", i);
            bytes32 value = libraries.commitment(
                _bytes32(item, "header"), _bytes32(item, "traceRoot"), uint64(_uint(item, "nSteps"))
            );
            assertEq(value, _bytes32(item, "commitment"));
        }
    }

    function testTraceTrees() public view {
        for (uint64 size = 1; size <= 17; ++size) {
            string memory item = _item("traceTrees", size - 1);
            bytes32 root = _bytes32(item, "root");
            bytes32[] memory leaves = _words(item, "leaves");
            for (uint64 i = 0; i < size; ++i) {
                bytes32[] memory path = _words(item, string.concat("paths[", vm.toString(uint256(i)), "]"));
                assertTrue(libraries.traceVerify(root, size, i, leaves[i], path));
                _refuseElsewhere(root, size, i, leaves[i], path);
            }
        }
    }

    /// @dev Every other index and every other length of the path is refused; so is another tree size that would need
    ///      a path of another shape.
    function _refuseElsewhere(bytes32 root, uint64 size, uint64 i, bytes32 leaf, bytes32[] memory path) private view {
        for (uint64 other = 0; other <= size; ++other) {
            if (other != i) assertFalse(libraries.traceVerify(root, size, other, leaf, path));
        }
        assertFalse(libraries.traceVerify(root, size, i, ~leaf, path));
        assertFalse(libraries.traceVerify(~root, size, i, leaf, path));
        assertFalse(libraries.traceVerify(root, 0, i, leaf, path));
        assertFalse(libraries.traceVerify(root, 4 * size + 4, i, leaf, path));
        bytes32[] memory longer = new bytes32[](path.length + 1);
        for (uint256 k = 0; k < path.length; ++k) {
            longer[k] = path[k];
        }
        assertFalse(libraries.traceVerify(root, size, i, leaf, longer));
        if (path.length == 0) return;
        assembly {
            mstore(path, sub(mload(path), 1))
        }
        assertFalse(libraries.traceVerify(root, size, i, leaf, path));
        assembly {
            mstore(path, add(mload(path), 1))
        }
    }

    function testRoundTrees() public view {
        for (uint256 size = 1; size <= 17; ++size) {
            string memory item = _item("roundTrees", size - 1);
            assertEq(RoundTree.depthOf(size), _uint(item, "depth"));
            RoundLeaf[] memory leaves = _leaves(item);
            bytes32[] memory hashes = _words(item, "leaves");
            bytes32 root = _bytes32(item, "root");
            for (uint256 i = 0; i < size; ++i) {
                assertEq(libraries.roundHash(leaves[i]), hashes[i]);
                bytes32[] memory proof = _words(item, string.concat("proofs[", vm.toString(i), "]"));
                assertEq(proof.length, _uint(item, "depth"));
                assertEq(libraries.roundRoot(hashes[i], i, proof), root);
            }
        }
    }

    /// @dev Threat: node passed as leaf. Neither inner nodes nor the absent leaf have a preimage among leaves.
    function testFuzzANodeNeverPassesAsLeaf(RoundLeaf memory leaf, bytes32 left, bytes32 right) public view {
        leaf.index = 0;
        bytes32[] memory sibling = new bytes32[](1);
        sibling[0] = right;
        bytes32 node = libraries.roundRoot(left, 0, sibling);
        assertEq(node, keccak256(bytes.concat(hex"01", left, right)));
        (leaf.pre, leaf.post) = (left, right);
        bytes32 hash = libraries.roundHash(leaf);
        assertNotEq(hash, node);
        assertNotEq(hash, keccak256(bytes.concat(left, right)));
        assertNotEq(hash, bytes32(0));
    }

    /// @dev An index of more than 32 bits would reach the domain byte and pass for a node.
    function testALeafWithAWideIndexIsRefused() public view {
        RoundLeaf memory leaf;
        bytes memory data = abi.encodeCall(libraries.roundHash, (leaf));
        (bool ok,) = address(libraries).staticcall(data);
        assertTrue(ok);
        data[4 + 27] = 0x01;
        (ok,) = address(libraries).staticcall(data);
        assertFalse(ok);
    }

    function testDepths() public pure {
        assertEq(RoundTree.depthOf(0), 0);
        for (uint256 d = 1; d < 32; ++d) {
            assertEq(RoundTree.depthOf(2 ** d), d);
            assertEq(RoundTree.depthOf(2 ** d + 1), d + 1);
        }
    }

    /// @dev From a step to the posted root, and no link of the chain can be exchanged.
    function testAStepOfAMatchIsProvedAgainstTheRound() public {
        string memory item = _item("traceTrees", 12);
        Steps memory s = Steps({
            header: keccak256("header"),
            root: _bytes32(item, "root"),
            size: 13,
            step: 12,
            obs: _words(item, "obsHashes")[12],
            action: _words(item, "actionHashes")[12],
            path: _words(item, "paths[12]")
        });
        Round memory round = soloRound("league", new int64[](1));
        round.leaves[0].evidence = sha256(abi.encodePacked(bytes1(0x05), s.header, s.root, s.size));
        bytes32 id = postAs(poster, round, 0);
        assertTrue(_verify(id, round.leaves[0], s));
        assertFalse(_verify(keccak256("unknown"), round.leaves[0], s));
        for (uint256 link = 0; link < 7; ++link) {
            Steps memory bad = abi.decode(abi.encode(s), (Steps));
            if (link == 0) bad.header = ~bad.header;
            else if (link == 1) bad.root = ~bad.root;
            else if (link == 2) bad.size = 14;
            else if (link == 3) bad.step = 11;
            else if (link == 4) bad.obs = ~bad.obs;
            else if (link == 5) bad.action = ~bad.action;
            else bad.path[0] = ~bad.path[0];
            assertFalse(_verify(id, round.leaves[0], bad));
        }
        round.leaves[0].evidence = ~round.leaves[0].evidence;
        assertFalse(_verify(id, round.leaves[0], s));
    }

    struct Steps {
        bytes32 header;
        bytes32 root;
        uint64 size;
        uint64 step;
        bytes32 obs;
        bytes32 action;
        bytes32[] path;
    }

    function _verify(bytes32 id, RoundLeaf memory leaf, Steps memory s) private view returns (bool) {
        return anchor.verifyTrace(id, leaf, new bytes32[](0), s.header, s.root, s.size, s.step, s.obs, s.action, s.path);
    }

    function testClaims() public {
        for (uint256 i = 0; i < 5; ++i) {
            string memory item = _item("claims", i);
            address home = vm.parseJsonAddress(json, string.concat(item, "verifyingContract"));
            vm.etch(home, address(anchor).code);
            vm.chainId(_uint(item, "chainId"));
            ILeagueAnchor.ScoreClaim memory claim = ILeagueAnchor.ScoreClaim(
                _bytes32(item, "leagueId"),
                uint32(_uint(item, "index")),
                vm.parseJsonAddress(json, string.concat(item, "agent")),
                int64(vm.parseJsonInt(json, string.concat(item, "score"))),
                _bytes32(item, "evidence")
            );
            bytes32 digest = LeagueAnchor(home).hashClaim(claim);
            assertEq(digest, _bytes32(item, "digest"));
            bytes memory signature = vm.parseJsonBytes(json, string.concat(item, "signature"));
            assertEq(ECDSA.recover(digest, signature), claim.agent);
        }
    }

    function testStandings() public view {
        for (uint256 i = 0; i < 5; ++i) {
            string memory item = _item("standings", i);
            int64[] memory scores = _scores(item);
            bytes memory packed = vm.parseJsonBytes(json, string.concat(item, "packed"));
            assertEq(packed, Trees.standings(scores));
            assertEq(libraries.standingsHash(scores), _bytes32(item, "hash"));
            assertEq(libraries.standingsZero(scores.length), _bytes32(item, "zero"));
            RoundLeaf memory leaf;
            leaf.a = uint32(_uint(item, "a"));
            leaf.b = uint32(_uint(item, "b"));
            leaf.dA = int64(vm.parseJsonInt(json, string.concat(item, "dA")));
            leaf.dB = int64(vm.parseJsonInt(json, string.concat(item, "dB")));
            (bool sound, bytes32 digest) = libraries.standingsAfter(packed, leaf);
            assertTrue(sound);
            assertEq(digest, _bytes32(item, "after"));
        }
    }

    function testRoundRoots() public {
        for (uint256 i = 0; i < 3; ++i) {
            string memory item = _item("roundRoots", i);
            address home = vm.parseJsonAddress(json, string.concat(item, "verifyingContract"));
            vm.etch(home, address(court).code);
            vm.chainId(_uint(item, "chainId"));
            bytes32 digest = LeagueCourt(home).hashRoundRoot(_bytes32(item, "leagueId"), _bytes32(item, "root"));
            assertEq(digest, _bytes32(item, "digest"));
            bytes memory signature = vm.parseJsonBytes(json, string.concat(item, "signature"));
            assertEq(ECDSA.recover(digest, signature), vm.parseJsonAddress(json, string.concat(item, "signer")));
        }
    }

    /// @dev The court takes commitment and index from the dispute; the definition below stands between it and the vectors.
    function testAttestations() public {
        for (uint256 i = 0; i < 3; ++i) {
            string memory item = _item("attestations", i);
            address home = vm.parseJsonAddress(json, string.concat(item, "verifyingContract"));
            vm.chainId(_uint(item, "chainId"));
            bytes32 digest = _attestation(
                home,
                _uint(item, "disputeId"),
                _bytes32(item, "commitmentId"),
                _uint(item, "index"),
                _bytes32(item, "leaf"),
                _bytes32(item, "engineHash")
            );
            assertEq(digest, _bytes32(item, "digest"));
            bytes memory signature = vm.parseJsonBytes(json, string.concat(item, "signature"));
            assertEq(ECDSA.recover(digest, signature), vm.parseJsonAddress(json, string.concat(item, "signer")));
        }
        vm.chainId(31337);
        Round memory round = soloRound("league", deltasOf(5));
        bytes32 id = postAs(poster, round, 0);
        demandAs(challenger, id, 0);
        disputeUndrawn(challenger, id, round, 3);
        bytes32 leaf = keccak256("leaf");
        assertEq(court.hashAttestation(2, leaf, ENGINE), _attestation(address(court), 2, id, 3, leaf, ENGINE));
    }

    function _attestation(address home, uint256 disputeId, bytes32 id, uint256 index, bytes32 leaf, bytes32 engineHash)
        private
        view
        returns (bytes32)
    {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Nashboard LeagueCourt"),
                keccak256("1"),
                block.chainid,
                home
            )
        );
        bytes32 kind = keccak256(
            "ReplayAttestation(uint256 disputeId,bytes32 commitmentId,uint32 index,bytes32 leaf,bytes32 engineHash)"
        );
        bytes32 message = keccak256(abi.encode(kind, disputeId, id, index, leaf, engineHash));
        return keccak256(abi.encodePacked(hex"1901", domain, message));
    }

    /// @dev Whole rounds: posted, some agents proven wrong, settled, every payout compared to the wei.
    function testPayouts() public {
        for (uint256 i = 0; i < 13; ++i) {
            string memory item = _item("payouts", i);
            _shrinkRoster(item);
            uint256[] memory expected = vm.parseJsonUintArray(json, string.concat(item, "wei"));
            Round memory round = scoredRound(bytes32(i), _scores(item));
            bytes32 id = postAs(poster, round, _uint(item, "pot"));
            uint256[] memory out = vm.parseJsonUintArray(json, string.concat(item, "disqualified"));
            for (uint256 k = 0; k < out.length; ++k) {
                proveAs(reporter, id, round, out[k], 1000);
            }
            uint256 before = creditOf(poster);
            settle(id, round);
            assertEq(creditOf(poster) - before, _uint(item, "dust"));
            for (uint256 seat = 0; seat < expected.length; ++seat) {
                assertEq(anchor.payoutOf(id, agents, round.scores, seat), expected[seat]);
            }
        }
    }

    function _shrinkRoster(string memory item) private {
        delete agents;
        delete keys;
        deployLeague(vm.parseJsonIntArray(json, string.concat(item, "scores")).length);
        stakeAs(poster, 10 ether);
    }

    function _scores(string memory item) private view returns (int64[] memory scores) {
        int256[] memory wide = vm.parseJsonIntArray(json, string.concat(item, "scores"));
        scores = new int64[](wide.length);
        for (uint256 i = 0; i < wide.length; ++i) {
            scores[i] = int64(wide[i]);
        }
    }

    function _leaves(string memory item) private view returns (RoundLeaf[] memory leaves) {
        uint256[] memory index = vm.parseJsonUintArray(json, string.concat(item, "index"));
        uint256[] memory a = vm.parseJsonUintArray(json, string.concat(item, "a"));
        uint256[] memory b = vm.parseJsonUintArray(json, string.concat(item, "b"));
        int256[] memory dA = vm.parseJsonIntArray(json, string.concat(item, "dA"));
        int256[] memory dB = vm.parseJsonIntArray(json, string.concat(item, "dB"));
        leaves = new RoundLeaf[](index.length);
        for (uint256 i = 0; i < index.length; ++i) {
            leaves[i] = RoundLeaf(uint32(index[i]), uint32(a[i]), uint32(b[i]), int64(dA[i]), int64(dB[i]), 0, 0, 0);
        }
        bytes32[] memory words = _words(item, "pre");
        for (uint256 i = 0; i < index.length; ++i) {
            leaves[i].pre = words[i];
        }
        words = _words(item, "post");
        for (uint256 i = 0; i < index.length; ++i) {
            leaves[i].post = words[i];
        }
        words = _words(item, "evidence");
        for (uint256 i = 0; i < index.length; ++i) {
            leaves[i].evidence = words[i];
        }
    }

    function _item(string memory list, uint256 index) private pure returns (string memory) {
        return string.concat(".", list, "[", vm.toString(index), "].");
    }

    function _bytes32(string memory item, string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, string.concat(item, key));
    }

    function _words(string memory item, string memory key) private view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(json, string.concat(item, key));
    }

    function _uint(string memory item, string memory key) private view returns (uint256) {
        return vm.parseJsonUint(json, string.concat(item, key));
    }
}
