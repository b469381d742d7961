// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    Account,
    ITrainingMarket,
    Member,
    Project,
    RoundResult,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {IStakeVault} from "../../../contracts/interfaces/IStakeVault.sol";
import {Payments, Permit} from "../../../contracts/libraries/Payments.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {PermitToken, PlainToken} from "./support/Tokens.sol";

/// @notice Who takes part: places, stakes, lists, leaving in every state.
contract MembershipTest is MarketFixture {
    // create

    function testCreateTakesRewardAndRevealBond() external {
        address token = address(new PlainToken());
        address[2] memory tokens = [address(0), token];
        for (uint256 i = 0; i < 2; ++i) {
            uint256 project = _create(_referenceTerms(tokens[i]));
            Project memory p = market.projectOf(project);
            vm.assertEq(p.owner, owner, "owner");
            vm.assertEq(p.escrow, REWARD, "the bond is no part of the escrow");
            vm.assertEq(p.lastRound, 3, "last round");
            vm.assertEq(p.joinDeadline, block.timestamp + 1 hours, "join deadline");
            vm.assertEq(_balance(tokens[i], address(market)), uint256(REWARD) + REVEAL_BOND, "both are here");
            _assertStatus(project, Status.Open);
            _assertConserved(tokens[i]);
        }
    }

    function testCreateTakesExactlyTheAmount() external {
        Terms memory t = _referenceTerms(address(0));
        Permit memory none;
        uint256 cost = uint256(REWARD) + REVEAL_BOND;
        vm.deal(owner, 2 * cost);
        uint256[3] memory values = [cost - 1, cost + 1, 0];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, values[i], cost));
            vm.prank(owner);
            market.create{value: values[i]}(t, none);
        }
        t.token = address(new PlainToken());
        vm.expectRevert(abi.encodeWithSelector(Payments.WrongValue.selector, 1, 0));
        vm.prank(owner);
        market.create{value: 1}(t, none);
        vm.expectRevert(); // neither tokens nor an allowance
        vm.prank(owner);
        market.create(t, none);
    }

    /// The approval comes with the call, and it does not matter if somebody else hands it in first.
    function testCreateByPermit() external {
        uint256 key = 77;
        owner = vm.addr(key);
        PermitToken token = new PermitToken();
        token.mint(owner, 2 * uint256(REWARD));
        Terms memory t = _terms(address(token));
        for (uint256 nonce = 0; nonce < 2; ++nonce) {
            Permit memory permit;
            permit.deadline = block.timestamp;
            bytes32 asked = keccak256(
                abi.encode(
                    keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                    owner,
                    address(market),
                    REWARD,
                    nonce,
                    permit.deadline
                )
            );
            bytes32 hash = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), asked));
            (permit.v, permit.r, permit.s) = vm.sign(key, hash);
            if (nonce == 1) {
                token.permit(owner, address(market), REWARD, permit.deadline, permit.v, permit.r, permit.s);
            }
            vm.prank(owner);
            market.create(t, permit);
        }
        vm.assertEq(token.balanceOf(address(market)), 2 * uint256(REWARD), "both");
    }

    // join

    function testJoinNumbersFromZeroAndLocksTheStake() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < SLOTS; ++i) {
            _join(project, trainers[i]);
            vm.assertEq(market.trainerOf(project, i).holder, trainers[i], "holder");
            Member memory m = market.membershipOf(project, trainers[i]);
            vm.assertEq(m.number, i + 1, "number");
            vm.assertEq(m.locked, STAKE, "locked here");
            vm.assertEq(vault.lockedOf(address(0), trainers[i]), STAKE, "locked there");
        }
        vm.assertEq(market.projectOf(project).trainerCount, SLOTS, "count");
    }

    function testJoinNeedsTheStake() external {
        uint256 project = _create(_terms(address(0)));
        _deposit(address(0), stranger, STAKE - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(0), stranger, STAKE - 1, STAKE)
        );
        vm.prank(stranger);
        market.join(project, KEY);
        _deposit(address(0), stranger, 1);
        vm.prank(stranger);
        market.join(project, KEY);
        // The same stake does not serve a second project.
        uint256 other = _create(_terms(address(0)));
        vm.expectRevert(abi.encodeWithSelector(IStakeVault.InsufficientFree.selector, address(0), stranger, 0, STAKE));
        vm.prank(stranger);
        market.join(other, KEY);
    }

    function testJoinWithoutStakes() external {
        Terms memory t = _terms(address(0));
        (t.trainerStake, t.aggregatorBond, t.complaintDeposit) = (0, 0, 0);
        uint256 project = _activeWith(t);
        _playOut(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToRelease.selector, project, trainers[0]));
        vm.prank(trainers[0]);
        market.release(project);
    }

    function testOnePartEach() external {
        uint256 project = _create(_terms(address(0)));
        _join(project, trainers[0]);
        _joinAsAggregator(project, aggregators[0]);
        address[2] memory members = [trainers[0], aggregators[0]];
        for (uint256 i = 0; i < 2; ++i) {
            _deposit(address(0), members[i], 10 ether);
            bytes memory known = abi.encodeWithSelector(ITrainingMarket.AlreadyMember.selector, project, members[i]);
            vm.expectRevert(known);
            vm.prank(members[i]);
            market.join(project, KEY);
            vm.expectRevert(known);
            vm.prank(members[i]);
            market.joinAsAggregator(project, KEY, "", new bytes32[](0));
        }
    }

    function testPlacesAreLimited() external {
        uint256 project = _open(address(0));
        _deposit(address(0), stranger, STAKE);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.Full.selector, project, SLOTS));
        vm.prank(stranger);
        market.join(project, KEY);
        for (uint256 i = aggregators.length; i < 8; ++i) _joinAsAggregator(project, _trainerParty(100 + i));
        _deposit(address(0), stranger, BOND);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.Full.selector, project, 8));
        vm.prank(stranger);
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
    }

    function testJoiningEndsAtTheDeadline() external {
        uint256 project = _create(_terms(address(0)));
        uint256 deadline = market.projectOf(project).joinDeadline;
        _deposit(address(0), stranger, 10 ether);
        vm.warp(deadline - 1);
        _join(project, trainers[0]);
        vm.warp(deadline);
        bytes memory late = abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline);
        vm.expectRevert(late);
        vm.prank(stranger);
        market.join(project, KEY);
        vm.expectRevert(late);
        vm.prank(stranger);
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
    }

    function testNobodyJoinsWhatIsNotOpen() external {
        uint256 project = _active(address(0));
        _deposit(address(0), stranger, 10 ether);
        _refusedToJoin(project, Status.Active);
        vm.prank(stranger); // but aggregators do
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
        vm.assertEq(market.projectOf(project).aggregatorCount, 3, "aggregators");
        _playOut(project);
        _refusedToJoin(project, Status.Settled);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Settled));
        vm.prank(owner);
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
        _refusedToJoin(99, Status.None);
    }

    function testReputationFloor() external {
        vm.prank(address(market));
        registry.recordTrainer(7, trainers[0], 3e6);
        uint256 score = registry.scoreOf(trainers[0]);
        Terms memory t = _terms(address(0));
        t.minReputation = uint32(score + 1);
        uint256 project = _create(t);
        t.minReputation = uint32(score);
        uint256 easier = _create(t);
        _deposit(address(0), trainers[0], 2 * STAKE);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.ReputationTooLow.selector, trainers[0], score, score + 1)
        );
        vm.prank(trainers[0]);
        market.join(project, KEY);
        vm.prank(trainers[0]);
        market.join(easier, KEY);
        // The floor is the trainers'; and nobody writes a record for itself.
        _joinAsAggregator(project, aggregators[0]);
        vm.expectRevert();
        vm.prank(stranger);
        registry.recordTrainer(7, stranger, 3e6);
    }

    // The list of aggregators

    function testOnlyListedAggregators() external {
        bytes32 first = _leaf(aggregators[0]);
        bytes32 second = _leaf(aggregators[1]);
        Terms memory t = _terms(address(0));
        t.aggregators = _node(first, second);
        uint256 project = _create(t);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = second;
        _deposit(address(0), aggregators[0], BOND);
        _deposit(address(0), stranger, BOND);
        // Another's proof, none, and a tree without inner nodes.
        _notListed(project, stranger, proof);
        _notListed(project, stranger, new bytes32[](0));
        proof[0] = first;
        _notListed(project, aggregators[0], proof);
        proof[0] = second;
        vm.prank(aggregators[0]);
        market.joinAsAggregator(project, KEY, "", proof);
        vm.assertEq(market.aggregatorsOf(project)[0].holder, aggregators[0], "listed");
    }

    function testContactIsBounded() external {
        uint256 project = _create(_terms(address(0)));
        _deposit(address(0), aggregators[0], BOND);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 257, 256));
        vm.prank(aggregators[0]);
        market.joinAsAggregator(project, KEY, new bytes(257), new bytes32[](0));
        vm.prank(aggregators[0]);
        market.joinAsAggregator(project, KEY, new bytes(256), new bytes32[](0));
    }

    // Leaving while Open

    function testTheLastTrainerMovesIntoTheHole() external {
        uint256 project = _open(address(0));
        vm.prank(trainers[1]);
        market.leave(project);
        vm.assertEq(market.trainerOf(project, 1).holder, trainers[5], "moved");
        vm.assertEq(market.membershipOf(project, trainers[5]).number, 2, "and knows it");
        vm.assertEq(market.trainerOf(project, 5).holder, address(0), "from there");
        vm.assertEq(vault.freeOf(address(0), trainers[1]), STAKE, "stake is free");
        vm.assertEq(vault.lockedOf(address(0), trainers[1]), 0, "and not locked");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, trainers[1]));
        vm.prank(trainers[1]);
        market.leave(project);
        vm.prank(trainers[1]); // comes back, to the end
        market.join(project, KEY);
        vm.assertEq(market.membershipOf(project, trainers[1]).number, 6, "number");
    }

    /// Whatever the order of joining and leaving: numbers are dense, known on both sides, and stakes are locked once.
    function testNumbersStayDense(uint256 seed) external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < SLOTS; ++i) _deposit(address(0), trainers[i], STAKE);
        uint256 members = 0; // mask
        for (uint256 step = 0; step < 30; ++step) {
            uint256 i = random(seed, step, 0) % SLOTS;
            vm.prank(trainers[i]);
            if ((members >> i) & 1 == 0) market.join(project, KEY);
            else market.leave(project);
            members ^= 1 << i;
            uint256 count = 0;
            for (uint256 j = 0; j < SLOTS; ++j) {
                bool here = (members >> j) & 1 == 1;
                uint256 number = market.membershipOf(project, trainers[j]).number;
                vm.assertEq(vault.lockedOf(address(0), trainers[j]), here ? STAKE : 0, "locked");
                vm.assertTrue(here == (number != 0), "a number for members");
                if (!here) continue;
                ++count;
                vm.assertEq(market.trainerOf(project, number - 1).holder, trainers[j], "holder");
            }
            vm.assertEq(market.projectOf(project).trainerCount, count, "count");
            for (uint256 n = count; n < SLOTS; ++n) {
                vm.assertEq(market.trainerOf(project, n).holder, address(0), "none above");
            }
        }
    }

    function testAggregatorsMoveUp() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < 4; ++i) _joinAsAggregator(project, trainers[i]);
        vm.prank(trainers[1]);
        market.leave(project);
        Account[] memory list = market.aggregatorsOf(project);
        vm.assertEq(list.length, 3, "without a hole");
        address[3] memory expected = [trainers[0], trainers[2], trainers[3]];
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(list[i].holder, expected[i], "order of joining");
            vm.assertEq(market.membershipOf(project, expected[i]).index, i + 1, "index");
        }
        vm.assertEq(vault.freeOf(address(0), trainers[1]), BOND, "bond is free");
        vm.prank(trainers[1]);
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
        vm.assertEq(market.membershipOf(project, trainers[1]).index, 4, "at the end");
    }

    // Leaving while Active

    function testWhoHasSubmittedStays() external {
        uint256 project = _active(address(0));
        _submit(project, 0);
        for (uint256 seat = 0; seat < 3; ++seat) {
            // Whichever seat it names: the contract knows its own.
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 0));
            vm.prank(trainers[0]);
            market.leave(project);
        }
        vm.prank(trainers[1]); // has not, and goes
        market.leave(project);
        vm.assertEq(vault.freeOf(address(0), trainers[1]), STAKE, "stake is free");
    }

    function testWhoIsInABatchStays() external {
        Terms memory t = _terms(address(0));
        t.batchWindow = 5 minutes;
        uint256 project = _activeWith(t);
        vm.prank(aggregators[0]);
        market.postBatch(project, 1, 0, 1 << 2, keccak256("root"), 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 2));
        vm.prank(trainers[2]);
        market.leave(project);
    }

    /// The stake is out: no way back in, no second stake, no seat, no place for a signature that it gave before.
    function testWhoLeftIsOut() external {
        uint256 project = _active(address(0));
        vm.prank(trainers[3]);
        market.leave(project);
        _deposit(address(0), trainers[3], 10 ether);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, trainers[3]));
        vm.prank(trainers[3]);
        market.leave(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, 3, trainers[3]));
        vm.prank(trainers[3]);
        market.submit(project, 1, 3, keccak256("d"), 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadyMember.selector, project, trainers[3]));
        vm.prank(trainers[3]);
        market.joinAsAggregator(project, KEY, "", new bytes32[](0));
        vm.assertEq(market.trainerOf(project, 3).holder, address(0), "the seat is empty");
        vm.assertEq(market.projectOf(project).trainerCount, 5, "one less");
        vm.assertEq(market.membershipOf(project, trainers[4]).number, 5, "nobody moves");
    }

    /// A digest that was signed before leaving, and posted after it by an aggregator in league: it counts as nothing.
    function testASignatureOfOneThatLeftDoesNotCount() external {
        uint256 key = 55;
        trainers[5] = vm.addr(key);
        Terms memory t = _terms(address(0));
        t.batchWindow = 5 minutes;
        uint256 project = _activeWith(t);
        bytes32[] memory batch = new bytes32[](1);
        bytes[] memory signatures = new bytes[](1);
        bytes32[] memory hashes = new bytes32[](1);
        batch[0] = _digest(_commitment(5), trainers[5]);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, market.signedHash(project, 1, batch[0]));
        signatures[0] = abi.encodePacked(r, s, v);
        hashes[0] = keccak256(signatures[0]);
        vm.prank(trainers[5]);
        market.leave(project);
        vm.prank(aggregators[0]);
        market.postBatch(project, 1, 0, 1 << 5, keccak256(abi.encode(batch, hashes)), 0);
        _note(project, 0, 0xff, 0);
        _submitFirst(project, 5);
        RoundResult memory result = _result(project, 0, _honestGram());
        result.arrivals.batch = batch;
        result.arrivals.signatures = signatures;
        vm.assertEq((result.merged >> 5) & 1, 0, "without it");
        _postResult(project, result);
        vm.assertEq(market.trainerOf(project, 5).earned, 0, "and without pay");
    }

    function testNobodyIsWaitedForWhoLeft() external {
        uint256 project = _active(address(0));
        for (uint256 i = 0; i < 5; ++i) _submit(project, i);
        vm.assertTrue(market.projectOf(project).submitDeadline > block.timestamp, "one is awaited");
        vm.prank(trainers[5]);
        market.leave(project);
        vm.assertEq(market.projectOf(project).submitDeadline, block.timestamp, "nobody is");
        _post(project, 0, _honestGram());
    }

    /// Leaving once the window is closed gives nobody more time.
    function testLeavingLateMovesNoDeadline() external {
        uint256 project = _active(address(0));
        for (uint256 i = 0; i < 5; ++i) _submit(project, i);
        Project memory before = market.projectOf(project);
        vm.warp(before.submitDeadline + 1 minutes);
        vm.prank(trainers[5]);
        market.leave(project);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.submitDeadline, before.submitDeadline, "submissions");
        vm.assertEq(p.turnStart, before.turnStart, "complaints");
        vm.assertEq(p.resultDeadline, before.resultDeadline, "result");
    }

    /// Between its round's result and its next submission a trainer may go; what it earned stays its own.
    function testLeavingBetweenRounds() external {
        uint256 project = _active(address(0));
        _playRound(project);
        uint256 earned = market.claimable(project, trainers[0]);
        vm.assertTrue(earned != 0, "paid");
        vm.prank(trainers[0]);
        market.leave(project);
        vm.assertEq(market.claimable(project, trainers[0]), earned, "still");
        vm.warp(market.projectOf(project).challengeDeadline);
        market.claim(project, trainers[0]);
        vm.assertEq(trainers[0].balance, earned, "and paid out");
        _assertConserved(address(0));
    }

    /// Everybody leaves: the project ends as soon as its round is skipped.
    function testAllLeave() external {
        uint256 project = _active(address(0));
        for (uint256 i = 0; i < SLOTS; ++i) {
            vm.prank(trainers[i]);
            market.leave(project);
        }
        vm.warp(market.projectOf(project).submitDeadline);
        market.skip(project, 1, 0);
        market.settle(project);
        vm.assertEq(market.claim(project, owner), REWARD, "all of it");
        _assertConserved(address(0));
    }

    function testTheCurrentAggregatorStays() external {
        uint256 project = _active(address(0));
        _joinAsAggregator(project, stranger);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        vm.prank(aggregators[0]);
        market.leave(project);
        vm.prank(aggregators[1]);
        market.leave(project);
        vm.assertEq(vault.freeOf(address(0), aggregators[1]), BOND, "one in reserve goes");
        _submitFirst(project, SLOTS);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        vm.assertEq(market.aggregatorsOf(project)[1].holder, stranger, "the next one's turn");
        address[2] memory bound_ = [aggregators[0], stranger]; // whose turn was, and is
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
            vm.prank(bound_[i]);
            market.leave(project);
        }
    }

    function testStrangersAndEndedProjects() external {
        uint256 project = _active(address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotMember.selector, project, stranger));
        vm.prank(stranger);
        market.leave(project);
        for (uint256 i = 0; i < 3; ++i) _playRound(project);
        _assertStatus(project, Status.Closing);
        _cannotLeave(project, trainers[0], Status.Closing); // it may still be the one to pay
        vm.warp(market.projectOf(project).challengeDeadline);
        market.settle(project);
        _cannotLeave(project, trainers[0], Status.Settled);
    }

    // cancel

    function testTheOwnerCancelsAtAnyTimeWhileOpen() external {
        uint256 project = _openWith(_referenceTerms(address(0)));
        vm.prank(owner);
        market.cancel(project);
        vm.assertEq(market.claim(project, owner), uint256(REWARD) + REVEAL_BOND, "everything");
        for (uint256 i = 0; i < SLOTS; ++i) {
            vm.prank(trainers[i]);
            market.release(project);
            vm.assertEq(vault.freeOf(address(0), trainers[i]), STAKE, "stake");
        }
        vm.assertEq(registry.trainerRecord(trainers[0]).projects, 0, "nothing to be recorded");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Cancelled));
        vm.prank(owner);
        market.cancel(project);
        _assertConserved(address(0));
    }

    function testOthersCancelOnlyWhatCannotStart() external {
        uint256 project = _create(_terms(address(0)));
        for (uint256 i = 0; i < 4; ++i) _join(project, trainers[i]);
        _joinAsAggregator(project, aggregators[0]);
        bytes memory refused = abi.encodeWithSelector(ITrainingMarket.CannotCancel.selector, project, stranger);
        vm.expectRevert(refused); // there is time to join
        vm.prank(stranger);
        market.cancel(project);
        uint256 other = _open(address(0));
        vm.warp(market.projectOf(project).joinDeadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.CannotCancel.selector, other, stranger));
        vm.prank(stranger);
        market.cancel(other); // it can start
        vm.prank(stranger);
        market.cancel(project);
        vm.assertEq(market.claim(project, owner), REWARD, "to the owner, whoever cancels");
    }

    function testNobodyCancelsWhatHasStarted() external {
        uint256 project = _active(address(0));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, Status.Active));
        vm.prank(owner);
        market.cancel(project);
    }

    // Helpers

    function _refusedToJoin(uint256 project, Status status) private {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, status));
        vm.prank(stranger);
        market.join(project, KEY);
    }

    function _cannotLeave(uint256 project, address account, Status status) private {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongStatus.selector, project, status));
        vm.prank(account);
        market.leave(project);
    }

    function _notListed(uint256 project, address account, bytes32[] memory proof) private {
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotListed.selector, project, account));
        vm.prank(account);
        market.joinAsAggregator(project, KEY, "", proof);
    }

    function _leaf(address account) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account))));
    }

    function _node(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }
}
