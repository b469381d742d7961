// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TrainingMarket} from "../../../contracts/TrainingMarket.sol";
import {Record} from "../../../contracts/interfaces/IReputationRegistry.sol";
import {
    ITrainingMarket,
    Project,
    RoundResult,
    ScoreRule,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../contracts/libraries/Krum.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {Points} from "./support/Points.sol";
import {PlainToken} from "./support/Tokens.sol";

/// @notice The state machine, call by call.
contract TrainingMarketTest is MarketFixture {
    address private constant NATIVE = address(0);

    // create

    function testConstructorChecksItsArguments() external {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NoVerifier.selector, stranger));
        new TrainingMarket(stranger, DELAY);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidUnbondingDelay.selector, 0));
        new TrainingMarket(address(gramVerifier), 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidUnbondingDelay.selector, 30 days + 1));
        new TrainingMarket(address(gramVerifier), 30 days + 1);
        vm.assertEq(vault.market(), address(market), "the market made the vault");
        vm.assertEq(registry.market(), address(market), "and the registry");
        vm.assertEq(vault.unbondingDelay(), DELAY, "delay");
        vm.assertTrue(market.judge().code.length > 0, "and the judge");
    }

    function testCreateEscrowsTheReward() external {
        Terms memory terms = _terms(NATIVE);
        uint256 project = _create(terms);
        Project memory p = market.projectOf(project);
        vm.assertEq(project, 1, "numbered from 1");
        vm.assertEq(p.owner, owner, "owner");
        vm.assertEq(p.escrow, REWARD, "escrow");
        vm.assertEq(p.joinDeadline, block.timestamp + 1 hours, "join deadline");
        vm.assertEq(p.model.x, terms.initialModel.x, "M_0");
        vm.assertEq(keccak256(abi.encode(market.termsOf(project))), keccak256(abi.encode(terms)), "terms");
        _assertStatus(project, Status.Open);
        _assertConserved(NATIVE);
    }

    function testCreateRefusesEachBadTerm() external {
        Terms memory t = _terms(NATIVE);
        t.spec = 0;
        _refused(t, "spec", 0);
        t = _terms(NATIVE);
        t.slots = 17;
        _refused(t, "slots", 17);
        t = _terms(NATIVE);
        t.faults = 2;
        _refused(t, "faults", 2);
        t.faults = 255;
        _refused(t, "faults", 255);
        t = _terms(NATIVE);
        t.circuit = bytes32(uint256(1));
        _refused(t, "circuit", 1);
        t = _terms(NATIVE);
        t.slots = 5;
        _refused(t, "circuit slots", 6);
        t = _terms(NATIVE);
        t.rounds = 0;
        _refused(t, "rounds", 0);
        t = _terms(NATIVE);
        t.aggregatorFee = REWARD / 3;
        _refused(t, "aggregatorFee", REWARD / 3);
        t = _terms(NATIVE);
        t.joinWindow = 0;
        _refused(t, "joinWindow", 0);
        t = _terms(NATIVE);
        t.submitWindow = uint32(DELAY + 1);
        _refused(t, "submitWindow", DELAY + 1);
        t = _terms(NATIVE);
        t.resultWindow = type(uint32).max;
        _refused(t, "resultWindow", type(uint32).max);
        t = _terms(NATIVE);
        t.strikeFactor = 99;
        _refused(t, "strikeFactor", 99);
        t = _terms(NATIVE);
        t.strikeSlash = 10_001;
        _refused(t, "strikeSlash", 10_001);
        t = _terms(NATIVE);
        t.duplicateCosine = 10_001;
        _refused(t, "duplicateCosine", 10_001);
        t = _terms(NATIVE);
        t.maxNormSquared = 0;
        _refused(t, "maxNormSquared", 0);
        t.maxNormSquared = 1 << 63;
        _refused(t, "maxNormSquared", 1 << 63);
        t = _terms(NATIVE);
        t.initialModel = G1(1, 3);
        _refused(t, "initialModel", 1);
        t = _terms(NATIVE);
        t.trainerStake = type(uint128).max;
        _refused(t, "total amount", 16 * uint256(type(uint128).max) + REWARD + 8 * uint256(BOND));
    }

    function testCreateTakesTheExactValue() external {
        Terms memory t = _terms(NATIVE);
        vm.deal(owner, 1000 ether);
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSignature("WrongValue(uint256,uint256)", REWARD - 1, REWARD));
        market.create{value: REWARD - 1}(t);
        vm.expectRevert(abi.encodeWithSignature("WrongValue(uint256,uint256)", REWARD + 1, REWARD));
        market.create{value: REWARD + 1}(t);
        t.token = address(new PlainToken());
        vm.expectRevert(abi.encodeWithSignature("WrongValue(uint256,uint256)", 1, 0));
        market.create{value: 1}(t);
        vm.stopPrank();
        vm.assertEq(market.projectCount(), 0, "nothing created");
    }

    // join, leave, cancel, start

    function testJoinTakesTheLowestFreeSlot() external {
        uint256 project = _open(NATIVE);
        vm.prank(trainers[2]);
        market.leave(project);
        vm.prank(trainers[4]);
        market.leave(project);
        vm.assertEq(market.projectOf(project).occupied, 43, "slots 2 and 4 are free");
        vm.assertEq(market.trainersOf(project)[2], address(0), "empty");
        _join(project, stranger);
        vm.assertEq(market.slotOf(project, stranger), 3, "slot 2");
        vm.assertEq(market.lockedOf(project, stranger), STAKE, "stake");
        vm.assertEq(vault.freeOf(NATIVE, trainers[2]), STAKE, "stake of who left is free");
        vm.prank(trainers[2]);
        market.join(project, KEY);
        vm.assertEq(market.slotOf(project, trainers[2]), 5, "slot 4");
    }

    function testJoinRefuses() external {
        uint256 project = _open(NATIVE);
        _deposit(NATIVE, stranger, STAKE);
        vm.startPrank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.Full.selector, project, SLOTS));
        market.join(project, KEY);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, 9, Status.None));
        market.join(9, KEY);
        vm.stopPrank();
        vm.prank(trainers[0]);
        market.leave(project);
        vm.prank(trainers[1]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadyMember.selector, project, trainers[1]));
        market.join(project, KEY);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadyMember.selector, project, aggregators[0]));
        market.join(project, KEY);
        uint256 deadline = market.projectOf(project).joinDeadline;
        vm.warp(deadline);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.join(project, KEY);
    }

    function testJoinNeedsFreeStake() external {
        uint256 project = _create(_terms(NATIVE));
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSignature("InsufficientFree(address,address,uint256,uint256)", NATIVE, stranger, 0, STAKE)
        );
        market.join(project, KEY);
    }

    function testJoinAsAggregatorWhileActiveButNotAfterTheDeadlineWhileOpen() external {
        uint256 project = _open(NATIVE);
        vm.warp(market.projectOf(project).joinDeadline);
        _deposit(NATIVE, stranger, BOND);
        vm.startPrank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, block.timestamp, block.timestamp)
        );
        market.joinAsAggregator(project, KEY, "");
        market.start(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 257, 256));
        market.joinAsAggregator(project, KEY, new bytes(257));
        market.joinAsAggregator(project, KEY, new bytes(256));
        vm.stopPrank();
        vm.assertEq(market.aggregatorsOf(project)[2], stranger, "appended");
        vm.assertEq(market.aggregatorIndexOf(project, stranger), 3, "index + 1");
    }

    function testAtMostEightAggregators() external {
        uint256 project = _active(NATIVE);
        for (uint256 i = 2; i < 8; ++i) _joinAsAggregator(project, address(uint160(0xA000 + i)));
        _deposit(NATIVE, stranger, BOND);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.Full.selector, project, 8));
        market.joinAsAggregator(project, KEY, "");
    }

    function testAggregatorListStaysDenseWhenOneLeaves() external {
        uint256 project = _open(NATIVE);
        _joinAsAggregator(project, stranger);
        vm.prank(aggregators[0]);
        market.leave(project);
        address[] memory list = market.aggregatorsOf(project);
        vm.assertEq(list.length, 2, "two left");
        vm.assertEq(list[0], aggregators[1], "moved up");
        vm.assertEq(list[1], stranger, "moved up");
        vm.assertEq(market.aggregatorIndexOf(project, stranger), 2, "index + 1");
        vm.assertEq(market.aggregatorIndexOf(project, aggregators[0]), 0, "gone");
        vm.assertEq(market.projectOf(project).aggregatorCount, 2, "count");
        vm.assertEq(vault.freeOf(NATIVE, aggregators[0]), BOND, "bond is free");
    }

    function testWhileActiveOnlyAReserveAggregatorMayLeave() external {
        uint256 project = _active(NATIVE);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        market.leave(project);
        vm.prank(aggregators[1]);
        market.leave(project);
        vm.assertEq(market.aggregatorsOf(project).length, 1, "one left");
        vm.assertEq(vault.freeOf(NATIVE, aggregators[1]), BOND, "bond is free");
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        _assertStatus(project, Status.Halted);
    }

    function testStrangersCannotLeave() external {
        uint256 project = _open(NATIVE);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, stranger));
        market.leave(project);
        vm.prank(trainers[0]);
        market.leave(project);
        vm.prank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, trainers[0]));
        market.leave(project);
    }

    function testLeavingWhileActiveEmptiesTheSlotForGoodAndClosesTheWindow() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 5);
        vm.prank(trainers[4]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 4));
        market.leave(project);
        vm.warp(block.timestamp + 60);
        vm.prank(trainers[5]);
        market.leave(project);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.occupied, 31, "slot 5 is empty");
        vm.assertEq(p.trainerCount, 5, "five left");
        vm.assertEq(p.submitDeadline, block.timestamp, "closed at once");
        vm.assertEq(p.resultDeadline, block.timestamp + 20 minutes, "the result window runs from there");
        vm.assertEq(vault.freeOf(NATIVE, trainers[5]), STAKE, "stake is free");
        _post(project, _honestGram(), 0);
        _submitFirst(project, 5);
        vm.assertEq(market.projectOf(project).submitDeadline, block.timestamp, "five are all now");
    }

    function testLeavingAfterTheWindowMovesNoDeadline() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 5);
        Project memory p = market.projectOf(project);
        vm.warp(p.submitDeadline + 5);
        vm.prank(trainers[5]);
        market.leave(project);
        vm.assertEq(market.projectOf(project).submitDeadline, p.submitDeadline, "submit deadline");
        vm.assertEq(market.projectOf(project).resultDeadline, p.resultDeadline, "result deadline");
    }

    function testCancel() external {
        uint256 project = _open(NATIVE);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotCancel.selector, project, stranger));
        market.cancel(project);
        vm.prank(owner);
        market.cancel(project);
        _assertStatus(project, Status.Cancelled);
        vm.assertEq(market.creditOf(NATIVE, owner), REWARD, "full refund");
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Cancelled));
        market.cancel(project);
        vm.prank(trainers[0]);
        market.release(project);
        vm.assertEq(vault.freeOf(NATIVE, trainers[0]), STAKE, "stake is free");
        _assertConserved(NATIVE);
    }

    function testAnyoneCancelsWhatCanNoLongerStart() external {
        uint256 project = _open(NATIVE);
        vm.warp(market.projectOf(project).joinDeadline);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotCancel.selector, project, stranger));
        market.cancel(project);
        vm.prank(trainers[0]);
        market.leave(project);
        vm.prank(trainers[1]);
        market.leave(project);
        vm.prank(stranger);
        market.cancel(project);
        _assertStatus(project, Status.Cancelled);
    }

    function testCancelWithoutAnAggregator() external {
        uint256 project = _create(_terms(NATIVE));
        for (uint256 i = 0; i < SLOTS; ++i) _join(project, trainers[i]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotStart.selector, SLOTS, SLOTS, 0));
        market.start(project);
        vm.warp(market.projectOf(project).joinDeadline);
        vm.prank(stranger);
        market.cancel(project);
        _assertStatus(project, Status.Cancelled);
    }

    function testStartWithAQuorumAfterTheJoinDeadline() external {
        uint256 project = _open(NATIVE);
        vm.prank(trainers[1]);
        market.leave(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotStart.selector, 5, 6, 2));
        market.start(project);
        vm.warp(market.projectOf(project).joinDeadline);
        market.start(project);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.round, 1, "round 1");
        vm.assertEq(p.submitDeadline, block.timestamp + 10 minutes, "submit deadline");
        vm.assertEq(p.resultDeadline, block.timestamp + 30 minutes, "result deadline");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        market.start(project);
    }

    // submit, reseal

    function testSubmitRecordsDigestAndPosition() external {
        uint256 project = _active(NATIVE);
        _submit(project, 3);
        _submit(project, 0);
        (bytes31 digest, uint256 position) = market.submissionOf(project, 1, 0);
        G1 memory c = _commitment(0);
        vm.assertEq(digest, bytes31(keccak256(abi.encode(c.x, c.y))), "digest");
        vm.assertEq(position, 2, "second");
        vm.assertEq(market.projectOf(project).submitted, 9, "slots 0 and 3");
        vm.assertEq(market.projectOf(project).submittedCount, 2, "two");
    }

    function testSubmitRefuses() external {
        uint256 project = _active(NATIVE);
        G1 memory c = _commitment(0);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, stranger));
        market.submit(project, 1, c.x, c.y, 0);
        vm.startPrank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 2, 1));
        market.submit(project, 2, c.x, c.y, 0);
        market.submit(project, 1, c.x, c.y, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 0));
        market.submit(project, 1, c.x, c.y, 0);
        vm.stopPrank();
        uint256 deadline = market.projectOf(project).submitDeadline;
        vm.warp(deadline);
        vm.prank(trainers[1]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.submit(project, 1, c.x, c.y, 0);
    }

    function testSubmitRefusesPointsOffTheCurve() external {
        uint256 project = _active(NATIVE);
        G1 memory c = _commitment(0);
        uint256 q = BN254.BASE_MODULUS;
        uint256[2][6] memory bad = [
            [uint256(0), 0],
            [uint256(1), 3],
            [c.x + q, c.y],
            [c.x, c.y + q],
            [c.y, c.x],
            [type(uint256).max, type(uint256).max]
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            vm.prank(trainers[0]);
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotOnCurve.selector, bad[i][0], bad[i][1]));
            market.submit(project, 1, bad[i][0], bad[i][1], 0);
        }
    }

    function testLastSubmissionClosesTheWindow() external {
        uint256 project = _active(NATIVE);
        vm.warp(block.timestamp + 100);
        _submitFirst(project, SLOTS);
        vm.assertEq(market.projectOf(project).submitDeadline, block.timestamp, "closed");
        vm.assertEq(market.projectOf(project).resultDeadline, block.timestamp + 20 minutes, "result deadline");
        _post(project, _honestGram(), 0);
        vm.assertEq(market.projectOf(project).round, 2, "a result in the same block is in time");
    }

    function testReseal() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 5);
        bytes memory key = new bytes(80);
        uint256 deadline = market.projectOf(project).submitDeadline;
        vm.prank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        market.reseal(project, 1, key);
        vm.warp(deadline);
        vm.prank(trainers[5]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSubmitted.selector, 5));
        market.reseal(project, 1, key);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, stranger));
        market.reseal(project, 1, key);
        vm.startPrank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 81, 80));
        market.reseal(project, 1, new bytes(81));
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.KeyResealed(project, 1, trainers[0], 0, key);
        market.reseal(project, 1, key);
        vm.stopPrank();
    }

    // postResult

    function testResultPaysByContributionAndMovesTheModel() external {
        uint256 project = _active(NATIVE);
        G1 memory before = market.projectOf(project).model;
        _submitFirst(project, SLOTS);
        RoundResult memory r = _result(project, _honestGram(), 0);
        (Krum.Verdict memory v, ) = slow.judge(_rules(project), _input(project, _honestGram(), 0));
        vm.prank(aggregators[0]);
        market.postResult(project, r);

        uint256 pot = REWARD / 3 - FEE;
        uint256 given = 0;
        G1 memory model = before;
        for (uint256 i = 0; i < SLOTS; ++i) {
            uint256 amount = (pot * v.contributions[i]) / v.total;
            vm.assertEq(market.creditOf(NATIVE, trainers[i]), amount, "credit");
            given += amount;
            if ((r.merged >> i) & 1 == 1) {
                model = BN254.add(BN254.add(model, _commitment(i)), BN254.negate(zero));
            }
            Record memory record = registry.trainerRecord(trainers[i]);
            vm.assertEq(record.rounds, 1, "rounds");
            vm.assertEq(record.merged, (r.merged >> i) & 1, "merged");
            vm.assertEq(record.contribution, (1e6 * v.contributions[i]) / v.total, "share");
        }
        Project memory p = market.projectOf(project);
        vm.assertEq(p.model.x, model.x, "M_1.x");
        vm.assertEq(p.model.y, model.y, "M_1.y");
        vm.assertEq(market.creditOf(NATIVE, aggregators[0]), FEE, "fee");
        vm.assertEq(registry.aggregatorRecord(aggregators[0]).rounds, 1, "aggregator's record");
        vm.assertEq(p.escrow, REWARD - FEE - given, "escrow");
        vm.assertEq(p.round, 2, "next round");
        vm.assertEq(p.submitted, 0, "nothing submitted yet");
        _assertConserved(NATIVE);
    }

    function testThreeRoundsSettleAndRefundTheRest() external {
        address token = address(new PlainToken());
        uint256 project = _active(token);
        for (uint256 i = 0; i < 3; ++i) _playRound(project);
        _assertStatus(project, Status.Settled);
        vm.assertEq(market.projectOf(project).escrow, 0, "nothing kept");
        uint256 paid = market.creditOf(token, owner);
        for (uint256 i = 0; i < SLOTS; ++i) paid += market.creditOf(token, trainers[i]);
        vm.assertEq(paid + market.creditOf(token, aggregators[0]), REWARD, "reward = credits + fees + refund");
        _assertConserved(token);
        for (uint256 i = 0; i < SLOTS; ++i) {
            uint256 credit = market.creditOf(token, trainers[i]);
            if (credit == 0) continue;
            market.claim(token, trainers[i]); // by anyone
            vm.assertEq(PlainToken(token).balanceOf(trainers[i]), credit, "claimed");
        }
        vm.prank(aggregators[1]);
        market.release(project);
        vm.assertEq(vault.freeOf(token, aggregators[1]), BOND, "bond is free");
        _assertConserved(token);
    }

    function testResultRefusedFromTheWrongPartyOrAtTheWrongTime() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 5);
        RoundResult memory r = _result(project, _honestGram(), 0);
        Project memory p = market.projectOf(project);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, p.submitDeadline, block.timestamp));
        market.postResult(project, r);
        vm.warp(p.submitDeadline);
        vm.prank(aggregators[1]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotCurrentAggregator.selector, aggregators[1], aggregators[0])
        );
        market.postResult(project, r);
        vm.warp(p.resultDeadline);
        vm.prank(aggregators[0]);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, p.resultDeadline, p.resultDeadline)
        );
        market.postResult(project, r);
    }

    function testResultBelowQuorumIsRefused() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 5);
        _close(project);
        RoundResult memory r = _result(project, _honestGram(), 1);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumMissed.selector, 4, 5));
        market.postResult(project, r);
    }

    function testOmission() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        RoundResult memory r = _result(project, _honestGram(), 1);
        r.omitted = 3;
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidOmission.selector, 3, 63, 1));
        market.postResult(project, r);
        r.omitted = 1 << 7;
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidOmission.selector, 128, 63, 1));
        market.postResult(project, r);
        r.omitted = 1;
        vm.prank(aggregators[0]);
        market.postResult(project, r);
        vm.assertEq(market.creditOf(NATIVE, trainers[0]), 0, "omitted: not paid");
        vm.assertEq(market.lockedOf(project, trainers[0]), STAKE, "nor slashed");
        vm.assertEq(registry.trainerRecord(trainers[0]).faults, 1, "on record");
        vm.assertEq(registry.trainerRecord(trainers[1]).faults, 0, "nobody else");
    }

    function testStrikesGoToTheRoundsPot() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        uint256[] memory gram = _honestGram();
        _setGram(gram, 2, 2, 1 << 41); // oversized
        _post(project, gram, 0);
        vm.assertEq(market.lockedOf(project, trainers[2]), STAKE / 2, "half of the stake is lost");
        vm.assertEq(registry.trainerRecord(trainers[2]).faults, 1, "on record");
        uint256 given = 0;
        for (uint256 i = 0; i < SLOTS; ++i) given += market.creditOf(NATIVE, trainers[i]);
        vm.assertEq(
            market.projectOf(project).escrow,
            REWARD - FEE + STAKE / 2 - given,
            "shared with the round's budget"
        );
        vm.assertLe(REWARD / 3 - FEE + STAKE / 2 - given, 5, "all but dust");
        _assertConserved(NATIVE);
        _submitFirst(project, SLOTS);
        _post(project, gram, 0);
        _submitFirst(project, SLOTS);
        _post(project, gram, 0);
        vm.assertEq(market.lockedOf(project, trainers[2]), 0, "a third strike finds nothing");
        vm.assertEq(registry.trainerRecord(trainers[2]).faults, 3, "three strikes");
        _assertConserved(NATIVE);
    }

    function testEverybodyOversizedStillEndsTheRound() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        uint256[] memory gram = new uint256[](21);
        for (uint256 i = 0; i < 21; ++i) gram[i] = BN254.SCALAR_MODULUS - 1;
        G1 memory before = market.projectOf(project).model;
        _post(project, gram, 0);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.round, 2, "next round");
        vm.assertEq(p.model.x, before.x, "model stands");
        vm.assertEq(p.escrow, REWARD - FEE + 6 * (STAKE / 2), "strikes stay in escrow");
        vm.assertEq(market.creditOf(NATIVE, aggregators[0]), FEE, "fee is paid");
        _assertConserved(NATIVE);
    }

    function testFuzzAnyGramEndsTheRound(uint256 seed) external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        uint256[] memory gram = new uint256[](21);
        for (uint256 i = 0; i < 21; ++i) {
            uint256 dice = random(seed, i, 0);
            gram[i] = dice % 3 == 0 ? random(seed, i, 1) % BN254.SCALAR_MODULUS : dice % (1 << 41);
        }
        _post(project, gram, 0);
        vm.assertEq(market.projectOf(project).round, 2, "next round");
        _assertConserved(NATIVE);
    }

    function testCosineRule() external {
        Terms memory t = _terms(NATIVE);
        t.scoreRule = ScoreRule.Cosine;
        t.strikeFactor = 0;
        t.duplicateCosine = 0;
        uint256 project = _create(t);
        for (uint256 i = 0; i < SLOTS; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        market.start(project);
        _playRound(project);
        // G_00 = 200, four others merged with it at 100: isqrt(200) = 14.
        (Krum.Verdict memory v, ) = slow.judge(_rules(project), _lastInput());
        vm.assertEq(v.contributions[0], (600 << 32) / uint256(14), "by hand");
        vm.assertEq(
            market.creditOf(NATIVE, trainers[0]),
            ((REWARD / 3 - FEE) * v.contributions[0]) / v.total,
            "credit"
        );
    }

    // skip, timeout

    function testSkipWithoutAQuorum() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 4);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, block.timestamp + 10 minutes, block.timestamp)
        );
        market.skip(project, 1, 0);
        _close(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidOmission.selector, 1, 15, 1));
        market.skip(project, 1, 1);
        vm.prank(stranger);
        market.skip(project, 1, 0);
        vm.assertEq(market.projectOf(project).round, 2, "next round");
        vm.assertEq(market.projectOf(project).escrow, REWARD, "nothing paid");
    }

    function testSkipWithAQuorumIsTheAggregatorsWordOnAtMostF() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 5);
        _close(project);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumReached.selector, 5, 5));
        market.skip(project, 1, 0);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidOmission.selector, 3, 31, 1));
        market.skip(project, 1, 3);
        vm.prank(stranger);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotCurrentAggregator.selector, stranger, aggregators[0])
        );
        market.skip(project, 1, 1);
        vm.prank(aggregators[0]);
        market.skip(project, 1, 1);
        vm.assertEq(market.projectOf(project).round, 2, "next round");
        vm.assertEq(registry.trainerRecord(trainers[0]).faults, 1, "the omission is on record");
        vm.assertEq(registry.trainerRecord(trainers[1]).rounds, 0, "the others were not judged");
        _submitFirst(project, SLOTS);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumReached.selector, 5, 5));
        market.skip(project, 2, 1);
    }

    function testSkipEndsAProjectThatHasTooFewTrainersLeft() external {
        uint256 project = _active(NATIVE);
        for (uint256 i = 0; i < 2; ++i) {
            vm.prank(trainers[i]);
            market.leave(project);
        }
        _close(project);
        market.skip(project, 1, 0);
        _assertStatus(project, Status.Settled);
        vm.assertEq(market.creditOf(NATIVE, owner), REWARD, "no round can be paid any more");
    }

    function testTimeoutHandsTheRoundToTheNextAggregator() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, SLOTS);
        uint256 deadline = market.projectOf(project).resultDeadline;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        market.timeout(project, 1);
        vm.warp(deadline);
        vm.prank(stranger);
        market.timeout(project, 1);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.pot, BOND, "bond in the pot");
        vm.assertEq(p.aggregatorIndex, 1, "next");
        vm.assertEq(p.resultDeadline, deadline + 20 minutes, "new deadline");
        vm.assertEq(market.lockedOf(project, aggregators[0]), 0, "bond lost");
        vm.assertEq(registry.aggregatorRecord(aggregators[0]).faults, 1, "on record");
        _assertConserved(NATIVE);
        _post(project, _honestGram(), 0);
        p = market.projectOf(project);
        uint256 given = 0;
        for (uint256 i = 0; i < SLOTS; ++i) given += market.creditOf(NATIVE, trainers[i]);
        vm.assertLe(REWARD / 3 - FEE + BOND - given, 5, "trainers share the bond");
        vm.assertEq(p.pot, 0, "pot is spent");
        vm.assertEq(market.creditOf(NATIVE, aggregators[1]), FEE, "the fee goes to who did it");
        _assertConserved(NATIVE);
    }

    function testTimeoutOfTheLastAggregatorHalts() external {
        uint256 project = _active(NATIVE);
        _playRound(project);
        uint256 earned = market.creditOf(NATIVE, trainers[0]);
        _submitFirst(project, SLOTS);
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(market.projectOf(project).resultDeadline);
            market.timeout(project, 2);
        }
        _assertStatus(project, Status.Halted);
        vm.assertEq(market.creditOf(NATIVE, trainers[0]), earned, "what is earned stays earned");
        vm.prank(trainers[0]);
        market.release(project);
        vm.assertEq(vault.freeOf(NATIVE, trainers[0]), STAKE, "stake is free");
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, aggregators[0]));
        market.release(project);
        _assertConserved(NATIVE);
    }

    function testTimeoutNeedsAQuorum() external {
        uint256 project = _active(NATIVE);
        _submitFirst(project, 4);
        vm.warp(market.projectOf(project).resultDeadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumMissed.selector, 4, 5));
        market.timeout(project, 1);
        market.skip(project, 1, 0);
        vm.assertEq(market.projectOf(project).round, 2, "skipped");
    }

    // release, claim, payments

    function testReleaseOnlyOnceAndOnlyAtTheEnd() external {
        uint256 project = _active(NATIVE);
        vm.startPrank(trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        market.release(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, 9, Status.None));
        market.release(9);
        vm.stopPrank();
        for (uint256 i = 0; i < 3; ++i) _playRound(project);
        vm.startPrank(trainers[0]);
        market.release(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, trainers[0]));
        market.release(project);
        vm.stopPrank();
    }

    function testClaimOnlyOnce() external {
        uint256 project = _active(NATIVE);
        _playRound(project);
        uint256 credit = market.creditOf(NATIVE, trainers[0]);
        vm.assertEq(market.claim(NATIVE, trainers[0]), credit, "amount");
        vm.assertEq(trainers[0].balance, credit, "paid");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToClaim.selector, NATIVE, trainers[0]));
        market.claim(NATIVE, trainers[0]);
    }

    function testMarketTakesNoStrayCoins() external {
        vm.deal(stranger, 1 ether);
        vm.prank(stranger);
        (bool ok, ) = address(market).call{value: 1}("");
        vm.assertTrue(!ok, "refused");
    }

    function _lastInput() private view returns (Krum.Input memory input) {
        input.submitted = 63;
        input.gram = _honestGram();
        input.positions = new uint256[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) (, input.positions[i]) = market.submissionOf(1, 1, i);
    }

    function _refused(Terms memory terms, bytes32 term, uint256 value) private {
        vm.deal(owner, REWARD);
        vm.prank(owner);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidTerms.selector, term, value));
        market.create{value: REWARD}(terms);
    }
}
