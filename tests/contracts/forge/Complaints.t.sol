// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IStakeVault} from "../../../contracts/interfaces/IStakeVault.sol";
import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {
    Arrivals,
    ITrainingMarket,
    Opening,
    Project,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {G1} from "../../../contracts/libraries/BN254.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice Updates that cannot be opened: complaint, answer, silence, and everybody who abuses them.
contract ComplaintsTest is MarketFixture {
    uint256 private constant VICTIM = 2;

    function testAnAnswerGivesTheDepositToTheTrainer() public {
        uint256 project = _complainedAbout(1 << VICTIM);
        _answer(project, VICTIM, stranger); // whoever has the update
        vm.assertEq(uint256(market.membershipOf(project, aggregators[0]).locked), BOND - DEPOSIT, "bond");
        vm.assertEq(vault.freeOf(address(0), trainers[VICTIM]), DEPOSIT, "free stake of the trainer");
        _post(project, 0, _honestGram());
        vm.assertEq(uint256(registry.trainerRecord(trainers[VICTIM]).faults), 0, "no fault");
        _assertConserved(address(0));
    }

    function testSilenceMakesTheSlotAbsentAndCostsTheDeposit() public {
        uint256 project = _complainedAbout(1 << VICTIM);
        uint256 deadline = market.projectOf(project).answerDeadline;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        this.post(project);
        vm.warp(deadline);
        _post(project, 0, _honestGram());
        vm.assertEq(uint256(_earned(project)[VICTIM]), 0, "absent");
        vm.assertEq(uint256(market.membershipOf(project, trainers[VICTIM]).locked), STAKE - DEPOSIT, "its stake");
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), DEPOSIT, "to the aggregator");
        vm.assertEq(uint256(registry.trainerRecord(trainers[VICTIM]).faults), 1, "on record");
        _assertConserved(address(0));
    }

    function testAnswersAreInTimeOrNever() public {
        uint256 project = _complainedAbout(1 << VICTIM);
        uint256 deadline = market.projectOf(project).answerDeadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        this.answer(project, VICTIM, VICTIM);
    }

    function testAnAnswerIsTheCommittedUpdateAndNoOther() public {
        uint256 project = _complainedAbout(1 << VICTIM);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, VICTIM));
        this.answer(project, VICTIM, VICTIM + 1);
        G1 memory c = _commitment(VICTIM);
        Opening memory lie = toy.open(circuit, toy.vector(VICTIM + 1), 2);
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        market.answer(project, 1, 0, VICTIM, c, lie);
        Opening memory bent = toy.open(circuit, toy.vector(VICTIM), 2);
        bent.packed[0] = bytes1(uint8(bent.packed[0]) ^ 1);
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        market.answer(project, 1, 0, VICTIM, c, bent);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, 3));
        this.answer(project, 3, 3);
    }

    function testAPointOffTheCurveCannotBeAnswered() public {
        uint256 project = _active(address(0));
        _submitAs(project, VICTIM, _digest(G1(1, 3), trainers[VICTIM]));
        for (uint256 i = 0; i < SLOTS; ++i) if (i != VICTIM) _submit(project, i);
        _close(project);
        _complain(project, 1 << VICTIM);
        Opening memory opening = toy.open(circuit, toy.vector(VICTIM), 2);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotOnCurve.selector, 1, 3));
        market.answer(project, 1, 0, VICTIM, G1(1, 3), opening);
        vm.warp(market.projectOf(project).answerDeadline);
        _post(project, 0, _honestGram()); // and no later step fails for it
    }

    function testAnUpdateBeyondTheNormBoundCannotBeAnswered() public {
        Terms memory t = _terms(address(0));
        t.maxNormSquared = 100;
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        _complain(project, 1 << VICTIM);
        vm.expectRevert(ITrainingMarket.OpeningRejected.selector);
        this.answer(project, VICTIM, VICTIM);
    }

    function testComplaintsAreTheCurrentAggregatorsInTheirTime() public {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS - 1);
        vm.expectRevert();
        this.complain(project, 1); // the window is open
        _close(project);
        Arrivals memory arrivals = _arrivals(project, 0);
        vm.prank(aggregators[1]);
        vm.expectRevert();
        market.complain(project, 1, 0, 1, arrivals);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 0));
        this.complain(project, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 1 << 5));
        this.complain(project, 1 << 5); // did not submit
        vm.warp(uint256(market.projectOf(project).turnStart) + 5 minutes);
        vm.expectRevert();
        this.complain(project, 1); // too late
    }

    function testComplaintsCannotStall() public {
        uint256 project = _complainedAbout(1);
        uint256 latest = uint256(market.projectOf(project).turnStart) + 2 * 5 minutes + 20 minutes;
        vm.warp(uint256(market.projectOf(project).turnStart) + 5 minutes - 1);
        _complain(project, 2);
        vm.assertLe(market.projectOf(project).resultDeadline, latest, "bounded");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 3));
        this.complain(project, 3); // once about a slot
        _answer(project, 0, trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 1));
        this.complain(project, 1);
    }

    function testComplaintsNeedTheirDepositInTheBond() public {
        Terms memory t = _terms(address(0));
        t.complaintDeposit = BOND / uint96(2 * SLOTS);
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        _complain(project, 1); // a false one
        _answer(project, 0, trainers[0]);
        _complain(project, 2);
        _answer(project, 1, trainers[1]);
        _post(project, 0, _honestGram());
        _submitFirst(project, SLOTS);
        _close(project);
        vm.expectRevert(
            abi.encodeWithSelector(
                IStakeVault.InsufficientFree.selector,
                address(0),
                aggregators[0],
                0,
                2 * (BOND / (2 * SLOTS))
            )
        );
        this.complain(project, 0x3f);
        _deposit(address(0), aggregators[0], BOND);
        _complain(project, 0x3f);
        _assertConserved(address(0));
    }

    function testTooManyWithheldUpdatesSkipTheRoundAndNobodyHonestPays() public {
        uint256 project = _complainedAbout(3);
        vm.warp(market.projectOf(project).answerDeadline);
        market.skip(project, 1, 0);
        vm.assertEq(uint256(market.membershipOf(project, aggregators[0]).locked), BOND, "the bond is whole");
        vm.assertEq(uint256(market.projectOf(project).round), 2, "the project goes on");
        _assertConserved(address(0));
    }

    function testAStandInInheritsWhatWasComplainedAbout() public {
        uint256 project = _complainedAbout(1);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 1));
        this.complain(project, 1);
        _post(project, 0, _honestGram());
        vm.assertEq(vault.freeOf(address(0), aggregators[1]), DEPOSIT, "to the one who does the work");
        _assertConserved(address(0));
    }

    function testAWithheldReferenceIsNoReference() public {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project);
        _complain(project, 1 << SLOTS);
        vm.warp(market.projectOf(project).answerDeadline);
        _post(project, 0, _honestGram(SLOTS + 1));
        vm.assertGe(_earned(project)[0], 1, "paid by the fallback rule");
        _assertConserved(address(0));
    }

    function testTheOwnerAnswersForItsReference() public {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project);
        _complain(project, 1 << SLOTS);
        G1 memory c = _commitment(SLOTS);
        Opening memory opening = toy.open(circuitWithReference, toy.vector(SLOTS), 2);
        market.answer(project, 1, 0, SLOTS, c, opening);
        vm.assertEq(vault.freeOf(address(0), owner), DEPOSIT, "paid");
        _post(project, 0, _honestGram(SLOTS + 1));
        _assertConserved(address(0));
    }

    // Called from outside, so that a revert can be expected of the whole.

    function post(uint256 project) external {
        _post(project, 0, _honestGram());
    }

    function complain(uint256 project, uint256 slots) external {
        _complain(project, slots);
    }

    function answer(uint256 project, uint256 slot, uint256 seed) external {
        int256[] memory v = toy.vector(seed);
        Opening memory opening = toy.open(circuit, v, 2);
        market.answer(project, 1, 0, slot, toy.commitment(v), opening);
    }

    function _complain(uint256 project, uint256 slots) private {
        uint256 round = market.projectOf(project).round;
        Arrivals memory arrivals = _arrivals(project, 0);
        vm.prank(_current(project));
        market.complain(project, round, 0, slots, arrivals);
    }

    function _answer(uint256 project, uint256 slot, address sender) private {
        G1 memory c = _commitment(slot);
        Opening memory opening = toy.open(circuit, toy.vector(slot), 2);
        vm.prank(sender);
        market.answer(project, 1, 0, slot, c, opening);
    }

    function _complainedAbout(uint256 slots) private returns (uint256 project) {
        project = _active(address(0));
        _submitFirst(project, SLOTS);
        _complain(project, slots);
    }
}
