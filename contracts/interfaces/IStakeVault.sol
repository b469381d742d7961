// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Stakes and bonds: free, locked by the market, or unbonding. token = address(0) is the native coin
/// @dev Tokens that keep a fee are refused at the door; tokens whose balances change by themselves are not supported.
interface IStakeVault {
    /// @notice Free stake was added.
    event Deposited(address indexed token, address indexed account, uint256 amount);
    /// @notice Free stake was locked for a project.
    event Locked(address indexed token, address indexed account, uint256 amount);
    /// @notice Locked stake became free again.
    event Unlocked(address indexed token, address indexed account, uint256 amount);
    /// @notice Locked stake was taken and sent to the market.
    event Slashed(address indexed token, address indexed account, uint256 amount);
    /// @notice Free stake started to unbond; all of the account's unbonding stake is ready at `readyAt`.
    event UnbondingStarted(address indexed token, address indexed account, uint256 amount, uint256 readyAt);
    /// @notice Unbonded stake was paid out.
    event Withdrawn(address indexed token, address indexed account, uint256 amount);

    /// @notice Only the market may do this.
    error NotMarket(address caller);
    /// @notice An amount of 0 moves nothing.
    error ZeroAmount();
    /// @notice The free stake is too little.
    error InsufficientFree(address token, address account, uint256 free, uint256 needed);
    /// @notice The locked stake is too little.
    error InsufficientLocked(address token, address account, uint256 locked, uint256 needed);
    /// @notice Nothing is unbonding.
    error NothingUnbonding(address token, address account);
    /// @notice The delay is not over.
    error StillUnbonding(uint256 readyAt, uint256 time);

    /// @notice Adds free stake: the native coin sent along, or an ERC-20 that was approved before.
    function deposit(address token, uint256 amount) external payable;

    /// @notice Moves free stake to unbonding; a second call adds to it and restarts the delay for all of it.
    function unbond(address token, uint256 amount) external;

    /// @notice Pays out what has unbonded.
    function withdraw(address token) external returns (uint256 amount);

    /// @notice Locks free stake. Market only.
    function lock(address token, address account, uint256 amount) external;

    /// @notice Frees locked stake. Market only.
    function unlock(address token, address account, uint256 amount) external;

    /// @notice Takes locked stake and sends it to the market. Market only.
    function slash(address token, address account, uint256 amount) external;

    /// @notice Stake that can be locked or unbonded.
    function freeOf(address token, address account) external view returns (uint256);

    /// @notice Stake locked for projects.
    function lockedOf(address token, address account) external view returns (uint256);

    /// @notice Stake that is unbonding, and when it can be withdrawn.
    function unbondingOf(address token, address account) external view returns (uint256 amount, uint256 readyAt);

    /// @notice The market that locks, unlocks and slashes.
    function market() external view returns (address);

    /// @notice Seconds from `unbond` to `withdraw`; no window of any project is longer.
    function unbondingDelay() external view returns (uint256);
}
