// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @notice An ordinary ERC-20 that anyone may mint.
contract PlainToken is ERC20("Plain", "PLN") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Keeps a fee of each transfer once it is switched on.
contract FeeToken is ERC20("Fee", "FEE") {
    uint256 public feePercent;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function setFee(uint256 percent) external {
        feePercent = percent;
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0) && to != address(0) && feePercent > 0) {
            uint256 fee = (value * feePercent) / 100;
            super._update(from, address(0xFEE), fee);
            value -= fee;
        }
        super._update(from, to, value);
    }
}

/// @notice Calls `target` with `data` in the middle of each transfer and remembers the outcome.
contract ReentrantToken is ERC20("Reentrant", "RNT") {
    address private _target;
    bytes private _data;
    bool private _inside;
    uint256 public tries;
    bool public lastSucceeded;
    bytes4 public lastError;

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function aim(address target, bytes calldata data) external {
        _target = target;
        _data = data;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0) || _inside) return;
        _inside = true;
        ++tries;
        bytes memory answer;
        (lastSucceeded, answer) = _target.call(_data);
        lastError = answer.length < 4 ? bytes4(0) : bytes4(answer);
        _inside = false;
    }
}

/// @notice Returns nothing from transfer and transferFrom, as some old tokens do.
contract NoReturnToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Says false instead of moving anything.
contract FalseToken {
    function balanceOf(address) external pure returns (uint256) {
        return 1 << 100;
    }

    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return false;
    }
}

/// @notice An ERC-20 with EIP-2612.
contract PermitToken is ERC20("Permit", "PMT"), ERC20Permit("Permit") {
    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }
}

/// @notice Takes any call for a deposit, as WETH9 does: a permit "succeeds" and approves nothing.
contract PhantomPermitToken is PlainToken {
    fallback() external {}
}

/// @notice Scales all balances at once whenever it likes.
contract RebasingToken {
    uint256 public numerator = 1;
    uint256 public denominator = 1;
    mapping(address => uint256) private _parts;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 parts) external {
        _parts[to] += parts;
    }

    function rebase(uint256 by, uint256 over) external {
        (numerator, denominator) = (by, over);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        _move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        _move(from, to, amount);
        return true;
    }

    function balanceOf(address account) public view returns (uint256) {
        return (_parts[account] * numerator) / denominator;
    }

    function _move(address from, address to, uint256 amount) private {
        // Rounded up for the sender, so that it never sends more than it has.
        uint256 parts = (amount * denominator + numerator - 1) / numerator;
        _parts[from] -= parts;
        _parts[to] += parts;
    }
}
