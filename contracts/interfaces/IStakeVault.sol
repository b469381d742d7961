// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Permit} from "../libraries/Payments.sol";

/// @title Stakes and bonds: free, locked by the market, or unbonding. token = address(0) is the native coin
/// @dev Tokens that keep a fee are refused at the door. A token that lowers balances by itself is refused once it has
/// done so; what it left is paid out in proportion, so that nobody takes another's part by coming first. What a token
/// adds by itself belongs to nobody. Of a token the vault holds less than 2^128 in all, hence of each account too.
interface IStakeVault {
    /// @notice Free stake was added.
    event Deposited(address indexed token, address indexed account, uint256 amount);
    /// @notice Free stake was locked for a project.
    event Locked(address indexed token, address indexed account, uint256 amount);
    /// @notice Locked stake became free again.
    event Unlocked(address indexed token, address indexed account, uint256 amount);
    /// @notice Locked stake was taken and sent to the market.
    event Slashed(address indexed token, address indexed account, uint256 amount);
    /// @notice `from`'s locked stake became `to`'s free stake.
    event Transferred(address indexed token, address indexed from, address indexed to, uint256 amount);
    /// @notice Free stake started to unbond; all of the account's unbonding stake is ready at `readyAt`.
    event UnbondingStarted(address indexed token, address indexed account, uint256 amount, uint256 readyAt);
    /// @notice Unbonded stake was paid out.
    event Withdrawn(address indexed token, address indexed account, uint256 amount);
    /// @notice The token shrank: of the `amount` in the event before this one, `paid` was sent.
    event PaidShort(address indexed token, address indexed account, uint256 amount, uint256 paid);

    /// @notice Only the market may do this.
    error NotMarket(address caller);
    /// @notice An amount of 0 moves nothing.
    error ZeroAmount();
    /// @notice The vault would hold 2^128 or more of the token.
    error TooMuch(address token, uint256 held, uint256 amount);
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

    /// @notice Adds free stake of an ERC-20 with an EIP-2612 approval of `amount`; where somebody else has used the
    /// approval already, the allowance it left counts.
    /// @param permit `permit.deadline` 0: none, as `deposit`.
    function depositWithPermit(address token, uint256 amount, Permit calldata permit) external payable;

    /// @notice Moves free stake to unbonding; a second call adds to it and restarts the delay for all of it.
    function unbond(address token, uint256 amount) external;

    /// @notice Pays out what has unbonded.
    /// @return amount What was sent: less than what unbonded only if the token shrank.
    function withdraw(address token) external returns (uint256 amount);

    /// @notice Locks free stake. Market only.
    function lock(address token, address account, uint256 amount) external;

    /// @notice Frees locked stake. Market only.
    function unlock(address token, address account, uint256 amount) external;

    /// @notice Takes locked stake and sends it to the market. Market only.
    /// @return paid What was sent: less than `amount` only if the token shrank.
    function slash(address token, address account, uint256 amount) external returns (uint256 paid);

    /// @notice Turns `from`'s locked stake into `to`'s free stake; calls no token. Market only.
    function transferLocked(address token, address from, address to, uint256 amount) external;

    /// @notice Stake that can be locked or unbonded.
    function freeOf(address token, address account) external view returns (uint256);

    /// @notice Stake locked for projects.
    function lockedOf(address token, address account) external view returns (uint256);

    /// @notice Stake that is unbonding, and when it can be withdrawn.
    function unbondingOf(address token, address account) external view returns (uint256 amount, uint256 readyAt);

    /// @notice What the vault owes of an ERC-20 to all accounts together; not kept for the native coin (0).
    function heldOf(address token) external view returns (uint256);

    /// @notice The market that locks, unlocks and slashes.
    function market() external view returns (address);

    /// @notice Seconds from `unbond` to `withdraw`; no window of any project is longer.
    function unbondingDelay() external view returns (uint256);
}
