// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    Arrivals,
    ChallengeKind,
    ITrainingMarket,
    Opening,
    Outcome,
    Project,
    RoundResult,
    Settlement,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice More trainers than slots: drawn seats, several cohorts a round, one model.
contract CohortsTest is MarketFixture {
    uint256 private constant N = 15;
    Outcome[] private _chain;

    function setUp() public override {
        super.setUp();
        for (uint256 i = SLOTS; i < N; ++i) trainers.push(_trainerParty(i));
    }

    function testTwoCohortsOfARoundMoveOneModel() public {
        uint256 project = _drawn(2);
        G1 memory model = market.projectOf(project).model;
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        for (uint256 cohort = 0; cohort < 2; ++cohort) {
            RoundResult memory result = _result(project, cohort, _honestGram());
            for (uint256 slot = 0; slot < SLOTS; ++slot) {
                if ((result.merged >> slot) & 1 == 0) continue;
                model = BN254.add(model, _commitment(cohort * SLOTS + slot));
                model = BN254.add(model, BN254.negate(toy.zero()));
            }
            vm.assertEq(uint256(market.projectOf(project).round), 1, "both are awaited");
            _postResult(project, result);
            _assertConserved(address(0));
        }
        Project memory p = market.projectOf(project);
        vm.assertEq(uint256(p.round), 2, "next round");
        vm.assertEq(p.model.x, model.x, "sums add up");
        vm.assertEq(p.model.y, model.y, "sums add up");
    }

    /// A reorganisation may bring the second cohort's result without the first's, whose sum is in its model's file.
    function testAResultIsRefusedOnAnotherModelThanItWasMadeOn() public {
        uint256 project = _drawn(2);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        RoundResult memory second = _result(project, 1, _honestGram());
        bytes32 alone = second.before;
        _postResult(project, _result(project, 0, _honestGram()));
        bytes32 moved = bytes32(market.projectOf(project).model.x);
        vm.assertTrue(moved != alone, "it moved");
        bytes memory why = abi.encodeWithSelector(ITrainingMarket.WrongModel.selector, alone, moved);
        vm.expectRevert(why);
        vm.prank(aggregators[0]);
        market.postResult(project, second);
        second.before = moved;
        _postResult(project, second);
    }

    function testSeatsAreDrawnAnewEachRoundAndEachTrainerHasAtMostOne() public {
        uint256 project = _drawn(2);
        uint256 same = 0;
        for (uint256 round = 1; round <= 3; ++round) {
            uint256 seen = 0;
            for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) {
                uint256 number = market.numberOf(project, round, seat);
                vm.assertTrue(number < N && (seen >> number) & 1 == 0, "one seat each");
                seen |= 1 << number;
                if (number == market.numberOf(project, 1, seat)) ++same;
            }
        }
        vm.assertLe(same, 2 * SLOTS + 10, "another draw");
    }

    function testNobodyTakesAnothersSeatAndTheUndrawnHaveNone() public {
        uint256 project = _drawn(2);
        address holder = _holder(project, 3);
        for (uint256 i = 0; i < N; ++i) {
            if (trainers[i] == holder) continue;
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, 3, trainers[i]));
            vm.prank(trainers[i]);
            market.submit(project, 1, 3, keccak256("d"), 0);
        }
    }

    function testTheSeedIsNotKnownBeforeJoiningHasClosed() public {
        Terms memory t = _terms(address(0));
        t.trainers = uint32(N);
        t.cohorts = 2;
        uint256 project = _openWith(t);
        market.start(project);
        _assertStatus(project, Status.Drawing);
        vm.expectRevert();
        market.draw(project); // not in the block of the start, nor the next
        vm.expectRevert();
        vm.prank(trainers[0]);
        market.leave(project); // and nobody who sees the seed can leave before it counts
        vm.roll(block.number + 2);
        market.draw(project);
        _assertStatus(project, Status.Active);
    }

    function testADrawWhoseBlockIsForgottenIsScheduledAnew() public {
        Terms memory t = _terms(address(0));
        t.trainers = uint32(N);
        uint256 project = _openWith(t);
        market.start(project);
        vm.roll(block.number + 300);
        market.draw(project);
        _assertStatus(project, Status.Drawing);
        vm.roll(block.number + 2);
        market.draw(project);
        _assertStatus(project, Status.Active);
    }

    function testACohortWithoutAQuorumIsSkippedAndTheOtherIsPaid() public {
        uint256 project = _drawn(2);
        for (uint256 seat = 0; seat < SLOTS; ++seat) _submit(project, seat);
        for (uint256 seat = SLOTS; seat < SLOTS + 3; ++seat) _submit(project, seat);
        _close(project);
        _post(project, 0, _honestGram());
        address paid = _holder(project, 0);
        vm.expectRevert();
        market.claim(project, paid); // the round is not over: what it brought is provisional
        market.skip(project, 1, 1);
        vm.assertEq(uint256(market.projectOf(project).round), 2, "next round");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 1, 2));
        market.skip(project, 1, 1);
        _assertConserved(address(0));
    }

    function testALateAggregatorsCohortIsTheNextOnes() public {
        uint256 project = _drawn(2);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        _post(project, 0, _honestGram());
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        _assertConserved(address(0));
        _post(project, 1, _honestGram());
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), FEE, "for its cohort");
        vm.assertEq(uint256(market.aggregatorsOf(project)[1].earned), FEE, "for the other");
        _assertConserved(address(0));
    }

    /// A false result, posted before its aggregator lets the project halt, can still be challenged.
    function testAHaltInTheMidstOfARoundLeavesItsResultsOpenToChallenges() public {
        aggregators.pop();
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        uint256 project = _drawnWith(t, 2);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        _postKept(project, 0);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        _assertStatus(project, Status.Closing);
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Proof, 0, _chain);
        vm.warp(market.challengeOf(project).deadline);
        market.undo(project, _chain);
        _assertStatus(project, Status.Halted);
        vm.assertEq(market.claimable(project, owner), uint256(REWARD) + BOND, "nothing was earned");
        _assertConserved(address(0));
    }

    function testBothCohortsAreUndoneTogether() public {
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        uint256 project = _drawnWith(t, 2);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        _postKept(project, 0);
        _postKept(project, 1);
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Proof, 1, _chain);
        vm.warp(market.challengeOf(project).deadline);
        Outcome[] memory half = new Outcome[](1);
        half[0] = _chain[0];
        vm.expectRevert();
        market.undo(project, half);
        market.undo(project, _chain);
        for (uint256 i = 0; i < N; ++i) vm.assertEq(uint256(market.trainerOf(project, i).earned), 0, "undone");
        vm.assertEq(uint256(market.projectOf(project).escrow), REWARD, "whole again");
        _assertConserved(address(0));
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        _post(project, 0, _honestGram());
        _post(project, 1, _honestGram());
        _assertConserved(address(0));
    }

    /// A cohort whose round is over is not touched again while the other's is under way: no call, by anyone.
    function testAConcludedCohortIsOver() public {
        uint256 project = _drawn(2);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) if (seat != 5) _submit(project, seat);
        address sixth = _holder(project, 5);
        _close(project);
        RoundResult memory result = _result(project, 0, _honestGram());
        _postResult(project, result);
        bytes32 before = keccak256(abi.encode(market.cohortOf(project, 0), market.projectOf(project)));
        bytes memory over = abi.encodeWithSelector(ITrainingMarket.WrongCohort.selector, 0, 2);
        vm.expectRevert(over);
        vm.prank(aggregators[0]);
        market.postResult(project, result);
        vm.expectRevert(over);
        market.skip(project, 1, 0);
        Arrivals memory arrivals = result.arrivals;
        vm.expectRevert(over);
        vm.prank(aggregators[0]);
        market.complain(project, 1, 0, 1, arrivals);
        bytes32 late = _digest(_commitment(5), sixth);
        vm.expectRevert();
        vm.prank(sixth);
        market.submit(project, 1, 5, late, "");
        vm.expectRevert();
        vm.prank(aggregators[0]);
        market.postBatch(project, 1, 0, 0x20, late, "");
        Opening memory opening = toy.open(circuit, toy.vector(0), 2);
        G1 memory c = _commitment(0);
        vm.expectRevert();
        market.answer(project, 1, 0, 0, c, opening);
        bytes32 then = keccak256(abi.encode(market.cohortOf(project, 0), market.projectOf(project)));
        vm.assertEq(then, before, "nothing has changed");
        _assertConserved(address(0));
    }

    /// A cohort that was skipped has no result: there is nothing to prove of it, though of the other there is.
    function testNoProofIsOwedOfASkippedCohort() public {
        Terms memory t = _terms(address(0));
        t.settlement = Settlement.OnDemand;
        t.cohorts = 2;
        t.trainers = uint32(N);
        uint256 project = _activeWith(t);
        vm.roll(block.number + 2);
        market.draw(project);
        for (uint256 seat = SLOTS; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _close(project);
        Project memory before = market.projectOf(project);
        RoundResult memory result = _result(project, 1, _honestGram());
        _postResult(project, result);
        market.skip(project, 1, 0);
        uint96[] memory bySlot = new uint96[](SLOTS);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            bySlot[slot] = market.trainerOf(project, market.numberOf(project, 1, SLOTS + slot)).earned;
        }
        Outcome[] memory outcomes = _outcome(before, result, 0, FEE, bySlot);
        for (uint256 i = 0; i < outcomes[0].numbers.length; ++i) {
            outcomes[0].numbers[i] = uint32(market.numberOf(project, 1, SLOTS + outcomes[0].numbers[i]));
        }
        outcomes[0].statement = keccak256(
            abi.encode(keccak256(result.proof), keccak256(abi.encodePacked(result.gram)))
        );
        _deposit(address(0), stranger, DEPOSIT);
        for (uint256 cohort = 0; cohort < 3; cohort += 2) {
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotChallenge.selector, project));
            vm.prank(stranger);
            market.challenge(project, ChallengeKind.Proof, cohort, outcomes);
        }
        vm.assertEq(vault.lockedOf(address(0), stranger), 0, "no deposit is taken");
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Proof, 1, outcomes);
        bytes memory proof = abi.encodePacked(result.proof, new bytes(32));
        market.answerProof(project, result.gram, proof);
        _deposit(address(0), stranger, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotChallenge.selector, project));
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Proof, 1, outcomes); // once a round
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Model, 0, outcomes); // another question
        _assertConserved(address(0));
    }

    function testGasDoesNotGrowWithTheTrainers() public {
        uint256 small = _gasOfARound(8);
        uint256 large = _gasOfARound(200);
        vm.assertLe(large, small + 150_000, "the draw's keccaks, and nothing by trainer");
    }

    function _gasOfARound(uint256 n) private returns (uint256 gas) {
        for (uint256 i = trainers.length; i < n; ++i) trainers.push(vm.addr(i + 1));
        Terms memory t = _terms(address(0));
        t.trainers = uint32(n);
        uint256 project = _openWith(t);
        gas = gasleft();
        market.start(project);
        vm.roll(block.number + 2);
        market.draw(project);
        gas -= gasleft();
        for (uint256 seat = 0; seat < SLOTS; ++seat) _submit(project, seat);
        _close(project);
        RoundResult memory result = _result(project, 0, _honestGram());
        uint256 before = gasleft();
        _postResult(project, result);
        gas += before - gasleft();
    }

    function _drawn(uint256 cohorts) private returns (uint256) {
        return _drawnWith(_terms(address(0)), cohorts);
    }

    function _drawnWith(Terms memory t, uint256 cohorts) private returns (uint256 project) {
        t.trainers = uint32(N);
        t.cohorts = uint8(cohorts);
        project = _openWith(t);
        market.start(project);
        vm.roll(block.number + 2);
        market.draw(project);
    }

    /// Posts, and keeps the outcome's preimage.
    function _postKept(uint256 project, uint256 cohort) private {
        RoundResult memory result = _result(project, cohort, _honestGram());
        Project memory before = market.projectOf(project);
        uint96[] memory was = _bySeat(project, cohort);
        _postResult(project, result);
        uint96[] memory bySlot = new uint96[](SLOTS);
        vm.assertEq(uint256(market.projectOf(project).outcomeRound), result.round, "kept");
        for (uint256 i = 0; i < SLOTS; ++i) {
            uint256 number = market.numberOf(project, result.round, cohort * SLOTS + i);
            bySlot[i] = market.trainerOf(project, number).earned - was[i];
        }
        Outcome memory o = _outcome(before, result, 0, FEE, bySlot)[0];
        for (uint256 i = 0; i < o.numbers.length; ++i) {
            o.numbers[i] = uint32(market.numberOf(project, result.round, cohort * SLOTS + _slotOf(bySlot, i)));
        }
        o.statement = keccak256(abi.encode(keccak256(result.proof), keccak256(abi.encodePacked(result.gram))));
        _chain.push(o);
    }

    /// The slot of the i-th that was paid.
    function _slotOf(uint96[] memory bySlot, uint256 i) private pure returns (uint256 slot) {
        for (uint256 seen = 0; ; ++slot) {
            if (bySlot[slot] != 0 && seen++ == i) return slot;
        }
    }

    function _bySeat(uint256 project, uint256 cohort) private view returns (uint96[] memory earned) {
        earned = new uint96[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) {
            uint256 number = market.numberOf(project, market.projectOf(project).round, cohort * SLOTS + i);
            earned[i] = market.trainerOf(project, number).earned;
        }
    }
}
