// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {Pausable} from "@openzeppelin/contracts/utils/Pausable.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {Code} from "./libraries/Code.sol";

/// @title StakeVault
/// @notice Holds the agents' stakes and everybody's credit; contracts with SLASHER_ROLE reserve and slash.
/// @dev Accounting is by entries, never by the balance: ether forced in belongs to nobody and changes nothing.
///      balance >= active + pending + credit, with equality when no ether was forced in.
contract StakeVault is IStakeVault, AccessControlDefaultAdminRules, Pausable, ReentrancyGuardTransient {
    using SafeCast for uint256;

    bytes32 public constant SLASHER_ROLE = keccak256("SLASHER_ROLE");
    bytes32 public constant PAUSER_ROLE = keccak256("PAUSER_ROLE");
    uint256 public constant MINIMUM_STAKE = 0.1 ether;
    /// @notice At most half goes to the reporter, so that slashing oneself always costs the other half.
    uint256 public constant MAX_REPORTER_BPS = 5000;
    uint256 private constant BPS = 10_000;

    // The first slot holds all that posting a commitment touches.
    struct Account {
        uint96 active;
        uint96 exposure;
        uint48 unlockAt;
        uint96 pending;
        uint96 credit;
        uint128 slashed;
    }

    struct Totals {
        uint128 active;
        uint128 exposure;
        uint128 pending;
        uint128 credit;
        uint128 slashed;
    }

    /// @inheritdoc IStakeVault
    uint256 public immutable unbondingPeriod;
    /// @inheritdoc IStakeVault
    address public immutable treasury;

    mapping(address => Account) private _accounts;
    Totals private _totals;

    /// @param admin holder of DEFAULT_ADMIN_ROLE, handed over in two steps a day apart
    /// @param treasury_ credited with the treasury's part of every slashing
    /// @param unbondingPeriod_ seconds; at least seven challenge windows of every contract that may slash
    constructor(address admin, address treasury_, uint256 unbondingPeriod_)
        AccessControlDefaultAdminRules(1 days, admin)
    {
        if (treasury_ == address(0)) revert InvalidAccount(treasury_);
        treasury = treasury_;
        unbondingPeriod = unbondingPeriod_.toUint48();
    }

    /// @notice Adds the ether sent to the sender's active stake.
    function stake() external payable whenNotPaused {
        if (msg.value < MINIMUM_STAKE) revert BelowMinimum(msg.value, MINIMUM_STAKE);
        _accounts[msg.sender].active += msg.value.toUint96();
        _totals.active += uint128(msg.value);
        emit Staked(msg.sender, msg.value);
    }

    /// @notice Moves active stake to pending. All pending stake waits a full period from the latest request.
    function requestUnbond(uint256 amount) external {
        Account storage account = _accounts[msg.sender];
        uint256 active = account.active;
        if (amount == 0 || amount > active) revert InsufficientStake(active, amount);
        uint256 rest = active - amount;
        if (rest != 0 && rest < MINIMUM_STAKE) revert BelowMinimum(rest, MINIMUM_STAKE);
        uint256 unlockAt = block.timestamp + unbondingPeriod;
        account.active = uint96(rest);
        account.pending += uint96(amount);
        account.unlockAt = unlockAt.toUint48();
        _totals.active -= uint128(amount);
        _totals.pending += uint128(amount);
        emit UnbondRequested(msg.sender, amount, unlockAt);
    }

    /// @notice Pays out pending stake after the unbonding period, unless the account is exposed. Never pausable.
    function withdraw() external nonReentrant returns (uint256 amount) {
        Account storage account = _accounts[msg.sender];
        amount = account.pending;
        if (amount == 0) revert InsufficientStake(0, 1);
        if (block.timestamp < account.unlockAt || account.exposure != 0) {
            revert Locked(account.unlockAt, account.exposure);
        }
        account.pending = 0;
        _totals.pending -= uint128(amount);
        _pay(msg.sender, amount);
        emit Withdrawn(msg.sender, amount);
    }

    /// @notice Pays out the sender's credit. Never pausable.
    function claim() external nonReentrant returns (uint256 amount) {
        Account storage account = _accounts[msg.sender];
        amount = account.credit;
        if (amount == 0) revert NothingToClaim();
        account.credit = 0;
        _totals.credit -= uint128(amount);
        _pay(msg.sender, amount);
        emit Claimed(msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function slash(address agent, uint256 amount, address reporter, uint256 bps, bytes32 reason)
        external
        onlyRole(SLASHER_ROLE)
        returns (uint256 slashed)
    {
        if (bps > MAX_REPORTER_BPS) revert ReporterShareTooHigh(bps);
        slashed = _takeStake(agent, amount);
        uint256 share = slashed * bps / BPS;
        emit Slashed(agent, reporter, reason, slashed, share);
        _credit(reporter, share);
        _credit(treasury, slashed - share);
    }

    /// @inheritdoc IStakeVault
    function addExposure(address account, uint256 amount) external onlyRole(SLASHER_ROLE) whenNotPaused {
        Account storage entry = _accounts[account];
        uint256 exposure = entry.exposure + amount;
        if (entry.active < exposure) revert InsufficientStake(entry.active, exposure);
        entry.exposure = uint96(exposure);
        _totals.exposure += uint128(amount);
        emit ExposureChanged(account, exposure);
    }

    /// @inheritdoc IStakeVault
    function removeExposure(address account, uint256 amount) external onlyRole(SLASHER_ROLE) {
        Account storage entry = _accounts[account];
        uint256 exposure = entry.exposure;
        if (exposure < amount) revert InsufficientExposure(exposure, amount);
        exposure -= amount;
        entry.exposure = uint96(exposure);
        _totals.exposure -= uint128(amount);
        emit ExposureChanged(account, exposure);
    }

    /// @inheritdoc IStakeVault
    function depositCredit(address account) external payable onlyRole(SLASHER_ROLE) {
        _credit(account, msg.value);
    }

    /// @notice Stops new stakes and new exposures; nothing else.
    function pause() external onlyRole(PAUSER_ROLE) {
        _pause();
    }

    function unpause() external onlyRole(PAUSER_ROLE) {
        _unpause();
    }

    /// @inheritdoc IStakeVault
    function accountOf(address account)
        external
        view
        returns (uint256 active, uint256 pending, uint256 unlockAt, uint256 credit, uint256 exposure, uint256 slashed)
    {
        Account storage entry = _accounts[account];
        return (entry.active, entry.pending, entry.unlockAt, entry.credit, entry.exposure, entry.slashed);
    }

    /// @notice The sums over all accounts, in wei.
    function totals()
        external
        view
        returns (uint256 active, uint256 pending, uint256 credit, uint256 exposure, uint256 slashed)
    {
        Totals storage sums = _totals;
        return (sums.active, sums.pending, sums.credit, sums.exposure, sums.slashed);
    }

    /// @dev Exit must not be a way out: pending stake is taken too, after the active one.
    function _takeStake(address agent, uint256 amount) private returns (uint256 slashed) {
        Account storage account = _accounts[agent];
        uint256 active = account.active;
        uint256 pending = account.pending;
        slashed = amount < active + pending ? amount : active + pending;
        uint256 fromActive = slashed < active ? slashed : active;
        uint256 fromPending = slashed - fromActive;
        account.active = uint96(active - fromActive);
        account.pending = uint96(pending - fromPending);
        account.slashed += uint128(slashed);
        _totals.active -= uint128(fromActive);
        _totals.pending -= uint128(fromPending);
        _totals.slashed += uint128(slashed);
    }

    function _credit(address account, uint256 amount) private {
        if (amount == 0) return;
        if (account == address(0)) revert InvalidAccount(account);
        _accounts[account].credit += amount.toUint96();
        _totals.credit += uint128(amount);
        emit Credited(account, amount);
    }

    function _pay(address to, uint256 amount) private {
        (bool paid,) = to.call{value: amount}("");
        if (!paid) revert TransferFailed(to, amount);
    }

    function _grantRole(bytes32 role, address account) internal override returns (bool) {
        if (role == SLASHER_ROLE && !Code.isContract(account)) revert SlasherNotContract(account);
        return super._grantRole(role, account);
    }
}
