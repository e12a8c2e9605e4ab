// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {RoundLeaf} from "../libraries/RoundTree.sol";

/// @title What the court of league rounds decides, tells and refuses
/// @notice Two ways lead to the rejection of a posted round. A fraud that proves itself (`prove...`) needs neither bond
///         nor judge. A dispute (`demandReveal`, `disputeReplay`) needs a bond, and ends by an answer, by silence, or by
///         the verifiers' vote. The court never runs a match.
/// @dev Every payment is credit in the vault, to be pulled there. Halves are rounded down for the winner; the treasury
///      gets the rest. Nothing here can be paused, and there is no administrator.
///
///      Clock, with W = the anchor's challenge window: disputes open before the commitment's `settleableAt`. A reveal moves
///      that to a full window from then, but never by more than 2 W in all. A demand ends within revealPeriod <= W, a
///      replay dispute within 2 votePeriod <= 2 W. So all is decided 5 W after posting, and unbonding takes 7 W.
interface ILeagueCourt {
    enum Kind {
        Reveal,
        Replay
    }

    /// @notice Upheld: the challenger won and the commitment is rejected. Dismissed: the poster won.
    ///         Refunded: nobody won, the bond went back.
    enum State {
        None,
        Open,
        Upheld,
        Dismissed,
        Refunded
    }

    /// @param revealPeriod seconds to answer a demand, at most the anchor's window
    /// @param votePeriod seconds for the first vote, and as many again for the second; at most the anchor's window
    /// @param bond wei for the first dispute of a kind about a commitment; each further one costs double
    /// @param verifierStake wei of a verifier's stake in the vault that stay reserved while it is registered
    /// @param committeeSize seats of the first vote, at least 3; a second vote has twice as many and one
    struct Rules {
        uint48 revealPeriod;
        uint48 votePeriod;
        uint96 bond;
        uint96 verifierStake;
        uint16 committeeSize;
    }

    /// @param deadline second from which on the answer or the vote is too late
    /// @param leaf hash of the posted leaf in dispute; zero for a demand
    /// @param bond wei that the court holds for it until it ends
    /// @param seats of the committee drawn so far
    /// @param extended whether the second vote has begun
    /// @param drawBlock block whose hash draws the committee; zero when no draw is due
    struct Dispute {
        address challenger;
        uint48 deadline;
        uint32 index;
        Kind kind;
        State state;
        bytes32 commitmentId;
        bytes32 leaf;
        uint96 bond;
        uint16 seats;
        bool extended;
        uint64 drawBlock;
    }

    /// @notice A verifier's signed word: `ReplayAttestation(uint256 disputeId,bytes32 commitmentId,uint32 index,bytes32
    ///         leaf,bytes32 engineHash)`. Commitment and index are the dispute's.
    struct Vote {
        bytes32 leaf;
        bytes32 engineHash;
        bytes signature;
    }

    event DisputeOpened(
        uint256 indexed disputeId,
        bytes32 indexed commitmentId,
        address indexed challenger,
        Kind kind,
        uint32 index,
        bytes32 leaf,
        uint256 bond,
        uint256 deadline
    );
    /// @notice What the poster withheld: the match's header (canonical JSON), the root and length of its trace, its leaf
    ///         and the leaf's siblings. With the modules it names, anybody can play the match again.
    event Revealed(
        uint256 indexed disputeId,
        bytes32 indexed commitmentId,
        uint32 indexed index,
        RoundLeaf leaf,
        bytes32[] proof,
        bytes header,
        bytes32 traceRoot,
        uint64 steps
    );
    /// @notice Who votes now; on a second vote, who joined.
    event CommitteeDrawn(uint256 indexed disputeId, address[] verifiers);
    /// @notice The block that was to draw the committee is too old to be asked; `drawBlock` does instead.
    event DrawPostponed(uint256 indexed disputeId, uint256 drawBlock);
    event Attested(uint256 indexed disputeId, address indexed verifier, bytes32 indexed leaf, bytes32 engineHash);
    event DisputeExtended(uint256 indexed disputeId, uint256 deadline);
    event DisputeResolved(uint256 indexed disputeId, bytes32 indexed commitmentId, State state);
    event VerifierRegistered(address indexed verifier);
    event VerifierLeft(address indexed verifier);
    event DoubleVoteProven(
        uint256 indexed disputeId, address indexed verifier, address indexed reporter, uint256 slashed
    );

    error InvalidParameters();
    /// @notice What was shown agrees with what an honest poster posts.
    error NoFraud();
    error NotIncluded(uint256 index);
    /// @notice The standings brought along are not those that the leaf's `pre` commits to.
    error WrongStandings();
    /// @notice Another round or another poster than the commitment's.
    error WrongLeague();
    error BadSignature(address signer);
    error BondTooLow(uint256 sent, uint256 needed);
    /// @notice A demand of this leaf is open or was answered; a replay of it is open or was decided.
    error AlreadyDisputed(uint256 disputeId);
    error IndexOutside(uint256 index);
    /// @notice No such dispute, of another kind, or over.
    error NotOpen(uint256 disputeId);
    error TooLate(uint256 deadline);
    error TooEarly(uint256 deadline);
    /// @notice The commitment was rejected meanwhile: the bond is to be had by `refund`.
    error CommitmentRejected(bytes32 id);
    error EvidenceMismatch();
    /// @notice A committee has to be drawn first; anyone may do that, in a later block than its `drawBlock`.
    error DrawPending();
    error NoDrawPending(uint256 disputeId);
    error AlreadyExtended(uint256 disputeId);
    /// @notice None of the signatures is a first vote of a member of the committee.
    error NothingCounted();
    error NotAVerifier(address account);
    error AlreadyAVerifier(address account);
    /// @notice A committee that the verifier sits on may still vote.
    error Held(uint256 until);
    error SameVote();

    // Frauds that prove themselves. Anyone, until the commitment is settled; the sender earns the reporter's share of the
    // poster's slash. Against an honest poster each of them reverts.

    /// @notice The standings after a match are not those before it plus what the match gave.
    /// @param standings the packed standings before it: big-endian int64 a seat, hashing to `leaf.pre`. A sum beyond int64
    ///        is a fraud too.
    function proveArithmetic(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof, bytes calldata standings)
        external;

    /// @notice A match does not begin with the standings that the one before it left.
    function proveBreak(
        bytes32 id,
        RoundLeaf calldata left,
        bytes32[] calldata leftProof,
        RoundLeaf calldata right,
        bytes32[] calldata rightProof
    ) external;

    /// @notice The last match does not leave the scores that were posted. In a round without matches any score but zero
    ///         is a fraud; `leaf` and `proof` are not looked at then.
    function proveTerminal(
        bytes32 id,
        address[] calldata agents,
        int64[] calldata scores,
        RoundLeaf calldata leaf,
        bytes32[] calldata proof
    ) external;

    /// @notice The first match does not begin with all seats at zero.
    function proveGenesis(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof) external;

    /// @notice A leaf is out of bounds: |dA| or |dB| above the commitment's `bound`; `a` not a seat of the roster; `b`
    ///         neither a seat nor 0xffffffff; `a` equal to `b`; or no `b` and yet a `dB`.
    function proveBounds(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof) external;

    /// @notice The poster signed another root for the same round: `RoundRoot(bytes32 leagueId,bytes32 root)` in the
    ///         court's EIP-712 domain. A contract signs by ERC-1271.
    function proveEquivocation(bytes32 id, bytes32 leagueId, bytes32 otherRoot, bytes calldata signature) external;

    // Withheld matches

    /// @notice Asks the poster to show the match at `index`. The value is the bond, at least `bondFor`; what is above it
    ///         is credited back.
    function demandReveal(bytes32 id, uint32 index) external payable returns (uint256 disputeId);

    /// @notice Answers a demand before its deadline; anyone may. Of the bond, half goes to the poster, half to the
    ///         treasury: a poster that demands from itself burns half each time.
    /// @param header the match's header, whose SHA-256 (under 0x06) the leaf's evidence binds with the two that follow
    function reveal(
        uint256 disputeId,
        RoundLeaf calldata leaf,
        bytes32[] calldata proof,
        bytes calldata header,
        bytes32 traceRoot,
        uint64 steps
    ) external;

    /// @notice Rejects the commitment whose poster did not answer by the deadline; anyone may. The challenger gets the
    ///         bond back and the reporter's share.
    function timeout(uint256 disputeId) external;

    // Replays

    /// @notice Says that a replay of the posted match gives another leaf. The value is the bond, as for a demand.
    function disputeReplay(bytes32 id, RoundLeaf calldata leaf, bytes32[] calldata proof)
        external
        payable
        returns (uint256 disputeId);

    /// @notice Draws the committee by the hash of the block that held the dispute or its extension; anyone may, from the
    ///         next block on. Poster and challenger are never drawn. Until then nobody joins or leaves the verifiers.
    function draw(uint256 disputeId) external;

    /// @notice Counts votes, brought by anyone, before the deadline. Signatures that do not count are passed over. Over
    ///         two thirds of the committee for one leaf decide: if it is the posted one the bond goes half to the poster
    ///         and half to the treasury; if it is another the commitment is rejected, and the challenger gets the bond
    ///         back and the reporter's share. Who was in the minority loses nothing: a vote is worth more when it does not
    ///         pay to guess the others'.
    /// @param leaf hash of the leaf that the signers' replay gives
    /// @param engineHash of the engine that they replayed with
    function attest(uint256 disputeId, bytes32 leaf, bytes32 engineHash, bytes[] calldata signatures) external;

    /// @notice Begins the second and last vote after a first one without result: more seats, those already drawn stay,
    ///         votes cast count. Anyone may, in the votePeriod after the first deadline.
    function extend(uint256 disputeId) external;

    /// @notice Ends a dispute that nobody won: a second vote without result (or none called for in its time), or a
    ///         commitment that was rejected for another reason. The bond goes back; the commitment stays as it was.
    function refund(uint256 disputeId) external;

    // Verifiers

    /// @notice Makes the sender a verifier, with `verifierStake` of its stake reserved. Committees need at least three.
    function registerVerifier() external;

    /// @notice Releases the sender, once no committee that it sits on may still vote.
    function leaveVerifiers() external;

    /// @notice Two votes of one committee member for different leaves of one dispute: it loses `verifierStake`, half of it
    ///         at most to the sender, and its place. While the dispute is open its vote is taken back.
    function proveDoubleVote(uint256 disputeId, Vote calldata one, Vote calldata other) external;

    // Views

    /// @notice The dispute; all zero when there is none. Disputes count from 1.
    function disputeOf(uint256 disputeId) external view returns (Dispute memory);

    function disputeCount() external view returns (uint256);

    /// @notice The latest dispute of a kind about a leaf; zero when there was none.
    function latestOf(bytes32 id, Kind kind, uint32 index) external view returns (uint256 disputeId);

    /// @notice Wei that the next dispute of the kind about the commitment costs.
    function bondFor(bytes32 id, Kind kind) external view returns (uint256);

    /// @notice Whether the verifier sits on the dispute's committee, and the leaf it voted for (zero: not yet).
    function ballotOf(uint256 disputeId, address verifier) external view returns (bool seated, bytes32 leaf);

    function votesFor(uint256 disputeId, bytes32 leaf) external view returns (uint256);

    function verifierCount() external view returns (uint256);

    function verifierAt(uint256 position) external view returns (address);

    /// @notice Whether the account is registered, and until when a committee holds it.
    function verifierOf(address account) external view returns (bool registered, uint256 heldUntil);

    /// @notice The EIP-712 digests that posters and verifiers sign.
    function hashRoundRoot(bytes32 leagueId, bytes32 root) external view returns (bytes32);

    function hashAttestation(uint256 disputeId, bytes32 leaf, bytes32 engineHash) external view returns (bytes32);
}
