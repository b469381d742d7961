// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Draw} from "../../../contracts/libraries/Draw.sol";
import {TestBase} from "./support/TestBase.sol";

contract Drawer {
    function permute(bytes32 seed, uint256 index, uint256 size) external pure returns (uint256) {
        return Draw.permute(seed, index, size);
    }

    function inverse(bytes32 seed, uint256 value, uint256 size) external pure returns (uint256) {
        return Draw.inverse(seed, value, size);
    }

    function gasOf(bytes32 seed, uint256 index, uint256 size) external view returns (uint256 used) {
        used = gasleft();
        Draw.permute(seed, index, size);
        used -= gasleft();
    }
}

/// @notice The draw of seats. tests/unit/protocol/test_draw.py reads the table of this file for its twin.
contract DrawTest is TestBase {
    Drawer private _drawer = new Drawer();

    function testFuzzBijection(bytes32 seed, uint256 size) external view {
        size = bound(size, 1, 300);
        uint256[2] memory seen;
        for (uint256 index = 0; index < size; ++index) {
            uint256 value = _drawer.permute(seed, index, size);
            vm.assertTrue(value < size, "in range");
            uint256 bit = 1 << (value % 256);
            vm.assertTrue(seen[value / 256] & bit == 0, "nobody has two seats, no seat two trainers");
            seen[value / 256] |= bit;
        }
    }

    function testFuzzNoCollisionAtAnySize(bytes32 seed, uint256 size, uint256 a, uint256 b) external view {
        size = bound(size, 2, 1 << 32);
        (a, b) = (bound(a, 0, size - 1), bound(b, 0, size - 1));
        vm.assume(a != b);
        (uint256 x, uint256 y) = (_drawer.permute(seed, a, size), _drawer.permute(seed, b, size));
        vm.assertTrue(x != y && x < size && y < size, "distinct, in range");
        vm.assertEq(_drawer.inverse(seed, x, size), a, "and back");
        vm.assertEq(_drawer.permute(seed, _drawer.inverse(seed, a, size), size), a, "the other way round");
    }

    function testFuzzEachNumberOfASmallDrawIsFound(bytes32 seed, uint256 size) external view {
        size = bound(size, 1, 60);
        for (uint256 seat = 0; seat < size; ++seat)
            vm.assertEq(_drawer.inverse(seed, _drawer.permute(seed, seat, size), size), seat, "its seat");
    }

    function testFuzzSeatsBeyondTheSizeAreRefused(bytes32 seed, uint256 size, uint256 index) external {
        size = bound(size, 0, 1 << 32);
        vm.assume(index >= size);
        _refuses(seed, index, size);
        _refuses(seed, size, size);
    }

    /// @notice A trainer that picks its number when it joins gains nothing: over the seeds each number is seated alike.
    function testNoNumberIsLuckier() external view {
        (uint256 size, uint256 seats, uint256 seeds) = (17, 8, 2000);
        uint256[] memory seated = new uint256[](size);
        for (uint256 s = 0; s < seeds; ++s)
            for (uint256 seat = 0; seat < seats; ++seat)
                ++seated[_drawer.permute(keccak256(abi.encode(s)), seat, size)];
        // Mean 941, standard deviation 22.
        for (uint256 number = 0; number < size; ++number) {
            vm.assertGe(seated[number], 941 - 110, "not shut out");
            vm.assertLe(seated[number], 941 + 110, "not favoured");
        }
    }

    /// @notice The average over all indices; a single one may walk further.
    function testGasStaysBounded() external view {
        vm.assertLe(_meanGas(17, 17), 4_500, "17");
        vm.assertLe(_meanGas(1000, 200), 3_500, "1000");
        vm.assertLe(_meanGas(1_000_000, 200), 3_500, "a million");
        vm.assertLe(_meanGas(1_000_001, 200), 3_500, "a million and one");
        vm.assertLe(_meanGas(1 << 32, 200), 3_500, "2^32");
    }

    function testTwinTable() external view {
        _same(0, 1, 0, 0);
        _same(1, 2, 0, 0);
        _same(1, 2, 1, 1);
        _same(2, 3, 0, 1);
        _same(2, 3, 1, 2);
        _same(2, 3, 2, 0);
        _same(3, 4, 0, 1);
        _same(3, 4, 3, 2);
        _same(4, 5, 0, 4);
        _same(4, 5, 3, 2);
        _same(4, 5, 4, 0);
        _same(5, 16, 0, 15);
        _same(5, 16, 14, 9);
        _same(5, 16, 15, 12);
        _same(6, 17, 0, 7);
        _same(6, 17, 16, 8);
        _same(6, 17, 15, 10);
        _same(7, 17, 0, 14);
        _same(7, 17, 16, 13);
        _same(7, 17, 12, 5);
        _same(8, 24, 0, 9);
        _same(8, 24, 6, 0);
        _same(8, 24, 23, 7);
        _same(9, 25, 0, 0);
        _same(9, 25, 24, 15);
        _same(9, 25, 3, 18);
        _same(10, 26, 0, 11);
        _same(10, 26, 25, 20);
        _same(10, 26, 15, 12);
        _same(11, 100, 0, 94);
        _same(11, 100, 3, 95);
        _same(11, 100, 99, 9);
        _same(12, 1000, 0, 496);
        _same(12, 1000, 914, 223);
        _same(12, 1000, 999, 743);
        _same(13, 1000, 0, 537);
        _same(13, 1000, 855, 183);
        _same(13, 1000, 999, 273);
        _same(14, 1024, 0, 930);
        _same(14, 1024, 798, 6);
        _same(14, 1024, 1023, 147);
        _same(15, 1025, 0, 976);
        _same(15, 1025, 1024, 746);
        _same(15, 1025, 886, 871);
        _same(16, 65535, 0, 52432);
        _same(16, 65535, 39809, 30010);
        _same(16, 65535, 65534, 2062);
        _same(17, 65536, 0, 63190);
        _same(17, 65536, 276, 60539);
        _same(17, 65536, 65535, 22614);
        _same(18, 65537, 0, 46885);
        _same(18, 65537, 65536, 64040);
        _same(18, 65537, 58377, 61625);
        _same(19, 1000000, 0, 243655);
        _same(19, 1000000, 279267, 293765);
        _same(19, 1000000, 999999, 717950);
        _same(20, 1000001, 0, 66828);
        _same(20, 1000001, 1000000, 776321);
        _same(20, 1000001, 756589, 628243);
        _same(21, 4294967295, 0, 2195678881);
        _same(21, 4294967295, 3443818037, 2224655840);
        _same(21, 4294967295, 4294967294, 3005386095);
        _same(22, 4294967296, 0, 112689606);
        _same(22, 4294967296, 4059906722, 1676689563);
        _same(22, 4294967296, 4294967295, 310349317);
        _same(23, 4294967296, 0, 949486102);
        _same(23, 4294967296, 3871601465, 1367472976);
        _same(23, 4294967296, 4294967295, 3076636111);
        _same(24, 2147483648, 0, 1942423200);
        _same(24, 2147483648, 131383004, 2067962127);
        _same(24, 2147483648, 2147483647, 1888284510);
        _same(25, 999983, 0, 434455);
        _same(25, 999983, 23406, 560888);
        _same(25, 999983, 999982, 670062);
    }

    function _refuses(bytes32 seed, uint256 index, uint256 size) private {
        bytes memory refused = abi.encodeWithSelector(Draw.IndexOutOfRange.selector, index, size);
        vm.expectRevert(refused);
        _drawer.permute(seed, index, size);
        vm.expectRevert(refused);
        _drawer.inverse(seed, index, size);
    }

    function _same(uint256 seed, uint256 size, uint256 index, uint256 value) private view {
        vm.assertEq(_drawer.permute(keccak256(abi.encode(seed)), index, size), value, "the Python twin's value");
    }

    function _meanGas(uint256 size, uint256 count) private view returns (uint256) {
        uint256 used = 0;
        for (uint256 index = 0; index < count; ++index) {
            used += _drawer.gasOf(keccak256(abi.encode(size, index)), (index * 7919) % size, size);
        }
        return used / count;
    }
}
