// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IProofOfLearning} from "./interfaces/IProofOfLearning.sol";
import {LearningHashes} from "./libraries/LearningHashes.sol";

/// @title ProofOfLearning
/// @notice Holds the validators' stakes of 32 POL, keeps the checkpoints that more than two thirds of a set signed, and
///         slashes by evidence: signatures that contradict each other, or a verdict of more than two thirds. No role can
///         finalise, slash or move a stake.
/// @dev Accounting is by entries, never by the balance: POL sent here by a plain transfer belongs to nobody.
///      balance >= staked + credit, with equality when none was. A pause stops new chains and deposits, nothing else.
contract ProofOfLearning is IProofOfLearning, AccessControlDefaultAdminRules, Pausable, EIP712 {
    using LearningHashes for Ack;
    using LearningHashes for Finality;
    using LearningHashes for Header;
    using LearningHashes for Verdict;
    using SafeERC20 for IERC20;

    /// @notice What a slashing takes (base units) and the part of it that goes to the reporter (basis points, at most half,
    ///         so that slashing oneself always costs the other half); how long after leaving evidence is taken, and after
    ///         which longer time the stake can be withdrawn (seconds).
    struct Rules {
        uint96 penalty;
        uint16 reporterBps;
        uint40 evidenceWindow;
        uint40 withdrawalDelay;
    }

    // The second word is what a new header reads and writes.
    struct Chain {
        address opener;
        uint32 slotsPerEpoch;
        uint32 secondsPerSlot;
        uint32 genesisValidators;
        uint64 headSlot;
        uint40 headAt;
        uint32 era;
        uint32 size;
        int32 next; // how the set changes with the next era, and with the one after it
        int32 afterNext;
        uint64 finalSlot;
        uint64 genesisTime;
        uint32 count;
        bytes32 genesisRoot;
        mapping(uint256 number => Validator) validators;
        mapping(uint256 era => uint256) beganAt;
        mapping(uint256 slot => bytes32) headers;
        mapping(bytes8 peerId => bytes32) pubkeys;
        mapping(bytes32 nodeKey => bool) nodeKeys;
    }

    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    uint256 public constant STAKE = 32e18;
    uint256 public constant MAX_REPORTER_BPS = 5000;
    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_VALIDATORS = 4096;
    uint256 private constant NOTICE = 2; // eras between asking to come or go and that being so
    uint256 private constant ENTRY = 68; // bytes of a signature in a batch

    IERC20 public immutable token;
    /// @notice Whose credit receives what reporters do not.
    address public immutable treasury;
    uint256 public immutable penalty;
    uint256 public immutable reporterBps;
    uint256 public immutable evidenceWindow;
    uint256 public immutable withdrawalDelay;

    mapping(bytes32 name => Chain) private _chains;
    mapping(address account => uint256) private _credits;
    uint128 private _staked;
    uint128 private _credit;

    /// @param admin holder of DEFAULT_ADMIN_ROLE, handed over in two steps a day apart
    constructor(address admin, IERC20 token_, address treasury_, Rules memory rules)
        AccessControlDefaultAdminRules(1 days, admin)
        EIP712("Nashboard ProofOfLearning", "1")
    {
        bool sound = address(token_).code.length != 0 && treasury_ != address(0) && rules.penalty != 0
            && rules.penalty <= STAKE && rules.reporterBps <= MAX_REPORTER_BPS
            && rules.evidenceWindow < rules.withdrawalDelay;
        if (!sound) revert InvalidRules();
        token = token_;
        treasury = treasury_;
        penalty = rules.penalty;
        reporterBps = rules.reporterBps;
        evidenceWindow = rules.evidenceWindow;
        withdrawalDelay = rules.withdrawalDelay;
    }

    /// @inheritdoc IProofOfLearning
    function openChain(ChainSpec calldata spec) external whenNotPaused returns (bytes32 chain) {
        bool sound = spec.slotsPerEpoch != 0 && spec.genesisValidators != 0 && spec.genesisValidators <= MAX_VALIDATORS;
        if (!sound) revert InvalidSpec();
        chain = keccak256(abi.encode(msg.sender, spec));
        Chain storage c = _chains[chain];
        if (c.opener != address(0)) revert ChainExists(chain);
        c.opener = msg.sender;
        c.slotsPerEpoch = spec.slotsPerEpoch;
        c.secondsPerSlot = spec.secondsPerSlot;
        c.genesisValidators = spec.genesisValidators;
        c.genesisTime = spec.genesisTime;
        c.genesisRoot = spec.genesisRoot;
        emit ChainOpened(chain, msg.sender, spec);
    }

    // Stakes

    /// @inheritdoc IProofOfLearning
    function deposit(bytes32 chain, Keys calldata keys) external returns (uint256 index) {
        return _deposit(chain, msg.sender, keys);
    }

    /// @inheritdoc IProofOfLearning
    function depositWithPermit(bytes32 chain, Keys calldata keys, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 index)
    {
        // Anybody may have used the permit before, from the pool of transactions: then the approval is there already.
        if (token.allowance(msg.sender, address(this)) < STAKE) {
            IERC20Permit(address(token)).permit(msg.sender, address(this), STAKE, deadline, v, r, s);
        }
        return _deposit(chain, msg.sender, keys);
    }

    /// @inheritdoc IProofOfLearning
    function depositFor(bytes32 chain, address account, Keys calldata keys) external returns (uint256 index) {
        return _deposit(chain, account, keys);
    }

    /// @inheritdoc IProofOfLearning
    function requestExit(bytes32 chain, uint256 validator) external {
        Chain storage c = _chainOf(chain);
        Validator storage v = _ownValidator(c, validator);
        if (v.status != Status.Staked || v.until != 0) revert AlreadyLeaving(validator);
        uint256 until = c.era + NOTICE;
        v.until = uint32(until);
        v.leftAt = uint40(block.timestamp);
        _shift(c, until, -1);
        emit ExitRequested(chain, validator, until);
    }

    /// @inheritdoc IProofOfLearning
    function withdraw(bytes32 chain, uint256 validator) external returns (uint256 amount) {
        Chain storage c = _chainOf(chain);
        Validator storage v = _ownValidator(c, validator);
        uint256 dutyEnd = _dutyEnd(c, v);
        if (dutyEnd == 0) revert StillLocked(type(uint256).max);
        if (block.timestamp < dutyEnd + withdrawalDelay) revert StillLocked(dutyEnd + withdrawalDelay);
        amount = v.stake;
        if (v.status == Status.Staked) _removeFromSets(c, v);
        v.status = Status.Withdrawn;
        v.stake = 0;
        _staked -= uint128(amount);
        emit Withdrawn(chain, validator, v.account, amount);
        token.safeTransfer(v.account, amount);
    }

    /// @inheritdoc IProofOfLearning
    function claimCredit() external returns (uint256 amount) {
        amount = _credits[msg.sender];
        if (amount == 0) revert NoCredit(msg.sender);
        _credits[msg.sender] = 0;
        _credit -= uint128(amount);
        emit CreditClaimed(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // Checkpoints

    /// @inheritdoc IProofOfLearning
    function propose(Header calldata header, bytes calldata signature) external {
        Chain storage c = _chainOf(header.chain);
        if (c.count < c.genesisValidators) revert GenesisOpen(c.count, c.genesisValidators);
        uint64 head = c.headSlot;
        if (header.slot <= head) revert SlotNotRising(header.slot, head);
        if (c.secondsPerSlot != 0 && block.timestamp < c.genesisTime + uint256(header.slot) * c.secondsPerSlot) {
            revert SlotInFuture(header.slot);
        }
        uint256 era = _eraOf(c, header.slot);
        uint256 expected = _proposerOf(c, header.chain, header.slot, era);
        if (header.proposer != expected) revert NotProposer(header.proposer, expected);
        bytes32 digest = header.hash();
        _requireSigned(c, expected, digest, signature);
        if (era != c.era) _begin(c, header.chain, era);
        c.headSlot = header.slot;
        c.headAt = uint40(block.timestamp);
        c.headers[header.slot] = digest;
        emit Proposed(header.chain, header.slot, expected, digest, header.root, header.updateId);
    }

    /// @inheritdoc IProofOfLearning
    function finalize(Header calldata header, bytes calldata signatures) external {
        Chain storage c = _chainOf(header.chain);
        bytes32 digest = header.hash();
        if (c.headers[header.slot] != digest) revert NotProposed(digest);
        if (header.slot <= c.finalSlot) revert SlotNotRising(header.slot, c.finalSlot);
        uint256 signers = _requireQuorum(c, Finality(digest).hash(), signatures);
        c.finalSlot = header.slot;
        emit Finalized(header.chain, header.slot, digest, header.root, header.modelRoot, signers, c.size);
    }

    // Evidence

    /// @inheritdoc IProofOfLearning
    function slashProposer(Header calldata a, bytes calldata signatureA, Header calldata b, bytes calldata signatureB)
        external
    {
        (bytes32 first, bytes32 second) = (a.hash(), b.hash());
        bool contradicts = a.chain == b.chain && a.slot == b.slot && a.proposer == b.proposer && first != second;
        if (!contradicts) revert NoContradiction();
        Chain storage c = _chainOf(a.chain);
        _requireSigned(c, a.proposer, first, signatureA);
        _requireSigned(c, a.proposer, second, signatureB);
        _slash(c, a.chain, a.proposer, Offence.ProposerEquivocation, _pair(first, second));
    }

    /// @inheritdoc IProofOfLearning
    function slashUncertified(Header calldata header, bytes calldata signature, bytes calldata verdict) external {
        if (header.updateId == 0) revert NoUpdateNamed();
        Chain storage c = _chainOf(header.chain);
        bytes32 digest = header.hash();
        _requireSigned(c, header.proposer, digest, signature);
        _requireVerdict(c, Verdict(header.chain, header.proposer, Offence.UncertifiedUpdate, digest), verdict);
    }

    /// @inheritdoc IProofOfLearning
    function slashAck(Ack calldata ack, bytes calldata signature, bytes calldata verdict) external {
        Chain storage c = _chainOf(ack.chain);
        bytes32 digest = ack.hash();
        _requireSigned(c, ack.validator, digest, signature);
        _requireVerdict(c, Verdict(ack.chain, ack.validator, Offence.ContradictedAck, digest), verdict);
    }

    /// @inheritdoc IProofOfLearning
    function slashOppositeAcks(Ack calldata a, bytes calldata signatureA, Ack calldata b, bytes calldata signatureB)
        external
    {
        bool contradicts = a.chain == b.chain && a.slot == b.slot && a.validator == b.validator
            && a.baseRoot == b.baseRoot && a.updateId == b.updateId && a.accept != b.accept;
        if (!contradicts) revert NoContradiction();
        Chain storage c = _chainOf(a.chain);
        (bytes32 first, bytes32 second) = (a.hash(), b.hash());
        _requireSigned(c, a.validator, first, signatureA);
        _requireSigned(c, a.validator, second, signatureB);
        _slash(c, a.chain, a.validator, Offence.ContradictedAck, _pair(first, second));
    }

    /// @inheritdoc IProofOfLearning
    function slashReported(Verdict calldata found, bytes calldata signatures) external {
        _requireVerdict(_chainOf(found.chain), found, signatures);
    }

    // The pause

    /// @notice Stops new chains and deposits; nothing else.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    // Views

    /// @inheritdoc IProofOfLearning
    function chainOf(bytes32 chain) external view returns (ChainState memory) {
        Chain storage c = _chainOf(chain);
        return ChainState({
            opener: c.opener,
            genesisRoot: c.genesisRoot,
            genesisTime: c.genesisTime,
            slotsPerEpoch: c.slotsPerEpoch,
            secondsPerSlot: c.secondsPerSlot,
            genesisValidators: c.genesisValidators,
            deposits: c.count,
            era: c.era,
            size: c.size,
            headSlot: c.headSlot,
            head: c.headers[c.headSlot],
            finalSlot: c.finalSlot,
            finalHeader: c.headers[c.finalSlot]
        });
    }

    /// @inheritdoc IProofOfLearning
    function validatorOf(bytes32 chain, uint256 validator) external view returns (Validator memory) {
        return _chainOf(chain).validators[validator];
    }

    /// @inheritdoc IProofOfLearning
    function inSet(bytes32 chain, uint256 validator) external view returns (bool) {
        Chain storage c = _chainOf(chain);
        return _isIn(c.validators[validator], c.era);
    }

    /// @inheritdoc IProofOfLearning
    function proposerOf(bytes32 chain, uint64 slot) external view returns (uint256 validator) {
        Chain storage c = _chainOf(chain);
        if (slot <= c.headSlot) revert SlotNotRising(slot, c.headSlot);
        return _proposerOf(c, chain, slot, _eraOf(c, slot));
    }

    /// @inheritdoc IProofOfLearning
    function headerAt(bytes32 chain, uint64 slot) external view returns (bytes32 header) {
        return _chainOf(chain).headers[slot];
    }

    /// @inheritdoc IProofOfLearning
    function withdrawableAt(bytes32 chain, uint256 validator) external view returns (uint256) {
        Chain storage c = _chainOf(chain);
        uint256 dutyEnd = _dutyEnd(c, c.validators[validator]);
        return dutyEnd == 0 ? 0 : dutyEnd + withdrawalDelay;
    }

    /// @inheritdoc IProofOfLearning
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    /// @inheritdoc IProofOfLearning
    function totals() external view returns (uint256 staked, uint256 credit) {
        return (_staked, _credit);
    }

    /// @inheritdoc IProofOfLearning
    function digestOfHeader(Header calldata header) external view returns (bytes32) {
        return _hashTypedDataV4(header.hash());
    }

    /// @inheritdoc IProofOfLearning
    function digestOfFinality(Finality calldata vote) external view returns (bytes32) {
        return _hashTypedDataV4(vote.hash());
    }

    /// @inheritdoc IProofOfLearning
    function digestOfAck(Ack calldata ack) external view returns (bytes32) {
        return _hashTypedDataV4(ack.hash());
    }

    /// @inheritdoc IProofOfLearning
    function digestOfVerdict(Verdict calldata found) external view returns (bytes32) {
        return _hashTypedDataV4(found.hash());
    }

    // Inside

    function _deposit(bytes32 chain, address account, Keys calldata keys)
        private
        whenNotPaused
        returns (uint256 index)
    {
        Chain storage c = _chainOf(chain);
        index = c.count;
        bool genesis = index < c.genesisValidators;
        if (genesis && msg.sender != c.opener) revert GenesisOpen(index, c.genesisValidators);
        if (index == MAX_VALIDATORS) revert ChainFull(chain);
        if (account == address(0)) revert InvalidAccount(account);
        bytes8 peerId = _bind(c, keys);
        uint256 from = genesis ? c.era : c.era + NOTICE;
        c.count = uint32(index + 1);
        c.validators[index] = Validator(account, uint32(from), 0, Status.Staked, uint96(STAKE), 0);
        _shift(c, from, 1);
        _staked += uint128(STAKE);
        emit Deposited(chain, index, account, keys.pubkey, keys.nodeKey, peerId, STAKE, keys.proof);
        token.safeTransferFrom(msg.sender, address(this), STAKE);
    }

    /// @dev Each key stands for one validator of a chain, also after it left: records and votes are told apart by them.
    function _bind(Chain storage c, Keys calldata keys) private returns (bytes8 peerId) {
        if (keys.pubkey.length != 48 || keys.proof.length != 96 || keys.nodeKey == 0) revert InvalidKeys();
        peerId = bytes8(sha256(keys.pubkey));
        bytes32 pubkeyHash = keccak256(keys.pubkey);
        bytes32 held = c.pubkeys[peerId];
        if (held == pubkeyHash) revert DuplicatePubkey(pubkeyHash);
        if (held != 0) revert DuplicatePeerId(peerId);
        if (c.nodeKeys[keys.nodeKey]) revert DuplicateNodeKey(keys.nodeKey);
        c.pubkeys[peerId] = pubkeyHash;
        c.nodeKeys[keys.nodeKey] = true;
    }

    /// @dev Changes how many are in the sets from an era on; at most NOTICE eras ahead.
    function _shift(Chain storage c, uint256 era, int32 by) private {
        uint256 now_ = c.era;
        if (era <= now_) c.size = uint32(uint256(int256(uint256(c.size)) + by));
        else if (era == now_ + 1) c.next += by;
        else c.afterNext += by;
    }

    function _removeFromSets(Chain storage c, Validator storage v) private {
        if (v.until != 0) _shift(c, v.until, 1);
        _shift(c, v.from, -1);
    }

    function _begin(Chain storage c, bytes32 chain, uint256 era) private {
        uint256 size = uint256(int256(uint256(c.size)) + c.next);
        c.era = uint32(era);
        c.size = uint32(size);
        c.next = c.afterNext;
        c.afterNext = 0;
        c.beganAt[era] = block.timestamp;
        emit EraBegan(chain, era, size);
    }

    function _slash(Chain storage c, bytes32 chain, uint256 number, Offence offence, bytes32 evidence) private {
        Validator storage v = c.validators[number];
        if (v.status == Status.Slashed) revert AlreadySlashed(number);
        if (v.status != Status.Staked) revert NotStaked(number);
        if (v.until != 0 && v.until <= c.era) {
            uint256 closes = _dutyEnd(c, v) + evidenceWindow;
            if (block.timestamp > closes) revert EvidenceTooLate(closes);
        }
        _removeFromSets(c, v);
        v.status = Status.Slashed;
        v.leftAt = uint40(block.timestamp);
        v.stake = uint96(STAKE - penalty);
        uint256 share = penalty * reporterBps / BPS;
        _staked -= uint128(penalty);
        _credit += uint128(penalty);
        emit ValidatorSlashed(chain, number, msg.sender, offence, evidence, penalty, share);
        _give(msg.sender, share);
        _give(treasury, penalty - share);
    }

    function _give(address account, uint256 amount) private {
        if (amount == 0) return;
        _credits[account] += amount;
        emit CreditGiven(account, amount);
    }

    function _requireVerdict(Chain storage c, Verdict memory found, bytes calldata signatures) private {
        _requireQuorum(c, found.hash(), signatures);
        _slash(c, found.chain, found.validator, found.offence, found.evidence);
    }

    function _chainOf(bytes32 chain) private view returns (Chain storage c) {
        c = _chains[chain];
        if (c.opener == address(0)) revert UnknownChain(chain);
    }

    function _ownValidator(Chain storage c, uint256 validator) private view returns (Validator storage v) {
        v = c.validators[validator];
        if (v.status == Status.None || v.status == Status.Withdrawn) revert NotStaked(validator);
        if (msg.sender != v.account) revert NotAccount(v.account);
    }

    /// @dev When the validator's last duty was, or may have been; zero while it did not ask to leave. Where the chain stood
    ///      still before it was released, its last header counts: a chain that is over must not hold stakes for ever.
    function _dutyEnd(Chain storage c, Validator storage v) private view returns (uint256 end) {
        end = v.leftAt;
        if (end == 0 || v.status != Status.Staked) return end;
        uint256 last = v.until <= c.era ? c.beganAt[v.until] : c.headAt;
        if (last > end) end = last;
    }

    function _isIn(Validator storage v, uint256 era) private view returns (bool held) {
        (held,) = _member(v, era);
    }

    /// @dev Whether the validator is in an era's set, and its account: all in the first word, which is read once.
    function _member(Validator storage v, uint256 era) private view returns (bool held, address account) {
        uint256 word;
        assembly ("memory-safe") {
            word := sload(v.slot)
        }
        uint256 until = uint32(word >> 192);
        held = Status(uint8(word >> 224)) == Status.Staked && uint32(word >> 160) <= era && (until == 0 || era < until);
        account = address(uint160(word));
    }

    /// @dev A header of a later epoch than the head's begins an era.
    function _eraOf(Chain storage c, uint64 slot) private view returns (uint256) {
        uint256 slots = c.slotsPerEpoch;
        return slot / slots > c.headSlot / slots ? c.era + 1 : c.era;
    }

    /// @dev Draws among all that ever deposited until one is in the era's set: each is as likely as any other.
    function _proposerOf(Chain storage c, bytes32 chain, uint64 slot, uint256 era) private view returns (uint256) {
        int256 size = int256(uint256(c.size)) + (era == c.era ? int32(0) : c.next);
        if (size == 0) revert EmptySet(chain);
        uint256 count = c.count;
        for (uint256 i = 0;; ++i) {
            uint256 number = uint256(keccak256(abi.encode(chain, slot, i))) % count;
            if (_isIn(c.validators[number], era)) return number;
        }
        return 0; // never: somebody is in the set
    }

    function _requireSigned(Chain storage c, uint256 number, bytes32 hash, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError problem,) = _recover(_hashTypedDataV4(hash), signature);
        if (problem != ECDSA.RecoverError.NoError || signer != c.validators[number].account) {
            revert BadSignature(number);
        }
    }

    function _recover(bytes32 digest, bytes calldata signature)
        private
        pure
        returns (address signer, ECDSA.RecoverError problem, bytes32 argument)
    {
        if (signature.length == 64) {
            return ECDSA.tryRecover(digest, bytes32(signature[:32]), bytes32(signature[32:]));
        }
        return ECDSA.tryRecover(digest, signature);
    }

    /// @dev Every stake in a set is the same, so that heads are stakes. What is needed is read, and no more.
    function _requireQuorum(Chain storage c, bytes32 hash, bytes calldata signatures)
        private
        view
        returns (uint256 signers)
    {
        if (signatures.length % ENTRY != 0) revert MalformedSignatures(signatures.length);
        uint256 era = c.era;
        uint256 needed = 2 * uint256(c.size) / 3 + 1;
        bytes32 digest = _hashTypedDataV4(hash);
        uint256 least = 0;
        for (uint256 i = 0; i < signatures.length && signers < needed; i += ENTRY) {
            least = _requireVote(c, era, digest, signatures[i:], least) + 1;
            ++signers;
        }
        if (signers < needed) revert QuorumMissing(signers, c.size);
    }

    /// @dev Reads the entry that `signatures` begins with; the caller has seen that all of it is there.
    function _requireVote(Chain storage c, uint256 era, bytes32 digest, bytes calldata signatures, uint256 least)
        private
        view
        returns (uint256 validator)
    {
        bytes32 r;
        bytes32 vs;
        assembly ("memory-safe") {
            validator := shr(224, calldataload(signatures.offset))
            r := calldataload(add(signatures.offset, 4))
            vs := calldataload(add(signatures.offset, 36))
        }
        (bool held, address account) = _member(c.validators[validator], era);
        if (validator < least || !held) revert NotInSet(validator);
        (address signer, ECDSA.RecoverError problem,) = ECDSA.tryRecover(digest, r, vs);
        if (problem != ECDSA.RecoverError.NoError || signer != account) revert BadSignature(validator);
    }

    function _pair(bytes32 one, bytes32 other) private pure returns (bytes32) {
        return one < other ? keccak256(abi.encode(one, other)) : keccak256(abi.encode(other, one));
    }
}
