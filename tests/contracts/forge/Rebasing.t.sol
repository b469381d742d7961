// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Permit} from "../../../contracts/libraries/Payments.sol";
import {Payments} from "../../../contracts/libraries/Payments.sol";
import {Status, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {RebasingToken} from "./support/Tokens.sol";

/// @notice A reward token that changes balances by itself: nobody gains by claiming first, and it is taken no more.
contract RebasingTest is MarketFixture {
    RebasingToken private _token;

    function setUp() public override {
        super.setUp();
        _token = new RebasingToken();
    }

    function testAfterAShrinkEveryoneBearsItAlike() public {
        uint256 project = _cancelled();
        uint256 other = _cancelled();
        _token.rebase(1, 2);
        vm.assertEq(market.claim(project, owner), REWARD, "the debt");
        vm.assertEq(_token.balanceOf(owner), REWARD / 2, "half, though all was there for the first");
        market.claim(other, owner);
        vm.assertEq(_token.balanceOf(owner), REWARD, "half again");
        vm.assertEq(_token.balanceOf(address(market)), 0, "nothing is stuck");
    }

    function testATokenThatShrankIsRefused() public {
        _cancelled();
        _token.rebase(1, 2);
        Terms memory t = _terms(address(_token));
        _give(address(_token), owner, 2 * uint256(REWARD));
        uint256 here = _token.balanceOf(address(market));
        Permit memory none;
        vm.expectRevert(abi.encodeWithSelector(Payments.TokenShrank.selector, address(_token), here, REWARD));
        vm.prank(owner);
        market.create(t, none);
    }

    function testAGrowthIsNobodysAndHarmsNobody() public {
        uint256 project = _cancelled();
        _token.rebase(3, 1);
        market.claim(project, owner);
        vm.assertEq(_token.balanceOf(owner), REWARD, "what it is owed");
    }

    function testANativeProjectIsNotTouched() public {
        _cancelled();
        _token.rebase(1, 2);
        uint256 project = _active(address(0));
        _playRound(project);
        _assertConserved(address(0));
    }

    function _cancelled() private returns (uint256 project) {
        project = _create(_terms(address(_token)));
        vm.prank(owner);
        market.cancel(project);
        _assertStatus(project, Status.Cancelled);
    }
}
