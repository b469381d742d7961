// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {
    ChunkFacts,
    LeafPath,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchStatement
} from "../../../contracts/interfaces/ISketch.sol";
import {
    ChallengeKind,
    ITrainingMarket,
    Outcome,
    Project,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {SketchFixture} from "./support/SketchFixture.sol";

/// @notice Challenges on the sketch path: an honest aggregator answers and keeps its bond, a false one cannot.
contract SketchChallengesTest is SketchFixture {
    uint32 private constant CHUNK = 1;
    uint8 private constant SLOT = 2;
    bytes32 private constant FLAW = keccak256("something else");

    uint256 private _project;
    uint256 private _takenBefore;

    // Chunks

    function testAChunkIsShownAndCostsTheChallenger() public {
        Posted memory posted = _second(_sketchTerms(address(0)));
        ChunkFacts memory facts = _chunkFacts(posted, CHUNK);
        _deposit(address(0), stranger, DEPOSIT);
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.ChunkQuestioned(_project, 2, 0, facts);
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Chunk, _question(posted, 0, CHUNK), _one(posted));
        ShownChunk memory shown = _shown(_project, posted, CHUNK, _takenBefore);
        market.showChunk(_project, facts, shown); // whoever has it
        _answered(posted);
    }

    function testEveryChunkCanBeAskedForOnceARound() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        for (uint32 j = 0; j < CHUNKS; ++j) {
            _challenge(_project, ChallengeKind.Chunk, _question(posted, 0, j), posted);
            ShownChunk memory shown = _shown(_project, posted, j, 0);
            market.showChunk(_project, _chunkFacts(posted, j), shown);
            _refusedQuestion(posted, ChallengeKind.Chunk, _question(posted, 0, j));
            _refusedQuestion(posted, ChallengeKind.Chunk, _question(posted, 7, j)); // the slot says nothing
        }
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), 3 * uint256(DEPOSIT), "a deposit each");
        _deposit(address(0), stranger, DEPOSIT);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongChunk.selector, CHUNKS, CHUNKS));
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Chunk, _question(posted, 0, uint32(CHUNKS)), _one(posted));
        _playSketch(_project);
        _assertConserved(address(0));
    }

    function testAChunkOfAnotherSumCannotBeShown() public {
        // The aggregator put chunk 1 of another model in: point, hash, and bytes agree, but nobody's updates lead there.
        bentModel[CHUNK] = LeafPath(_partOf(50), keccak256(_packed(50)), new bytes32[](0));
        Posted memory posted = _first(_sketchTerms(address(0)));
        _challenge(_project, ChallengeKind.Chunk, _question(posted, 0, CHUNK), posted);
        ShownChunk memory shown = _shown(_project, posted, CHUNK, 0);
        _notShown(_chunkFacts(posted, CHUNK), shown);
        shown.packed = _packed(50);
        shown.proof = chunked.open(sketchCircuit, chunked.part(_seedsOf(50), CHUNK), 4);
        _notShown(_chunkFacts(posted, CHUNK), shown);
        _undone(posted);
    }

    /// The same, from a point of the model before that makes the sum come out right, and was never in that model.
    function testAChunkThatWasNotInTheModelBeforeCannotBeMoved() public {
        bentModel[CHUNK] = LeafPath(_partOf(50), keccak256(_packed(50)), new bytes32[](0));
        Posted memory posted = _first(_sketchTerms(address(0)));
        _challenge(_project, ChallengeKind.Chunk, _question(posted, 0, CHUNK), posted);
        int256[] memory wanted = chunked.part(_seedsOf(50), CHUNK);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            if ((posted.result.merged >> slot) & 1 == 0) continue;
            int256[] memory update = chunked.part(_seedsOf(slot), CHUNK);
            for (uint256 t = 0; t < wanted.length; ++t) wanted[t] -= update[t];
        }
        ShownChunk memory shown = _shown(_project, posted, CHUNK, 0);
        shown.before.point = chunked.commitment(wanted);
        shown.packed = _packed(50);
        shown.proof = chunked.open(sketchCircuit, chunked.part(_seedsOf(50), CHUNK), 4);
        _notShown(_chunkFacts(posted, CHUNK), shown);
        _undone(posted);
    }

    function testALeafOfTheRightPointAndAnotherHashCannotBeShown() public {
        Posted memory posted = _bent(true, false);
        ShownChunk memory shown = _shown(_project, posted, CHUNK, 0);
        _notShown(_chunkFacts(posted, CHUNK), shown);
        shown.packed = _packed(50); // what the hash is of: the point does not open to it
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        market.showChunk(_project, _chunkFacts(posted, CHUNK), shown);
        _undone(posted);
    }

    function testALeafOfTheRightHashAndAnotherPointCannotBeShown() public {
        Posted memory posted = _bent(false, true);
        _notShown(_chunkFacts(posted, CHUNK), _shown(_project, posted, CHUNK, 0));
        _undone(posted);
    }

    function testAShownChunkIsItselfToTheLastBit() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        _challenge(_project, ChallengeKind.Chunk, _question(posted, 0, CHUNK), posted);
        ChunkFacts memory facts = _chunkFacts(posted, CHUNK);
        ShownChunk memory shown = _shown(_project, posted, CHUNK, 0);
        shown.packed[9] ^= 0x01;
        _notShown(facts, shown);
        shown.packed[9] ^= 0x01;
        shown.path[1] ^= bytes32(uint256(1));
        _notShown(facts, shown);
        shown.path[1] ^= bytes32(uint256(1));
        shown.before.point = BN254.negate(shown.before.point);
        _notShown(facts, shown);
        shown.before.point = BN254.negate(shown.before.point);
        (shown.merged[0], shown.merged[1]) = (shown.merged[1], shown.merged[0]);
        _notShown(facts, shown);
        (shown.merged[0], shown.merged[1]) = (shown.merged[1], shown.merged[0]);
        LeafPath[] memory merged = shown.merged;
        shown.merged = new LeafPath[](merged.length - 1);
        for (uint256 i = 0; i < shown.merged.length; ++i) shown.merged[i] = merged[i];
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, merged.length - 1, merged.length)
        );
        market.showChunk(_project, facts, shown);
        shown.merged = merged;
        shown.proof = G1(1, 2);
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        market.showChunk(_project, facts, shown);
        shown = _shown(_project, posted, CHUNK, 0);
        facts.chunk = 0;
        vm.expectRevert(
            abi.encodeWithSelector(
                ITrainingMarket.WrongFacts.selector,
                keccak256(abi.encode(facts)),
                keccak256(abi.encode(_chunkFacts(posted, CHUNK)))
            )
        );
        market.showChunk(_project, facts, shown);
        facts.chunk = CHUNK;
        facts.merged[0] = FLAW;
        vm.expectRevert();
        market.showChunk(_project, facts, shown);
        uint256 deadline = market.challengeOf(_project).deadline;
        vm.warp(deadline);
        facts = _chunkFacts(posted, CHUNK);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.showChunk(_project, facts, shown);
        vm.warp(deadline - 1);
        market.showChunk(_project, facts, shown);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Chunk)));
        market.showChunk(_project, facts, shown);
    }

    // Sketches: an honest aggregator

    function testAnHonestSketchIsAnswered() public {
        Posted memory posted = _second(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        _deposit(address(0), stranger, DEPOSIT);
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.SketchQuestioned(_project, 2, facts);
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), _one(posted));
        _answerHonestly(facts, _sketchOf(_project, SLOT), _seedsOf(SLOT));
        _notYet(posted);
        vm.warp(market.challengeOf(_project).deadline);
        market.closeSketch(_project);
        _answered(posted);
    }

    function testAnHonestSumIsAnswered() public {
        Posted memory posted = _second(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SUM);
        SketchQuestion memory question = _question(posted, SUM, 9);
        question.cohort = 7; // neither says anything
        _challenge(_project, ChallengeKind.Sketch, question, posted);
        (int256[] memory moved, uint256[] memory values) = _move(facts);
        _answer(facts, values, moved);
        vm.warp(market.challengeOf(_project).deadline);
        market.closeSketch(_project);
        _answered(posted);
    }

    /// Refutations with the true chunks, every one of them, are refused.
    function testATrueValueIsNotRefuted() public {
        Posted memory posted = _second(_sketchTerms(address(0)));
        uint8[2] memory slots = [SLOT, SUM];
        for (uint256 i = 0; i < 2; ++i) {
            SketchFacts memory facts = _sketchFacts(_project, posted, slots[i]);
            _challenge(_project, ChallengeKind.Sketch, _question(posted, slots[i], 0), posted);
            uint256[] memory values;
            if (slots[i] == SUM) {
                int256[] memory moved;
                (moved, values) = _move(facts);
                _answer(facts, values, moved);
            } else {
                values = _answerHonestly(facts, _sketchOf(_project, SLOT), _seedsOf(SLOT));
            }
            for (uint32 j = 0; j < CHUNKS; ++j) {
                SketchEvidence memory evidence = _evidence(slots[i], j);
                vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotRefuted.selector, j, values[j]));
                market.refuteSketch(_project, facts, j, values, evidence);
            }
            vm.warp(market.challengeOf(_project).deadline);
            market.closeSketch(_project);
        }
        _assertConserved(address(0));
    }

    function testEvidenceIsTheCommittedChunk() public {
        Posted memory posted = _second(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SUM);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SUM, 0), posted);
        (int256[] memory moved, uint256[] memory values) = _move(facts);
        _answer(facts, values, moved);
        bytes4 wrong = ITrainingMarket.WrongFacts.selector;
        bytes4 elsewhere = ITrainingMarket.NotUnderRoot.selector;
        SketchEvidence memory evidence = _evidence(SUM, CHUNK);
        evidence.packed[3] ^= 0x01;
        _noEvidence(facts, CHUNK, values, evidence, wrong);
        evidence.leaf.hash = keccak256(evidence.packed);
        _noEvidence(facts, CHUNK, values, evidence, elsewhere);
        evidence = _evidence(SUM, CHUNK);
        evidence.packedBefore[3] ^= 0x01;
        _noEvidence(facts, CHUNK, values, evidence, wrong);
        evidence.packedBefore = new bytes(0);
        _noEvidence(facts, CHUNK, values, evidence, ITrainingMarket.InvalidLength.selector);
        evidence = _evidence(SUM, CHUNK);
        evidence.leaf.path[0] ^= bytes32(uint256(1));
        _noEvidence(facts, CHUNK, values, evidence, elsewhere);
        evidence = _evidence(SUM, CHUNK);
        _noEvidence(facts, CHUNK + 1, values, evidence, elsewhere); // the right chunk at another place
        (evidence.leaf, evidence.before) = (evidence.before, evidence.leaf);
        (evidence.packed, evidence.packedBefore) = (evidence.packedBefore, evidence.packed);
        _noEvidence(facts, CHUNK, values, evidence, elsewhere);
        evidence = _evidence(SUM, CHUNK);
        _noEvidence(facts, CHUNKS, values, evidence, ITrainingMarket.WrongChunk.selector);
        values[CHUNK] = addmod(values[CHUNK], 1, R); // a value that nobody stated
        bytes32 stated = market.standingAnswerOf(_project);
        bytes32 given = keccak256(abi.encodePacked(values));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongFacts.selector, given, stated));
        market.refuteSketch(_project, facts, CHUNK, values, evidence);
    }

    // Sketches: a false one

    /// A false sketch of one slot: whatever is answered, a value has to be false.
    function testAFalseSketchIsRefutedAndUndone() public {
        bentSketch[SLOT] = 5;
        Posted memory posted = _first(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), posted);
        // The true values do not sum up to what S opens to.
        uint256 z = _pointOf(sketchCircuit, facts);
        uint256[] memory values = chunked.values(_seedsOf(SLOT), facts.seed, z);
        (uint256 y, G1 memory proof) = chunked.openAt(_sketchOf(_project, SLOT), z);
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, proof);
        _makeUp(values, CHUNK, y);
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, proof);
        for (uint32 j = 0; j < CHUNKS; j += 2) {
            SketchEvidence memory evidence = _evidence(SLOT, j);
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotRefuted.selector, j, values[j]));
            market.refuteSketch(_project, facts, j, values, evidence);
        }
        _refute(posted, facts, CHUNK, values);
    }

    /// A trainer and the aggregator: its slot's sketch is false, and nobody else has the update. The sum tells.
    function testAFalseSketchOfAColludingTrainerIsFoundInTheSum() public {
        bentSketch[SLOT] = -3;
        Posted memory posted = _second(_sketchTerms(address(0)));
        vm.assertTrue((posted.result.merged >> SLOT) & 1 == 1, "merged");
        SketchFacts memory facts = _sketchFacts(_project, posted, SUM);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SUM, 0), posted);
        (int256[] memory moved, uint256[] memory values) = _move(facts);
        moved[0] -= 3;
        (uint256 y, G1 memory proof) = chunked.openAt(moved, _pointOf(sketchCircuit, facts));
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, proof);
        _makeUp(values, CHUNK, y);
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, proof);
        _refute(posted, facts, CHUNK, values);
    }

    function testASuppressedAnswerUndoesTheRound() public {
        uint8[2] memory slots = [SLOT, SUM];
        for (uint256 i = 0; i < 2; ++i) {
            Posted memory posted = _first(_sketchTerms(address(0)));
            _challenge(_project, ChallengeKind.Sketch, _question(posted, slots[i], 0), posted);
            vm.expectRevert(
                abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Sketch))
            );
            market.closeSketch(_project);
            _undone(posted);
        }
    }

    function testOnlyTheAccusedAnswersForASketchAndOnce() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), posted);
        uint256 z = _pointOf(sketchCircuit, facts);
        uint256[] memory values = chunked.values(_seedsOf(SLOT), facts.seed, z);
        (, G1 memory proof) = chunked.openAt(_sketchOf(_project, SLOT), z);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotAccused.selector, stranger, aggregators[0]));
        vm.prank(stranger);
        market.answerSketch(_project, facts, values, proof);
        vm.startPrank(aggregators[0]);
        values[0] += R;
        vm.expectRevert(abi.encodeWithSelector(IGramVerifier.NotAFieldElement.selector, 0, values[0]));
        market.answerSketch(_project, facts, values, proof);
        values[0] -= R;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 2, CHUNKS));
        market.answerSketch(_project, facts, new uint256[](2), proof);
        facts.seed = FLAW;
        vm.expectRevert();
        market.answerSketch(_project, facts, values, proof);
        facts = _sketchFacts(_project, posted, SLOT);
        uint256 deadline = market.challengeOf(_project).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.answerSketch(_project, facts, values, proof);
        vm.warp(deadline - 1);
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.SketchAnswered(_project, 1, block.timestamp + 5 minutes, values);
        market.answerSketch(_project, facts, values, proof);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AnswerStands.selector, _project));
        market.answerSketch(_project, facts, values, proof);
        vm.stopPrank();
        SketchEvidence memory evidence = _evidence(SLOT, 0);
        vm.warp(market.challengeOf(_project).deadline);
        vm.expectRevert();
        market.refuteSketch(_project, facts, 0, values, evidence); // too late, whatever it says
        market.closeSketch(_project);
        vm.assertEq(market.standingAnswerOf(_project), 0, "no answer stands");
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, uint256(ChallengeKind.Sketch))
        );
        market.closeSketch(_project);
    }

    // Questions

    function testAQuestionIsAskedOnceARoundAndOthersMayFollow() public {
        Posted memory posted = _first(_onDemand(_sketchTerms(address(0))));
        uint8[2] memory slots = [SLOT, SLOT + 1];
        for (uint256 i = 0; i < 2; ++i) {
            SketchFacts memory facts = _sketchFacts(_project, posted, slots[i]);
            _challenge(_project, ChallengeKind.Sketch, _question(posted, slots[i], 0), posted);
            vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.ChallengeOpen.selector, _project));
            market.challengeSketch(_project, ChallengeKind.Chunk, _question(posted, 0, 0), _one(posted));
            _answerHonestly(facts, _sketchOf(_project, slots[i]), _seedsOf(slots[i]));
            vm.warp(market.challengeOf(_project).deadline);
            market.closeSketch(_project);
            _refusedQuestion(posted, ChallengeKind.Sketch, _question(posted, slots[i], 0));
        }
        _challenge(_project, ChallengeKind.Proof, _question(posted, 0, 0), posted);
        bytes memory proof = abi.encodePacked(posted.result.proof, new bytes(32));
        market.answerProof(_project, posted.result.gram, proof);
        _refusedQuestion(posted, ChallengeKind.Proof, _question(posted, 0, 0));
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), 3 * uint256(DEPOSIT), "a deposit each");
        Posted memory next = _playSketch(_project);
        _challenge(_project, ChallengeKind.Sketch, _question(next, SLOT, 0), next); // another round, another question
        _assertConserved(address(0));
    }

    function testWhatCannotBeAsked() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        _refusedQuestion(posted, ChallengeKind.None, _question(posted, 0, 0));
        _refusedQuestion(posted, ChallengeKind.Model, _question(posted, 0, 0));
        _refusedQuestion(posted, ChallengeKind.Proof, _question(posted, 0, 0)); // it was proved
        _refusedQuestion(posted, ChallengeKind.Sketch, _question(posted, uint8(SLOTS), 0)); // no such input
        SketchQuestion memory question = _question(posted, 0, 0);
        question.cohort = 1;
        _refusedQuestion(posted, ChallengeKind.Chunk, question);
        question.cohort = 0;
        question.statements[0].present ^= 1;
        bytes32 given = keccak256(abi.encode(question.statements[0]));
        bytes memory why = abi.encodeWithSelector(ITrainingMarket.WrongFacts.selector, given, posted.outcome.statement);
        _refuse(posted, ChallengeKind.Sketch, question, why);
        question.statements = new SketchStatement[](0);
        why = abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 0, 1);
        _refuse(posted, ChallengeKind.Chunk, question, why);
        question.slot = SUM;
        _refuse(posted, ChallengeKind.Sketch, question, why);
        question = _question(posted, 0, 0);
        posted.outcome.fee += 1;
        _refuse(posted, ChallengeKind.Chunk, question, "");
        _refuse(posted, ChallengeKind.Sketch, _question(posted, SUM, 0), "");
        posted.outcome.fee -= 1;
        vm.warp(market.projectOf(_project).challengeDeadline);
        _refusedQuestion(posted, ChallengeKind.Chunk, question);
    }

    function testAChallengeNeedsItsDeposit() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        vm.expectRevert();
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Chunk, _question(posted, 0, 0), _one(posted));
    }

    function testAnUnansweredProofUndoesTheRound() public {
        Posted memory posted = _first(_onDemand(_sketchTerms(address(0))));
        _challenge(_project, ChallengeKind.Proof, _question(posted, 0, 0), posted);
        bytes memory proof = abi.encodePacked(posted.result.proof, new bytes(32));
        proof[1] ^= 0x01;
        vm.expectRevert();
        market.answerProof(_project, posted.result.gram, proof);
        _undone(posted);
    }

    /// One posts a cohort's result and is too late with the other's: each is accused of its own.
    function testOfACohortWhoeverPostedItIsAccused() public {
        _twoCohorts();
        Posted[2] memory posted;
        posted[0] = _prepare(_project, 0);
        _postSketch(_project, posted[0]);
        vm.warp(market.projectOf(_project).resultDeadline);
        market.timeout(_project, 1);
        posted[1] = _prepare(_project, 1);
        _postSketch(_project, posted[1]);
        vm.assertEq(uint256(posted[1].outcome.aggregatorIndex), 1, "its stand-in");
        Outcome[] memory outcomes = new Outcome[](2);
        (outcomes[0], outcomes[1]) = (posted[0].outcome, posted[1].outcome);
        _deposit(address(0), stranger, 2 * DEPOSIT);
        for (uint256 i = 0; i < 2; ++i) {
            uint256 cohort = 1 - i;
            vm.prank(stranger);
            market.challengeSketch(_project, ChallengeKind.Chunk, _question(posted[cohort], 0, CHUNK), outcomes);
            vm.assertEq(uint256(market.challengeOf(_project).accused), cohort, "who posted it");
            if (cohort == 0) continue;
            ShownChunk memory shown = _shown(_project, posted[1], CHUNK, taken.length - _bits(posted[1].result.merged));
            market.showChunk(_project, _chunkFacts(posted[1], CHUNK), shown);
            vm.assertEq(vault.freeOf(address(0), aggregators[1]), DEPOSIT, "to the accused");
        }
        vm.warp(market.challengeOf(_project).deadline);
        market.undo(_project, outcomes);
        vm.assertEq(uint256(market.membershipOf(_project, aggregators[1]).locked), BOND, "it is not to blame");
        _assertConserved(address(0));
    }

    /// The sum runs over all cohorts of a round, and a chunk is of one.
    function testQuestionsAboutSeveralCohorts() public {
        Terms memory t = _twoCohorts();
        Posted[2] memory posted;
        uint256 middle = 0;
        for (uint256 cohort = 0; cohort < 2; ++cohort) {
            middle = taken.length;
            posted[cohort] = _prepare(_project, cohort);
            _postSketch(_project, posted[cohort]);
        }
        Outcome[] memory outcomes = new Outcome[](2);
        (outcomes[0], outcomes[1]) = (posted[0].outcome, posted[1].outcome);
        _deposit(address(0), stranger, 2 * DEPOSIT);
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Chunk, _question(posted[1], 0, CHUNK), outcomes);
        market.showChunk(_project, _chunkFacts(posted[1], CHUNK), _shown(_project, posted[1], CHUNK, middle));

        SketchQuestion memory question;
        question.slot = SUM;
        question.statements = new SketchStatement[](2);
        (question.statements[0], question.statements[1]) = (posted[1].statement, posted[0].statement);
        vm.expectRevert();
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Sketch, question, outcomes); // in another order
        (question.statements[0], question.statements[1]) = (posted[0].statement, posted[1].statement);
        vm.prank(stranger);
        market.challengeSketch(_project, ChallengeKind.Sketch, question, outcomes);
        SketchFacts memory facts = _sketchFacts(_project, posted[1], SUM);
        facts.before = bytes32(t.initialModel.x);
        (int256[] memory moved, uint256[] memory values) = _move(facts);
        facts.commitment = chunked.commitment(moved);
        (moved, values) = _move(facts);
        _answer(facts, values, moved);
        vm.warp(market.challengeOf(_project).deadline);
        market.closeSketch(_project);
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), 2 * uint256(DEPOSIT), "deposits");
        _assertConserved(address(0));
    }

    // Time

    function testTheTimeOfBothWindowsIsGivenBack() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        _submitFirst(_project, SLOTS); // round 2 closes as soon as round 1 cannot be challenged any more
        uint256 closes = market.projectOf(_project).challengeDeadline;
        vm.warp(closes - 10);
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), posted);
        vm.warp(block.timestamp + 100);
        _answerHonestly(facts, _sketchOf(_project, SLOT), _seedsOf(SLOT));
        uint256 deadline = market.challengeOf(_project).deadline;
        vm.assertEq(deadline, block.timestamp + 5 minutes, "a window to refute it");
        Project memory p = market.projectOf(_project);
        vm.assertEq(uint256(p.challengeDeadline), closes + 100, "the question's time");
        vm.assertGe(p.submitDeadline, deadline, "no result before");
        vm.warp(deadline + 33);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.ChallengeOpen.selector, _project));
        market.drawSketch(_project, 2);
        market.closeSketch(_project);
        p = market.projectOf(_project);
        vm.assertEq(uint256(p.challengeDeadline), block.timestamp + 10, "what was left is left");
        vm.assertGe(p.submitDeadline, p.challengeDeadline, "one provisional round");
        _challenge(_project, ChallengeKind.Chunk, _question(posted, 0, 0), posted);
    }

    function testAnAnswerNeverShortensTheWindowUnderWay() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        uint256 closes = market.projectOf(_project).submitDeadline; // nobody has submitted: the whole window
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), posted);
        _answerHonestly(facts, _sketchOf(_project, SLOT), _seedsOf(SLOT));
        vm.assertGe(closes, market.challengeOf(_project).deadline + 1, "it is longer than the answer's");
        vm.assertEq(uint256(market.projectOf(_project).submitDeadline), closes, "after the answer");
        vm.warp(market.challengeOf(_project).deadline);
        market.closeSketch(_project);
        vm.assertEq(uint256(market.projectOf(_project).submitDeadline), closes, "after its time");
    }

    function testNothingIsUndoneWhileAnAnswerStands() public {
        Posted memory posted = _first(_sketchTerms(address(0)));
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), posted);
        uint256[] memory values = _answerHonestly(facts, _sketchOf(_project, SLOT), _seedsOf(SLOT));
        vm.assertEq(market.standingAnswerOf(_project), keccak256(abi.encodePacked(values)), "it stands");
        _notYet(posted);
        uint256 deadline = market.challengeOf(_project).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.AnswerStands.selector, _project));
        market.undo(_project, _one(posted));
        vm.warp(deadline - 1);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, deadline - 1));
        market.closeSketch(_project);
    }

    function testTheLastRoundCanBeUndone() public {
        Terms memory t = _sketchTerms(address(0));
        t.rounds = 1;
        bentSketch[SLOT] = 1;
        Posted memory posted = _first(t);
        _assertStatus(_project, Status.Closing);
        SketchFacts memory facts = _sketchFacts(_project, posted, SLOT);
        _challenge(_project, ChallengeKind.Sketch, _question(posted, SLOT, 0), posted);
        uint256 z = _pointOf(sketchCircuit, facts);
        uint256[] memory values = chunked.values(_seedsOf(SLOT), facts.seed, z);
        (uint256 y, G1 memory proof) = chunked.openAt(_sketchOf(_project, SLOT), z);
        _makeUp(values, 0, y);
        uint256 closed = market.projectOf(_project).submitDeadline;
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, proof);
        vm.assertEq(uint256(market.projectOf(_project).submitDeadline), closed, "no window is opened again");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.ChallengeOpen.selector, _project));
        market.settle(_project);
        market.refuteSketch(_project, facts, 0, values, _evidence(SLOT, 0));
        market.undo(_project, _one(posted));
        _assertStatus(_project, Status.Active);
        vm.assertEq(market.projectOf(_project).model.x, t.initialModel.x, "the model before");
        bentSketch[SLOT] = 0;
        delete taken;
        _playSketch(_project);
        vm.warp(market.projectOf(_project).challengeDeadline);
        market.settle(_project);
        _assertConserved(address(0));
    }

    // Steps

    /// Two drawn cohorts, whose updates are in.
    function _twoCohorts() private returns (Terms memory t) {
        for (uint256 i = SLOTS; i < 15; ++i) trainers.push(_trainerParty(i));
        t = _sketchTerms(address(0));
        (t.trainers, t.cohorts) = (15, 2);
        delete taken;
        _project = _openWith(t);
        market.start(_project);
        vm.roll(block.number + 2);
        market.draw(_project);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _submit(_project, seat);
        _drawSketch(_project);
    }

    function _first(Terms memory t) private returns (Posted memory posted) {
        _project = _started(t);
        posted = _playSketch(_project);
        _takenBefore = 0;
    }

    /// Round 2, so that the model before is one that was moved.
    function _second(Terms memory t) private returns (Posted memory posted) {
        _first(t);
        _takenBefore = taken.length;
        posted = _playSketch(_project);
    }

    /// A leaf of the new model has another hash, or another point.
    function _bent(bool hash, bool point) private returns (Posted memory posted) {
        _project = _started(_sketchTerms(address(0)));
        _submitFirst(_project, SLOTS);
        _drawSketch(_project);
        _prepare(_project, 0);
        LeafPath memory leaf = _modelLeaves(taken.length, false)[CHUNK];
        delete taken;
        if (hash) leaf.hash = keccak256(_packed(50));
        if (point) leaf.point = _partOf(50);
        bentModel[CHUNK] = LeafPath(leaf.point, leaf.hash, new bytes32[](0));
        posted = _prepare(_project, 0);
        _postSketch(_project, posted);
        _challenge(_project, ChallengeKind.Chunk, _question(posted, 0, CHUNK), posted);
    }

    function _partOf(uint256 seed) private view returns (G1 memory) {
        return chunked.commitment(chunked.part(_seedsOf(seed), CHUNK));
    }

    function _packed(uint256 seed) private view returns (bytes memory) {
        return chunked.pack(chunked.part(_seedsOf(seed), CHUNK), 4);
    }

    /// The sketch of the last round's move, and its chunks' values.
    function _move(SketchFacts memory facts) private view returns (int256[] memory moved, uint256[] memory values) {
        uint256[] memory seeds = new uint256[](taken.length - _takenBefore);
        for (uint256 i = 0; i < seeds.length; ++i) seeds[i] = taken[_takenBefore + i];
        moved = chunked.sketchOf(seeds, facts.seed);
        values = chunked.values(seeds, facts.seed, _pointOf(sketchCircuit, facts));
    }

    function _answerHonestly(
        SketchFacts memory facts,
        int256[] memory sketch,
        uint256[] memory seeds
    ) private returns (uint256[] memory values) {
        values = chunked.values(seeds, facts.seed, _pointOf(sketchCircuit, facts));
        _answer(facts, values, sketch);
    }

    function _answer(SketchFacts memory facts, uint256[] memory values, int256[] memory sketch) private {
        (uint256 y, G1 memory proof) = chunked.openAt(sketch, _pointOf(sketchCircuit, facts));
        uint256 sum = 0;
        for (uint256 j = 0; j < values.length; ++j) sum = addmod(sum, values[j], R);
        vm.assertEq(sum, y, "values sum up");
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, proof);
    }

    /// Bends one value so that the sum is y.
    function _makeUp(uint256[] memory values, uint256 at, uint256 y) private pure {
        uint256 others = 0;
        for (uint256 j = 0; j < values.length; ++j) if (j != at) others = addmod(others, values[j], R);
        values[at] = addmod(y, R - others, R);
    }

    function _evidence(uint8 slot, uint32 chunk) private view returns (SketchEvidence memory evidence) {
        if (slot != SUM) {
            evidence.leaf = _updateLeaves(slot)[chunk];
            evidence.packed = chunked.pack(chunked.part(_seedsOf(slot), chunk), 2);
            return evidence;
        }
        evidence.before = _modelLeaves(_takenBefore, false)[chunk];
        evidence.packedBefore = chunked.pack(chunked.part(_model(_takenBefore), chunk), 4);
        evidence.leaf = _modelLeaves(taken.length, true)[chunk];
        evidence.packed = chunked.pack(chunked.part(_model(taken.length), chunk), 4);
    }

    function _refute(Posted memory posted, SketchFacts memory facts, uint32 chunk, uint256[] memory values) private {
        SketchEvidence memory evidence = _evidence(facts.slot, chunk);
        vm.prank(trainers[0]); // whoever has it
        market.refuteSketch(_project, facts, chunk, values, evidence);
        vm.assertEq(market.standingAnswerOf(_project), 0, "none stands");
        vm.expectRevert();
        vm.prank(aggregators[0]);
        market.answerSketch(_project, facts, values, G1(0, 0)); // not again
        vm.expectRevert();
        market.closeSketch(_project);
        _undo(posted); // at once
    }

    /// The time for an answer passes.
    function _undone(Posted memory posted) private {
        _notYet(posted);
        vm.warp(market.challengeOf(_project).deadline);
        _undo(posted);
    }

    function _undo(Posted memory posted) private {
        uint256 free = vault.freeOf(address(0), stranger);
        market.undo(_project, _one(posted));
        Project memory p = market.projectOf(_project);
        vm.assertEq(p.model.x, posted.before.model.x, "the root before");
        vm.assertEq(p.model.y, CHUNKS, "and its chunks");
        vm.assertEq(uint256(market.membershipOf(_project, aggregators[0]).locked), 0, "the bond");
        vm.assertEq(vault.freeOf(address(0), stranger), free + 2 * uint256(DEPOSIT), "the challenger");
        vm.assertEq(uint256(p.aggregatorIndex), 1, "the next one's turn");
        vm.assertTrue(!p.challenged, "over");
        _assertConserved(address(0));
    }

    function _answered(Posted memory posted) private {
        vm.assertEq(uint256(market.membershipOf(_project, aggregators[0]).locked), BOND, "the bond is whole");
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), DEPOSIT, "and the deposit is the aggregator's");
        vm.assertEq(vault.lockedOf(address(0), stranger), 0, "nothing is locked");
        vm.assertTrue(!market.projectOf(_project).challenged, "answered");
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, 0));
        market.undo(_project, _one(posted));
        _assertConserved(address(0));
    }

    function _notYet(Posted memory posted) private {
        uint256 deadline = market.challengeOf(_project).deadline;
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        market.undo(_project, _one(posted));
    }

    /// Some leaf is not under its root.
    function _notShown(ChunkFacts memory facts, ShownChunk memory shown) private {
        vm.expectPartialRevert(ITrainingMarket.NotUnderRoot.selector);
        market.showChunk(_project, facts, shown);
    }

    function _noEvidence(
        SketchFacts memory facts,
        uint256 chunk,
        uint256[] memory values,
        SketchEvidence memory evidence,
        bytes4 why
    ) private {
        vm.expectPartialRevert(why);
        market.refuteSketch(_project, facts, chunk, values, evidence);
    }

    function _refusedQuestion(Posted memory posted, ChallengeKind kind, SketchQuestion memory question) private {
        bytes memory why = abi.encodeWithSelector(ITrainingMarket.CannotChallenge.selector, _project);
        _refuse(posted, kind, question, why);
    }

    function _refuse(
        Posted memory posted,
        ChallengeKind kind,
        SketchQuestion memory question,
        bytes memory why
    ) private {
        _deposit(address(0), stranger, DEPOSIT);
        if (why.length == 0) vm.expectRevert();
        else vm.expectRevert(why);
        vm.prank(stranger);
        market.challengeSketch(_project, kind, question, _one(posted));
    }
}
