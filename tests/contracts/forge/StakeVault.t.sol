// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {StakeVault} from "../../../contracts/StakeVault.sol";
import {IStakeVault} from "../../../contracts/interfaces/IStakeVault.sol";
import {TestBase} from "./support/TestBase.sol";
import {FalseToken, FeeToken, NoReturnToken, PlainToken} from "./support/Tokens.sol";

/// @notice The vault alone; this test plays the market.
contract StakeVaultTest is TestBase {
    uint256 private constant DELAY = 3 days;

    StakeVault private _vault;
    PlainToken private _token;
    address private _alice;
    bool private _refuse;

    receive() external payable {
        require(!_refuse, "no");
    }

    function setUp() external {
        _vault = new StakeVault(DELAY);
        _token = new PlainToken();
        _alice = party("alice");
        vm.deal(_alice, 100 ether);
        _token.mint(_alice, 100 ether);
        vm.prank(_alice);
        _token.approve(address(_vault), type(uint256).max);
    }

    function testFuzzDepositLockSlashUnlockUnbondWithdraw(bool native, uint96 amount, uint96 part) external {
        uint256 whole = bound(amount, 2, 100 ether);
        uint256 slashed = bound(part, 1, whole - 1);
        address token = native ? address(0) : address(_token);
        _deposit(token, whole);
        _vault.lock(token, _alice, whole);
        vm.assertEq(_vault.freeOf(token, _alice), 0, "all locked");
        uint256 before = native ? address(this).balance : _token.balanceOf(address(this));
        _vault.slash(token, _alice, slashed);
        uint256 got = (native ? address(this).balance : _token.balanceOf(address(this))) - before;
        vm.assertEq(got, slashed, "sent to the market");
        _vault.unlock(token, _alice, whole - slashed);
        vm.assertEq(_vault.lockedOf(token, _alice), 0, "nothing locked");

        vm.startPrank(_alice);
        _vault.unbond(token, whole - slashed);
        uint256 readyAt = block.timestamp + DELAY;
        vm.warp(readyAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.StillUnbonding.selector, readyAt, readyAt - 1));
        _vault.withdraw(token);
        vm.warp(readyAt);
        vm.assertEq(_vault.withdraw(token), whole - slashed, "amount");
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.NothingUnbonding.selector, token, _alice));
        _vault.withdraw(token);
        vm.stopPrank();
        uint256 left = native ? _alice.balance : _token.balanceOf(_alice);
        vm.assertEq(left, 100 ether - slashed, "the rest is back");
    }

    function testSecondUnbondRestartsTheDelayForAll() external {
        _deposit(address(0), 10);
        vm.startPrank(_alice);
        _vault.unbond(address(0), 4);
        vm.warp(block.timestamp + DELAY - 1);
        _vault.unbond(address(0), 6);
        (uint256 amount, uint256 readyAt) = _vault.unbondingOf(address(0), _alice);
        vm.assertEq(amount, 10, "added");
        vm.assertEq(readyAt, block.timestamp + DELAY, "restarted");
        vm.stopPrank();
    }

    function testNobodyTakesMoreThanThereIs() external {
        _deposit(address(0), 10);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(0), _alice, 10, 11));
        _vault.lock(address(0), _alice, 11);
        _vault.lock(address(0), _alice, 4);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientLocked.selector, address(0), _alice, 4, 5));
        _vault.slash(address(0), _alice, 5);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientLocked.selector, address(0), _alice, 4, 5));
        _vault.unlock(address(0), _alice, 5);
        vm.prank(_alice);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(0), _alice, 6, 7));
        _vault.unbond(address(0), 7);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(_token), _alice, 0, 1));
        _vault.lock(address(_token), _alice, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(0), _alice, 6, type(uint256).max)
        );
        _vault.lock(address(0), _alice, type(uint256).max);
    }

    function testUnbondingStakeCannotBeLocked() external {
        _deposit(address(0), 10);
        vm.prank(_alice);
        _vault.unbond(address(0), 10);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(0), _alice, 0, 1));
        _vault.lock(address(0), _alice, 1);
    }

    function testStrangersCannotPlayTheMarket() external {
        _deposit(address(0), 10);
        _vault.lock(address(0), _alice, 5);
        bytes memory refused = abi.encodeWithSelector(IStakeVault.NotMarket.selector, _alice);
        vm.startPrank(_alice);
        vm.expectRevert(refused);
        _vault.lock(address(0), _alice, 1);
        vm.expectRevert(refused);
        _vault.unlock(address(0), _alice, 1);
        vm.expectRevert(refused);
        _vault.slash(address(0), _alice, 1);
        vm.stopPrank();
    }

    function testDepositTakesTheExactValue() external {
        vm.startPrank(_alice);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        _vault.deposit(address(0), 0);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.ZeroAmount.selector));
        _vault.unbond(address(0), 0);
        vm.expectRevert(abi.encodeWithSignature("WrongValue(uint256,uint256)", 1, 2));
        _vault.deposit{value: 1}(address(0), 2);
        vm.expectRevert(abi.encodeWithSignature("WrongValue(uint256,uint256)", 1, 0));
        _vault.deposit{value: 1}(address(_token), 1);
        (bool ok, ) = address(_vault).call{value: 1}("");
        vm.assertTrue(!ok, "no stray coins");
        vm.stopPrank();
    }

    function testTokensThatKeepAFeeAreRefused() external {
        FeeToken fee = new FeeToken();
        fee.mint(_alice, 100);
        fee.setFee(10);
        vm.startPrank(_alice);
        fee.approve(address(_vault), 100);
        vm.expectRevert(abi.encodeWithSignature("UnevenTransfer(address,uint256,uint256)", address(fee), 90, 100));
        _vault.deposit(address(fee), 100);
        vm.stopPrank();
    }

    function testTokensWithoutAReturnValueWork() external {
        NoReturnToken quiet = new NoReturnToken();
        quiet.mint(_alice, 100);
        vm.startPrank(_alice);
        quiet.approve(address(_vault), 100);
        _vault.deposit(address(quiet), 100);
        _vault.unbond(address(quiet), 100);
        vm.warp(block.timestamp + DELAY);
        _vault.withdraw(address(quiet));
        vm.stopPrank();
        vm.assertEq(quiet.balanceOf(_alice), 100, "there and back");
    }

    function testTokensThatSayFalseAndAddressesWithoutCodeAreRefused() external {
        FalseToken liar = new FalseToken();
        vm.prank(_alice);
        vm.expectRevert(abi.encodeWithSignature("SafeERC20FailedOperation(address)", address(liar)));
        _vault.deposit(address(liar), 1);
        vm.prank(_alice);
        vm.expectRevert();
        _vault.deposit(party("no code"), 1);
    }

    function testAReceiverThatRefusesKeepsItsStake() external {
        _vault.deposit{value: 5}(address(0), 5);
        _vault.unbond(address(0), 5);
        vm.warp(block.timestamp + DELAY);
        _refuse = true;
        vm.expectRevert();
        _vault.withdraw(address(0));
        _refuse = false;
        vm.assertEq(_vault.withdraw(address(0)), 5, "later");
    }

    function _deposit(address token, uint256 amount) private {
        vm.prank(_alice);
        _vault.deposit{value: token == address(0) ? amount : 0}(token, amount);
    }
}
