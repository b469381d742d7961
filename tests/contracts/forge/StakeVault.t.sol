// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {StakeVault} from "../../../contracts/StakeVault.sol";
import {IStakeVault} from "../../../contracts/interfaces/IStakeVault.sol";
import {Payments, Permit} from "../../../contracts/libraries/Payments.sol";
import {TestBase} from "./support/TestBase.sol";
import {FalseToken, FeeToken, NoReturnToken, PermitToken, PlainToken} from "./support/Tokens.sol";
import {RebasingToken, ReentrantToken} from "./support/Tokens.sol";

/// @notice What forge recorded of an event.
struct Log {
    bytes32[] topics;
    bytes data;
    address emitter;
}

/// @notice More of forge's cheatcodes.
interface Cheats {
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function addr(uint256 key) external pure returns (address account);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function record() external;
    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
}

/// @notice The vault alone; this test plays the market.
contract StakeVaultTest is TestBase {
    Cheats private constant _cheats = Cheats(address(vm));
    uint256 private constant DELAY = 3 days;
    uint256 private constant LIMIT = type(uint128).max;

    StakeVault private _vault;
    PlainToken private _token;
    address private _alice;
    address private _bob = party("bob");
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
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientLocked.selector, address(0), _alice, 4, 5));
        _vault.transferLocked(address(0), _alice, _bob, 5);
        // 2^128 + 4 has the same low bits as what is locked.
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientLocked.selector, address(0), _alice, 4, LIMIT + 5)
        );
        _vault.unlock(address(0), _alice, LIMIT + 5);
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
        vm.expectRevert(refused);
        _vault.transferLocked(address(0), _alice, _alice, 1);
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
        vm.expectRevert(abi.encodeWithSelector(Payments.NotAToken.selector, _bob));
        _vault.deposit(_bob, 1);
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

    function testFuzzTransferLockedMovesStakeAndNoToken(bool native, uint96 amount, uint96 part) external {
        uint256 whole = bound(amount, 1, 100 ether);
        uint256 moved = bound(part, 0, whole);
        address token = native ? address(0) : address(_token);
        _deposit(token, whole);
        _vault.lock(token, _alice, whole);
        if (!native) vm.etch(token, ""); // whatever has become of the token
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.Transferred(token, _alice, _bob, moved);
        _vault.transferLocked(token, _alice, _bob, moved);
        vm.assertEq(_vault.lockedOf(token, _alice), whole - moved, "from locked");
        vm.assertEq(_vault.freeOf(token, _alice), 0, "nothing freed");
        vm.assertEq(_vault.freeOf(token, _bob), moved, "to free");
        vm.assertEq(_vault.lockedOf(token, _bob), 0, "not locked");
        vm.assertEq(_vault.heldOf(token), native ? 0 : whole, "nothing came or went");
    }

    /// @notice An aggregator that is its own trainer's counterpart makes no stake out of nothing.
    function testFuzzTransferLockedToOneselfFreesIt(uint96 amount, uint96 part) external {
        uint256 whole = bound(amount, 1, 100 ether);
        uint256 moved = bound(part, 0, whole);
        _deposit(address(0), whole);
        _vault.lock(address(0), _alice, whole);
        _vault.transferLocked(address(0), _alice, _alice, moved);
        vm.assertEq(_vault.freeOf(address(0), _alice), moved, "free");
        vm.assertEq(_vault.lockedOf(address(0), _alice), whole - moved, "locked");
    }

    function testDepositWithPermit() external {
        (PermitToken token, address carol, Permit memory signed) = _permit(70);
        vm.prank(carol);
        _vault.depositWithPermit(address(token), 70, signed);
        vm.assertEq(_vault.freeOf(address(token), carol), 70, "credited");
        vm.startPrank(_alice);
        _token.approve(address(_vault), 5);
        _vault.depositWithPermit(address(_token), 5, Permit(0, 0, 0, 0));
        _vault.depositWithPermit{value: 6}(address(0), 6, Permit(0, 0, 0, 0));
        vm.stopPrank();
        vm.assertEq(_vault.freeOf(address(_token), _alice), 5, "no permit: the approval");
        vm.assertEq(_vault.freeOf(address(0), _alice), 6, "native");
    }

    /// @notice A bot that uses the permit first neither blocks the deposit nor gets the stake.
    function testAFrontRunPermitDoesNotBlockADeposit() external {
        (PermitToken token, address carol, Permit memory signed) = _permit(70);
        vm.startPrank(_bob);
        token.permit(carol, address(_vault), 70, signed.deadline, signed.v, signed.r, signed.s);
        vm.expectRevert(abi.encodeWithSelector(Payments.PermitRejected.selector, address(token), 0, 70));
        _vault.depositWithPermit(address(token), 70, signed);
        vm.stopPrank();
        vm.prank(carol);
        _vault.depositWithPermit(address(token), 70, signed);
        vm.assertEq(_vault.freeOf(address(token), carol), 70, "credited to who signed");
        vm.assertEq(_vault.freeOf(address(token), _bob), 0, "nothing for the bot");
    }

    function testAmountsBeyond128BitsAreRefused() external {
        _token.mint(_alice, type(uint256).max - 100 ether);
        vm.startPrank(_alice);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.TooMuch.selector, address(_token), 0, LIMIT + 1));
        _vault.deposit(address(_token), LIMIT + 1);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.TooMuch.selector, address(_token), 0, type(uint256).max));
        _vault.deposit(address(_token), type(uint256).max);
        _vault.deposit(address(_token), LIMIT - 5);
        _token.transfer(_bob, 10);
        vm.stopPrank();
        vm.startPrank(_bob);
        _token.approve(address(_vault), 10);
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.TooMuch.selector, address(_token), LIMIT - 5, 6));
        _vault.deposit(address(_token), 6);
        _vault.deposit(address(_token), 5);
        vm.stopPrank();
        // At the top nothing overflows, whoever gets it.
        _vault.lock(address(_token), _alice, LIMIT - 5);
        _vault.transferLocked(address(_token), _alice, _bob, LIMIT - 5);
        vm.assertEq(_vault.freeOf(address(_token), _bob), LIMIT, "all of it");
        vm.startPrank(_bob);
        _vault.unbond(address(_token), LIMIT - 1);
        _vault.unbond(address(_token), 1);
        vm.warp(block.timestamp + DELAY);
        vm.assertEq(_vault.withdraw(address(_token)), LIMIT, "paid out");
        vm.stopPrank();
    }

    /// @notice Whoever withdraws first after a token shrank gets its part, not the others'.
    function testFuzzANegativeRebaseIsBornInProportion(uint64 a, uint64 b, uint8 left) external {
        RebasingToken token = new RebasingToken();
        (uint256 first, uint256 second) = (bound(a, 1, type(uint64).max), bound(b, 1, type(uint64).max));
        uint256 percent = bound(left, 0, 99);
        _stake(token, _alice, first);
        _stake(token, _bob, second);
        vm.prank(_alice);
        _vault.unbond(address(token), first);
        vm.prank(_bob);
        _vault.unbond(address(token), second);
        token.rebase(percent, 100);
        uint256 there = token.balanceOf(address(_vault));
        vm.warp(block.timestamp + DELAY);
        vm.prank(_alice);
        uint256 paid = _vault.withdraw(address(token));
        vm.assertEq(paid, (first * there) / (first + second), "its part");
        vm.prank(_bob);
        vm.assertGe(_vault.withdraw(address(token)), token.balanceOf(address(_vault)), "the other's is still there");
        vm.assertEq(_vault.heldOf(address(token)), 0, "all paid");
    }

    function testAShrunkTokenIsRefusedUntilItIsWholeAgain() external {
        RebasingToken token = new RebasingToken();
        _stake(token, _alice, 100);
        token.rebase(9, 10);
        token.mint(_bob, 1000);
        vm.startPrank(_bob);
        token.approve(address(_vault), 1000);
        vm.expectRevert(abi.encodeWithSelector(Payments.TokenShrank.selector, address(token), 90, 100));
        _vault.deposit(address(token), 9);
        token.transfer(address(_vault), 9);
        vm.expectRevert(abi.encodeWithSelector(Payments.TokenShrank.selector, address(token), 99, 100));
        _vault.deposit(address(token), 9);
        token.transfer(address(_vault), 9);
        _vault.deposit(address(token), 9);
        vm.stopPrank();
        vm.assertEq(_vault.freeOf(address(token), _bob), 9, "not asked to make up for others' loss");
    }

    /// @notice A positive rebase is no one's stake, and a slash of a shrunk token says what it paid.
    function testARebaseBetweenCallsCreatesNoStake() external {
        RebasingToken token = new RebasingToken();
        _stake(token, _alice, 100);
        token.rebase(2, 1);
        _vault.lock(address(token), _alice, 100);
        vm.assertEq(_vault.slash(address(token), _alice, 40), 40, "no more than was locked");
        token.rebase(1, 2);
        vm.assertEq(token.balanceOf(address(_vault)), 40, "of 60");
        vm.expectEmit(true, true, true, true);
        emit IStakeVault.PaidShort(address(token), _alice, 30, 20);
        vm.assertEq(_vault.slash(address(token), _alice, 30), 20, "in proportion");
        vm.assertEq(_vault.lockedOf(address(token), _alice), 30, "the stake is charged in full");
    }

    function testATokenCannotReenter() external {
        ReentrantToken token = new ReentrantToken();
        token.mint(address(this), 100);
        token.approve(address(_vault), 100);
        _vault.deposit(address(token), 50);
        _vault.lock(address(token), address(this), 10);
        _vault.unbond(address(token), 20);
        vm.warp(block.timestamp + DELAY);
        bytes[4] memory calls = [
            abi.encodeCall(IStakeVault.deposit, (address(token), 1)),
            abi.encodeCall(IStakeVault.withdraw, (address(token))),
            abi.encodeCall(IStakeVault.unbond, (address(token), 1)),
            abi.encodeCall(IStakeVault.depositWithPermit, (address(token), 1, Permit(0, 0, 0, 0)))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            token.aim(address(_vault), calls[i]);
            _vault.deposit(address(token), 1);
            vm.assertTrue(!token.lastSucceeded(), "refused");
            vm.assertEq(
                bytes32(token.lastError()),
                bytes32(bytes4(keccak256("ReentrancyGuardReentrantCall()"))),
                "by the guard"
            );
        }
        _vault.withdraw(address(token));
        vm.assertTrue(!token.lastSucceeded(), "nor on the way out");
        vm.assertEq(_vault.freeOf(address(token), address(this)), 24, "each deposit counted once");
        vm.assertEq(token.balanceOf(address(_vault)), 34, "and all of it is there");
    }

    /// @notice Random calls by everyone: what the accounts have is what the vault holds, to one wei.
    function testFuzzConservation(uint256 seed) external {
        address[3] memory accounts = [_alice, _bob, party("carol")];
        for (uint256 i = 0; i < 3; ++i) {
            _token.mint(accounts[i], 1000);
            vm.prank(accounts[i]);
            _token.approve(address(_vault), type(uint256).max);
            vm.prank(accounts[i]);
            _vault.deposit(address(_token), 600);
            _vault.lock(address(_token), accounts[i], 300);
        }
        uint256 done = 0;
        for (uint256 step = 0; step < 40; ++step) {
            address account = accounts[random(seed, step, 1) % 3];
            address other = accounts[random(seed, step, 3) % 3];
            if (_step(random(seed, step, 2) % 7, account, other, random(seed, step, 4) % 300)) ++done;
            uint256 sum = 0;
            for (uint256 i = 0; i < 3; ++i) {
                (uint256 unbonding, ) = _vault.unbondingOf(address(_token), accounts[i]);
                sum += unbonding;
                sum += _vault.freeOf(address(_token), accounts[i]) + _vault.lockedOf(address(_token), accounts[i]);
            }
            vm.assertEq(sum, _vault.heldOf(address(_token)), "the accounts' sum");
            vm.assertEq(sum, _token.balanceOf(address(_vault)), "is what is there");
        }
        vm.assertGe(done, 3, "something was done");
    }

    function testLockAndUnlockWriteOnce() external {
        _deposit(address(0), 10);
        _cheats.record();
        _vault.lock(address(0), _alice, 4);
        (, bytes32[] memory writes) = _cheats.accesses(address(_vault));
        vm.assertEq(writes.length, 1, "lock");
        _cheats.record();
        _vault.unlock(address(0), _alice, 4);
        (, writes) = _cheats.accesses(address(_vault));
        vm.assertEq(writes.length, 1, "unlock");
    }

    function testAWholeTokenIsNotReportedShort() external {
        _deposit(address(_token), 10);
        _vault.lock(address(_token), _alice, 4);
        _cheats.recordLogs();
        _vault.slash(address(_token), _alice, 4);
        // Slashed, and the token's Transfer.
        vm.assertEq(_cheats.getRecordedLogs().length, 2, "no PaidShort");
    }

    /// @dev Calls that cannot work are refused, and change nothing: that is part of the test.
    function _step(uint256 kind, address account, address other, uint256 amount) private returns (bool ok) {
        address token = address(_token);
        if (kind == 0 || kind == 4 || kind == 5) {
            bytes memory call = abi.encodeCall(IStakeVault.deposit, (token, amount));
            if (kind == 4) call = abi.encodeCall(IStakeVault.unbond, (token, amount));
            if (kind == 5) call = abi.encodeCall(IStakeVault.withdraw, (token));
            vm.warp(block.timestamp + amount * 1000);
            vm.prank(account);
            (ok, ) = address(_vault).call(call);
            return ok;
        }
        bytes memory data = abi.encodeCall(IStakeVault.lock, (token, account, amount));
        if (kind == 2) data = abi.encodeCall(IStakeVault.unlock, (token, account, amount));
        if (kind == 3) data = abi.encodeCall(IStakeVault.slash, (token, account, amount));
        if (kind == 6) data = abi.encodeCall(IStakeVault.transferLocked, (token, account, other, amount));
        (ok, ) = address(_vault).call(data);
    }

    function _stake(RebasingToken token, address account, uint256 amount) private {
        token.mint(account, amount);
        vm.startPrank(account);
        token.approve(address(_vault), amount);
        _vault.deposit(address(token), amount);
        vm.stopPrank();
    }

    function _permit(uint256 amount) private returns (PermitToken token, address carol, Permit memory signed) {
        token = new PermitToken();
        carol = _cheats.addr(7);
        token.mint(carol, amount);
        bytes32 kind = keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)");
        signed.deadline = block.timestamp;
        bytes32 message = keccak256(abi.encode(kind, carol, address(_vault), amount, 0, signed.deadline));
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), message));
        (signed.v, signed.r, signed.s) = _cheats.sign(7, digest);
    }

    function _deposit(address token, uint256 amount) private {
        vm.prank(_alice);
        _vault.deposit{value: token == address(0) ? amount : 0}(token, amount);
    }
}
