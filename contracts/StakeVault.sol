// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {Payments} from "./libraries/Payments.sol";

/// @title StakeVault
/// @notice Created by the market in its constructor; nobody owns it and nothing in it can be set.
contract StakeVault is IStakeVault, ReentrancyGuardTransient {
    struct Account {
        uint256 free;
        uint256 locked;
        uint256 unbonding;
        uint256 readyAt;
    }

    /// @inheritdoc IStakeVault
    address public immutable override market;
    /// @inheritdoc IStakeVault
    uint256 public immutable override unbondingDelay;

    mapping(address token => mapping(address account => Account)) private _accounts;

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
        if (amount == 0) revert ZeroAmount();
        // The amount that arrives is checked against `amount`: nothing is credited before it is here.
        Payments.pull(token, amount);
        _accounts[token][msg.sender].free += amount;
        emit Deposited(token, msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function unbond(address token, uint256 amount) external override nonReentrant {
        if (amount == 0) revert ZeroAmount();
        Account storage account = _accounts[token][msg.sender];
        _takeFree(token, msg.sender, amount);
        account.unbonding += amount;
        account.readyAt = block.timestamp + unbondingDelay;
        emit UnbondingStarted(token, msg.sender, amount, account.readyAt);
    }

    /// @inheritdoc IStakeVault
    function withdraw(address token) external override nonReentrant returns (uint256 amount) {
        Account storage account = _accounts[token][msg.sender];
        amount = account.unbonding;
        if (amount == 0) revert NothingUnbonding(token, msg.sender);
        if (block.timestamp < account.readyAt) revert StillUnbonding(account.readyAt, block.timestamp);
        account.unbonding = 0;
        account.readyAt = 0;
        emit Withdrawn(token, msg.sender, amount);
        Payments.push(token, msg.sender, amount);
    }

    /// @inheritdoc IStakeVault
    function lock(address token, address account, uint256 amount) external override onlyMarket nonReentrant {
        _takeFree(token, account, amount);
        _accounts[token][account].locked += amount;
        emit Locked(token, account, amount);
    }

    /// @inheritdoc IStakeVault
    function unlock(address token, address account, uint256 amount) external override onlyMarket nonReentrant {
        _takeLocked(token, account, amount);
        _accounts[token][account].free += amount;
        emit Unlocked(token, account, amount);
    }

    /// @inheritdoc IStakeVault
    function slash(address token, address account, uint256 amount) external override onlyMarket nonReentrant {
        _takeLocked(token, account, amount);
        emit Slashed(token, account, amount);
        Payments.push(token, market, amount);
    }

    /// @inheritdoc IStakeVault
    function freeOf(address token, address account) external view override returns (uint256) {
        return _accounts[token][account].free;
    }

    /// @inheritdoc IStakeVault
    function lockedOf(address token, address account) external view override returns (uint256) {
        return _accounts[token][account].locked;
    }

    /// @inheritdoc IStakeVault
    function unbondingOf(
        address token,
        address account
    ) external view override returns (uint256 amount, uint256 readyAt) {
        return (_accounts[token][account].unbonding, _accounts[token][account].readyAt);
    }

    function _takeFree(address token, address account, uint256 amount) private {
        uint256 free = _accounts[token][account].free;
        if (free < amount) revert InsufficientFree(token, account, free, amount);
        _accounts[token][account].free = free - amount;
    }

    function _takeLocked(address token, address account, uint256 amount) private {
        uint256 locked = _accounts[token][account].locked;
        if (locked < amount) revert InsufficientLocked(token, account, locked, amount);
        _accounts[token][account].locked = locked - amount;
    }
}
