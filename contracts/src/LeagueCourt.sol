// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

import {FraudProofs} from "./FraudProofs.sol";
import {VerifierSet} from "./VerifierSet.sol";
import {ILeagueAnchor} from "./interfaces/ILeagueAnchor.sol";
import {ILeagueCourt} from "./interfaces/ILeagueCourt.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {RoundLeaf, RoundTree} from "./libraries/RoundTree.sol";
import {TraceTree} from "./libraries/TraceTree.sol";

/// @title LeagueCourt
/// @notice Decides whether a posted round is true: see ILeagueCourt.
/// @dev Holds COURT_ROLE in the anchor and SLASHER_ROLE in the vault. Balance = the bonds of open disputes.
contract LeagueCourt is FraudProofs, VerifierSet {
    bytes32 public constant ATTESTATION_TYPEHASH = keccak256(
        "ReplayAttestation(uint256 disputeId,bytes32 commitmentId,uint32 index,bytes32 leaf,bytes32 engineHash)"
    );
    /// @notice Fewer do not decide anything.
    uint256 public constant MINIMUM_COMMITTEE = 3;
    uint256 private constant MAXIMUM_COMMITTEE = 1_000;
    /// @dev Bonds double this often and then no more: no ether is left by then, and nothing overflows.
    uint256 private constant MAX_DOUBLINGS = 32;

    IStakeVault public immutable vault;
    uint256 public immutable reporterBps;
    uint256 public immutable revealPeriod;
    uint256 public immutable votePeriod;
    /// @notice Wei for the first dispute of a kind about a commitment.
    uint256 public immutable bond;
    uint256 public immutable verifierStake;
    uint256 public immutable committeeSize;

    /// @inheritdoc ILeagueCourt
    uint256 public disputeCount;
    mapping(uint256 disputeId => Dispute) private _disputes;
    mapping(uint256 disputeId => mapping(bytes32 leaf => uint256)) private _votes;
    mapping(bytes32 subject => uint256) private _latest;
    mapping(bytes32 id => mapping(Kind => uint256)) private _opened;

    constructor(ILeagueAnchor anchor_, Rules memory rules) FraudProofs(anchor_) {
        uint256 window = anchor_.window();
        if (
            rules.revealPeriod == 0 || rules.revealPeriod > window || rules.votePeriod == 0 || rules.votePeriod > window
                || rules.bond == 0 || rules.bond > type(uint64).max || rules.verifierStake == 0
                || rules.committeeSize < MINIMUM_COMMITTEE || rules.committeeSize > MAXIMUM_COMMITTEE
        ) revert InvalidParameters();
        vault = anchor_.vault();
        reporterBps = anchor_.reporterBps();
        revealPeriod = rules.revealPeriod;
        votePeriod = rules.votePeriod;
        bond = rules.bond;
        verifierStake = rules.verifierStake;
        committeeSize = rules.committeeSize;
    }

    // Withheld matches

    /// @inheritdoc ILeagueCourt
    function demandReveal(bytes32 id, uint32 index) external payable nonReentrant returns (uint256 disputeId) {
        if (index >= _commitment(id).nSteps) revert IndexOutside(index);
        return _open(id, Kind.Reveal, index, 0, revealPeriod);
    }

    /// @inheritdoc ILeagueCourt
    function reveal(
        uint256 disputeId,
        RoundLeaf calldata leaf,
        bytes32[] calldata proof,
        bytes calldata header,
        bytes32 traceRoot,
        uint64 steps
    ) external nonReentrant {
        (Dispute storage d, ILeagueAnchor.Commitment memory c) = _requireLive(disputeId, Kind.Reveal);
        if (block.timestamp >= d.deadline) revert TooLate(d.deadline);
        if (leaf.index != d.index) revert IndexOutside(leaf.index);
        _requireIncluded(c, leaf, proof);
        bytes32 headerHash = sha256(abi.encodePacked(bytes1(0x06), header));
        if (TraceTree.commitmentOf(headerHash, traceRoot, steps) != leaf.evidence) revert EvidenceMismatch();
        emit Revealed(disputeId, d.commitmentId, leaf.index, leaf, proof, header, traceRoot, steps);
        // Whoever reads this only now gets a whole window to act on it.
        _dismiss(disputeId, d, c.poster, block.timestamp + anchor.window());
    }

    /// @inheritdoc ILeagueCourt
    function timeout(uint256 disputeId) external nonReentrant {
        (Dispute storage d,) = _requireLive(disputeId, Kind.Reveal);
        if (block.timestamp < d.deadline) revert TooEarly(d.deadline);
        _uphold(disputeId, d, "withheld");
    }

    // Replays

    /// @inheritdoc ILeagueCourt
    function disputeReplay(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof)
        external
        payable
        nonReentrant
        returns (uint256 disputeId)
    {
        _requireIncluded(_commitment(id), leaf, proof);
        disputeId = _open(id, Kind.Replay, leaf.index, RoundTree.hash(leaf), votePeriod);
        _askForCommittee(_disputes[disputeId]);
    }

    /// @inheritdoc ILeagueCourt
    function draw(uint256 disputeId) external nonReentrant {
        Dispute storage d = _requireOpen(disputeId, Kind.Replay);
        uint256 drawBlock = d.drawBlock;
        if (drawBlock == 0) revert NoDrawPending(disputeId);
        if (block.number <= drawBlock) revert TooEarly(drawBlock);
        bytes32 seed = blockhash(drawBlock);
        if (seed == 0) {
            // Only the last 256 are known. Waiting for a better lot does not pay: anyone may draw in the meantime.
            d.drawBlock = uint64(block.number);
            emit DrawPostponed(disputeId, block.number);
            return;
        }
        d.drawBlock = 0;
        --_pendingDraws;
        uint256 wanted = (d.extended ? 2 * committeeSize + 1 : committeeSize) - d.seats;
        address poster = _commitment(d.commitmentId).poster;
        seed = keccak256(abi.encode(seed, disputeId));
        d.seats += uint16(_seat(disputeId, wanted, seed, poster, d.challenger, _end(d)));
    }

    /// @inheritdoc ILeagueCourt
    function attest(uint256 disputeId, bytes32 leaf, bytes32 engineHash, bytes[] calldata signatures)
        external
        nonReentrant
    {
        (Dispute storage d, ILeagueAnchor.Commitment memory c) = _requireLive(disputeId, Kind.Replay);
        if (d.drawBlock != 0) revert DrawPending();
        if (block.timestamp >= d.deadline) revert TooLate(d.deadline);
        uint256 votes = _count(disputeId, leaf, engineHash, signatures);
        if (d.seats < MINIMUM_COMMITTEE || votes * 3 <= uint256(d.seats) * 2) return;
        if (leaf == d.leaf) _dismiss(disputeId, d, c.poster, 0);
        else _uphold(disputeId, d, "replay");
    }

    /// @inheritdoc ILeagueCourt
    function extend(uint256 disputeId) external nonReentrant {
        (Dispute storage d,) = _requireLive(disputeId, Kind.Replay);
        if (d.extended) revert AlreadyExtended(disputeId);
        if (block.timestamp < d.deadline) revert TooEarly(d.deadline);
        uint256 end = _end(d);
        if (block.timestamp >= end) revert TooLate(end);
        d.extended = true;
        d.deadline = uint48(end);
        if (d.drawBlock != 0) --_pendingDraws;
        _askForCommittee(d);
        emit DisputeExtended(disputeId, end);
    }

    /// @inheritdoc ILeagueCourt
    function refund(uint256 disputeId) external nonReentrant {
        Dispute storage d = _disputes[disputeId];
        if (d.state != State.Open) revert NotOpen(disputeId);
        if (_commitment(d.commitmentId).status != ILeagueAnchor.Status.Rejected) {
            if (d.kind != Kind.Replay) revert NotOpen(disputeId);
            uint256 end = _end(d);
            if (block.timestamp < end) revert TooEarly(end);
        }
        uint256 held = _close(disputeId, d, State.Refunded, 0);
        _credit(d.challenger, held);
    }

    /// @inheritdoc ILeagueCourt
    function proveDoubleVote(uint256 disputeId, Vote calldata one, Vote calldata other)
        external
        nonReentrant
        whenSetMayChange
    {
        if (one.leaf == other.leaf) revert SameVote();
        address verifier = _signer(disputeId, one);
        if (_signer(disputeId, other) != verifier) revert BadSignature(verifier);
        bytes32 ballot = _ballots[disputeId][verifier];
        if (ballot == 0 || ballot == BARRED) revert NotAVerifier(verifier);
        _ballots[disputeId][verifier] = BARRED;
        if (ballot != SEATED && _disputes[disputeId].state == State.Open) --_votes[disputeId][ballot];
        _remove(verifier);
        uint256 slashed = vault.slash(verifier, verifierStake, msg.sender, reporterBps, "double vote");
        emit DoubleVoteProven(disputeId, verifier, msg.sender, slashed);
    }

    // Views

    /// @inheritdoc ILeagueCourt
    function disputeOf(uint256 disputeId) external view returns (Dispute memory) {
        return _disputes[disputeId];
    }

    /// @inheritdoc ILeagueCourt
    function latestOf(bytes32 id, Kind kind, uint32 index) external view returns (uint256) {
        return _latest[_subject(id, kind, index)];
    }

    /// @inheritdoc ILeagueCourt
    function votesFor(uint256 disputeId, bytes32 leaf) external view returns (uint256) {
        return _votes[disputeId][leaf];
    }

    /// @inheritdoc ILeagueCourt
    function bondFor(bytes32 id, Kind kind) public view returns (uint256) {
        return bond << Math.min(_opened[id][kind], MAX_DOUBLINGS);
    }

    /// @inheritdoc ILeagueCourt
    function hashAttestation(uint256 disputeId, bytes32 leaf, bytes32 engineHash) public view returns (bytes32) {
        Dispute storage d = _disputes[disputeId];
        return _hashTypedDataV4(
            keccak256(abi.encode(ATTESTATION_TYPEHASH, disputeId, d.commitmentId, d.index, leaf, engineHash))
        );
    }

    // Steps of a dispute

    function _open(bytes32 id, Kind kind, uint32 index, bytes32 leaf, uint256 period)
        private
        returns (uint256 disputeId)
    {
        bytes32 subject = _subject(id, kind, index);
        uint256 before = _latest[subject];
        if (before != 0 && _disputes[before].state != State.Refunded) revert AlreadyDisputed(before);
        uint256 needed = bondFor(id, kind);
        if (msg.value < needed) revert BondTooLow(msg.value, needed);
        ++_opened[id][kind];
        disputeId = ++disputeCount;
        _latest[subject] = disputeId;
        uint256 deadline = block.timestamp + period;
        _disputes[disputeId] = Dispute({
            challenger: msg.sender,
            deadline: uint48(deadline),
            index: index,
            kind: kind,
            state: State.Open,
            commitmentId: id,
            leaf: leaf,
            bond: uint96(needed),
            seats: 0,
            extended: false,
            drawBlock: 0
        });
        emit DisputeOpened(disputeId, id, msg.sender, kind, index, leaf, needed, deadline);
        anchor.openDispute(id);
        if (msg.value > needed) _credit(msg.sender, msg.value - needed);
    }

    function _askForCommittee(Dispute storage d) private {
        d.drawBlock = uint64(block.number);
        ++_pendingDraws;
    }

    function _count(uint256 disputeId, bytes32 leaf, bytes32 engineHash, bytes[] calldata signatures)
        private
        returns (uint256 votes)
    {
        // The two smallest numbers stand for "seated" and "barred".
        if (uint256(leaf) <= uint256(BARRED)) revert NothingCounted();
        bytes32 digest = hashAttestation(disputeId, leaf, engineHash);
        uint256 before = _votes[disputeId][leaf];
        votes = before;
        for (uint256 i = 0; i < signatures.length; ++i) {
            (address signer, ECDSA.RecoverError failed,) = ECDSA.tryRecover(digest, signatures[i]);
            if (failed != ECDSA.RecoverError.NoError || _ballots[disputeId][signer] != SEATED) continue;
            _ballots[disputeId][signer] = leaf;
            ++votes;
            emit Attested(disputeId, signer, leaf, engineHash);
        }
        if (votes == before) revert NothingCounted();
        _votes[disputeId][leaf] = votes;
    }

    /// @dev The challenger was right.
    function _uphold(uint256 disputeId, Dispute storage d, bytes32 reason) private {
        uint256 held = _close(disputeId, d, State.Upheld, 0);
        anchor.reject(d.commitmentId, d.challenger, reason);
        _credit(d.challenger, held);
    }

    /// @dev The poster was right.
    function _dismiss(uint256 disputeId, Dispute storage d, address poster, uint256 until) private {
        uint256 held = _close(disputeId, d, State.Dismissed, until);
        uint256 half = held / 2;
        _credit(poster, half);
        _credit(vault.treasury(), held - half);
    }

    function _close(uint256 disputeId, Dispute storage d, State state, uint256 until) private returns (uint256 held) {
        held = d.bond;
        d.state = state;
        d.bond = 0;
        if (d.drawBlock != 0) {
            d.drawBlock = 0;
            --_pendingDraws;
        }
        emit DisputeResolved(disputeId, d.commitmentId, state);
        anchor.closeDispute(d.commitmentId, until);
    }

    function _reserve(address verifier) internal override {
        vault.addExposure(verifier, verifierStake);
    }

    function _release(address verifier) internal override {
        vault.removeExposure(verifier, verifierStake);
    }

    function _credit(address account, uint256 amount) private {
        vault.depositCredit{value: amount}(account);
    }

    // Checks

    function _requireOpen(uint256 disputeId, Kind kind) private view returns (Dispute storage d) {
        d = _disputes[disputeId];
        if (d.state != State.Open || d.kind != kind) revert NotOpen(disputeId);
    }

    /// @dev Open, and about a commitment that nothing else has ended.
    function _requireLive(uint256 disputeId, Kind kind)
        private
        view
        returns (Dispute storage d, ILeagueAnchor.Commitment memory c)
    {
        d = _requireOpen(disputeId, kind);
        c = _commitment(d.commitmentId);
        if (c.status == ILeagueAnchor.Status.Rejected) revert CommitmentRejected(d.commitmentId);
    }

    /// @dev When it ends without a result.
    function _end(Dispute storage d) private view returns (uint256) {
        return d.extended ? d.deadline : d.deadline + votePeriod;
    }

    function _signer(uint256 disputeId, Vote calldata vote) private view returns (address signer) {
        ECDSA.RecoverError failed;
        (signer, failed,) = ECDSA.tryRecover(hashAttestation(disputeId, vote.leaf, vote.engineHash), vote.signature);
        if (failed != ECDSA.RecoverError.NoError) revert BadSignature(address(0));
    }

    function _subject(bytes32 id, Kind kind, uint32 index) private pure returns (bytes32) {
        return keccak256(abi.encode(id, kind, index));
    }
}
