// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

interface IStakeVault {
    event Deposited(address indexed token, address indexed account, uint256 amount);
    event Locked(address indexed token, address indexed account, uint256 amount);
    event Unlocked(address indexed token, address indexed account, uint256 amount);
    event Slashed(address indexed token, address indexed account, uint256 amount);
    event UnbondingStarted(address indexed token, address indexed account, uint256 amount, uint256 readyAt);
    event Withdrawn(address indexed token, address indexed account, uint256 amount);

    function deposit(address token, uint256 amount) external payable;
    /// Moves free stake to unbonding; a second call adds to it and restarts the delay for all of it.
    function unbond(address token, uint256 amount) external;
    /// Pays out what has unbonded.
    function withdraw(address token) external returns (uint256 amount);
    // Market only.
    function lock(address token, address account, uint256 amount) external;
    function unlock(address token, address account, uint256 amount) external;
    /// Takes locked stake and sends it to the market.
    function slash(address token, address account, uint256 amount) external;

    function freeOf(address token, address account) external view returns (uint256);
    function lockedOf(address token, address account) external view returns (uint256);
    function unbondingOf(address token, address account) external view returns (uint256 amount, uint256 readyAt);
    function market() external view returns (address);
    function unbondingDelay() external view returns (uint256);
}
