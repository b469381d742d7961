// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Arrivals, Cohort, ITrainingMarket, RoundResult, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {Krum} from "../../../contracts/libraries/Krum.sol";
import {MarketFixture} from "./support/MarketFixture.sol";

/// @notice A wallet that signs with its owner's key (ERC-1271), or misbehaves as it is told to.
contract Wallet {
    enum Mood {
        Honest,
        Refusing,
        Reverting,
        Burning,
        Flooding
    }
    bytes32 public approved;
    Mood public mood;

    function approve(bytes32 hash) external {
        approved = hash;
    }

    function turn(Mood mood_) external {
        mood = mood_;
    }

    function isValidSignature(bytes32 hash, bytes calldata) external view returns (bytes4) {
        if (mood == Mood.Reverting) revert("no");
        if (mood == Mood.Burning) while (true) {}
        if (mood == Mood.Flooding) {
            assembly {
                return(0, 1000000)
            }
        }
        return mood == Mood.Honest && hash == approved ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Signed submissions under the aggregator's root, and everybody who abuses them.
contract BatchesTest is MarketFixture {
    uint256[] private _keys;
    bytes32[] private _batch;
    bytes[] private _signatures;
    uint256 private _slots;

    function setUp() public override {
        super.setUp();
        delete trainers;
        for (uint256 i = 0; i < SLOTS; ++i) {
            _keys.push(uint256(keccak256(abi.encode("key", i))));
            trainers.push(vm.addr(_keys[i]));
        }
    }

    function testABatchIsAsGoodAsTransactions() public {
        uint256 project = _batched();
        _post(project, 0, _honestGram());
        vm.assertGe(_earned(project)[0], 1, "paid");
        _assertConserved(address(0));
    }

    function testATransactionWinsOverTheBatch() public {
        uint256 project = _started();
        for (uint256 i = 0; i < SLOTS; ++i) _sign(project, i);
        _batch[0] = keccak256("what the aggregator made up"); // signed or not, it is not looked at
        _postBatch(project);
        _submit(project, 0);
        _close(project);
        _post(project, 0, _honestGram());
        vm.assertGe(_earned(project)[0], 1, "by its transaction");
    }

    /// In the order of arrival: transactions before the batch, then the batch by its slots.
    function testOfTwoThatAreAlikeTheFirstIsPaidInABatchToo() public {
        uint256 project = _started();
        _submit(project, 5);
        for (uint256 i = 0; i < SLOTS - 1; ++i) _sign(project, i);
        _postBatch(project);
        _close(project);
        uint256[] memory gram = _honestGram();
        _alike(gram, 0, 5, 205);
        _alike(gram, 1, 3, 203);
        _post(project, 0, gram);
        uint96[] memory earned = _earned(project);
        vm.assertEq(uint256(earned[0]), 0, "after the transaction");
        vm.assertGe(earned[5], 1, "the transaction");
        vm.assertGe(earned[1], 1, "the batch's first");
        vm.assertEq(uint256(earned[3]), 0, "the batch's second");
    }

    function testABatchIsOpenedByAsManyDigestsAsSignatures() public {
        uint256 project = _batched();
        RoundResult memory result = _batchResult(project);
        _signatures.push("one more");
        result.arrivals.signatures = _signatures;
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, SLOTS, SLOTS));
        market.postResult(project, result);
        _signatures.pop();
        _batch.push("one more");
        (result.arrivals.signatures, result.arrivals.batch) = (_signatures, _batch);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, SLOTS + 1, SLOTS));
        market.postResult(project, result);
    }

    function testALateSignatureDoesNotCount() public {
        uint256 project = _started();
        for (uint256 i = 1; i < SLOTS; ++i) _sign(project, i);
        _postBatch(project);
        vm.warp(block.timestamp + 6 minutes);
        // Trainer 0, in league with the aggregator, sees what the others did and signs now.
        _signAt(project, 0, 0);
        _slots |= 1;
        vm.prank(aggregators[0]);
        vm.expectRevert();
        market.postBatch(project, 1, 0, _slots, _root(), 0); // too late, and once only
        _close(project);
        RoundResult memory result = _batchResult(project);
        vm.prank(aggregators[0]);
        vm.expectRevert();
        market.postResult(project, result); // another list than the root's
    }

    function testASwappedSignatureDoesNotCountEither() public {
        uint256 project = _batched();
        RoundResult memory result = _batchResult(project);
        result.arrivals.signatures[0] = _signature(project, 0, keccak256("another update"));
        vm.prank(aggregators[0]);
        vm.expectRevert();
        market.postResult(project, result);
    }

    function testAnEntryThatIsNotSignedIsNothing() public {
        uint256 project = _started();
        for (uint256 i = 0; i < SLOTS; ++i) _sign(project, i);
        _signatures[2] = _signatures[1];
        _postBatch(project);
        _close(project);
        _post(project, 0, _honestGram());
        vm.assertEq(uint256(_earned(project)[2]), 0, "absent");
        vm.assertEq(uint256(registry.trainerRecord(trainers[2]).faults), 0, "and not to blame");
    }

    function testASignatureIsForOneRoundOfOneProject() public {
        uint256 project = _batched();
        _post(project, 0, _honestGram());
        // The same list again in round 2.
        _postBatch(project);
        _close(project);
        RoundResult memory result = _batchResult(project);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.QuorumMissed.selector, 0, 5));
        market.postResult(project, result);
    }

    function testWhoPostedTheBatchMustOpenIt() public {
        uint256 project = _started();
        for (uint256 i = 0; i < SLOTS; ++i) _sign(project, i);
        _postBatch(project);
        for (uint256 i = 0; i < SLOTS - 1; ++i) _submit(project, i);
        _close(project);
        RoundResult memory result = _batchResult(project);
        result.arrivals.batch = new bytes32[](0);
        result.arrivals.signatures = new bytes[](0);
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 0, SLOTS));
        market.postResult(project, result);
    }

    function testAStandInMayLeaveOutABatchItDoesNotHave() public {
        uint256 project = _started();
        for (uint256 i = 0; i < SLOTS; ++i) _sign(project, i);
        _postBatch(project);
        for (uint256 i = 0; i < SLOTS - 1; ++i) _submit(project, i);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        delete _batch;
        delete _signatures;
        _slots = 0;
        _post(project, 0, _honestGram());
        vm.assertEq(uint256(_earned(project)[5]), 0, "left out");
        vm.assertGe(_earned(project)[0], 1, "the others are not");
    }

    function testAFalseBatchStopsNobodyButItsAggregator() public {
        uint256 project = _started();
        _slots = 0x3f;
        vm.prank(aggregators[0]);
        market.postBatch(project, 1, 0, _slots, keccak256("nothing"), 0);
        _note(project, 0, 0xff, 0);
        vm.assertTrue(market.projectOf(project).submitDeadline > block.timestamp, "does not close the window");
        _close(project);
        vm.expectRevert();
        market.skip(project, 1, 0);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        vm.expectRevert();
        vm.prank(stranger);
        market.skip(project, 1, 0);
        vm.prank(aggregators[1]);
        market.skip(project, 1, 0);
        vm.assertEq(uint256(market.projectOf(project).round), 2, "next round");
        _assertConserved(address(0));
    }

    function testAWalletsSignatureIsRelayed() public {
        Wallet wallet = new Wallet();
        trainers[0] = address(wallet);
        uint256 project = _started();
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[0]));
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, "not approved");
        wallet.approve(market.relayedHash(project, 1, digest, 0));
        for (uint256 mood = 1; mood < 4; ++mood) {
            wallet.turn(Wallet.Mood(mood));
            vm.expectRevert();
            market.submitSigned{gas: 3_000_000}(project, 1, 0, trainers[0], digest, 0, "by the wallet");
        }
        wallet.turn(Wallet.Mood.Honest);
        vm.prank(stranger);
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, "by the wallet");
        _note(project, 0, 0, digest);
        wallet.turn(Wallet.Mood.Reverting); // what it says later has no say
        for (uint256 i = 1; i < SLOTS; ++i) _sign(project, i);
        _postBatch(project);
        _close(project);
        _post(project, 0, _honestGram());
        vm.assertGe(_earned(project)[0], 1, "paid");
    }

    function testARelayedSubmissionIsForItsSeatAndRoundOnly() public {
        _started();
        uint256 project = _started();
        vm.assertEq(project, 2, "not its round's number");
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        bytes memory signature = _relayable(project, 0, digest, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotYourSeat.selector, 1, trainers[0]));
        market.submitSigned(project, 1, 1, trainers[0], digest, 0, signature);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[1]));
        market.submitSigned(project, 1, 1, trainers[1], digest, 0, signature);
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, signature);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadySubmitted.selector, 0));
        market.submitSigned(project, 1, 0, trainers[0], digest, 0, signature);
    }

    /// The batch's list is public: nobody may send its signatures with a blob of its own choosing.
    function testABatchSignatureCannotBeRelayed() public {
        uint256 project = _started();
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        bytes memory signature = _signature(project, 0, digest);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotSigned.selector, trainers[0]));
        market.submitSigned(project, 1, 0, trainers[0], digest, keccak256("rubbish"), signature);
    }

    /// A wallet whose word counted in the batch could change it before every result, until the aggregator is late.
    function testAWalletIsNotInABatchWhateverItSays() public {
        Wallet wallet = new Wallet();
        trainers[0] = address(wallet);
        uint256 project = _started();
        bytes32 digest = _digest(_commitment(0), trainers[0]);
        wallet.approve(market.signedHash(project, 1, digest));
        _batch.push(digest);
        _signatures.push("by the wallet");
        _slots = 1;
        for (uint256 i = 1; i < SLOTS; ++i) _sign(project, i);
        _postBatch(project);
        _close(project);
        _post(project, 0, _honestGram());
        vm.assertEq(uint256(_earned(project)[0]), 0, "absent");
    }

    function testBatchesAreTheCurrentAggregatorsInTheirWindow() public {
        uint256 project = _started();
        vm.prank(aggregators[1]);
        vm.expectRevert();
        market.postBatch(project, 1, 0, 1, 0, 0);
        vm.startPrank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidBatch.selector, 0));
        market.postBatch(project, 1, 0, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidBatch.selector, 1 << SLOTS));
        market.postBatch(project, 1, 0, 1 << SLOTS, 0, 0);
        vm.warp(block.timestamp + 5 minutes);
        vm.expectRevert();
        market.postBatch(project, 1, 0, 1, 0, 0);
        vm.stopPrank();
        uint256 without = _active(address(0));
        vm.prank(aggregators[0]);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidBatch.selector, 1));
        market.postBatch(without, 1, 0, 1, 0, 0);
    }

    // Steps

    function _started() private returns (uint256) {
        Terms memory t = _terms(address(0));
        t.batchWindow = 5 minutes;
        _slots = 0;
        return _activeWith(t);
    }

    /// Everybody's submission is in the batch, and the window is closed.
    function _batched() private returns (uint256 project) {
        project = _started();
        for (uint256 i = 0; i < SLOTS; ++i) _sign(project, i);
        _postBatch(project);
        _close(project);
    }

    function _alike(uint256[] memory gram, uint256 i, uint256 j, uint256 square) private pure {
        _setGram(gram, SLOTS, i, i, square);
        _setGram(gram, SLOTS, i, j, square);
        _setGram(gram, SLOTS, j, j, square);
    }

    function _sign(uint256 project, uint256 slot) private {
        _slots |= 1 << slot;
        _signAt(project, slot, _batch.length);
    }

    function _signAt(uint256 project, uint256 slot, uint256 at) private {
        bytes32 digest = _digest(_commitment(slot), trainers[slot]);
        _batch.push(digest);
        _signatures.push(_signature(project, slot, digest));
        for (uint256 i = _batch.length - 1; i > at; --i) {
            (_batch[i], _batch[i - 1]) = (_batch[i - 1], _batch[i]);
            (_signatures[i], _signatures[i - 1]) = (_signatures[i - 1], _signatures[i]);
        }
    }

    function _signature(uint256 project, uint256 slot, bytes32 digest) private view returns (bytes memory) {
        bytes32 hash = market.signedHash(project, market.projectOf(project).round, digest);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys[slot], hash);
        return abi.encodePacked(r, s, v);
    }

    function _relayable(
        uint256 project,
        uint256 slot,
        bytes32 digest,
        bytes32 blob
    ) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(_keys[slot], market.relayedHash(project, 1, digest, blob));
        return abi.encodePacked(r, s, v);
    }

    function _root() private view returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](_signatures.length);
        for (uint256 i = 0; i < hashes.length; ++i) hashes[i] = keccak256(_signatures[i]);
        return keccak256(abi.encode(_batch, hashes));
    }

    function _postBatch(uint256 project) private {
        uint256 round = market.projectOf(project).round;
        bytes32 root = _root();
        vm.prank(_current(project));
        market.postBatch(project, round, 0, _slots, root, keccak256("a list"));
        _note(project, 0, 0xff, 0);
    }

    function _batchResult(uint256 project) private view returns (RoundResult memory) {
        return _result(project, 0, _honestGram());
    }

    function _arrivals(uint256 project, uint256 cohort) internal view override returns (Arrivals memory arrivals) {
        arrivals = super._arrivals(project, cohort);
        arrivals.batch = _batch;
        arrivals.signatures = _signatures;
    }

    /// The fixture counts transactions; a batch adds its slots at its place, where they are signed.
    function _input(
        uint256 project,
        uint256 cohort,
        uint256[] memory gram
    ) internal view override returns (Krum.Input memory input) {
        input = super._input(project, cohort, gram);
        Cohort memory c = market.cohortOf(project, cohort);
        bytes memory order = orders[project][cohort];
        uint256 position = 0;
        for (uint256 i = 0; i < order.length; ++i) {
            if (uint8(order[i]) < SLOTS) {
                input.positions[uint8(order[i])] = ++position;
                continue;
            }
            uint256 entry = 0;
            for (uint256 slot = 0; slot < SLOTS; ++slot) {
                if ((_slots >> slot) & 1 == 0 || entry >= _batch.length) continue;
                uint256 at = entry++;
                if ((c.submitted >> slot) & 1 == 1 || !_holds(project, slot, at)) continue;
                input.submitted |= 1 << slot;
                input.positions[slot] = ++position;
            }
        }
    }

    function _holds(uint256 project, uint256 slot, uint256 at) private view returns (bool) {
        if (trainers[slot].code.length != 0) return false;
        return keccak256(_signatures[at]) == keccak256(_signature(project, slot, _batch[at]));
    }
}
