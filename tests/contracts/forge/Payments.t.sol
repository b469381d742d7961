// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Payments, Permit} from "../../../contracts/libraries/Payments.sol";
import {TestBase} from "./support/TestBase.sol";
import {FalseToken, FeeToken, NoReturnToken, PermitToken, PhantomPermitToken, PlainToken} from "./support/Tokens.sol";

/// @notice Forge's keys.
interface Signer {
    function addr(uint256 key) external pure returns (address account);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
}

/// @notice Uses the library as the market and the vault do.
contract Till {
    function pull(address token, uint256 amount, Permit calldata signed) external payable {
        Payments.permit(token, amount, signed);
        Payments.pull(token, amount);
    }

    function push(address token, address to, uint256 amount) external {
        Payments.push(token, to, amount);
    }

    function worth(address token, uint256 amount, uint256 held) external view returns (uint256) {
        return Payments.worth(token, amount, held);
    }

    function requireWhole(address token, uint256 held) external view {
        Payments.requireWhole(token, held);
    }
}

/// @notice Its permit burns all the gas that it is given.
contract GasBurner is PlainToken {
    function permit(address, address, uint256, uint256, uint8, bytes32, bytes32) external pure {
        for (;;) {}
    }
}

/// @notice Sends more than it is asked to.
contract GenerousToken is PlainToken {
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        _mint(to, 1);
        return super.transferFrom(from, to, amount);
    }
}

contract PaymentsTest is TestBase {
    Signer private constant _signer = Signer(address(vm));
    uint256 private constant KEY = 0xA11CE;

    Till private _till = new Till();
    PermitToken private _token = new PermitToken();
    address private _alice = _signer.addr(KEY);
    address private _mallory = party("mallory");

    function setUp() external {
        _token.mint(_alice, 1000);
        vm.deal(_alice, 1000);
    }

    function testFuzzAPermitReplacesAnApproval(uint96 amount) external {
        _token.mint(_alice, amount);
        Permit memory signed = _sign(_alice, address(_till), amount, block.timestamp);
        vm.prank(_alice);
        _till.pull(address(_token), amount, signed);
        vm.assertEq(_token.balanceOf(address(_till)), amount, "pulled");
        vm.assertEq(_token.allowance(_alice, address(_till)), 0, "no allowance is left");
    }

    /// @notice Velodrome-style griefing: a bot that sees the permit uses it first. The payment goes through.
    function testAFrontRunPermitDoesNotBlock() external {
        Permit memory signed = _sign(_alice, address(_till), 100, block.timestamp);
        vm.prank(_mallory);
        _token.permit(_alice, address(_till), 100, signed.deadline, signed.v, signed.r, signed.s);
        vm.prank(_alice);
        _till.pull(address(_token), 100, signed);
        vm.assertEq(_token.balanceOf(address(_till)), 100, "pulled all the same");
    }

    function testAStrangerCannotUseAPermitToPullForItself() external {
        Permit memory signed = _sign(_alice, address(_till), 100, block.timestamp);
        bytes memory rejected = _rejected(address(_token), 0, 100);
        vm.prank(_mallory);
        vm.expectRevert(rejected);
        _till.pull(address(_token), 100, signed);
        vm.assertEq(_token.balanceOf(_alice), 1000, "untouched");
    }

    function testAPermitOfAnotherAmountOrTooLateIsNamed() external {
        Permit memory less = _sign(_alice, address(_till), 99, block.timestamp);
        Permit memory late = _sign(_alice, address(_till), 100, block.timestamp - 1);
        vm.startPrank(_alice);
        vm.expectRevert(_rejected(address(_token), 0, 100));
        _till.pull(address(_token), 100, less);
        vm.expectRevert(_rejected(address(_token), 0, 100));
        _till.pull(address(_token), 100, late);
        _token.approve(address(_till), 100);
        _till.pull(address(_token), 100, late);
        vm.stopPrank();
        vm.assertEq(_token.balanceOf(address(_till)), 100, "an approval makes a stale permit harmless");
    }

    function testAPermitCannotBeUsedTwice() external {
        Permit memory signed = _sign(_alice, address(_till), 100, block.timestamp);
        vm.startPrank(_alice);
        _till.pull(address(_token), 100, signed);
        vm.expectRevert(_rejected(address(_token), 0, 100));
        _till.pull(address(_token), 100, signed);
        vm.stopPrank();
    }

    /// @notice Multichain, January 2022: a token whose fallback swallows permit. Only the caller's own approval counts.
    function testAPhantomPermitApprovesNothing() external {
        PhantomPermitToken token = new PhantomPermitToken();
        token.mint(_alice, 100);
        bytes memory refused = abi.encodeWithSignature(
            "ERC20InsufficientAllowance(address,uint256,uint256)",
            address(_till),
            0,
            100
        );
        vm.prank(_alice);
        vm.expectRevert(refused);
        _till.pull(address(token), 100, Permit(block.timestamp, 27, 0, 0));
        vm.prank(_mallory);
        vm.expectRevert(refused);
        _till.pull(address(token), 100, Permit(block.timestamp, 27, 0, 0));
        vm.assertEq(token.balanceOf(_alice), 100, "untouched");
    }

    function testATokenWithoutPermitFallsBackToItsAllowance() external {
        PlainToken token = new PlainToken();
        token.mint(_alice, 100);
        vm.startPrank(_alice);
        vm.expectRevert(_rejected(address(token), 0, 100));
        _till.pull(address(token), 100, Permit(block.timestamp, 27, 0, 0));
        token.approve(address(_till), 100);
        _till.pull(address(token), 100, Permit(block.timestamp, 27, 0, 0));
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(_till)), 100, "pulled");
    }

    function testAPermitThatBurnsGasLeavesTheRestToTheAllowance() external {
        GasBurner token = new GasBurner();
        token.mint(_alice, 100);
        vm.startPrank(_alice);
        token.approve(address(_till), 100);
        _till.pull{gas: 20_000_000}(address(token), 100, Permit(block.timestamp, 27, 0, 0));
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(_till)), 100, "pulled");
    }

    function testThePermitOfANativePaymentIsIgnored() external {
        vm.prank(_alice);
        _till.pull{value: 5}(address(0), 5, Permit(block.timestamp, 27, 0, 0));
        vm.assertEq(address(_till).balance, 5, "paid");
    }

    function testFuzzTheValueIsExact(bool native, uint8 value, uint8 amount) external {
        uint256 expected = native ? amount : 0;
        vm.assume(value != expected);
        vm.prank(_alice);
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, value, expected));
        _till.pull{value: value}(native ? address(0) : address(_token), amount, _none());
    }

    function testAnAddressWithoutCodeIsNoToken() external {
        address nobody = party("no code");
        bytes memory refused = abi.encodeWithSelector(Payments.NotAToken.selector, nobody);
        vm.startPrank(_alice);
        vm.expectRevert(refused);
        _till.pull(nobody, 1, _none());
        vm.expectRevert(refused);
        _till.pull(nobody, 1, Permit(block.timestamp, 27, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(Payments.NotAToken.selector, address(4)));
        _till.pull(address(4), 1, _none());
        vm.stopPrank();
        vm.expectRevert(refused);
        _till.requireWhole(nobody, 1);
    }

    function testTokensThatMoveMoreOrLessAreRefused() external {
        FeeToken fee = new FeeToken();
        fee.mint(_alice, 100);
        fee.setFee(1);
        GenerousToken generous = new GenerousToken();
        generous.mint(_alice, 100);
        vm.startPrank(_alice);
        fee.approve(address(_till), 100);
        generous.approve(address(_till), 100);
        vm.expectRevert(abi.encodeWithSelector(Payments.UnevenTransfer.selector, address(fee), 99, 100));
        _till.pull(address(fee), 100, _none());
        vm.expectRevert(abi.encodeWithSelector(Payments.UnevenTransfer.selector, address(generous), 101, 100));
        _till.pull(address(generous), 100, _none());
        vm.stopPrank();
    }

    function testTokensThatSayFalseAreRefusedBothWays() external {
        FalseToken liar = new FalseToken();
        bytes memory refused = abi.encodeWithSignature("SafeERC20FailedOperation(address)", address(liar));
        vm.prank(_alice);
        vm.expectRevert(refused);
        _till.pull(address(liar), 1, _none());
        vm.expectRevert(refused);
        _till.push(address(liar), _alice, 1);
    }

    function testTokensThatSayNothingWork() external {
        NoReturnToken quiet = new NoReturnToken();
        quiet.mint(_alice, 7);
        vm.startPrank(_alice);
        quiet.approve(address(_till), 7);
        _till.pull(address(quiet), 7, _none());
        vm.stopPrank();
        _till.push(address(quiet), _mallory, 7);
        vm.assertEq(quiet.balanceOf(_mallory), 7, "through");
    }

    function testNothingIsSentWhereNothingIsOwed() external {
        _till.push(address(new FalseToken()), _alice, 0);
        _till.push(address(this), _alice, 0);
    }

    function testFuzzWorthNeverExceedsWhatIsThere(uint128 here, uint128 held, uint128 part) external {
        vm.assume(part <= held && held > 0);
        _token.mint(address(_till), here);
        uint256 worth = _till.worth(address(_token), part, held);
        vm.assertLe(worth, part, "never more than owed");
        vm.assertLe(worth, here, "never more than there is");
        // What is left for each unit of the others is no less than before.
        uint256 rest = uint256(held) - part;
        if (here < held) vm.assertGe((uint256(here) - worth) * held, uint256(here) * rest, "nobody else pays");
        else vm.assertEq(worth, part, "whole");
        vm.assertEq(_till.worth(address(0), part, held), part, "the native coin does not shrink");
    }

    function testFuzzAShrunkTokenIsRefused(uint128 here, uint128 held) external {
        _token.mint(address(_till), here);
        if (here < held)
            vm.expectRevert(abi.encodeWithSelector(Payments.TokenShrank.selector, address(_token), here, held));
        _till.requireWhole(address(_token), held);
        _till.requireWhole(address(0), held);
    }

    function _none() private pure returns (Permit memory none) {}

    function _rejected(address token, uint256 allowance, uint256 needed) private pure returns (bytes memory) {
        return abi.encodeWithSelector(Payments.PermitRejected.selector, token, allowance, needed);
    }

    function _sign(
        address owner,
        address spender,
        uint256 amount,
        uint256 deadline
    ) private view returns (Permit memory signed) {
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        bytes32 message = keccak256(abi.encode(kind, owner, spender, amount, _token.nonces(owner), deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", _token.DOMAIN_SEPARATOR(), message));
        (signed.v, signed.r, signed.s) = _signer.sign(KEY, digest);
        signed.deadline = deadline;
    }
}
