// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title Stakes of the validators of proof-of-learning chains: deposits, checkpoints, evidence, exits
/// @dev One contract holds the stakes of any number of chains; each is named by a hash that binds who opened it and its
///      genesis. All signatures are EIP-712 (secp256k1) by a validator's account; the BLS key and the proof that it is
///      possessed are kept in the event for the beacon chain, which checks them (as with Ethereum's deposits).
///
///      Sets. An epoch that brings a header begins an era. The set of an era is fixed when the era before it begins: who
///      deposits or asks to leave in era e comes or goes with era e + 2. Only a slashing takes effect at once. So neither
///      the proposer of a slot nor the weight of a vote follows from who happens to be listed now.
///
///      A batch of signatures is entries of 68 bytes, by rising validator number: number 4 | r 32 | vs 32 (EIP-2098).
interface IProofOfLearning {
    enum Status {
        None,
        Staked,
        Slashed,
        Withdrawn
    }

    /// @notice Why a validator is slashed. The first is proven by two headers, the last also by two ACKs; all by a verdict.
    enum Offence {
        ProposerEquivocation,
        DoubleVote,
        SurroundVote,
        UncertifiedUpdate,
        ContradictedAck
    }

    /// @notice What chain a sender opens. With `secondsPerSlot` 0 its clock is not this one (a simulated run); else slot s
    ///         may be proposed from `genesisTime + s * secondsPerSlot` on. Only the sender may deposit until
    ///         `genesisValidators` have; all of them are in the first set, and no header is taken before.
    struct ChainSpec {
        bytes32 genesisRoot;
        bytes32 salt;
        uint64 genesisTime;
        uint32 slotsPerEpoch;
        uint32 secondsPerSlot;
        uint32 genesisValidators;
    }

    /// @notice What a deposit binds: BLS key (48 bytes), Ed25519 key of the DHT records, proof of possession (96 bytes).
    struct Keys {
        bytes pubkey;
        bytes32 nodeKey;
        bytes proof;
    }

    /// @notice A checkpoint of the learning chain. `proposer` is the validator number that `proposerOf` tells for the slot;
    ///         `root` the beacon block; `updateId` zero without an update, else `certificate` is the root of its ACKs.
    struct Header {
        bytes32 chain;
        uint64 slot;
        uint32 proposer;
        bytes32 root;
        bytes32 parentRoot;
        bytes32 modelRoot;
        bytes32 updateId;
        bytes32 certificate;
    }

    /// @notice A validator's vote that a header, by its hash, is final. Who proposes has not voted by that.
    struct Finality {
        bytes32 header;
    }

    /// @notice A validator's word on an update. It gives one word only on an update in a slot.
    struct Ack {
        bytes32 chain;
        uint64 slot;
        uint32 validator;
        bool accept;
        bytes32 baseRoot;
        bytes32 updateId;
    }

    /// @notice What more than two thirds of a set find: `evidence` is the hash of the header or ACK, or the root of the
    ///         beacon chain's slashing.
    struct Verdict {
        bytes32 chain;
        uint32 validator;
        Offence offence;
        bytes32 evidence;
    }

    /// @param era how many epochs brought headers, counted from the genesis
    /// @param size validators in the set of `era`
    struct ChainState {
        address opener;
        uint32 slotsPerEpoch;
        uint32 secondsPerSlot;
        uint32 genesisValidators;
        uint64 genesisTime;
        uint64 headSlot;
        uint64 finalSlot;
        uint32 deposits;
        uint32 era;
        uint32 size;
        bytes32 genesisRoot;
        bytes32 head;
        bytes32 finalHeader;
    }

    /// @param from first era that it is in the set of
    /// @param until first era that it is in the set of no more; 0 while it did not ask to leave
    /// @param leftAt second when it asked to leave, or was slashed
    struct Validator {
        address account;
        uint32 from;
        uint32 until;
        Status status;
        uint96 stake;
        uint40 leftAt;
    }

    event ChainOpened(bytes32 indexed chain, address indexed opener, ChainSpec spec);
    /// @notice All that the beacon chain needs. `index` rises by one from 0 and is the validator's number here.
    event Deposited(
        bytes32 indexed chain,
        uint256 indexed index,
        address indexed account,
        bytes pubkey,
        bytes32 nodeKey,
        bytes8 peerId,
        uint256 amount,
        bytes proof
    );
    event EraBegan(bytes32 indexed chain, uint256 indexed era, uint256 size);
    event Proposed(
        bytes32 indexed chain,
        uint64 indexed slot,
        uint256 indexed proposer,
        bytes32 header,
        bytes32 root,
        bytes32 updateId
    );
    event Finalized(
        bytes32 indexed chain,
        uint64 indexed slot,
        bytes32 header,
        bytes32 root,
        bytes32 modelRoot,
        uint256 signers,
        uint256 size
    );
    event ValidatorSlashed(
        bytes32 indexed chain,
        uint256 indexed validator,
        address indexed reporter,
        Offence offence,
        bytes32 evidence,
        uint256 slashed,
        uint256 reporterShare
    );
    event ExitRequested(bytes32 indexed chain, uint256 indexed validator, uint256 until);
    event Withdrawn(bytes32 indexed chain, uint256 indexed validator, address indexed account, uint256 amount);
    event CreditGiven(address indexed account, uint256 amount);
    event CreditClaimed(address indexed account, uint256 amount);

    error InvalidRules();
    error InvalidSpec();
    error InvalidAccount(address account);
    /// @notice As many validators came, over the chain's life, as it can have.
    error ChainFull(bytes32 chain);
    error UnknownChain(bytes32 chain);
    error ChainExists(bytes32 chain);
    /// @notice Until all genesis validators are in, only who opened the chain deposits, and no header is taken.
    error GenesisOpen(uint256 deposits, uint256 needed);
    error InvalidKeys();
    error DuplicatePubkey(bytes32 pubkeyHash);
    error DuplicatePeerId(bytes8 peerId);
    error DuplicateNodeKey(bytes32 nodeKey);
    error SlotNotRising(uint64 slot, uint64 head);
    error SlotInFuture(uint64 slot);
    error NotProposer(uint256 given, uint256 expected);
    /// @notice Nobody is in the set: the chain is over.
    error EmptySet(bytes32 chain);
    error NotProposed(bytes32 header);
    error MalformedSignatures(uint256 length);
    /// @notice Not by rising numbers, or not in the set of this era.
    error NotInSet(uint256 validator);
    error BadSignature(uint256 validator);
    /// @notice Two thirds are not enough.
    error QuorumMissing(uint256 signers, uint256 size);
    /// @notice The two words are the same, or about different things.
    error NoContradiction();
    error NoUpdateNamed();
    error AlreadySlashed(uint256 validator);
    /// @notice Never deposited, or withdrawn.
    error NotStaked(uint256 validator);
    /// @notice The evidence window after it left is over.
    error EvidenceTooLate(uint256 until);
    error NotAccount(address expected);
    error AlreadyLeaving(uint256 validator);
    error StillLocked(uint256 until);
    error NoCredit(address account);

    /// @notice Opens a chain. Returns its name: the hash of the sender and the spec.
    function openChain(ChainSpec calldata spec) external returns (bytes32 chain);

    /// @notice Stakes exactly 32 POL of the sender for a validator whose account is the sender.
    function deposit(bytes32 chain, Keys calldata keys) external returns (uint256 index);
    /// @notice The same with the token's permit by the sender for 32 POL in place of an approval.
    function depositWithPermit(bytes32 chain, Keys calldata keys, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 index);
    /// @notice Stakes 32 POL of the sender for a validator whose account is another: the stake is the other's from then on.
    function depositFor(bytes32 chain, address account, Keys calldata keys) external returns (uint256 index);

    /// @notice Anyone, with the signature (64 or 65 bytes) of the slot's proposer. The head's slot only rises.
    function propose(Header calldata header, bytes calldata signature) external;
    /// @notice Anyone, with votes (Finality) of strictly more than two thirds of the set of this era for a proposed header.
    ///         Signatures after the needed ones are not read.
    function finalize(Header calldata header, bytes calldata signatures) external;

    /// @notice Two headers of one slot, both signed by the same validator.
    function slashProposer(Header calldata a, bytes calldata signatureA, Header calldata b, bytes calldata signatureB)
        external;
    /// @notice A signed header that names an update, and the verdict (UncertifiedUpdate over the header's hash) that no
    ///         valid certificate stands for it.
    function slashUncertified(Header calldata header, bytes calldata signature, bytes calldata verdict) external;
    /// @notice A signed ACK, and the verdict (ContradictedAck over the ACK's hash) that evaluation contradicts it.
    function slashAck(Ack calldata ack, bytes calldata signature, bytes calldata verdict) external;
    /// @notice Two opposite ACKs of one validator for one update in one slot: they prove themselves.
    function slashOppositeAcks(Ack calldata a, bytes calldata signatureA, Ack calldata b, bytes calldata signatureB)
        external;
    /// @notice A slashing of the beacon chain, whose BLS evidence only the validators can check: their verdict.
    function slashReported(Verdict calldata found, bytes calldata signatures) external;

    /// @notice The validator's account only. It keeps its duties, and its risk, until the era after the next one.
    function requestExit(bytes32 chain, uint256 validator) external;
    /// @notice The validator's account only, after the withdrawal delay; what a slashing left. Never pausable.
    function withdraw(bytes32 chain, uint256 validator) external returns (uint256 amount);
    /// @notice Pays out the sender's credit. Never pausable.
    function claimCredit() external returns (uint256 amount);

    function chainOf(bytes32 chain) external view returns (ChainState memory);
    function validatorOf(bytes32 chain, uint256 validator) external view returns (Validator memory);
    /// @notice Whether the validator is in the set of this era.
    function inSet(bytes32 chain, uint256 validator) external view returns (bool);
    /// @notice The validator that may propose a slot above the head's.
    function proposerOf(bytes32 chain, uint64 slot) external view returns (uint256 validator);
    /// @notice The header proposed for a slot, zero without one.
    function headerAt(bytes32 chain, uint64 slot) external view returns (bytes32 header);
    /// @notice Second from which the validator's stake may be withdrawn as things are; zero while it did not ask to leave.
    function withdrawableAt(bytes32 chain, uint256 validator) external view returns (uint256);
    function creditOf(address account) external view returns (uint256);
    /// @notice All stakes and all credits: what the contract holds.
    function totals() external view returns (uint256 staked, uint256 credit);

    /// @notice The EIP-712 digests that are signed.
    function digestOfHeader(Header calldata header) external view returns (bytes32);
    function digestOfFinality(Finality calldata vote) external view returns (bytes32);
    function digestOfAck(Ack calldata ack) external view returns (bytes32);
    function digestOfVerdict(Verdict calldata found) external view returns (bytes32);
}
