// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ILeagueAnchor} from "../../src/interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "../../src/interfaces/ILeagueCourt.sol";
import {RoundLeaf} from "../../src/libraries/RoundTree.sol";
import {LeagueHandler} from "./LeagueHandler.sol";
import {Trees} from "./Trees.sol";

/// @notice All that can happen in court, beside all that LeagueHandler does; ConsensusHandler adds agents that agree.
abstract contract CourtHandler is LeagueHandler {
    enum Lie {
        None,
        Arithmetic,
        Break,
        Terminal,
        Genesis,
        Bounds,
        Equivocation,
        Withheld,
        Replay
    }

    uint256 private constant PROVABLE = uint256(Lie.Equivocation);
    uint256 private constant PANEL = 6;

    /// @dev What the court holds for open disputes.
    uint256 public bonds;
    bytes32[] public rejected;
    uint256[] public disputes;
    mapping(bytes32 => Lie) public lies;
    mapping(bytes32 => uint256) private _where;

    struct Before {
        address poster;
        uint256 stake;
        uint256 exposure;
        uint256 credit;
    }

    // Actions

    function lie(uint256 who, uint256 kind, uint256 index, uint256 pot) external timed(Did.Lie) {
        _postLie(who, Lie(bound(kind, 1, uint256(Lie.Replay))), index, bound(pot, 0, 1 ether));
        ++done[uint256(Did.Lie)];
    }

    function proveFraud(uint256 which, uint256 kind, uint256 index) external timed(Did.Fraud) {
        bytes32 id = _postLie(which, Lie(bound(kind, 1, PROVABLE)), index, 1 ether);
        if (index % 3 == 0) _demand(id, 0);
        Before memory before = _watch(id, reporter);
        _proofOf(id, lies[id], _where[id]);
        _noteRejection(id, before, reporter, 0);
        ++done[uint256(Did.Fraud)];
    }

    /// @dev Invariant 9: whatever is said against an honest round, it is refused.
    function accuseTheHonest(uint256 which, uint256 index) external timed(Did.Accusation) {
        bytes32 id = _honest(which);
        uint256 last = _rounds[id].leaves.length - 1;
        index = bound(index, 0, last);
        for (uint256 kind = 1; kind < PROVABLE; ++kind) {
            uint256 place = kind == uint256(Lie.Genesis) ? 0 : kind == uint256(Lie.Terminal) ? last : index;
            if (kind == uint256(Lie.Break) && index == last) continue;
            try this.tryProof(id, Lie(kind), place) {
                fail();
            } catch (bytes memory reason) {
                assertEq(bytes4(reason), ILeagueCourt.NoFraud.selector);
            }
        }
        ++done[uint256(Did.Accusation)];
    }

    function tryProof(bytes32 id, Lie kind, uint256 index) external {
        _proofOf(id, kind, index);
    }

    function demand(uint256 which, uint256 index) external timed(Did.Demand) {
        bytes32 id = _fresh(which);
        _demand(id, uint32(bound(index, 0, _rounds[id].leaves.length - 1)));
        ++done[uint256(Did.Demand)];
    }

    function answer(uint256 which) external timed(Did.Answer) {
        bytes32 id = _honest(which);
        if (anchor.commitmentOf(id).settleableAt <= vm.getBlockTimestamp()) id = _postHonest(which);
        uint256 disputeId = _demand(id, uint32(which % _rounds[id].leaves.length));
        if (court.disputeOf(disputeId).state != ILeagueCourt.State.Open) return;
        _answer(disputeId);
        ++done[uint256(Did.Answer)];
    }

    /// @dev Who posted what cannot be shown, or does not come to show it, loses the commitment.
    function staySilent(uint256 which, uint256 index) external timed(Did.Silence) {
        bytes32 id = _postLie(which, Lie.Withheld, index, 1 ether);
        uint256 disputeId = _demand(id, uint32(_where[id]));
        vm.warp(court.disputeOf(disputeId).deadline);
        _timeout(disputeId);
        ++done[uint256(Did.Silence)];
    }

    function dispute(uint256 which, uint256 index) external timed(Did.Dispute) {
        bytes32 id = _fresh(which);
        _dispute(id, uint32(bound(index, 0, _rounds[id].leaves.length - 1)));
        ++done[uint256(Did.Dispute)];
    }

    /// @dev The committee tells the truth: about an honest round that it is one, about the other that it is not.
    function vote(uint256 which, bool honest, uint256 index) external timed(Did.Verdict) {
        bytes32 id = honest ? _postHonest(which) : _postLie(which, Lie.Replay, index, 1 ether);
        uint32 place = uint32(bound(index, 0, _rounds[id].leaves.length - 1));
        uint256 disputeId = _dispute(id, place);
        bytes32 posted = Trees.hash(_rounds[id].leaves[place]);
        Before memory before = _watch(id, challenger);
        uint256 held = court.disputeOf(disputeId).bond;
        uint256 seats = court.disputeOf(disputeId).seats;
        uint256 credit = creditOf(before.poster);
        attestBy(disputeId, honest ? posted : otherLeaf(_rounds[id].leaves[place]), 0, seats * 2 / 3 + 1);
        _ended(disputeId);
        if (honest) {
            assertEq(uint8(court.disputeOf(disputeId).state), uint8(ILeagueCourt.State.Dismissed));
            assertEq(creditOf(before.poster) - credit, held / 2);
        } else {
            _noteRejection(id, before, challenger, held);
        }
        ++done[uint256(Did.Verdict)];
    }

    /// @dev No verdict, also not the second time: everything is as it was.
    function stayOffline(uint256 which, bool extended) external timed(Did.Offline) {
        bytes32 id = _postHonest(which);
        uint256 disputeId = _dispute(id, 0);
        if (extended) {
            vm.warp(court.disputeOf(disputeId).deadline);
            court.extend(disputeId);
            drawNow(disputeId);
        }
        _refundUndecided(disputeId);
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Open));
        ++done[uint256(Did.Offline)];
    }

    function voteTwice(uint256 which) external timed(Did.DoubleVote) {
        bytes32 id = _postHonest(which);
        uint256 disputeId = _dispute(id, 0);
        address[] memory seated = committeeOf(disputeId);
        address judge = seated[which % seated.length];
        (uint256 active, uint256 pending) = stakeOf(judge);
        bytes32 leaf = Trees.hash(_rounds[id].leaves[0]);
        ILeagueCourt.Vote memory one = ILeagueCourt.Vote(leaf, ENGINE, wordOf(judge, disputeId, leaf));
        ILeagueCourt.Vote memory other = ILeagueCourt.Vote(~leaf, ENGINE, wordOf(judge, disputeId, ~leaf));
        vm.prank(reporter);
        court.proveDoubleVote(disputeId, one, other);
        (uint256 activeAfter, uint256 pendingAfter) = stakeOf(judge);
        uint256 slashed = _min(VERIFIER_STAKE, active + pending);
        assertEq(activeAfter + pendingAfter, active + pending - slashed);
        slashedTotal += slashed;
        ++done[uint256(Did.DoubleVote)];
    }

    function come() external timed(Did.Come) {
        if (verifiers.length < 40) _enrol(1);
        ++done[uint256(Did.Come)];
    }

    /// @dev Not while a committee that it sits on may vote; then at once.
    function go(uint256 which) external timed(Did.Go) {
        if (court.verifierCount() == 0) _enrol(1);
        address verifier = court.verifierAt(which % court.verifierCount());
        (, uint256 heldUntil) = court.verifierOf(verifier);
        if (vm.getBlockTimestamp() < heldUntil) {
            vm.prank(verifier);
            try court.leaveVerifiers() {
                fail();
            } catch (bytes memory reason) {
                assertEq(bytes4(reason), ILeagueCourt.Held.selector);
            }
            vm.warp(heldUntil);
        }
        vm.prank(verifier);
        court.leaveVerifiers();
        ++done[uint256(Did.Go)];
    }

    function reclaim(uint256 which) external timed(Did.Reclaim) {
        bytes32 id = _postLie(which, Lie.Genesis, 0, 1 ether);
        Before memory before = _watch(id, reporter);
        _proofOf(id, Lie.Genesis, 0);
        _noteRejection(id, before, reporter, 0);
        _reclaim(id);
        ++done[uint256(Did.Reclaim)];
    }

    function refundOfRejected(uint256 which) external timed(Did.Refund) {
        bytes32 id = _postLie(which, Lie.Genesis, 0, 0);
        uint256 one = _demand(id, 0);
        uint256 two = _dispute(id, 1);
        Before memory before = _watch(id, reporter);
        _proofOf(id, Lie.Genesis, 0);
        _noteRejection(id, before, reporter, 0);
        _refund(one);
        _refund(two);
        ++done[uint256(Did.Refund)];
    }

    // Views

    function rejectedCount() external view returns (uint256) {
        return rejected.length;
    }

    function settledCount() external view returns (uint256) {
        return settled.length;
    }

    function disputesOf(bytes32 id) external view returns (uint256 n) {
        for (uint256 i = 0; i < disputes.length; ++i) {
            if (court.disputeOf(disputes[i]).commitmentId == id) ++n;
        }
    }

    // Steps

    function _postHonest(uint256 who) private returns (bytes32) {
        int64[] memory deltas = new int64[](4);
        for (uint256 i = 0; i < 4; ++i) {
            deltas[i] = int64(uint64(who >> (8 * i) & 3));
        }
        return _postRound(_agent(who), 0.5 ether, soloRound(bytes32(++_nRounds), deltas));
    }

    function _postLie(uint256 who, Lie kind, uint256 index, uint256 pot) private returns (bytes32 id) {
        Round memory round = soloRound(bytes32(++_nRounds), deltasOf(4));
        index %= 4;
        if (kind == Lie.Arithmetic) {
            round.leaves[index].dA += 1;
        } else if (kind == Lie.Break) {
            index %= 3;
            round.leaves[index + 1].pre = keccak256("elsewhere");
        } else if (kind == Lie.Terminal) {
            index = 3;
            round.scores[who % 4] += 1;
        } else if (kind == Lie.Genesis) {
            index = 0;
            round.leaves[0].pre = keccak256("elsewhere");
        } else if (kind == Lie.Bounds) {
            round.leaves[index].dA = -1001;
        } else if (kind == Lie.Withheld) {
            round.leaves[index].evidence = keccak256("nobody knows");
        }
        id = _postRound(_agent(who), pot, round);
        lies[id] = kind;
        _where[id] = index;
    }

    function _proofOf(bytes32 id, Lie kind, uint256 index) private {
        Round memory round = _rounds[id];
        RoundLeaf memory leaf = round.leaves[index];
        bytes32[] memory proof = Trees.proof(round.leaves, index);
        if (kind == Lie.Arithmetic) {
            bytes memory standings = standingsBefore(round, index);
            vm.prank(reporter);
            court.proveArithmetic(id, leaf, proof, standings);
        } else if (kind == Lie.Break) {
            bytes32[] memory next = Trees.proof(round.leaves, index + 1);
            vm.prank(reporter);
            court.proveBreak(id, leaf, proof, round.leaves[index + 1], next);
        } else if (kind == Lie.Terminal) {
            vm.prank(reporter);
            court.proveTerminal(id, agents, round.scores, leaf, proof);
        } else if (kind == Lie.Genesis) {
            vm.prank(reporter);
            court.proveGenesis(id, leaf, proof);
        } else if (kind == Lie.Bounds) {
            vm.prank(reporter);
            court.proveBounds(id, leaf, proof);
        } else {
            bytes32 other = keccak256(abi.encode(id, "other"));
            uint256 key = keyOf(anchor.commitmentOf(id).poster);
            bytes memory signature = signed(key, court.hashRoundRoot(round.leagueId, other));
            vm.prank(reporter);
            court.proveEquivocation(id, round.leagueId, other, signature);
        }
    }

    /// @dev An open commitment that may still be disputed.
    function _fresh(uint256 which) private returns (bytes32 id) {
        id = _anyOpen(which);
        if (anchor.commitmentOf(id).settleableAt <= vm.getBlockTimestamp()) id = _postHonest(which);
    }

    function _honest(uint256 which) private returns (bytes32 id) {
        id = _anyOpen(which);
        if (lies[id] != Lie.None) id = _postHonest(which);
    }

    /// @dev Returns the demand of that match, new unless there is one.
    function _demand(bytes32 id, uint32 index) private returns (uint256 disputeId) {
        disputeId = court.latestOf(id, ILeagueCourt.Kind.Reveal, index);
        if (disputeId != 0) return disputeId;
        disputeId = demandAs(challenger, id, index);
        _opened(disputeId);
    }

    function _dispute(bytes32 id, uint32 index) private returns (uint256 disputeId) {
        disputeId = court.latestOf(id, ILeagueCourt.Kind.Replay, index);
        if (disputeId != 0) return disputeId;
        if (court.verifierCount() < PANEL) _enrol(PANEL - court.verifierCount());
        disputeId = disputeAs(challenger, id, _rounds[id], index);
        _opened(disputeId);
    }

    function _opened(uint256 disputeId) private {
        disputes.push(disputeId);
        uint256 held = court.disputeOf(disputeId).bond;
        bonds += held;
        ethIn += held;
    }

    function _ended(uint256 disputeId) private {
        for (uint256 i = 0; i < disputes.length; ++i) {
            if (disputes[i] != disputeId) continue;
            disputes[i] = disputes[disputes.length - 1];
            disputes.pop();
            break;
        }
        bonds = 0;
        for (uint256 i = 0; i < disputes.length; ++i) {
            bonds += court.disputeOf(disputes[i]).bond;
        }
        assertEq(court.disputeOf(disputeId).bond, 0);
    }

    function _answer(uint256 disputeId) private {
        address poster = anchor.commitmentOf(court.disputeOf(disputeId).commitmentId).poster;
        (uint256 held, uint256 credit) = (court.disputeOf(disputeId).bond, creditOf(poster));
        revealOf(disputeId, _rounds[court.disputeOf(disputeId).commitmentId]);
        assertEq(creditOf(poster) - credit, held / 2);
        _ended(disputeId);
    }

    function _timeout(uint256 disputeId) private {
        ILeagueCourt.Dispute memory d = court.disputeOf(disputeId);
        Before memory before = _watch(d.commitmentId, challenger);
        court.timeout(disputeId);
        _ended(disputeId);
        _noteRejection(d.commitmentId, before, challenger, d.bond);
    }

    function _refundUndecided(uint256 disputeId) private {
        ILeagueCourt.Dispute memory d = court.disputeOf(disputeId);
        uint256 end = d.extended ? d.deadline : d.deadline + VOTE;
        if (vm.getBlockTimestamp() < end) vm.warp(end);
        _refund(disputeId);
    }

    function _refund(uint256 disputeId) private {
        if (court.disputeOf(disputeId).state != ILeagueCourt.State.Open) return;
        (uint256 held, uint256 credit) = (court.disputeOf(disputeId).bond, creditOf(challenger));
        court.refund(disputeId);
        assertEq(creditOf(challenger) - credit, held);
        _ended(disputeId);
    }

    function _reclaim(bytes32 id) private {
        (uint256 pot, address poster) = (anchor.commitmentOf(id).pot, anchor.commitmentOf(id).poster);
        if (pot == 0) return;
        uint256 credit = creditOf(poster);
        assertEq(anchor.reclaimPot(id), pot);
        assertEq(creditOf(poster) - credit, pot);
        escrow -= pot;
    }

    function _enrol(uint256 n) private {
        enrol(n);
        ethIn += n * 2 * VERIFIER_STAKE;
    }

    function _watch(bytes32 id, address winner) private view returns (Before memory) {
        address poster = anchor.commitmentOf(id).poster;
        (uint256 active, uint256 pending) = stakeOf(poster);
        return Before(poster, active + pending, exposureOf(poster), creditOf(winner));
    }

    function _noteRejection(bytes32 id, Before memory before, address winner, uint256 bondBack) private {
        assertTrue(lies[id] != Lie.None, "an honest poster is never slashed");
        assertEq(uint8(anchor.commitmentOf(id).status), uint8(ILeagueAnchor.Status.Rejected));
        uint256 slashed = _min(EXPOSURE, before.stake);
        (uint256 active, uint256 pending) = stakeOf(before.poster);
        assertEq(active + pending, before.stake - slashed, "slash = min(risk, active + pending)");
        assertEq(exposureOf(before.poster), before.exposure - EXPOSURE);
        assertEq(creditOf(winner) - before.credit, slashed * REPORTER_BPS / 10_000 + bondBack);
        slashedTotal += slashed;
        _noLongerOpen(id);
        rejected.push(id);
    }

    /// @dev Honest rounds are answered for in time; what is late or cannot be shown is lost.
    function _closeDisputes(bytes32 id) internal override returns (bool) {
        for (uint256 i = disputes.length; i > 0; --i) {
            uint256 disputeId = disputes[i - 1];
            ILeagueCourt.Dispute memory d = court.disputeOf(disputeId);
            if (d.commitmentId != id) continue;
            if (d.kind == ILeagueCourt.Kind.Replay) {
                _refundUndecided(disputeId);
            } else if (vm.getBlockTimestamp() < d.deadline && !_cannotShow(id, d.index)) {
                _answer(disputeId);
            } else {
                if (vm.getBlockTimestamp() < d.deadline) vm.warp(d.deadline);
                lies[id] = Lie.Withheld; // or it was never there to answer
                _timeout(disputeId);
                return false;
            }
            // The list changed: once more from its end.
            i = disputes.length + 1;
        }
        return true;
    }

    function _cannotShow(bytes32 id, uint256 index) private view returns (bool) {
        return lies[id] == Lie.Withheld && _where[id] == index;
    }

    function _closeCourt() internal virtual override {
        while (disputes.length != 0) {
            _refund(disputes[0]); // those of rejected commitments are left
        }
        for (uint256 i = 0; i < rejected.length; ++i) {
            _reclaim(rejected[i]);
        }
        for (uint256 i = 0; i < verifiers.length; ++i) {
            (bool registered, uint256 heldUntil) = court.verifierOf(verifiers[i]);
            if (!registered) continue;
            if (vm.getBlockTimestamp() < heldUntil) vm.warp(heldUntil);
            vm.prank(verifiers[i]);
            court.leaveVerifiers();
        }
    }
}
