// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Handler} from "./support/Handler.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice What holds after any sequence of calls by all roles. Small by default; FOUNDRY_PROFILE=deep runs 256 x 100.
contract InvariantsTest is TestBase {
    uint256 private constant GAMES = 10;

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    event log_named_uint(string key, uint256 val);
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
        string[18] memory what = [
            "submissions",
            "batches",
            "results",
            "complaints",
            "answers",
            "challenges",
            "shown",
            "undone",
            "skips",
            "time-outs",
            "claims",
            "leaves",
            "references",
            "reveals",
            "settled",
            "halted",
            "cancelled",
            "forfeits"
        ];
        uint256[18] memory reached;
        bytes4[] memory list = _handler.selectors();
        for (uint256 game = 0; game < GAMES; ++game) {
            Handler handler = new Handler();
            handler.setUp();
            for (uint256 i = 0; i < 60; ++i) {
                uint256 seed = random(game, i, 0);
                (bool ok, ) = address(handler).call(abi.encodeWithSelector(list[seed % list.length], seed >> 8));
                vm.assertTrue(ok, "action");
            }
            for (uint256 i = 0; i < what.length; ++i) reached[i] += handler.reached(bytes32(bytes(what[i])));
        }
        for (uint256 i = 0; i < what.length; ++i) emit log_named_uint(what[i], reached[i]);
        for (uint256 i = 0; i < what.length; ++i) vm.assertGe(reached[i], i < 12 ? 2 : 1, what[i]); // an end is rarer
    }

    /// One campaign for all: status, arrivals, double claims and refusals are asserted with every action (Handler).
    function invariantMoneyLocksRoundsAndTerms() external view {
        _handler.assertConserved();
        _handler.assertLocksMatch();
        _handler.assertNobodyClaimsTwice();
        _handler.assertRounds();
    }

    /// However a sequence ends, everything can be paid out.
    function afterInvariant() external {
        _handler.drain();
    }
}
