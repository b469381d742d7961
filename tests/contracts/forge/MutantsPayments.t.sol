// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Payments, Permit} from "../../../contracts/libraries/Payments.sol";
import {PlainToken} from "./support/Tokens.sol";
import {TestBase} from "./support/TestBase.sol";
import {Till} from "./Payments.t.sol";

/// @notice When a permit is asked for and when not: faults made by tools/mutate.py came through here.
contract MutantsPaymentsTest is TestBase {
    Till private _till = new Till();

    function testAPermitForTheNativeCoinIsNotAskedFor() external {
        vm.deal(address(this), 5);
        _till.pull{value: 5}(address(0), 5, Permit(block.timestamp, 27, 0, 0));
        vm.assertEq(address(_till).balance, 5, "paid");
    }

    function testAPermitForAnAddressWithoutCodeIsNotAskedFor() external {
        address nobody = party("nobody");
        vm.expectRevert(abi.encodeWithSelector(Payments.NotAToken.selector, nobody));
        _till.pull(nobody, 5, Permit(block.timestamp, 27, 0, 0));
    }

    /// @notice Without a permit it is the token that refuses, not the permit.
    function testWithoutAPermitTheTokenSaysThatTheAllowanceIsTooLittle() external {
        PlainToken token = new PlainToken();
        token.mint(address(this), 5);
        vm.expectRevert(
            abi.encodeWithSignature("ERC20InsufficientAllowance(address,uint256,uint256)", address(_till), 0, 5)
        );
        _till.pull(address(token), 5, Permit(0, 0, 0, 0));
    }
}
