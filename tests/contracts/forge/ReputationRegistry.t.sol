// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ReputationRegistry} from "../../../contracts/ReputationRegistry.sol";
import {IReputationRegistry, Record} from "../../../contracts/interfaces/IReputationRegistry.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice More of forge's cheatcodes.
interface Accesses {
    function record() external;
    function accesses(address target) external returns (bytes32[] memory reads, bytes32[] memory writes);
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32 value);
}

/// @notice The registry alone; this test plays the market. tests/unit/protocol/test_reputation.py reads the table of
/// this file for its twin.
contract ReputationRegistryTest is TestBase {
    uint256 private constant HALF_LIFE = 180 days;
    uint256 private constant ROUND = 1e6;

    Accesses private constant _cheats = Accesses(address(vm));
    ReputationRegistry private _registry = new ReputationRegistry();
    address private _a = party("a");
    address private _b = party("b");

    function testRecordsAddUp() external {
        vm.expectEmit(true, true, true, true);
        emit IReputationRegistry.TrainerRecorded(7, _a, 700_000);
        _registry.recordTrainer(7, _a, 700_000);
        _registry.recordTrainer(8, _a, 300_000);
        vm.expectEmit(true, true, true, true);
        emit IReputationRegistry.FaultRecorded(8, _a, false);
        _registry.recordFault(8, _a, false);
        Record memory record = _registry.trainerRecord(_a);
        vm.assertEq(record.projects, 2, "projects");
        vm.assertEq(record.faults, 1, "faults");
        vm.assertEq(record.contribution, ROUND, "a fault leaves what was done");
        vm.assertLe(record.score, ROUND / 2, "but halves the score");
        vm.assertEq(record.updatedAt, block.timestamp, "time");
        vm.assertEq(_registry.scoreOf(_a), record.score, "one score");
        vm.assertEq(_registry.aggregatorRecord(_a).projects, 0, "another role");
    }

    function testAggregatorsHaveTheirOwnRecord() external {
        vm.expectEmit(true, true, true, true);
        emit IReputationRegistry.AggregatorRecorded(7, _a, 5);
        _registry.recordAggregator(7, _a, 5);
        vm.expectEmit(true, true, true, true);
        emit IReputationRegistry.FaultRecorded(7, _a, true);
        _registry.recordFault(7, _a, true);
        Record memory record = _registry.aggregatorRecord(_a);
        vm.assertEq(record.projects, 1, "projects");
        vm.assertEq(record.faults, 1, "faults");
        vm.assertEq(record.contribution, 5 * ROUND, "rounds");
        vm.assertLe(record.score, (5 * ROUND) / 2, "halved");
        vm.assertGe(record.score, (5 * ROUND) / 2 - 2, "not more than halved");
        vm.assertEq(_registry.scoreOf(_a), 0, "no score as a trainer");
        vm.assertEq(_registry.trainerRecord(_a).faults, 0, "no fault as a trainer");
    }

    function testFuzzOnlyTheMarketWrites(address stranger) external {
        vm.assume(stranger != address(this));
        bytes memory refused = abi.encodeWithSelector(IReputationRegistry.NotMarket.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(refused);
        _registry.recordTrainer(1, stranger, ROUND);
        vm.expectRevert(refused);
        _registry.recordAggregator(1, stranger, 1);
        vm.expectRevert(refused);
        _registry.recordFault(1, _a, false);
        vm.stopPrank();
        vm.assertEq(_registry.scoreOf(stranger), 0, "nothing written");
    }

    function testFuzzWaitingNeverRaisesAScore(uint64 contribution, uint32 first, uint32 second) external {
        vm.warp(block.timestamp + first);
        _registry.recordTrainer(1, _a, contribution);
        uint256 before = _registry.scoreOf(_a);
        vm.assertLe(before, contribution, "no more than the work");
        vm.warp(block.timestamp + second);
        vm.assertLe(_registry.scoreOf(_a), before, "never by waiting");
    }

    function testFuzzAScoreHalvesInAHalfLife(uint56 contribution, uint32 when) external {
        vm.warp(block.timestamp + when);
        _registry.recordTrainer(1, _a, contribution);
        uint256 before = _registry.scoreOf(_a);
        vm.assertGe(before + 1, contribution, "all of the work");
        vm.warp(block.timestamp + HALF_LIFE);
        vm.assertLe(_registry.scoreOf(_a), before / 2, "half at most");
        vm.assertGe(_registry.scoreOf(_a) + 1, before / 2, "half at least");
        vm.warp(block.timestamp + 300 * HALF_LIFE);
        vm.assertEq(_registry.scoreOf(_a), 0, "forgotten");
    }

    /// @notice Empty projects of one's own keep no score alive.
    function testFuzzPokingDoesNotSlowTheDecay(uint64 contribution, uint32[8] calldata waits) external {
        _registry.recordTrainer(1, _a, contribution);
        _registry.recordTrainer(1, _b, contribution);
        for (uint256 i = 0; i < waits.length; ++i) {
            vm.warp(block.timestamp + (waits[i] % HALF_LIFE));
            _registry.recordTrainer(2 + i, _a, 0);
        }
        vm.assertEq(_registry.scoreOf(_a), _registry.scoreOf(_b), "the clock's decay");
    }

    function testFuzzSybilsScoreNoMoreInSum(uint32[6] calldata parts, uint32 start, uint32 wait) external {
        vm.warp(block.timestamp + start);
        uint256 whole = 0;
        for (uint256 i = 0; i < parts.length; ++i) {
            whole += parts[i];
            _registry.recordTrainer(1, address(uint160(1000 + i)), parts[i]);
        }
        _registry.recordTrainer(1, _a, whole);
        vm.warp(block.timestamp + wait);
        uint256 sum = 0;
        for (uint256 i = 0; i < parts.length; ++i) sum += _registry.scoreOf(address(uint160(1000 + i)));
        vm.assertLe(sum, _registry.scoreOf(_a), "one address has as much");
    }

    /// @notice A faulty address is never worse off than a new one, nor better than before.
    function testFuzzAFaultHalvesAndANewAddressHasNothing(uint64 contribution, uint8 faults) external {
        _registry.recordTrainer(1, _a, contribution);
        for (uint256 i = 0; i < faults % 70; ++i) {
            uint256 before = _registry.scoreOf(_a);
            _registry.recordFault(1, _a, false);
            vm.assertLe(_registry.scoreOf(_a), before / 2, "halved");
            vm.assertGe(_registry.scoreOf(_a) + 2, before / 2, "no more than halved");
        }
        vm.assertEq(_registry.scoreOf(_b), 0, "new");
        _registry.recordFault(1, _b, false);
        vm.assertEq(_registry.scoreOf(_b), 0, "a fault of a new address does not wrap");
    }

    /// @notice No size makes a write revert: it would keep stake from being released.
    function testFuzzNumbersSaturate(uint256 contribution, uint256 rounds, uint40 time, bool fault) external {
        vm.warp(time);
        for (uint256 i = 0; i < 3; ++i) {
            _registry.recordTrainer(i, _a, i == 1 ? type(uint256).max : contribution);
            _registry.recordAggregator(i, _a, i == 1 ? type(uint256).max : rounds);
            if (fault) _registry.recordFault(i, _a, i == 1);
        }
        Record memory record = _registry.trainerRecord(_a);
        vm.assertEq(record.contribution, type(uint64).max, "at the top");
        vm.assertEq(record.projects, 3, "counted");
        vm.assertEq(_registry.aggregatorRecord(_a).contribution, type(uint64).max, "at the top");
    }

    function testCountsStopAtTheirTop() external {
        _registry.recordTrainer(1, _a, 1);
        bytes32 slot = _slot();
        // projects and faults are the lowest 8 bytes of the word.
        uint256 word = uint256(_cheats.load(address(_registry), slot)) | type(uint64).max;
        _cheats.store(address(_registry), slot, bytes32(word));
        _registry.recordTrainer(2, _a, 1);
        _registry.recordFault(2, _a, false);
        Record memory record = _registry.trainerRecord(_a);
        vm.assertEq(record.projects, type(uint32).max, "projects");
        vm.assertEq(record.faults, type(uint32).max, "faults");
        vm.assertEq(record.contribution, 2, "the rest goes on");
    }

    /// @notice Kind (1 contribution, 2 fault, 0 nothing), time, amount; the score and the weight that follow.
    function testTwinTable() external {
        _step(1, 1700000001, 648454207, 648454206, 849928703);
        _step(2, 1700000001, 0, 324227102, 424964351);
        _step(1, 1700000008, 271952, 324498943, 425320798);
        _step(2, 1712031755, 0, 98059255, 106330199);
        _step(1, 1721253035, 670111, 64064591, 107454161);
        _step(2, 1731428240, 0, 20174663, 26863540);
        _step(0, 1731428240, 0, 20174663, 26863540);
        _step(0, 1741824000, 0, 13431770, 13431770);
        _step(1, 1741824000, 5, 13431775, 13431775);
        _step(1, 1756568032, 3, 6894996, 13431780);
        _step(0, 1757034250, 0, 6790499, 13431780);
        _step(1, 1759315428, 721598776, 727570016, 818302376);
        _step(1, 1759315435, 544648004, 1272217728, 1430871509);
        _step(2, 1772928000, 0, 357717877, 357717877);
        _step(1, 1772928001, 1, 357717854, 357717878);
        _step(1, 1788479999, 125000, 178983944, 357967877);
        _step(2, 1788480000, 0, 89491969, 89491969);
        _step(1, 1804031999, 3, 44745988, 89491974);
        _step(0, 1804031999, 0, 44745988, 89491974);
        _step(1, 1804031999, 1, 44745988, 89491975);
        _step(1, 1804031999, 825484005, 870229993, 1740459931);
        _step(2, 1804031999, 0, 435114996, 870229965);
        _step(1, 1804031999, 125000, 435239995, 870479964);
        _step(2, 1804609608, 0, 209826928, 217619991);
        _step(0, 1804857021, 0, 206657004, 217619991);
        _step(0, 1819584000, 0, 108809995, 108809995);
        _step(1, 1822895568, 640121, 90348125, 109586420);
        _step(1, 1822895575, 329075, 90677166, 109985566);
        _step(1, 1837352625, 3, 48132469, 54992786);
        _step(2, 1837352632, 0, 24066225, 27496393);
        _step(2, 1850688000, 0, 6874098, 6874098);
        _step(1, 1866239999, 323289559, 326726608, 653453195);
        _step(2, 1866510775, 0, 160567663, 163363298);
        _step(1, 1866510782, 1, 160567593, 163363299);
        _step(1, 1881792000, 5, 81681654, 81681654);
        _step(1, 1897343999, 125000, 40965827, 81931653);
        _step(2, 1897343999, 0, 20482913, 40965826);
        _step(1, 1897343999, 674276951, 694759864, 1389519684);
        _step(1, 1897344000, 186039, 694945881, 694945881);
        _step(2, 1897671858, 0, 340298960, 347472940);
    }

    function _step(uint256 kind, uint256 time, uint256 amount, uint256 score, uint256 weight) private {
        vm.warp(time);
        if (kind == 1) _registry.recordTrainer(1, _a, amount);
        if (kind == 2) _registry.recordFault(1, _a, false);
        vm.assertEq(_registry.scoreOf(_a), score, "the Python twin's score");
        vm.warp(time - (time % HALF_LIFE) + HALF_LIFE);
        // At a whole half-life the score is the weight, halved.
        vm.assertEq(_registry.scoreOf(_a), weight / 2, "the Python twin's weight");
    }

    /// @dev The one slot that a write touches.
    function _slot() private returns (bytes32) {
        _cheats.record();
        _registry.recordTrainer(1, _a, 0);
        (, bytes32[] memory writes) = _cheats.accesses(address(_registry));
        vm.assertEq(writes.length, 1, "one store");
        return writes[0];
    }
}
