// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Handler} from "./support/Handler.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice What holds after any sequence of calls by all roles. Small by default; FOUNDRY_PROFILE=deep runs 256 x 100.
contract InvariantsTest is TestBase {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    Handler private _handler;

    function setUp() external {
        _handler = new Handler();
        _handler.setUp();
    }

    function targetContracts() external view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory list) {
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(_handler), _handler.selectors());
    }

    /// The handler gets somewhere: an invariant that nothing happens to would hold as well.
    function testHandlerPlaysWholeProjects() external {
        bytes4[] memory list = _handler.selectors();
        for (uint256 i = 0; i < 600; ++i) {
            uint256 seed = random(1, i, 0);
            (bool ok, ) = address(_handler).call(abi.encodeWithSelector(list[seed % list.length], seed >> 8));
            vm.assertTrue(ok, "action");
        }
        vm.assertGe(_handler.reached("results"), 4, "results");
        vm.assertGe(_handler.reached("skips"), 2, "skips");
        vm.assertGe(_handler.reached("time-outs"), 2, "time-outs");
        vm.assertGe(_handler.reached("claims"), 2, "claims");
        vm.assertGe(_handler.reached("withdrawals"), 2, "withdrawals");
    }

    function invariantMoneyIsConserved() external view {
        _handler.assertConserved();
    }

    function invariantLockedStakeStaysWhereItIsLocked() external view {
        _handler.assertLocksMatch();
    }

    function invariantSubmissionsStandOnceTheWindowIsClosed() external view {
        _handler.assertSubmissionsStand();
    }

    function invariantCountersMasksAndListsAgree() external view {
        _handler.assertConsistent();
    }
}
