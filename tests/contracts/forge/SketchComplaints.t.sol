// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../../../contracts/interfaces/IGramVerifier.sol";
import {LeafPath, UpdateChunk} from "../../../contracts/interfaces/ISketch.sol";
import {Arrivals, ITrainingMarket, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {G1} from "../../../contracts/libraries/BN254.sol";
import {ChunkTree} from "../../../contracts/libraries/ChunkTree.sol";
import {SketchFixture} from "./support/SketchFixture.sol";

/// @notice Complaints on the sketch path: one chunk answers them, and what that cannot show costs a fee.
contract SketchComplaintsTest is SketchFixture {
    uint256 private constant VICTIM = 2;
    uint32 private constant CHUNK = 1;

    function testAChunkAnswersAndTheDepositIsTheTrainers() public {
        uint256 project = _complained();
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.UpdateChunkAnswered(
            project,
            1,
            0,
            VICTIM,
            CHUNK,
            given.root,
            given.point.x,
            given.point.y,
            given.packed
        );
        vm.prank(stranger); // whoever has it
        market.answerChunk(project, 1, 0, VICTIM, given);
        vm.assertEq(vault.freeOf(address(0), trainers[VICTIM]), DEPOSIT, "to the trainer");
        vm.assertEq(uint256(market.membershipOf(project, aggregators[0]).locked), BOND - DEPOSIT, "of the bond");
        vm.assertEq(uint256(market.cohortOf(project, 0).answered), 1 << VICTIM, "answered");
        this.postSketch(project);
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), FEE, "nobody is left out: a fee");
        _assertConserved(address(0));
    }

    /// A withholder that answers for one chunk: it is left out, the aggregator has no fee, and neither loses stake.
    function testAWithholderThatAnswersIsLeftOutWithoutBlame() public {
        uint256 project = _complained();
        market.answerChunk(project, 1, 0, VICTIM, _updateChunk(sketchCircuit, VICTIM, CHUNK));
        leftOut = uint16(1 << VICTIM);
        Posted memory posted = _prepare(project, 0);
        uint256 escrow = market.projectOf(project).escrow;
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.SketchResultPosted(project, 1, 0, 1 << VICTIM, posted.statement);
        _postSketch(project, posted);
        vm.assertEq(uint256(posted.outcome.fee), 0, "no fee");
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), 0, "no fee");
        vm.assertEq(uint256(_earned(project)[VICTIM]), 0, "no pay");
        vm.assertEq(uint256(market.membershipOf(project, trainers[VICTIM]).locked), STAKE, "its stake is whole");
        vm.assertEq(uint256(market.membershipOf(project, aggregators[0]).locked), BOND - DEPOSIT, "a deposit");
        vm.assertEq(uint256(registry.trainerRecord(trainers[VICTIM]).faults), 0, "nobody is to blame");
        vm.assertGe(market.projectOf(project).escrow, escrow - (REWARD / 3 - FEE), "the fee stays in escrow");
        _assertConserved(address(0));
    }

    function testAReferenceCanBeLeftOut() public {
        uint256 project = _started(_sketchReferenceTerms(address(0)));
        _submitFirst(project, SLOTS);
        _submitReference(project);
        _drawSketch(project);
        _complainChunk(project, SLOTS, 2);
        vm.assertEq(market.complainedChunkOf(project, 1, 0, SLOTS), 2, "its chunk");
        market.answerChunk(project, 1, 0, SLOTS, _updateChunk(sketchCircuitWithReference, SLOTS, 2));
        vm.assertEq(vault.freeOf(address(0), owner), DEPOSIT, "to the owner");
        leftOut = uint16(1 << SLOTS);
        Posted memory posted = _prepare(project, 0);
        vm.assertEq(uint256(posted.statement.present), 0x3f, "not there");
        _postSketch(project, posted);
        _assertConserved(address(0));
    }

    function testSilenceMakesTheSlotAbsentAndCostsTheDeposit() public {
        uint256 project = _complained();
        uint256 deadline = market.projectOf(project).answerDeadline;
        Posted memory posted = _prepare(project, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, deadline, block.timestamp));
        vm.prank(aggregators[0]);
        market.postSketchResult(project, posted.result, posted.sketch);
        delete taken;
        vm.warp(deadline);
        UpdateChunk memory late = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, deadline, deadline));
        market.answerChunk(project, 1, 0, VICTIM, late);
        this.postSketch(project);
        vm.assertEq(uint256(market.membershipOf(project, trainers[VICTIM]).locked), STAKE - DEPOSIT, "its stake");
        vm.assertEq(vault.freeOf(address(0), aggregators[0]), DEPOSIT, "to the aggregator");
        vm.assertEq(uint256(registry.trainerRecord(trainers[VICTIM]).faults), 1, "on record");
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), FEE, "the aggregator is not to blame");
        _assertConserved(address(0));
    }

    // Trainers that lie

    /// The leaf's point is of other numbers than its hash: no answer to a complaint about that chunk exists.
    function testALeafWhosePointIsNotOfItsBytesCannotBeAnswered() public {
        uint256 project = _lying(
            LeafPath(_part(VICTIM + 1, CHUNK), keccak256(_bytes(VICTIM, CHUNK)), new bytes32[](0))
        );
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        market.answerChunk(project, 1, 0, VICTIM, given);
        // Neither with the bytes behind the point: the leaf has another hash.
        given.packed = _bytes(VICTIM + 1, CHUNK);
        given.proof = chunked.open(sketchCircuit, chunked.part(_seedsOf(VICTIM + 1), CHUNK), 2);
        vm.expectRevert();
        market.answerChunk(project, 1, 0, VICTIM, given);
        // Nor with the point that the bytes have.
        given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        given.point = _part(VICTIM, CHUNK);
        vm.expectRevert();
        market.answerChunk(project, 1, 0, VICTIM, given);
        _loses(project);
    }

    function testAPointOffTheCurveCannotBeAnswered() public {
        uint256 project = _lying(LeafPath(G1(1, 3), keccak256(_bytes(VICTIM, CHUNK)), new bytes32[](0)));
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotOnCurve.selector, 1, 3));
        market.answerChunk(project, 1, 0, VICTIM, given);
        _loses(project);
    }

    function testAChunkIsOfWholeEntriesAndFitsAColumn() public {
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        uint256[3] memory widths = [uint256(0), 3, 8];
        for (uint256 i = 0; i < widths.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IGramVerifier.InvalidWidth.selector, widths[i]));
            gramVerifier.openChunk(sketchCircuit, given.point, widths[i], given.packed, given.proof);
        }
        for (uint256 width = 2; width <= 4; width += 2) {
            uint256 most = ((1 << chunked.logrows()) - 6) * width; // a column's last six rows are ezkl's
            uint256[3] memory lengths = [0, width + 1, most + width];
            for (uint256 i = 0; i < lengths.length; ++i) {
                vm.expectRevert(abi.encodeWithSelector(IGramVerifier.WrongInputLength.selector, lengths[i], most));
                gramVerifier.openChunk(sketchCircuit, given.point, width, new bytes(lengths[i]), given.proof);
            }
        }
    }

    /// Another tree over the same leaves: the root has no canonical path to the chunk.
    function testARootOfAnotherTreeCannotBeAnswered() public {
        uint256 project = _started(_sketchTerms(address(0)));
        LeafPath[] memory leaves = _updateLeaves(VICTIM);
        bytes32[3] memory leaf;
        for (uint256 j = 0; j < 3; ++j) {
            leaf[j] = keccak256(abi.encode(leaves[j].point.x, leaves[j].point.y, leaves[j].hash));
        }
        // Leaves 1 and 2 side by side, and 0 a level up.
        bytes32 root = keccak256(abi.encode(leaf[0], keccak256(abi.encode(leaf[1], leaf[2]))));
        for (uint256 i = 0; i < SLOTS; ++i) {
            bytes32 digest = keccak256(abi.encode(root, CHUNKS, trainers[i]));
            if (i == VICTIM) _submitAs(project, i, digest);
            else _submit(project, i);
        }
        _drawSketch(project);
        _complainChunk(project, VICTIM, 0);
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, 0);
        given.root = root;
        given.path = new bytes32[](1);
        given.path[0] = keccak256(abi.encode(leaf[1], leaf[2]));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 1, 2));
        market.answerChunk(project, 1, 0, VICTIM, given);
        given.path = new bytes32[](2);
        (given.path[0], given.path[1]) = (leaf[1], leaf[2]);
        vm.expectRevert();
        market.answerChunk(project, 1, 0, VICTIM, given);
        // With the true root the digest is another.
        given = _updateChunk(sketchCircuit, VICTIM, 0);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, VICTIM));
        market.answerChunk(project, 1, 0, VICTIM, given);
    }

    function testAChunkBeyondTheNormBoundCannotBeAnswered() public {
        int256[] memory part = chunked.part(_seedsOf(VICTIM), CHUNK);
        uint256 norm = 0;
        for (uint256 t = 0; t < part.length; ++t) norm += uint256(part[t] * part[t]);
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        uint256 project = _complainedWithin(norm - 1);
        vm.expectRevert(ITrainingMarket.OpeningRejected.selector);
        market.answerChunk(project, 1, 0, VICTIM, given);
        market.answerChunk(_complainedWithin(norm), 1, 0, VICTIM, given);
    }

    // What an answer must be

    function testAnAnswerIsThatChunkAndNoOther() public {
        uint256 project = _complained();
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, 0);
        bytes32 leaf = ChunkTree.leaf(given.point, keccak256(given.packed));
        bytes32 computed = ChunkTree.root(CHUNK, CHUNKS, leaf, given.path);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NotUnderRoot.selector, computed, given.root));
        market.answerChunk(project, 1, 0, VICTIM, given);
        given = _updateChunk(sketchCircuit, VICTIM + 1, CHUNK);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.DigestMismatch.selector, VICTIM));
        market.answerChunk(project, 1, 0, VICTIM, given);
        given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, VICTIM + 1));
        market.answerChunk(project, 1, 0, VICTIM + 1, given);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.WrongRound.selector, 2, 1));
        market.answerChunk(project, 2, 0, VICTIM, given);
        given.packed[7] ^= 0x10;
        vm.expectRevert();
        market.answerChunk(project, 1, 0, VICTIM, given);
        given.packed[7] ^= 0x10;
        given.path[0] ^= bytes32(uint256(1));
        vm.expectRevert();
        market.answerChunk(project, 1, 0, VICTIM, given);
        given.path[0] ^= bytes32(uint256(1));
        G1 memory proof = given.proof;
        given.proof = G1(1, 2);
        vm.expectRevert(IGramVerifier.OpeningRejected.selector);
        market.answerChunk(project, 1, 0, VICTIM, given);
        given.proof = proof;
        market.answerChunk(project, 1, 0, VICTIM, given);
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.NothingToAnswer.selector, VICTIM));
        market.answerChunk(project, 1, 0, VICTIM, given);
    }

    /// A leaf over half of a chunk: its bytes are not as long as the terms say.
    function testAShorterChunkIsNoAnswer() public {
        int256[] memory half = new int256[](256);
        bytes memory packed = chunked.pack(half, 2);
        uint256 project = _lying(LeafPath(chunked.commitment(half), keccak256(packed), new bytes32[](0)));
        UpdateChunk memory given = _updateChunk(sketchCircuit, VICTIM, CHUNK);
        (given.packed, given.proof) = (packed, chunked.open(sketchCircuit, half, 2));
        vm.expectRevert(abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 512, 1024));
        market.answerChunk(project, 1, 0, VICTIM, given);
        _loses(project);
    }

    // What a complaint must be

    function testAComplaintNamesAChunkForEachSlot() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        uint32[] memory chunks = new uint32[](2);
        (chunks[0], chunks[1]) = (2, 1);
        _refused(project, 1 << 3, chunks, abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 2, 1));
        _refused(project, 0x15, chunks, abi.encodeWithSelector(ITrainingMarket.InvalidLength.selector, 2, 3));
        chunks[1] = 3;
        _refused(project, 0x24, chunks, abi.encodeWithSelector(ITrainingMarket.WrongChunk.selector, 3, 3));
        chunks[1] = 1;
        vm.expectEmit(true, true, true, true);
        emit ITrainingMarket.ChunksComplained(project, 1, 0, 0x24, chunks);
        _complainChunk(project, 0x24, chunks);
        _complainChunk(project, 3, 2);
        uint256[6] memory expected = [uint256(0), 0, 2, 2, 0, 1];
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            vm.assertEq(market.complainedChunkOf(project, 1, 0, slot), expected[slot], "chunk");
        }
        _refused(project, 0x24, chunks, abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 0x24));
        market.answerChunk(project, 1, 0, 5, _updateChunk(sketchCircuit, 5, 1));
        market.answerChunk(project, 1, 0, 2, _updateChunk(sketchCircuit, 2, 2));
        market.answerChunk(project, 1, 0, 3, _updateChunk(sketchCircuit, 3, 2));
        _assertConserved(address(0));
    }

    function testComplaintsAreTheCurrentAggregatorsInTheirTime() public {
        uint256 project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS - 1);
        uint32[] memory one = new uint32[](1);
        uint256 opens = market.projectOf(project).submitDeadline;
        _refused(project, 1, one, abi.encodeWithSelector(ITrainingMarket.TooEarly.selector, opens, block.timestamp));
        _close(project); // no seed is needed to complain
        Arrivals memory arrivals = _arrivals(project, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ITrainingMarket.NotCurrentAggregator.selector, stranger, aggregators[0])
        );
        vm.prank(stranger);
        market.complainChunks(project, 1, 0, 1, one, arrivals);
        _refused(project, 0, new uint32[](0), abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 0));
        _refused(project, 32, one, abi.encodeWithSelector(ITrainingMarket.InvalidComplaint.selector, 32));
        _complainChunk(project, 1, one);
        uint256 until = market.projectOf(project).turnStart + 5 minutes;
        vm.warp(until);
        _refused(project, 2, one, abi.encodeWithSelector(ITrainingMarket.DeadlinePassed.selector, until, until));
    }

    /// Who took over may complain again about nobody: the chunk that was named stays.
    function testAStandInInheritsTheChunk() public {
        uint256 project = _complained();
        vm.warp(market.projectOf(project).resultDeadline);
        market.timeout(project, 1);
        vm.assertEq(market.complainedChunkOf(project, 1, 0, VICTIM), CHUNK, "chunk");
        this.postSketch(project);
        vm.assertEq(vault.freeOf(address(0), aggregators[1]), DEPOSIT, "to who does the work");
        _assertConserved(address(0));
    }

    function _complainedWithin(uint256 maxNormSquared) private returns (uint256 project) {
        Terms memory t = _sketchTerms(address(0));
        t.maxNormSquared = uint64(maxNormSquared);
        project = _started(t);
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        _complainChunk(project, VICTIM, CHUNK);
    }

    function _complained() private returns (uint256 project) {
        project = _started(_sketchTerms(address(0)));
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        _complainChunk(project, VICTIM, CHUNK);
    }

    /// The victim's update has this leaf in the place of its own, and the aggregator complains about it.
    function _lying(LeafPath memory leaf) private returns (uint256) {
        bentLeaf[VICTIM][CHUNK] = leaf;
        return _complained();
    }

    function _loses(uint256 project) private {
        vm.warp(market.projectOf(project).answerDeadline);
        this.postSketch(project);
        vm.assertEq(uint256(market.membershipOf(project, trainers[VICTIM]).locked), STAKE - DEPOSIT, "its stake");
        vm.assertEq(uint256(_earned(project)[VICTIM]), 0, "no pay");
        vm.assertEq(uint256(market.aggregatorsOf(project)[0].earned), FEE, "fee");
        _assertConserved(address(0));
    }

    function _part(uint256 seat, uint256 chunk) private view returns (G1 memory) {
        return chunked.commitment(chunked.part(_seedsOf(seat), chunk));
    }

    function _bytes(uint256 seat, uint256 chunk) private view returns (bytes memory) {
        return chunked.pack(chunked.part(_seedsOf(seat), chunk), 2);
    }

    function _refused(uint256 project, uint256 slots, uint32[] memory chunks, bytes memory why) private {
        Arrivals memory arrivals = _arrivals(project, 0);
        vm.expectRevert(why);
        vm.prank(aggregators[0]);
        market.complainChunks(project, 1, 0, slots, chunks, arrivals);
    }
}
