// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Record} from "../../../contracts/interfaces/IReputationRegistry.sol";
import {
    ChallengeKind,
    ITrainingMarket,
    Outcome,
    Project,
    RoundResult,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {PlainToken} from "./support/Tokens.sol";

/// @notice A trainer that asks for more while it is paid.
contract GreedyReceiver {
    bool public refused;

    receive() external payable {
        (bool ok, ) = msg.sender.call(abi.encodeCall(ITrainingMarket.claim, (1, address(this))));
        refused = !ok;
    }
}

/// @notice What happens once rounds are over: claims, the reveal, the end, stakes out.
contract SettlingTest is MarketFixture {
    // claim

    function testEverybodyIsPaidOnceAndToTheUnit() external {
        address token = address(new PlainToken());
        address[2] memory tokens = [address(0), token];
        for (uint256 i = 0; i < 2; ++i) {
            Terms memory t = _terms(tokens[i]);
            t.reward = REWARD + 7; // does not divide
            uint256 project = _activeWith(t);
            _playOut(project);
            uint256 paid = _claimAll(project);
            vm.assertEq(paid, t.reward, "all of the reward");
            vm.assertEq(_balance(tokens[i], address(market)), 0, "nothing is kept");
            _assertConserved(tokens[i]);
        }
    }

    function testNoDoubleClaim() external {
        uint256 project = _active(address(0));
        _playOut(project);
        address[] memory all = _everybody();
        for (uint256 i = 0; i < all.length; ++i) {
            uint256 due = market.claimable(project, all[i]);
            if (due != 0) vm.assertEq(market.claim(project, all[i]), due, "what was said");
            vm.assertEq(market.claimable(project, all[i]), 0, "nothing is left");
            _nothingToClaim(project, all[i]);
        }
        // Releasing the stake afterwards brings nothing back.
        vm.prank(trainers[1]);
        market.release(project);
        _nothingToClaim(project, trainers[1]);
    }

    /// Anyone may call for another account: the money goes to that account.
    function testClaimForAnotherPaysTheOther() external {
        uint256 project = _active(address(0));
        _playOut(project);
        uint256 due = market.claimable(project, trainers[0]);
        vm.prank(stranger);
        market.claim(project, trainers[0]);
        vm.assertEq(trainers[0].balance, due, "to the trainer");
        vm.assertEq(stranger.balance, 0, "not to the caller");
        _nothingToClaim(project, stranger);
        _nothingToClaim(99, stranger);
        _nothingToClaim(99, address(0));
    }

    /// Earnings of different rounds are claimed as they become final; what was claimed is not paid again.
    function testClaimsInBetween() external {
        uint256 project = _active(address(0));
        uint256 got = 0;
        for (uint256 round = 1; round <= 3; ++round) {
            _playRound(project);
            vm.warp(market.projectOf(project).challengeDeadline);
            got += market.claim(project, trainers[0]);
            vm.assertEq(got, market.trainerOf(project, 0).earned, "all that it earned");
            _nothingToClaim(project, trainers[0]);
            _assertConserved(address(0));
        }
    }

    /// Nothing is paid out that can still be undone.
    function testNoClaimWhileARoundCanBeChallenged() external {
        uint256 project = _active(address(0));
        _playRound(project);
        uint256 until = market.projectOf(project).challengeDeadline;
        vm.warp(until - 1);
        address[3] memory accounts = [trainers[0], aggregators[0], owner];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, until, until - 1));
            market.claim(project, accounts[i]);
        }
        vm.warp(until);
        market.claim(project, trainers[0]);
        _nothingToClaim(project, owner);
    }

    function testNoClaimWhileAChallengeIsOpen() external {
        uint256 project = _active(address(0));
        _playRound(project);
        _challengeModel(project);
        vm.warp(market.challengeOf(project).deadline + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.ChallengeOpen.selector, project));
        market.claim(project, trainers[0]);
    }

    /// In the midst of a round of several cohorts: the first one's result can be undone with the second's.
    function testNoClaimBetweenTheCohortsOfARound() external {
        for (uint256 i = SLOTS; i < 2 * SLOTS; ++i) trainers.push(_trainerParty(i));
        Terms memory t = _terms(address(0));
        t.cohorts = 2;
        t.trainers = uint32(2 * SLOTS);
        uint256 project = _activeWith(t);
        vm.roll(block.number + 2);
        market.draw(project);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _post(project, 0, _honestGram());
        uint256 until = market.projectOf(project).resultDeadline;
        vm.warp(until - 1);
        address first = _holder(project, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, until, until - 1));
        market.claim(project, first);
        _post(project, 1, _honestGram());
        vm.warp(market.projectOf(project).challengeDeadline);
        market.claim(project, aggregators[0]);
        vm.assertEq(aggregators[0].balance, 2 * uint256(FEE), "a fee for each cohort");
        _assertConserved(address(0));
    }

    /// What was undone was never paid: the account has nothing to claim, and the market misses nothing.
    function testAnUndoneRoundIsNotPaid() external {
        uint256 project = _active(address(0));
        _submitFirst(project, SLOTS);
        Project memory before = market.projectOf(project);
        RoundResult memory result = _result(project, 0, _honestGram());
        _postResult(project, result);
        Outcome[] memory outcomes = _outcome(before, result, 0, FEE, _earned(project));
        _challengeModel(project);
        vm.warp(market.challengeOf(project).deadline);
        market.undo(project, outcomes);
        for (uint256 i = 0; i < SLOTS; ++i) _nothingToClaim(project, trainers[i]);
        _nothingToClaim(project, aggregators[0]);
        _assertConserved(address(0));
        _playOut(project);
        vm.assertEq(_claimAll(project), uint256(REWARD) + BOND - DEPOSIT, "the reward, and the bond but the deposit");
        _assertConserved(address(0));
    }

    function testAReceiverThatCallsBackIsRefused() external {
        GreedyReceiver greedy = new GreedyReceiver();
        trainers[0] = address(greedy);
        uint256 project = _active(address(0));
        vm.assertEq(project, 1, "the one it asks for");
        _playOut(project);
        uint256 due = market.claimable(project, address(greedy));
        uint256 before = address(greedy).balance;
        market.claim(project, address(greedy));
        vm.assertTrue(greedy.refused(), "the lock was taken");
        vm.assertEq(address(greedy).balance, before + due, "once");
        _assertConserved(address(0));
    }

    /// An account that takes no money keeps nobody else from theirs.
    function testAReceiverThatRefusesHurtsNobodyElse() external {
        trainers[0] = address(slow); // a contract without `receive`
        uint256 project = _create(_terms(address(0)));
        vm.deal(address(slow), STAKE);
        vm.prank(address(slow));
        vault.deposit{value: STAKE}(address(0), STAKE);
        vm.prank(address(slow));
        market.join(project, KEY);
        for (uint256 i = 1; i < SLOTS; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        market.start(project);
        _playOut(project);
        vm.expectRevert();
        market.claim(project, address(slow));
        for (uint256 i = 1; i < SLOTS; ++i) {
            if (market.claimable(project, trainers[i]) != 0) market.claim(project, trainers[i]);
        }
        market.claim(project, owner);
        _assertConserved(address(0));
    }

    /// A self-dealing owner: trainer in its own project. Its parts add up and are paid once.
    function testAnOwnerThatTrainsIsPaidBoth() external {
        trainers[0] = owner;
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _playReference(project);
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        _settle(project);
        Project memory p = market.projectOf(project);
        uint256 due = uint256(market.trainerOf(project, 0).earned) + p.ownerCredit;
        uint256 before = owner.balance;
        vm.assertEq(market.claim(project, owner), due, "both");
        vm.assertEq(owner.balance, before + due, "paid");
        _nothingToClaim(project, owner);
        vm.assertEq(_claimAll(project) + due, uint256(REWARD) + REVEAL_BOND, "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    // reveal

    function testTheRevealBondComesBack() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        bytes32 nothing = keccak256("another set");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT); // trainers would know it before they train
        _playReference(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotOwner.selector, project, stranger));
        vm.prank(stranger);
        market.reveal(project, VALIDATION, SALT);
        vm.expectRevert(ITrainingMarket.NotTheValidationSet.selector);
        vm.prank(owner);
        market.reveal(project, nothing, SALT);
        vm.expectRevert(ITrainingMarket.NotTheValidationSet.selector);
        vm.prank(owner);
        market.reveal(project, VALIDATION, nothing);
        uint256 before = market.claimable(project, owner);
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        vm.assertEq(market.claimable(project, owner), before + REVEAL_BOND, "the bond");
        _assertConserved(address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Closing));
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT); // not twice
        _settle(project);
        vm.assertEq(market.projectOf(project).bonus, 0, "nothing is forfeited");
        vm.assertEq(_claimAll(project), uint256(REWARD) + REVEAL_BOND, "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// An owner that keeps its set to itself pays for it: to those who have not left, in equal parts.
    function testTheRevealBondIsForfeited() external {
        Terms memory t = _referenceTerms(address(0));
        t.revealBond = REVEAL_BOND + 3; // does not divide by five
        uint256 project = _activeWith(t);
        _playReferenceRound(project);
        vm.prank(trainers[2]);
        market.leave(project);
        uint256 gone = market.claimable(project, trainers[2]);
        _assertConserved(address(0));
        for (uint256 round = 2; round <= 3; ++round) {
            for (uint256 i = 0; i < SLOTS; ++i) if (i != 2) _submit(project, i);
            _submitReference(project);
            _close(project);
            _post(project, 0, _honestGram(SLOTS + 1));
        }
        uint256 earned = market.claimable(project, trainers[1]);
        _settle(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Settled));
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT); // too late
        uint256 bonus = uint256(t.revealBond) / 5;
        vm.assertEq(market.projectOf(project).bonus, bonus, "bonus");
        vm.assertEq(market.claimable(project, trainers[1]), earned + bonus, "earned and bonus");
        vm.assertEq(market.claimable(project, trainers[2]), gone, "none for the one that left");
        vm.prank(trainers[1]);
        market.release(project); // does not lose it
        vm.assertEq(market.claim(project, trainers[1]), earned + bonus, "paid");
        _nothingToClaim(project, trainers[1]);
        vm.assertEq(_claimAll(project) + earned + bonus, uint256(REWARD) + t.revealBond, "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// A bond of less than a unit for each is not stuck.
    function testADustyRevealBondIsNotStuck() external {
        Terms memory t = _referenceTerms(address(0));
        t.revealBond = uint96(SLOTS - 1);
        uint256 project = _activeWith(t);
        _playReference(project);
        _settle(project);
        vm.assertEq(market.projectOf(project).bonus, 0, "nobody's");
        vm.assertEq(_claimAll(project), uint256(REWARD) + t.revealBond, "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// Where no trainer is left, nobody is there to be paid.
    function testARevealBondWithoutTrainers() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        for (uint256 i = 0; i < SLOTS; ++i) {
            vm.prank(trainers[i]);
            market.leave(project);
        }
        vm.warp(market.projectOf(project).submitDeadline);
        market.skip(project, 1, 0);
        _settle(project);
        vm.assertEq(market.claim(project, owner), uint256(REWARD) + REVEAL_BOND, "everything");
    }

    /// The owner has a challenge window to reveal in, even where the last round was skipped.
    function testTheOwnerHasTimeToReveal() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        for (uint256 round = 1; round <= 3; ++round) {
            vm.warp(market.projectOf(project).submitDeadline);
            market.skip(project, round, 0);
        }
        uint256 until = block.timestamp + 5 minutes;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, until, block.timestamp));
        market.settle(project);
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        vm.warp(until);
        market.settle(project);
        vm.assertEq(market.claim(project, owner), uint256(REWARD) + REVEAL_BOND, "everything");
    }

    // settle

    function testSettleWaitsForTheLastChallengeWindow() external {
        uint256 project = _active(address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        market.settle(project);
        for (uint256 i = 0; i < 3; ++i) _playRound(project);
        uint256 until = market.projectOf(project).challengeDeadline;
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, until, until - 1));
        market.settle(project);
        _challengeModel(project);
        vm.warp(until + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.ChallengeOpen.selector, project));
        market.settle(project);
    }

    function testSettleOnce() external {
        uint256 project = _active(address(0));
        _playOut(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Settled));
        market.settle(project);
    }

    /// No aggregator is left: what was earned is paid, all else is the owner's, the reveal bond too where no reference
    /// ever came in.
    function testHalted() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _close(project);
        _post(project, 0, _honestGram(SLOTS + 1));
        _failAll(project, 2);
        _assertStatus(project, Status.Halted);
        _assertConserved(address(0));
        uint256 due = market.claimable(project, owner);
        vm.assertEq(market.claim(project, owner), due, "what was said");
        _nothingToClaim(project, owner);
        uint256 others = _claimAll(project);
        vm.assertEq(due + others, uint256(REWARD) + REVEAL_BOND + 2 * uint256(BOND), "everything, and both bonds");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, aggregators[0]));
        vm.prank(aggregators[0]);
        market.release(project);
        vm.prank(trainers[0]);
        market.release(project);
        vm.assertEq(vault.freeOf(address(0), trainers[0]), STAKE, "stake");
    }

    /// An owner whose own aggregators fail on purpose gets out of nothing: a reference came in, so it reveals or pays.
    function testAHaltIsNoWayAroundTheReveal() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _playReferenceRound(project);
        _failAll(project, 2);
        _assertStatus(project, Status.Closing);
        _assertConserved(address(0));
        uint256 until = market.projectOf(project).challengeDeadline;
        vm.assertEq(until, block.timestamp + 5 minutes, "time to reveal in");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, until, block.timestamp));
        market.settle(project);
        // Round 1 is final: the window is for the reveal, not for challenges.
        _deposit(address(0), stranger, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotChallenge.selector, project));
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Model, 0, new Outcome[](0));
        uint256 before = market.claimable(project, trainers[1]);
        _settle(project);
        _assertStatus(project, Status.Halted);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Halted));
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        uint256 bonus = uint256(REVEAL_BOND) / SLOTS;
        vm.assertEq(market.claimable(project, trainers[1]), before + bonus, "earned and bonus");
        _assertConserved(address(0));
        vm.assertEq(_claimAll(project), uint256(REWARD) + REVEAL_BOND + 2 * uint256(BOND), "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
        for (uint256 i = 0; i < SLOTS; ++i) _nothingToClaim(project, trainers[i]);
    }

    /// An honest owner whose aggregators fail reveals, and has its bond again.
    function testAHaltedProjectIsRevealedFor() external {
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _playReferenceRound(project);
        _failAll(project, 2);
        uint256 before = market.claimable(project, owner);
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        vm.assertEq(market.claimable(project, owner), before + REVEAL_BOND, "the bond");
        _settle(project);
        _assertStatus(project, Status.Halted);
        vm.assertEq(market.projectOf(project).bonus, 0, "nothing is forfeited");
        vm.assertEq(_claimAll(project), uint256(REWARD) + REVEAL_BOND + 2 * uint256(BOND), "everything, once");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// Nor is an undone round a way around it.
    function testAHaltByAnUndoIsNoWayAroundTheReveal() external {
        aggregators.pop();
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _submitReference(project);
        Project memory before = market.projectOf(project);
        RoundResult memory result = _result(project, 0, _honestGram(SLOTS + 1));
        _postResult(project, result);
        Outcome[] memory outcomes = _outcome(before, result, 0, FEE, _earned(project));
        _challengeModel(project);
        vm.warp(market.challengeOf(project).deadline);
        market.undo(project, outcomes);
        _assertStatus(project, Status.Closing);
        _assertConserved(address(0));
        _settle(project);
        _assertStatus(project, Status.Halted);
        vm.assertEq(market.projectOf(project).bonus, REVEAL_BOND / SLOTS, "forfeited");
        vm.assertEq(_claimAll(project), uint256(REWARD) + REVEAL_BOND + BOND - DEPOSIT, "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// Without a bond there is nothing to wait for.
    function testAHaltWithoutARevealBondIsAtOnce() external {
        Terms memory t = _referenceTerms(address(0));
        t.revealBond = 0;
        uint256 project = _activeWith(t);
        _playReferenceRound(project);
        _failAll(project, 2);
        _assertStatus(project, Status.Halted);
        vm.assertEq(_claimAll(project), uint256(REWARD) + 2 * uint256(BOND), "everything");
    }

    /// A round that is done again after the reveal is not paid by a set that trainers know: it goes by the fallback
    /// rule, nobody waits for the reference, and the bond is paid back once.
    function testAfterTheRevealNoReferenceCounts() external {
        Terms memory t = _referenceTerms(address(0));
        t.rounds = 1;
        uint256 project = _activeWith(t);
        _submitFirst(project, SLOTS);
        _submitReference(project);
        Project memory before = market.projectOf(project);
        RoundResult memory result = _result(project, 0, _honestGram(SLOTS + 1));
        _postResult(project, result);
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        Outcome[] memory outcomes = _outcome(before, result, 0, FEE, _earned(project));
        _challengeModel(project);
        vm.warp(market.challengeOf(project).deadline);
        market.undo(project, outcomes);
        _assertStatus(project, Status.Active);
        _assertConserved(address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        vm.prank(owner);
        market.submitReference(project, 2, keccak256("a reference"), "");
        _submitFirst(project, SLOTS);
        vm.assertEq(uint256(market.projectOf(project).submitDeadline), block.timestamp, "nobody else is awaited");
        _post(project, 0, _honestGram(SLOTS + 1));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Closing));
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT); // the bond is not paid back twice
        _settle(project);
        vm.assertEq(_claimAll(project), uint256(REWARD) + REVEAL_BOND + BOND - DEPOSIT, "everything, once");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// The last round is undone after the reveal, and no aggregator is left: the bond comes back once.
    function testHaltedAfterTheReveal() external {
        aggregators.pop();
        uint256 project = _activeWith(_referenceTerms(address(0)));
        _playReferenceRound(project);
        _playReferenceRound(project);
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project);
        Project memory before = market.projectOf(project);
        uint96[] memory paid = _earned(project);
        RoundResult memory result = _result(project, 0, _honestGram(SLOTS + 1));
        _postResult(project, result);
        uint96[] memory inAll = _earned(project);
        for (uint256 i = 0; i < SLOTS; ++i) paid[i] = inAll[i] - paid[i];
        vm.prank(owner);
        market.reveal(project, VALIDATION, SALT);
        _challengeModel(project);
        vm.warp(market.challengeOf(project).deadline);
        market.undo(project, _outcome(before, result, 0, FEE, paid));
        _assertStatus(project, Status.Halted);
        _assertConserved(address(0));
        vm.assertEq(_claimAll(project), uint256(REWARD) + REVEAL_BOND + BOND - DEPOSIT, "everything, once");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    /// The last aggregator fails between the cohorts of a round: Closing while the first can be challenged, then Halted.
    function testHaltedBetweenTheCohortsOfARound() external {
        for (uint256 i = SLOTS; i < 2 * SLOTS; ++i) trainers.push(_trainerParty(i));
        Terms memory t = _terms(address(0));
        t.cohorts = 2;
        t.trainers = uint32(2 * SLOTS);
        uint256 project = _activeWith(t);
        vm.roll(block.number + 2);
        market.draw(project);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _post(project, 0, _honestGram());
        for (uint256 i = 0; i < 2; ++i) {
            vm.warp(market.projectOf(project).resultDeadline);
            market.timeout(project, 1);
        }
        _assertStatus(project, Status.Closing);
        _settle(project);
        _assertStatus(project, Status.Halted);
        vm.assertEq(_claimAll(project), uint256(REWARD) + 2 * uint256(BOND), "everything, and both bonds");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    // release

    function testReleaseFreesOnceAndWritesTheRecord() external {
        uint256 project = _active(address(0));
        _playRound(project);
        bytes memory active = abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active);
        vm.expectRevert(active); // stake never leaves while locked
        vm.prank(trainers[0]);
        market.release(project);
        _playOut(project);
        vm.assertEq(registry.scoreOf(trainers[1]), 0, "not yet written");
        vm.prank(trainers[1]);
        market.release(project);
        vm.assertEq(vault.freeOf(address(0), trainers[1]), STAKE, "free");
        vm.assertEq(vault.lockedOf(address(0), trainers[1]), 0, "not locked");
        uint256 contribution = (uint256(market.trainerOf(project, 1).earned) * 3 * 1e6) / REWARD;
        Record memory record = registry.trainerRecord(trainers[1]);
        vm.assertEq(record.contribution, contribution, "in millionths of a round");
        vm.assertEq(record.projects, 1, "one project");
        vm.assertTrue(contribution > 4e5 && contribution < 8e5, "about a fifth of three rounds");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, trainers[1]));
        vm.prank(trainers[1]);
        market.release(project); // neither the stake nor the record twice
        vm.prank(aggregators[0]);
        market.release(project);
        vm.assertEq(registry.aggregatorRecord(aggregators[0]).contribution, 3e6, "three results");
        vm.prank(aggregators[1]);
        market.release(project);
        vm.assertEq(registry.aggregatorRecord(aggregators[1]).projects, 0, "none in reserve");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, stranger));
        vm.prank(stranger);
        market.release(project);
    }

    /// Who left has no stake here, and another project's stays where it is.
    function testReleaseTouchesNoOtherProject() external {
        uint256 project = _active(address(0));
        vm.prank(trainers[5]);
        market.leave(project);
        Terms memory t = _terms(address(0));
        uint256 other = _create(t);
        for (uint256 i = 0; i < SLOTS; ++i) _join(other, trainers[i]);
        while (market.projectOf(project).status == Status.Active) {
            _submitFirst(project, SLOTS - 1);
            _close(project);
            _post(project, 0, _honestGram());
        }
        _settle(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, trainers[5]));
        vm.prank(trainers[5]);
        market.release(project);
        vm.prank(trainers[0]);
        market.release(project);
        vm.assertEq(vault.lockedOf(address(0), trainers[0]), STAKE, "the other's");
        vm.assertEq(market.membershipOf(other, trainers[0]).locked, STAKE, "as it knows");
    }

    // Whatever the amounts

    /// Conservation to the unit for any reward, fee and bond, whoever reveals or leaves.
    function testConservation(uint256 reward, uint256 fee, uint256 bond, bool revealed, uint256 leaver) external {
        Terms memory t = _referenceTerms(address(0));
        t.reward = uint96(bound(reward, 6, 1 << 94));
        t.aggregatorFee = uint96(bound(fee, 0, t.reward / 3 - 1));
        t.revealBond = uint96(bound(bond, 0, 1 << 94));
        uint256 project = _activeWith(t);
        _playReferenceRound(project);
        leaver = bound(leaver, 0, SLOTS); // SLOTS: none
        if (leaver != SLOTS) {
            vm.prank(trainers[leaver]);
            market.leave(project);
        }
        while (market.projectOf(project).status == Status.Active) {
            for (uint256 i = 0; i < SLOTS; ++i) if (i != leaver) _submit(project, i);
            _submitReference(project);
            _close(project);
            _post(project, 0, _honestGram(SLOTS + 1));
        }
        if (revealed) {
            vm.prank(owner);
            market.reveal(project, VALIDATION, SALT);
        }
        _settle(project);
        vm.assertEq(_claimAll(project), uint256(t.reward) + t.revealBond, "everything");
        vm.assertEq(address(market).balance, 0, "nothing is kept");
    }

    // Helpers

    /// All of its aggregators let the round's deadline pass.
    function _failAll(uint256 project, uint256 round) private {
        if (market.cohortOf(project, 0).round != round) _submitFirst(project, SLOTS);
        for (uint256 i = 0; i < aggregators.length; ++i) {
            vm.warp(market.projectOf(project).resultDeadline);
            market.timeout(project, round);
        }
    }

    function _playReferenceRound(uint256 project) private {
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _close(project); // not before the previous round's challenge deadline
        _post(project, 0, _honestGram(SLOTS + 1));
    }

    function _playReference(uint256 project) private {
        while (market.projectOf(project).status == Status.Active) _playReferenceRound(project);
        _assertStatus(project, Status.Closing);
    }

    function _settle(uint256 project) private {
        uint256 until = market.projectOf(project).challengeDeadline;
        if (block.timestamp < until) vm.warp(until);
        market.settle(project);
    }

    function _claimAll(uint256 project) private returns (uint256 paid) {
        address[] memory all = _everybody();
        for (uint256 i = 0; i < all.length; ++i) {
            if (market.claimable(project, all[i]) != 0) paid += market.claim(project, all[i]);
        }
    }

    function _challengeModel(uint256 project) private {
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        market.challenge(project, ChallengeKind.Model, 0, new Outcome[](0));
    }

    function _nothingToClaim(uint256 project, address account) private {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToClaim.selector, project, account));
        market.claim(project, account);
    }
}
