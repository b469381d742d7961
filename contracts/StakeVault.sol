// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {Payments, Permit} from "./libraries/Payments.sol";

/// @title StakeVault
/// @notice Created by the market in its constructor; nobody owns it and nothing in it can be set.
contract StakeVault is IStakeVault, ReentrancyGuardTransient {
    /// @dev One word, so that the market's locks write once.
    struct Stake {
        uint128 free;
        uint128 locked;
    }

    struct Unbonding {
        uint128 amount;
        uint40 readyAt;
    }

    /// @inheritdoc IStakeVault
    address public immutable override market;
    /// @inheritdoc IStakeVault
    uint256 public immutable override unbondingDelay;
    /// @inheritdoc IStakeVault
    mapping(address token => uint256) public override heldOf;

    // All parts of a token are below 2^128 in sum (`_deposit`; the native coin has no more): no sum of them overflows.
    mapping(address token => mapping(address account => Stake)) private _stakes;
    mapping(address token => mapping(address account => Unbonding)) private _unbonding;

    modifier onlyMarket() {
        if (msg.sender != market) revert NotMarket(msg.sender);
        _;
    }

    /// @param delay Seconds from `unbond` to `withdraw`; the market checks its range.
    constructor(uint256 delay) {
        market = msg.sender;
        unbondingDelay = delay;
    }

    /// @inheritdoc IStakeVault
    function deposit(address token, uint256 amount) external payable override nonReentrant {
        _deposit(token, amount);
    }

    /// @inheritdoc IStakeVault
    function depositWithPermit(
        address token,
        uint256 amount,
        Permit calldata permit
    ) external payable override nonReentrant {
        Payments.permit(token, amount, permit);
        _deposit(token, amount);
    }

    /// @inheritdoc IStakeVault
    function unbond(address token, uint256 amount) external override nonReentrant {
        if (amount == 0) revert ZeroAmount();
        _stakes[token][msg.sender].free = _withFree(token, msg.sender, amount).free - uint128(amount);
        Unbonding storage unbonding = _unbonding[token][msg.sender];
        uint256 readyAt = block.timestamp + unbondingDelay;
        unbonding.amount += uint128(amount);
        unbonding.readyAt = uint40(readyAt);
        emit UnbondingStarted(token, msg.sender, amount, readyAt);
    }

    /// @inheritdoc IStakeVault
    function withdraw(address token) external override nonReentrant returns (uint256 amount) {
        Unbonding memory unbonding = _unbonding[token][msg.sender];
        if (unbonding.amount == 0) revert NothingUnbonding(token, msg.sender);
        if (block.timestamp < unbonding.readyAt) revert StillUnbonding(unbonding.readyAt, block.timestamp);
        delete _unbonding[token][msg.sender];
        emit Withdrawn(token, msg.sender, unbonding.amount);
        return _pay(token, msg.sender, msg.sender, unbonding.amount);
    }

    /// @inheritdoc IStakeVault
    function lock(address token, address account, uint256 amount) external override onlyMarket nonReentrant {
        Stake memory stake = _withFree(token, account, amount);
        _stakes[token][account] = Stake(stake.free - uint128(amount), stake.locked + uint128(amount));
        emit Locked(token, account, amount);
    }

    /// @inheritdoc IStakeVault
    function unlock(address token, address account, uint256 amount) external override onlyMarket nonReentrant {
        Stake memory stake = _withLocked(token, account, amount);
        _stakes[token][account] = Stake(stake.free + uint128(amount), stake.locked - uint128(amount));
        emit Unlocked(token, account, amount);
    }

    /// @inheritdoc IStakeVault
    function transferLocked(
        address token,
        address from,
        address to,
        uint256 amount
    ) external override onlyMarket nonReentrant {
        // Written before `to` is read: they may be one.
        _stakes[token][from].locked = _withLocked(token, from, amount).locked - uint128(amount);
        _stakes[token][to].free += uint128(amount);
        emit Transferred(token, from, to, amount);
    }

    /// @inheritdoc IStakeVault
    function slash(
        address token,
        address account,
        uint256 amount
    ) external override onlyMarket nonReentrant returns (uint256 paid) {
        _stakes[token][account].locked = _withLocked(token, account, amount).locked - uint128(amount);
        emit Slashed(token, account, amount);
        return _pay(token, account, market, amount);
    }

    /// @inheritdoc IStakeVault
    function freeOf(address token, address account) external view override returns (uint256) {
        return _stakes[token][account].free;
    }

    /// @inheritdoc IStakeVault
    function lockedOf(address token, address account) external view override returns (uint256) {
        return _stakes[token][account].locked;
    }

    /// @inheritdoc IStakeVault
    function unbondingOf(
        address token,
        address account
    ) external view override returns (uint256 amount, uint256 readyAt) {
        Unbonding memory unbonding = _unbonding[token][account];
        return (unbonding.amount, unbonding.readyAt);
    }

    /// @dev Credits the caller with what arrived: the token calls out before there is anything to use twice.
    function _deposit(address token, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        uint256 held = heldOf[token];
        if (amount > type(uint128).max - held) revert TooMuch(token, held, amount);
        Payments.requireWhole(token, held);
        Payments.pull(token, amount);
        if (token != address(0)) heldOf[token] = held + amount;
        _stakes[token][msg.sender].free += uint128(amount);
        emit Deposited(token, msg.sender, amount);
    }

    /// @dev `amount` of `account` leaves the vault; what it is worth is sent.
    function _pay(address token, address account, address to, uint256 amount) private returns (uint256 paid) {
        if (token == address(0)) {
            paid = amount;
        } else {
            uint256 held = heldOf[token];
            paid = Payments.worth(token, amount, held);
            heldOf[token] = held - amount;
            if (paid < amount) emit PaidShort(token, account, amount, paid);
        }
        Payments.push(token, to, paid);
    }

    /// @dev An account's stake, of which at least `amount` is free: it fits 128 bits from here on.
    function _withFree(address token, address account, uint256 amount) private view returns (Stake memory stake) {
        stake = _stakes[token][account];
        if (stake.free < amount) revert InsufficientFree(token, account, stake.free, amount);
    }

    /// @dev Likewise, of which at least `amount` is locked.
    function _withLocked(address token, address account, uint256 amount) private view returns (Stake memory stake) {
        stake = _stakes[token][account];
        if (stake.locked < amount) revert InsufficientLocked(token, account, stake.locked, amount);
    }
}
