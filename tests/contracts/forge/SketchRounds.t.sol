// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {SketchResult, UpdateChunk} from "../../../contracts/interfaces/ISketch.sol";
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
import {G1} from "../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../contracts/libraries/Krum.sol";
import {SketchFixture} from "./support/SketchFixture.sol";

/// @notice Rounds on the sketch path: the seed, the result and all that it refuses.
contract SketchRoundsTest is SketchFixture {
    function testAProjectIsPlayedOut() public {
        _playOutWith(_sketchTerms(address(0)));
    }

    function testAProjectIsPlayedOutOnDemand() public {
        _playOutWith(_onDemand(_sketchTerms(address(0))));
    }

    function _playOutWith(Terms memory t) private {
        uint256 project = _started(t);
        vm.assertTrue(market.projectOf(project).sketched, "sketched");
        for (uint256 round = 1; round <= 3; ++round) {
            Posted memory posted = _playSketch(project);
            Project memory p = market.projectOf(project);
            vm.assertEq(p.model.x, uint256(_rootOf(_modelLeaves(taken.length, false))), "the model's root");
            vm.assertEq(p.model.y, CHUNKS, "its chunks");
            vm.assertEq(p.outcome, _linked(posted), "what can be undone, statement included");
            _assertConserved(address(0));
        }
        vm.warp(market.projectOf(project).challengeDeadline);
        market.settle(project);
        _assertStatus(project, Status.Settled);
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), 3 * uint256(FEE), "fees");
        vm.assertGe(_earned(project)[0], 1, "paid");
        uint256 owed = market.claimable(project, trainers[0]);
        vm.assertEq(market.claim(project, trainers[0]), owed, "claimed");
        _assertConserved(address(0));
    }

    function testThePayIsThatOfTheExactPath() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _playSketch(project);
        uint96[] memory earned = _earned(project);
        uint256 exact = _exact();
        for (uint256 i = 0; i < SLOTS; ++i) vm.assertEq(uint256(_earned(exact)[i]), uint256(earned[i]), "pay");
    }

    function testAReferenceIsAnInput() public {
        uint256 project = _started(_sketchReferenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        vm.assertEq(uint256(posted.statement.present), 0x7f, "present");
        posted.sketch.roots[SLOTS] ^= bytes32(uint256(1));
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, SLOTS));
        posted.sketch.roots[SLOTS] ^= bytes32(uint256(1));
        _postSketch(project, posted);
        vm.assertEq(market.projectOf(project).outcome, _linked(posted), "outcome");
        _playSketch(project); // without one, by the fallback rule
        _assertConserved(address(0));
    }

    function testABatchCountsAsBefore() public {
        uint256 last = SLOTS - 1;
        trainers[last] = vm.addr(7);
        Terms memory t = _sketchTerms(address(0));
        t.batchWindow = 1 minutes;
        uint256 project = _started(t);
        _submitFirst(project, last);
        bytes32 digest = _digest(_commitment(last), trainers[last]);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(7, market.signedHash(project, 1, digest));
        (_batched, _signature) = (digest, abi.encodePacked(r, s, v));
        Arrivals memory arrivals = _arrivals(project, 0);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = keccak256(_signature);
        vm.prank(aggregators[0]);
        market.postBatch(project, 1, 0, 1 << last, keccak256(abi.encode(arrivals.batch, hashes)), "list");
        _note(project, 0, 0xff, 0);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        vm.assertEq(uint256(posted.statement.present), 0x3f, "present");
        _postSketch(project, posted);
        vm.assertGe(_earned(project)[0], 1, "paid");
        _assertConserved(address(0));
    }

    bytes32 private _batched; // digest of the last slot, by batch
    bytes private _signature;

    function _arrivals(uint256 project, uint256 cohort) internal view override returns (Arrivals memory arrivals) {
        arrivals = super._arrivals(project, cohort);
        if (_batched == 0) return arrivals;
        (arrivals.batch, arrivals.signatures) = (new bytes32[](1), new bytes[](1));
        (arrivals.batch[0], arrivals.signatures[0]) = (_batched, _signature);
    }

    function _input(
        uint256 project,
        uint256 cohort,
        uint256[] memory gram
    ) internal view override returns (Krum.Input memory input) {
        input = super._input(project, cohort, gram);
        if (_batched == 0) return input;
        input.submitted |= 1 << (SLOTS - 1);
        input.positions[SLOTS - 1] = SLOTS;
    }

    function testSeveralCohortsMoveOneRoot() public {
        for (uint256 i = SLOTS; i < 15; ++i) trainers.push(_trainerParty(i));
        Terms memory t = _sketchTerms(address(0));
        t.trainers = 15;
        t.cohorts = 2;
        delete taken;
        uint256 project = _openWith(t);
        market.start(project);
        vm.roll(block.number + 2);
        market.draw(project);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(project, seat);
        _drawSketch(project);
        bytes32 chain = 0;
        for (uint256 cohort = 0; cohort < 2; ++cohort) {
            Posted memory posted = _prepare(project, cohort);
            _postSketch(project, posted);
            chain = keccak256(abi.encode(chain, keccak256(abi.encode(posted.outcome))));
            _assertConserved(address(0));
        }
        Project memory p = market.projectOf(project);
        vm.assertEq(p.outcome, chain, "outcomes");
        vm.assertEq(p.model.x, uint256(_rootOf(_modelLeaves(taken.length, false))), "one model");
        vm.assertEq(uint256(p.round), 2, "next round");
    }

    function testStrikesTakeNoStake() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        uint256[] memory gram = _honestGram();
        _setGram(gram, SLOTS, 2, 2, 1 << 41); // beyond the norm bound: struck
        RoundResult memory result = _result(project, 0, gram);
        Posted memory posted = _prepare(project, 0);
        posted.result = result;
        vm.prank(aggregators[0]);
        market.postSketchResult(project, result, posted.sketch);
        vm.assertEq(uint256(market.membershipOf(project, trainers[2]).locked), STAKE, "its stake");
        vm.assertEq(uint256(_earned(project)[2]), 0, "no pay");
        vm.assertEq(uint256(registry.trainerRecord(trainers[2]).faults), 0, "no fault");
        _assertConserved(address(0));
    }

    function testARoundWithoutAMergeKeepsTheRootAndPaysNoFee() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        uint256[] memory gram = new uint256[]((SLOTS * (SLOTS + 1)) / 2);
        for (uint256 i = 0; i < SLOTS; ++i) _setGram(gram, SLOTS, i, i, 1 << 41);
        RoundResult memory result = _result(project, 0, gram);
        vm.assertEq(uint256(result.merged), 0, "nobody qualifies");
        Posted memory posted = _prepare(project, 0);
        posted.result = result;
        bytes32 before = bytes32(posted.before.model.x);
        bytes memory why = abi.encodeWithSelector(ITrainingMarket.ModelMoved.selector, posted.sketch.root, before);
        _refused(project, posted, why);
        posted.sketch.root = before;
        vm.prank(aggregators[0]);
        market.postSketchResult(project, result, posted.sketch);
        vm.assertEq(market.projectOf(project).model.x, uint256(before), "root");
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), 0, "no fee");
        _assertConserved(address(0));
    }

    // The seed

    /// A reorganisation may draw another seed, or end an earlier cohort otherwise, and then bring the same transaction.
    function testAResultForAnotherDrawOrModelIsRefused() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        uint256 state = vm.snapshotState();
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        vm.revertToState(state);
        vm.roll(block.number + 1);
        vm.setBlockhash(block.number - 1, keccak256("another branch"));
        _drawSketch(project);
        bytes32 drawn = market.projectOf(project).sketchSeed;
        vm.assertTrue(drawn != posted.sketch.seed, "another draw");
        _refused(
            project,
            posted,
            abi.encodeWithSelector(ITrainingMarket.WrongSeed.selector, posted.sketch.seed, drawn)
        );
        posted = _prepare(project, 0);
        bytes32 before = posted.result.before;
        posted.result.before ^= bytes32(uint256(1));
        bytes memory why = abi.encodeWithSelector(
            ITrainingMarket.WrongModel.selector,
            posted.result.before,
            before
        );
        _refused(project, posted, why);
        posted.result.before = before;
        _postSketch(project, posted);
    }

    function testTheSeedIsDrawnOnceAfterTheWindow() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS - 1);
        uint256 closes = market.projectOf(project).submitDeadline;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, closes, block.timestamp));
        market.drawSketch(project, 1);
        _close(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 2, 1));
        market.drawSketch(project, 2);
        vm.expectEmit(true, true, true, true);
        bytes32 seed = keccak256(abi.encode(blockhash(block.number - 1), project, 1));
        emit ITrainingMarket.SketchDrawn(project, 1, seed);
        vm.prank(stranger);
        market.drawSketch(project, 1);
        Project memory p = market.projectOf(project);
        vm.assertEq(p.sketchSeed, seed, "seed");
        vm.assertEq(uint256(p.seedRound), 1, "round");
        vm.roll(block.number + 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AlreadyDrawn.selector, project, 1));
        market.drawSketch(project, 1);
    }

    function testNoSeedIsDrawnWhileAChallengeIsOpen() public {
        uint256 project = _started(_sketchTerms(address(0)));
        Posted memory posted = _playSketch(project);
        _submitFirst(project, SLOTS);
        _challenge(project, ChallengeKind.Chunk, _question(posted, 0, 0), posted);
        _close(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.ChallengeOpen.selector, project));
        market.drawSketch(project, 2);
    }

    function testEachRoundHasASeedOfItsOwn() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _playSketch(project);
        bytes32 first = market.projectOf(project).sketchSeed;
        _submitFirst(project, SLOTS);
        _close(project);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotDrawn.selector, project, 2));
        this.postSketch(project);
        _drawSketch(project);
        vm.assertTrue(market.projectOf(project).sketchSeed != first, "another");
        this.postSketch(project);
    }

    // What a result must be

    function testAResultIsTheCurrentAggregatorsInItsTime() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotCurrentAggregator.selector, stranger, aggregators[0])
        );
        vm.prank(stranger);
        market.postSketchResult(project, posted.result, posted.sketch);
        posted.result.round = 2;
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 2, 1));
        posted.result.round = 1;
        posted.result.cohort = 1;
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.WrongCohort.selector, 1, 1));
        posted.result.cohort = 0;
        uint256 deadline = market.projectOf(project).resultDeadline;
        vm.warp(deadline);
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
    }

    function testAnyOtherRootIsRefused() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS - 1);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            posted.sketch.roots[slot] ^= bytes32(uint256(1));
            // The last one is absent: its root says nothing, so it is none.
            _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, slot));
            posted.sketch.roots[slot] ^= bytes32(uint256(1));
        }
        bytes32[] memory roots = posted.sketch.roots;
        posted.sketch.roots = new bytes32[](SLOTS + 1);
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, SLOTS + 1, SLOTS));
        posted.sketch.roots = new bytes32[](SLOTS - 1);
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, SLOTS - 1, SLOTS));
        posted.sketch.roots = roots;
        _postSketch(project, posted);
    }

    function testAnotherCommitmentThanC0InAnAbsentSlotIsRefused() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS - 1);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        uint256 last = 64 * SLOTS - 1;
        posted.result.proof[last] ^= 0x01;
        _refused(project, posted, abi.encodeWithSelector(IGramVerifier.CommitmentMismatch.selector, SLOTS - 1));
    }

    function testWhatTheRulesDoNotGiveIsRefused() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        uint16 merged = posted.result.merged;
        posted.result.merged ^= 1;
        _refused(project, posted, "");
        posted.result.merged = merged;
        posted.result.neighbours[0] ^= 3;
        _refused(project, posted, "");
        posted.result.neighbours[0] ^= 3;
        posted.result.gram[1] += 1 << 41;
        _refused(project, posted, abi.encodeWithSelector(Krum.FarPair.selector, 0, 1));
        posted.result.gram[1] -= 1 << 41;
        bytes memory proof = posted.result.proof;
        posted.result.proof = new bytes(64 * SLOTS - 1);
        _refused(project, posted, "");
        posted.result.proof = abi.encodePacked(proof, uint8(0));
        _refused(project, posted, "");
        posted.result.proof = proof;
        bytes memory order = posted.result.arrivals.order;
        (order[0], order[1]) = (order[1], order[0]);
        _refused(project, posted, "");
        (order[0], order[1]) = (order[1], order[0]);
        _postSketch(project, posted);
    }

    function testNobodyIsLeftOutUnlessItAnswered() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        uint16[3] memory masks = [uint16(1), 1 << 5, 1 << 6];
        for (uint256 i = 0; i < 3; ++i) {
            posted.sketch.leftOut = masks[i];
            _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.InvalidLeftOut.selector, masks[i]));
        }
        _complainChunk(project, 1, 0); // open
        vm.warp(market.projectOf(project).answerDeadline);
        posted.sketch.leftOut = 2;
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.InvalidLeftOut.selector, 2));
    }

    function testTooFewUpdatesAreSkipped() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        Posted memory posted = _prepare(project, 0);
        _complainChunk(project, 0, 0);
        _complainChunk(project, 1, 1);
        vm.warp(market.projectOf(project).answerDeadline);
        _refused(project, posted, abi.encodeWithSelector(ITrainingMarket.QuorumMissed.selector, 4, 5));
        market.skip(project, 1, 0);
        vm.assertEq(uint256(market.projectOf(project).round), 2, "next round");
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertEq(uint256(registry.trainerRecord(trainers[i]).faults), 1, "who withheld it is to blame");
            vm.assertEq(uint256(market.membershipOf(project, trainers[i]).locked), STAKE - DEPOSIT, "and pays");
        }
        vm.assertEq(uint256(registry.trainerRecord(trainers[2]).faults), 0, "nobody else is");
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), 2 * uint256(DEPOSIT), "to the aggregator");
        _assertConserved(address(0));
    }

    function testALateAggregatorIsReplaced() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        this.postSketch(project);
        vm.assertGe(market.aggregatorsOf(project)[1].earned, FEE, "its stand-in is paid");
        _assertConserved(address(0));
    }

    // Either path's calls are refused on the other

    function testTheExactPathsCallsAreRefused() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        bytes memory why = abi.encodeWithSelector(ITrainingMarket.WrongPath.selector, project);
        RoundResult memory result = _result(project, 0, _honestGram());
        Arrivals memory arrivals = _arrivals(project, 0);
        Opening memory opening;
        vm.startPrank(aggregators[0]);
        vm.expectRevert(why);
        market.postResult(project, result);
        vm.expectRevert(why);
        market.complain(project, 1, 0, 1, arrivals);
        vm.expectRevert(why);
        market.answer(project, 1, 0, 0, G1(1, 2), opening);
        vm.stopPrank();
        Posted memory posted = _prepare(project, 0);
        _postSketch(project, posted);
        ChallengeKind[2] memory kinds = [ChallengeKind.Model, ChallengeKind.Proof];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(why);
            market.challenge(project, kinds[i], 0, _one(posted));
        }
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Model)));
        market.answerModel(project, opening);
    }

    function testTheSketchPathsCallsAreRefused() public {
        uint256 sketched = _started(_sketchTerms(address(0)));
        Posted memory posted = _playSketch(sketched);
        uint256 project = _active(address(0));
        _submitExact(project);
        _close(project);
        bytes memory why = abi.encodeWithSelector(ITrainingMarket.WrongPath.selector, project);
        vm.expectRevert(why);
        market.drawSketch(project, 1);
        SketchResult memory sketch;
        RoundResult memory result = posted.result;
        Arrivals memory arrivals = _arrivals(project, 0);
        UpdateChunk memory given = _updateChunk(sketchCircuit, 0, 0);
        vm.startPrank(aggregators[0]);
        vm.expectRevert(why);
        market.postSketchResult(project, result, sketch);
        vm.expectRevert(why);
        market.complainChunks(project, 1, 0, 1, new uint32[](1), arrivals);
        vm.expectRevert(why);
        market.answerChunk(project, 1, 0, 0, given);
        vm.stopPrank();
        _postExact(project);
        vm.expectRevert(why);
        market.challengeSketch(project, ChallengeKind.Chunk, _question(posted, 0, 0), _one(posted));
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Sketch))
        );
        market.closeSketch(project);
    }

    /// The gas of a round does not depend on the number of chunks: roots are all that it sees.
    function testARoundCostsTheSameForAnyNumberOfChunks() public {
        uint32[3] memory counts = [uint32(25), 245, 2442];
        uint256[3] memory first;
        _synthetic(_sketchTerms(address(0))); // what a market's first round writes
        for (uint256 i = 0; i < 3; ++i) {
            Terms memory t = _sketchTerms(address(0));
            t.chunks = counts[i];
            t.initialModel = G1(uint256(keccak256("a root")), counts[i]);
            uint256[3] memory costs = _synthetic(t); // up to zeros among the bytes of digests
            for (uint256 j = 0; j < 3; ++j) {
                if (i == 0) first[j] = costs[j];
                else vm.assertLe(_distance(first[j], costs[j]), 500, "the same for any J");
            }
        }
    }

    /// Gas of submit, drawSketch and postSketchResult.
    function _synthetic(Terms memory t) private returns (uint256[3] memory costs) {
        uint256 project = _started(t);
        SketchResult memory sketch;
        sketch.roots = new bytes32[](SLOTS);
        sketch.root = keccak256("the new root");
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            sketch.roots[slot] = keccak256(abi.encode("a root", slot));
            bytes32 digest = keccak256(abi.encode(sketch.roots[slot], uint256(t.chunks), trainers[slot]));
            bytes memory submit = abi.encodeCall(market.submit, (project, 1, slot, digest, "blob"));
            costs[0] = _send(trainers[slot], submit);
            _note(project, 0, uint8(slot), digest);
        }
        _close(project);
        costs[1] = _send(stranger, abi.encodeCall(market.drawSketch, (project, 1)));
        sketch.seed = market.projectOf(project).sketchSeed;
        RoundResult memory result = _result(project, 0, _honestGram());
        costs[2] = _send(aggregators[0], abi.encodeCall(market.postSketchResult, (project, result, sketch)));
    }

    function _distance(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a - b : b - a;
    }

    function _exact() private returns (uint256 project) {
        project = _active(address(0));
        _submitExact(project);
        _close(project);
        _postExact(project);
    }

    function _submitExact(uint256 project) private {
        for (uint256 i = 0; i < SLOTS; ++i) _submitAs(project, i, _digest(toy.commitment(toy.vector(i)), trainers[i]));
    }

    function _postExact(uint256 project) private {
        RoundResult memory result = _result(project, 0, _honestGram());
        bytes memory points;
        for (uint256 i = 0; i < SLOTS; ++i) {
            G1 memory point = toy.commitment(toy.vector(i));
            points = abi.encodePacked(points, point.x, point.y);
        }
        result.proof = abi.encodePacked(points, new bytes(32));
        _postResult(project, result);
    }

    function _linked(Posted memory posted) private pure returns (bytes32) {
        return keccak256(abi.encode(bytes32(0), keccak256(abi.encode(posted.outcome))));
    }

    function _refused(uint256 project, Posted memory posted, bytes memory why) private {
        address current = _current(project);
        if (why.length == 0) vm.expectRevert();
        else vm.expectRevert(why);
        vm.prank(current);
        market.postSketchResult(project, posted.result, posted.sketch);
    }
}
