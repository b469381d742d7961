// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @notice An EIP-2612 approval, signed by the caller for exactly the amount that is pulled. deadline 0: none.
struct Permit {
    uint256 deadline;
    uint8 v;
    bytes32 r;
    bytes32 s;
}

/// @title Moves the native coin (token = address(0)) and ERC-20 tokens by one set of rules
library Payments {
    using SafeERC20 for IERC20;

    /// @notice The native coin sent with the call is not what the call needs.
    error WrongValue(uint256 sent, uint256 expected);
    /// @notice The token kept a fee, or moved more than it was asked to: such tokens are refused.
    error UnevenTransfer(address token, uint256 received, uint256 expected);
    /// @notice The token lowered this contract's balance by itself: it takes no more of it.
    error TokenShrank(address token, uint256 balance, uint256 held);
    /// @notice The token's address has no code.
    error NotAToken(address token);
    /// @notice The token refused the permit, and the allowance is too little without it.
    error PermitRejected(address token, uint256 allowance, uint256 needed);

    /// @notice Takes exactly `amount` from the caller of the current transaction step.
    function pull(address token, uint256 amount) internal {
        uint256 expected = token == address(0) ? amount : 0;
        if (msg.value != expected) revert WrongValue(msg.value, expected);
        if (token == address(0)) return;
        if (token.code.length == 0) revert NotAToken(token);
        uint256 before = balance(token);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = balance(token) - before;
        if (received != amount) revert UnevenTransfer(token, received, amount);
    }

    /// @notice Hands the caller's approval to the token. Whoever sees it may have used it first: then the allowance
    /// is there, and counts.
    function permit(address token, uint256 amount, Permit calldata signed) internal {
        // Without code there is nothing to approve: `pull` decides.
        if (signed.deadline == 0 || token.code.length == 0) return;
        try
            IERC20Permit(token).permit(msg.sender, address(this), amount, signed.deadline, signed.v, signed.r, signed.s)
        {
            return;
        } catch {
            uint256 allowance = IERC20(token).allowance(msg.sender, address(this));
            if (allowance < amount) revert PermitRejected(token, allowance, amount);
        }
    }

    /// @notice Sends `amount` to `to`; reverts where the receiver or the token refuses. 0 calls nobody.
    function push(address token, address to, uint256 amount) internal {
        if (amount == 0) return;
        if (token == address(0)) Address.sendValue(payable(to), amount);
        else IERC20(token).safeTransfer(to, amount);
    }

    /// @notice Reverts where this contract has less of a token than the `held` that it owes in all.
    function requireWhole(address token, uint256 held) internal view {
        if (token == address(0)) return;
        if (token.code.length == 0) revert NotAToken(token);
        uint256 here = balance(token);
        if (here < held) revert TokenShrank(token, here, held);
    }

    /// @notice What `amount` of the `held` that this contract owes in all is worth: where the token shrank, everyone
    /// bears it in proportion, whoever comes first. `amount` and `held` below 2^128, `amount` at most `held`.
    function worth(address token, uint256 amount, uint256 held) internal view returns (uint256) {
        if (token == address(0)) return amount;
        uint256 here = balance(token);
        return here < held ? (amount * here) / held : amount;
    }

    /// @notice What this contract holds.
    function balance(address token) internal view returns (uint256) {
        return token == address(0) ? address(this).balance : IERC20(token).balanceOf(address(this));
    }
}
