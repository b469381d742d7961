// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Moves the native coin (token = address(0)) and ERC-20 tokens by one set of rules
library Payments {
    using SafeERC20 for IERC20;

    /// @notice The native coin sent with the call is not what the call needs.
    error WrongValue(uint256 sent, uint256 expected);
    /// @notice The token kept a fee, or moved more than it was asked to: such tokens are refused.
    error UnevenTransfer(address token, uint256 received, uint256 expected);

    /// @notice Takes exactly `amount` from the caller of the current transaction step.
    function pull(address token, uint256 amount) internal {
        uint256 expected = token == address(0) ? amount : 0;
        if (msg.value != expected) revert WrongValue(msg.value, expected);
        if (token == address(0)) return;
        uint256 before = balance(token);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = balance(token) - before;
        if (received != amount) revert UnevenTransfer(token, received, amount);
    }

    /// @notice Sends `amount` to `to`; reverts where the receiver or the token refuses.
    function push(address token, address to, uint256 amount) internal {
        if (token == address(0)) Address.sendValue(payable(to), amount);
        else IERC20(token).safeTransfer(to, amount);
    }

    /// @notice What this contract holds.
    function balance(address token) internal view returns (uint256) {
        return token == address(0) ? address(this).balance : IERC20(token).balanceOf(address(this));
    }
}
