// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {StakeVault} from "../../../contracts/StakeVault.sol";
import {TestBase} from "../forge/support/TestBase.sol";

/// @notice Credit conservation in the vault, proved by halmos for all amounts: nothing that the market can do makes or
/// loses a unit, and what is locked leaves by the market's hand only. The test is the market.
contract StakeVaultProof is TestBase {
    StakeVault private _vault;
    address private constant ALICE = address(0xA11CE);
    address private constant BOB = address(0xB0B);

    function setUp() external {
        _vault = new StakeVault(1 days);
        vm.deal(ALICE, type(uint96).max);
        vm.deal(BOB, type(uint96).max);
    }

    /// The market of this test takes what is slashed.
    receive() external payable {}

    function check_lockAndUnlockMoveWithinAnAccount(uint96 put, uint256 locked, uint256 unlocked) external {
        _deposit(ALICE, put);
        _vault.lock(address(0), ALICE, locked);
        _vault.unlock(address(0), ALICE, unlocked);
        assert(_free(ALICE) == put - locked + unlocked);
        assert(_locked(ALICE) == locked - unlocked);
        assert(unlocked <= locked && locked <= put);
    }

    function check_aTransferConservesTheSum(uint96 put, uint96 other, uint256 locked, uint256 moved) external {
        _deposit(ALICE, put);
        _deposit(BOB, other);
        _vault.lock(address(0), ALICE, locked);
        _vault.transferLocked(address(0), ALICE, BOB, moved);
        assert(_locked(ALICE) == locked - moved);
        assert(_free(ALICE) == put - locked);
        assert(_free(BOB) == other + moved);
        assert(address(_vault).balance == _free(ALICE) + _locked(ALICE) + _free(BOB) + _locked(BOB));
    }

    function check_aSlashTakesWhatItSays(uint96 put, uint256 locked, uint256 slashed) external {
        _deposit(ALICE, put);
        _vault.lock(address(0), ALICE, locked);
        uint256 before = address(this).balance;
        uint256 paid = _vault.slash(address(0), ALICE, slashed);
        assert(paid == slashed && slashed <= locked);
        assert(address(this).balance == before + slashed);
        assert(address(_vault).balance == _free(ALICE) + _locked(ALICE));
    }

    function check_lockedStakeCannotBeUnbonded(uint96 put, uint256 locked, uint256 asked) external {
        _deposit(ALICE, put);
        _vault.lock(address(0), ALICE, locked);
        vm.prank(ALICE);
        _vault.unbond(address(0), asked);
        assert(_locked(ALICE) == locked);
        assert(asked <= put - locked);
    }

    function check_onlyTheMarketMovesStake(address caller, uint256 amount, uint8 which) external {
        vm.assume(caller != address(this));
        _deposit(ALICE, 100);
        _vault.lock(address(0), ALICE, 50);
        bytes memory call = abi.encodeCall(StakeVault.lock, (address(0), ALICE, amount));
        if (which == 1) call = abi.encodeCall(StakeVault.unlock, (address(0), ALICE, amount));
        if (which == 2) call = abi.encodeCall(StakeVault.transferLocked, (address(0), ALICE, BOB, amount));
        if (which == 3) call = abi.encodeCall(StakeVault.slash, (address(0), ALICE, amount));
        vm.prank(caller);
        (bool done, ) = address(_vault).call(call);
        assert(!done);
    }

    function _deposit(address account, uint256 amount) private {
        vm.prank(account);
        _vault.deposit{value: amount}(address(0), amount);
    }

    function _free(address account) private view returns (uint256) {
        return _vault.freeOf(address(0), account);
    }

    function _locked(address account) private view returns (uint256) {
        return _vault.lockedOf(address(0), account);
    }
}
