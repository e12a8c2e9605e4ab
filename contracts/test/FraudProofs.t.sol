// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";

import {LeagueCourt} from "../src/LeagueCourt.sol";
import {ILeagueAnchor} from "../src/interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "../src/interfaces/ILeagueCourt.sol";
import {Roster} from "../src/libraries/Roster.sol";
import {RoundLeaf} from "../src/libraries/RoundTree.sol";
import {ContractAgent} from "./ScoreClaims.t.sol";
import {CourtFixture} from "./helpers/CourtFixture.sol";
import {Trees} from "./helpers/Trees.sol";

/// @notice Every lie that contradicts itself is proven by anyone, and no truth is.
contract FraudProofsTest is CourtFixture, Test {
    bytes32 private constant LEAGUE = keccak256("nashboard/league/bronze/1/7");

    function setUp() public {
        deployLeague(4);
        stakeAs(poster, 1 ether);
        for (uint256 i = 0; i < agents.length; ++i) {
            stakeAs(agents[i], 0.1 ether);
        }
    }

    // What a proof does

    function testAProvenFraudEndsTheCommitment() public {
        Round memory round = _round();
        round.leaves[0].pre = keccak256("not zero");
        bytes32 id = postAs(poster, round, 1 ether);
        (uint256 before,) = stakeOf(poster);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.FraudProven(id, reporter, "genesis", EXPOSURE);
        _genesis(id, round, 0, "");
        ILeagueAnchor.Commitment memory c = anchor.commitmentOf(id);
        assertEq(uint8(c.status), uint8(ILeagueAnchor.Status.Rejected));
        (uint256 active,) = stakeOf(poster);
        assertEq(before - active, EXPOSURE);
        assertEq(exposureOf(poster), 0);
        assertEq(creditOf(reporter), EXPOSURE / 2);
        assertEq(creditOf(treasury), EXPOSURE / 2);
        assertEq(address(anchor).balance, 1 ether);
        vm.expectEmit(address(anchor));
        emit ILeagueAnchor.PotReclaimed(id, poster, 1 ether);
        assertEq(anchor.reclaimPot(id), 1 ether);
        assertEq(creditOf(poster), 1 ether, "the pot returns: the slash is the punishment");
        assertEq(address(anchor).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NothingToPay.selector, poster));
        anchor.reclaimPot(id);
    }

    function testOnlyRejectedPotsAreReclaimed() public {
        bytes32 id = postAs(poster, _round(), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotRejected.selector, id));
        anchor.reclaimPot(id);
        demandAs(challenger, id, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotRejected.selector, id));
        anchor.reclaimPot(id);
        revealOf(1, _round());
        settle(id, _round());
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotRejected.selector, id));
        anchor.reclaimPot(id);
    }

    /// @dev Status and slashing are monotone: what is rejected stays so, and is paid for once.
    function testARejectedCommitmentStaysRejected() public {
        Round memory round = _round();
        round.leaves[0].pre = keccak256("not zero");
        bytes32 id = postAs(poster, round, 1 ether);
        _genesis(id, round, 0, "");
        bytes memory over = abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, id);
        _genesis(id, round, 0, over);
        vm.expectRevert(over);
        this.proveExternal(id, round, 1, 99);
        uint16[] memory order = orderOf(round.scores);
        vm.warp(vm.getBlockTimestamp() + 10 * WINDOW);
        vm.expectRevert(over);
        anchor.settle(id, agents, round.scores, order);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotSettled.selector, id));
        anchor.claimPayout(id, agents, round.scores, 0);
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.AlreadyPosted.selector, id));
        this.postExternal(poster, round);
        vm.expectRevert(over);
        this.demandExternal(id, 0);
    }

    /// @dev The hole that is closed: under a fraudulent root an honest agent signed the truth, and keeps its stake.
    function testAnHonestAgentUnderAFraudulentRootKeepsItsStake() public {
        Round memory round = _round();
        int64 truth = round.leaves[1].dA;
        round.leaves[1].dA = truth + 1; // and its post does not follow from that
        bytes32 id = postAs(poster, round, 0);
        proveAs(poster, id, round, 1, truth);
        assertTrue(anchor.isDisqualified(id, 1));
        _arithmetic(id, round, 1, "");
        vm.expectRevert(abi.encodeWithSelector(ILeagueAnchor.NotSettled.selector, id));
        anchor.collectPenalty(id, agents[1]);
        (uint256 active,) = stakeOf(agents[1]);
        assertEq(active, 0.1 ether);
    }

    function testProofsHoldUntilTheSettlementAndNotAfter() public {
        Round memory round = _round();
        round.leaves[0].pre = keccak256("not zero");
        bytes32 disputed = postAs(poster, round, 0);
        demandAs(challenger, disputed, 3);
        _genesis(disputed, round, 0, "");
        round.leagueId = "late";
        bytes32 late = postAs(poster, round, 0);
        vm.warp(vm.getBlockTimestamp() + 3 * WINDOW);
        _genesis(late, round, 0, "");
        round.leagueId = "settled";
        bytes32 settled = postAs(poster, round, 0);
        settle(settled, round);
        _genesis(settled, round, 0, abi.encodeWithSelector(ILeagueAnchor.NotOpen.selector, settled));
    }

    /// @dev Threat: self-dispute laundering. Who proves its own fraud loses half of the exposure all the same.
    function testProvingOnesOwnFraudBurnsHalf() public {
        Round memory round = _round();
        round.leaves[0].pre = keccak256("not zero");
        bytes32 id = postAs(poster, round, 0);
        bytes32[] memory proof = Trees.proof(round.leaves, 0);
        vm.prank(poster);
        court.proveGenesis(id, round.leaves[0], proof);
        (uint256 active, uint256 pending) = stakeOf(poster);
        assertEq(active + pending + creditOf(poster), 1 ether - EXPOSURE / 2);
        assertEq(creditOf(treasury), EXPOSURE / 2);
    }

    /// @dev Threat: exit before slash. Stake that is on its way out is taken too.
    function testThePosterCannotUnbondAwayFromAProof() public {
        Round memory round = _round();
        round.leaves[0].pre = keccak256("not zero");
        bytes32 id = postAs(poster, round, 0);
        vm.prank(poster);
        vault.requestUnbond(1 ether);
        _genesis(id, round, 0, "");
        (uint256 active, uint256 pending) = stakeOf(poster);
        assertEq(active, 0);
        assertEq(pending, 1 ether - EXPOSURE);
    }

    // Each fraud

    function testArithmetic() public {
        Round memory round = _round();
        bytes memory honest = abi.encodeWithSelector(ILeagueCourt.NoFraud.selector);
        bytes32 id = postAs(poster, round, 0);
        for (uint256 i = 0; i < 7; ++i) {
            _arithmetic(id, round, i, honest);
        }
        round.leagueId = "wrong sum";
        round.leaves[5].post = keccak256("wrong");
        id = postAs(poster, round, 0);
        _arithmetic(id, round, 4, honest);
        bytes memory standings = standingsBefore(round, 5);
        standings[0] = 0x01;
        _arithmetic(id, round, 5, standings, abi.encodeWithSelector(ILeagueCourt.WrongStandings.selector));
        bytes32[] memory proof = Trees.proof(round.leaves, 4);
        standings = standingsBefore(round, 5);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 5));
        court.proveArithmetic(id, round.leaves[5], proof, standings);
        _arithmetic(id, round, 5, "");
    }

    function testArithmeticOfTwoSeats() public {
        Round memory round = _round();
        round.scores = scoresOf(10, -3, 0, 2 ** 62);
        RoundLeaf memory leaf = round.leaves[0];
        bytes memory standings = Trees.standings(round.scores);
        leaf.pre = keccak256(standings);
        (leaf.a, leaf.b, leaf.dA, leaf.dB) = (1, 3, -5, 7);
        leaf.post = keccak256(Trees.standings(scoresOf(10, -8, 0, 2 ** 62 + 7)));
        bytes32 id = postAs(poster, round, 0);
        _arithmetic(id, round, 0, standings, abi.encodeWithSelector(ILeagueCourt.NoFraud.selector));
        leaf.dB = 6;
        round.leagueId = "the second seat's";
        _arithmetic(postAs(poster, round, 0), round, 0, standings, "");
        leaf.dB = 2 ** 62;
        leaf.post = keccak256(Trees.standings(scoresOf(10, -8, 0, -(2 ** 63))));
        round.leagueId = "wrapped around";
        _arithmetic(postAs(poster, round, 0), round, 0, standings, "");
        (leaf.b, leaf.dB) = (4, 0);
        leaf.post = keccak256(Trees.standings(scoresOf(10, -8, 0, 2 ** 62)));
        round.leagueId = "a seat that is not there";
        _arithmetic(postAs(poster, round, 0), round, 0, standings, "");
    }

    function testBreak() public {
        Round memory round = _round();
        bytes memory honest = abi.encodeWithSelector(ILeagueCourt.NoFraud.selector);
        bytes32 id = postAs(poster, round, 0);
        for (uint256 i = 0; i < 6; ++i) {
            _break(id, round, i, i + 1, honest);
        }
        // Threat: false fraud proof against an honest poster. Leaves that do not follow each other prove nothing.
        _break(id, round, 1, 3, abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 3));
        _break(id, round, 3, 2, abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 2));
        _break(id, round, 2, 2, abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 2));
        bytes32[] memory first = Trees.proof(round.leaves, 2);
        bytes32[] memory second = Trees.proof(round.leaves, 3);
        RoundLeaf memory forged = abi.decode(abi.encode(round.leaves[3]), (RoundLeaf));
        forged.pre = 0;
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 3));
        court.proveBreak(id, round.leaves[2], first, forged, second);
        forged = abi.decode(abi.encode(round.leaves[2]), (RoundLeaf));
        forged.post = 0;
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 2));
        court.proveBreak(id, forged, first, round.leaves[3], second);
        round.leagueId = "broken";
        round.leaves[3].pre = keccak256("elsewhere");
        id = postAs(poster, round, 0);
        _break(id, round, 1, 2, honest);
        _break(id, round, 3, 4, honest);
        _break(id, round, 2, 3, "");
    }

    function testTerminal() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        _terminal(id, round, 6, abi.encodeWithSelector(ILeagueCourt.NoFraud.selector));
        _terminal(id, round, 5, abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 5));
        round.scores[2] += 1;
        _terminal(id, round, 6, abi.encodeWithSelector(Roster.BadRoster.selector));
        round.leagueId = "inflated";
        id = postAs(poster, round, 0);
        _terminal(id, round, 5, abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 5));
        RoundLeaf memory forged = abi.decode(abi.encode(round.leaves[6]), (RoundLeaf));
        forged.post = 0;
        bytes32[] memory proof = Trees.proof(round.leaves, 6);
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 6));
        court.proveTerminal(id, agents, round.scores, forged, proof);
        _terminal(id, round, 6, "");
    }

    function testARoundWithoutMatchesScoresNothing() public {
        RoundLeaf memory none;
        bytes32[] memory proof = new bytes32[](0);
        vm.startPrank(poster);
        bytes32 honest = anchor.post(0, "honest", 0, 0, 0, 9, agents, new int64[](4));
        bytes32 lie = anchor.post(0, "lie", 0, 0, 0, 9, agents, scoresOf(0, 0, 0, 1));
        vm.expectRevert(ILeagueCourt.NoFraud.selector);
        court.proveTerminal(honest, agents, new int64[](4), none, proof);
        court.proveTerminal(lie, agents, scoresOf(0, 0, 0, 1), none, proof);
        vm.expectRevert(Roster.BadRoster.selector);
        court.proveTerminal(keccak256("unknown"), agents, new int64[](4), none, proof);
    }

    function testGenesis() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        _genesis(id, round, 0, abi.encodeWithSelector(ILeagueCourt.NoFraud.selector));
        _genesis(id, round, 1, abi.encodeWithSelector(ILeagueCourt.IndexOutside.selector, 1));
        bytes32[] memory proof = Trees.proof(round.leaves, 0);
        round.leaves[0].pre = keccak256(Trees.standings(new int64[](3)));
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 0));
        court.proveGenesis(id, round.leaves[0], proof);
        round.leagueId = "three seats of four";
        _genesis(postAs(poster, round, 0), round, 0, "");
    }

    function testBounds() public {
        _bounds(0, NOBODY, 1000, 0, false);
        _bounds(0, NOBODY, -1000, 0, false);
        _bounds(3, 2, 1000, -1000, false);
        _bounds(0, NOBODY, 1001, 0, true);
        _bounds(0, NOBODY, -1001, 0, true);
        _bounds(0, NOBODY, type(int64).min, 0, true);
        _bounds(0, 1, 0, 1001, true);
        _bounds(0, 1, 0, -1001, true);
        _bounds(0, NOBODY, 5, 1, true);
        _bounds(4, NOBODY, 0, 0, true);
        _bounds(0, 4, 0, 0, true);
        _bounds(2, 2, 0, 0, true);
        _bounds(NOBODY, 1, 0, 0, true);
        _bounds(NOBODY, NOBODY, 0, 0, true);
    }

    function testBoundsNeedTheLeaf() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        bytes32[] memory proof = Trees.proof(round.leaves, 1);
        round.leaves[1].dA = 1001;
        vm.expectRevert(abi.encodeWithSelector(ILeagueCourt.NotIncluded.selector, 1));
        court.proveBounds(id, round.leaves[1], proof);
    }

    function testEquivocation() public {
        Round memory round = _round();
        bytes32 id = postAs(poster, round, 0);
        bytes32 root = anchor.commitmentOf(id).root;
        uint256 key = uint256(keccak256("poster"));
        bytes memory posted = signed(key, court.hashRoundRoot(LEAGUE, root));
        bytes memory other = signed(key, court.hashRoundRoot(LEAGUE, ~root));
        bytes memory refusal = abi.encodeWithSelector(ILeagueCourt.BadSignature.selector, poster);
        _equivocation(id, LEAGUE, root, posted, abi.encodeWithSelector(ILeagueCourt.NoFraud.selector));
        _equivocation(id, LEAGUE, ~root, posted, refusal);
        // Threat: signature replay. What was signed for another round does not speak of this one.
        bytes memory elsewhere = signed(key, court.hashRoundRoot("other", ~root));
        _equivocation(id, LEAGUE, ~root, elsewhere, refusal);
        _equivocation(id, "other", ~root, elsewhere, abi.encodeWithSelector(ILeagueCourt.WrongLeague.selector));
        _equivocation(id, LEAGUE, ~root, signed(1, court.hashRoundRoot(LEAGUE, ~root)), refusal);
        _equivocation(id, LEAGUE, ~root, other, "");
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Rejected));
    }

    /// @dev Threats: signature replay on another chain or court, malleable signature.
    function testARootIsSignedToOneCourtOnOneChain() public {
        bytes32 id = postAs(poster, _round(), 0);
        bytes32 root = keccak256("other");
        uint256 key = uint256(keccak256("poster"));
        bytes memory refusal = abi.encodeWithSelector(ILeagueCourt.BadSignature.selector, poster);
        LeagueCourt twin = new LeagueCourt(anchor, courtRules());
        _equivocation(id, LEAGUE, root, signed(key, twin.hashRoundRoot(LEAGUE, root)), refusal);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, court.hashRoundRoot(LEAGUE, root));
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        _equivocation(id, LEAGUE, root, abi.encodePacked(r, order - uint256(s), v ^ 7), refusal);
        vm.chainId(block.chainid + 1);
        _equivocation(id, LEAGUE, root, abi.encodePacked(r, s, v), refusal);
        vm.chainId(block.chainid - 1);
        _equivocation(id, LEAGUE, root, abi.encodePacked(r, s, v), "");
    }

    function testAContractPostsAndSignsByErc1271() public {
        Round memory round = _round();
        bytes32 root = keccak256("other");
        ContractAgent code = new ContractAgent(court.hashRoundRoot(LEAGUE, root));
        stakeAs(address(code), 1 ether);
        bytes32 id = postAs(address(code), round, 0);
        bytes memory refusal = abi.encodeWithSelector(ILeagueCourt.BadSignature.selector, address(code));
        _equivocation(id, LEAGUE, root, "shut", refusal);
        _equivocation(id, LEAGUE, root, "open", "");
    }

    /// @dev Invariant 9: an honest poster is never slashed, whatever the round and whichever leaf is shown.
    function testFuzzNoProofHoldsAgainstTheHonest(uint8 size, uint64 seed, uint256 index) public {
        Round memory round = _duels(bound(size, 2, 24), seed);
        bytes32 id = postAs(poster, round, 0);
        index = bound(index, 0, round.leaves.length - 2);
        bytes memory honest = abi.encodeWithSelector(ILeagueCourt.NoFraud.selector);
        _arithmetic(id, round, index, honest);
        _break(id, round, index, index + 1, honest);
        _genesis(id, round, 0, honest);
        _terminal(id, round, round.leaves.length - 1, honest);
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        vm.expectRevert(honest);
        court.proveBounds(id, round.leaves[index], proof);
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Open));
    }

    /// @dev And the other way round: one changed field of one leaf is always found by one of them, if it changes scores.
    function testFuzzAForgedScoreIsAlwaysProven(uint8 size, uint64 seed, uint256 index, int64 gift) public {
        Round memory round = _duels(bound(size, 2, 24), seed);
        index = bound(index, 0, round.leaves.length - 1);
        gift = int64(bound(gift, 1, 100_000));
        round.leaves[index].dA += gift;
        bytes32 id = postAs(poster, round, 0);
        _arithmetic(id, round, index, "");
    }

    // Helpers

    function proveExternal(bytes32 id, Round memory round, uint256 index, int64 score) external {
        proveAs(reporter, id, round, index, score);
    }

    function postExternal(address from, Round memory round) external {
        postAs(from, round, 0);
    }

    function demandExternal(bytes32 id, uint32 index) external {
        demandAs(challenger, id, index);
    }

    function _round() private view returns (Round memory) {
        return soloRound(LEAGUE, deltasOf(7));
    }

    /// @dev A round of two seats, winners and draws by lot.
    function _duels(uint256 n, uint64 seed) private view returns (Round memory round) {
        round.leagueId = bytes32(uint256(seed));
        round.leaves = new RoundLeaf[](n);
        round.scores = new int64[](4);
        bytes32 pre = keccak256(Trees.standings(round.scores));
        for (uint32 i = 0; i < n; ++i) {
            uint256 lot = uint256(keccak256(abi.encode(seed, i)));
            uint32 a = uint32(lot % 4);
            uint32 b = uint32((a + 1 + (lot >> 8) % 3) % 4);
            int64 dA = int64(int256((lot >> 16) % 2001)) - 1000;
            round.scores[a] += dA;
            round.scores[b] -= dA;
            bytes32 post = keccak256(Trees.standings(round.scores));
            round.leaves[i] = RoundLeaf(i, a, b, dA, -dA, pre, post, evidenceOf(round.leagueId, i));
            pre = post;
        }
    }

    function _arithmetic(bytes32 id, Round memory round, uint256 index, bytes memory refusal) private {
        _arithmetic(id, round, index, standingsBefore(round, index), refusal);
    }

    function _arithmetic(bytes32 id, Round memory round, uint256 index, bytes memory standings, bytes memory refusal)
        private
    {
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        _expect(refusal);
        court.proveArithmetic(id, round.leaves[index], proof, standings);
    }

    function _break(bytes32 id, Round memory round, uint256 left, uint256 right, bytes memory refusal) private {
        bytes32[] memory leftProof = Trees.proof(round.leaves, left);
        bytes32[] memory rightProof = Trees.proof(round.leaves, right);
        _expect(refusal);
        court.proveBreak(id, round.leaves[left], leftProof, round.leaves[right], rightProof);
    }

    function _terminal(bytes32 id, Round memory round, uint256 index, bytes memory refusal) private {
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        _expect(refusal);
        court.proveTerminal(id, agents, round.scores, round.leaves[index], proof);
    }

    function _genesis(bytes32 id, Round memory round, uint256 index, bytes memory refusal) private {
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        _expect(refusal);
        court.proveGenesis(id, round.leaves[index], proof);
    }

    function _bounds(uint32 a, uint32 b, int64 dA, int64 dB, bool fraud) private {
        if (exposureOf(poster) == 0) stakeAs(poster, 1 ether);
        Round memory round = _round();
        round.leagueId = keccak256(abi.encode(a, b, dA, dB));
        RoundLeaf memory leaf = round.leaves[2];
        (leaf.a, leaf.b, leaf.dA, leaf.dB) = (a, b, dA, dB);
        bytes32 id = postAs(poster, round, 0);
        bytes32[] memory proof = Trees.proof(round.leaves, 2);
        _expect(fraud ? bytes("") : abi.encodeWithSelector(ILeagueCourt.NoFraud.selector));
        court.proveBounds(id, leaf, proof);
    }

    function _equivocation(bytes32 id, bytes32 leagueId, bytes32 root, bytes memory signature, bytes memory refusal)
        private
    {
        _expect(refusal);
        court.proveEquivocation(id, leagueId, root, signature);
    }

    /// @dev The next call comes from the reporter, and reverts with `refusal` if that is not empty.
    function _expect(bytes memory refusal) private {
        if (refusal.length != 0) vm.expectRevert(refusal);
        vm.prank(reporter);
    }
}
