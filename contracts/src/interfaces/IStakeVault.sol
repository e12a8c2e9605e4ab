// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

/// @title What other contracts ask of the vault that holds every stake
interface IStakeVault {
    /// @notice An account's funds changed hands inside the vault, or entered or left it.
    event Staked(address indexed account, uint256 amount);
    event UnbondRequested(address indexed account, uint256 amount, uint256 unlockAt);
    event Withdrawn(address indexed account, uint256 amount);
    event Slashed(
        address indexed agent, address indexed reporter, bytes32 indexed reason, uint256 slashed, uint256 reporterShare
    );
    event Credited(address indexed account, uint256 amount);
    event Claimed(address indexed account, uint256 amount);
    event ExposureChanged(address indexed account, uint256 exposure);

    /// @notice A stake, or what an unbonding would leave of it, is below the minimum.
    error BelowMinimum(uint256 amount, uint256 minimum);
    /// @notice Pending stake stays until `unlockAt`, and as long as `exposure` is not zero.
    error Locked(uint256 unlockAt, uint256 exposure);
    /// @notice The account has `available`, the call needs `needed`.
    error InsufficientStake(uint256 available, uint256 needed);
    error InsufficientExposure(uint256 exposure, uint256 amount);
    error NothingToClaim();
    error TransferFailed(address to, uint256 amount);
    error ReporterShareTooHigh(uint256 bps);
    error InvalidAccount(address account);
    /// @notice Only code can hold the power to slash: a key could be stolen, or its owner bribed.
    error SlasherNotContract(address account);

    /// @notice Takes up to `amount` of the agent's stake, active before pending. SLASHER_ROLE only.
    /// @param bps the reporter's share in basis points, at most 5000; the rest is the treasury's
    /// @return slashed min(amount, active + pending)
    function slash(address agent, uint256 amount, address reporter, uint256 bps, bytes32 reason)
        external
        returns (uint256 slashed);

    /// @notice Reserves `amount` of the account's active stake; nothing can be withdrawn until it is released. SLASHER_ROLE only.
    function addExposure(address account, uint256 amount) external;

    /// @notice Releases reserved stake. SLASHER_ROLE only.
    function removeExposure(address account, uint256 amount) external;

    /// @notice Adds the ether sent to the account's credit, to be pulled with `claim`. SLASHER_ROLE only.
    function depositCredit(address account) external payable;

    /// @notice All of an account in one call; amounts in wei, `unlockAt` in seconds, `slashed` over its life.
    function accountOf(address account)
        external
        view
        returns (uint256 active, uint256 pending, uint256 unlockAt, uint256 credit, uint256 exposure, uint256 slashed);

    /// @notice Whose credit receives what reporters and winners do not.
    function treasury() external view returns (address);

    /// @notice Seconds between asking for an unbonding and the withdrawal.
    function unbondingPeriod() external view returns (uint256);
}
