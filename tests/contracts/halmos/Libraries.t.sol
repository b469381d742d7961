// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {BitMask} from "../../../contracts/libraries/BitMask.sol";
import {Draw} from "../../../contracts/libraries/Draw.sol";
import {Payments} from "../../../contracts/libraries/Payments.sol";
import {Reputation} from "../../../contracts/libraries/Reputation.sol";
import {TestBase} from "../forge/support/TestBase.sol";

/// @notice A balance and nothing else.
contract Balance {
    uint256 public balanceOfAll;

    constructor(uint256 balance) {
        balanceOfAll = balance;
    }

    function balanceOf(address) external view returns (uint256) {
        return balanceOfAll;
    }
}

/// @notice Pure rules, proved by halmos.
contract LibrariesProof is TestBase {
    function check_aSetIsWithinExactlyItsSupersets(uint256 part, uint256 whole) external pure {
        assert(BitMask.isWithin(part, whole) == ((part | whole) == whole));
    }

    function check_aSlotIsInASetExactlyWhereItsBitIs(uint256 mask, uint8 slot) external pure {
        assert(BitMask.has(mask, slot) == (mask & (uint256(1) << slot) != 0));
    }

    /// For every seed: what permute does, inverse undoes, so no two indices share a seat. 4 = 2 * 2: nothing walks.
    function check_aDrawOfFourIsABijection(bytes32 seed, uint256 index) external pure {
        vm.assume(index < 4);
        uint256 value = Draw.permute(seed, index, 4);
        assert(value < 4);
        assert(Draw.inverse(seed, value, 4) == index);
    }

    function check_theNativeCoinIsWorthItself(uint256 amount, uint256 held) external view {
        assert(Payments.worth(address(0), amount, held) == amount);
    }

    /// Whatever a token did: nobody is paid more than the amount. At full width where nothing shrank.
    function check_aWholeTokenIsWorthItself(uint128 amount, uint128 held, uint128 more) external {
        address token = address(new Balance(uint256(held) + more));
        assert(Payments.worth(token, amount, held) == amount);
    }

    /// A token of which half is gone, whatever the amounts: half is paid.
    function check_aHalvedTokenIsWorthHalf(uint64 amount) external {
        vm.assume(amount <= 1 << 40);
        uint256 paid = Payments.worth(address(new Balance(1 << 39)), amount, 1 << 40);
        assert(paid == amount / 2);
    }

    function check_aWeightNeverGrowsByItself(uint64 weight, uint32 since, uint32 later) external pure {
        uint256 time = uint256(since) + later;
        assert(Reputation.carried(weight, since, time) <= weight);
    }
}
