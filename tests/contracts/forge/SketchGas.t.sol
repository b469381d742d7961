// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    ChunkFacts,
    LeafPath,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchResult,
    SketchStatement,
    UpdateChunk
} from "../../../contracts/interfaces/ISketch.sol";
import {
    Arrivals,
    ChallengeKind,
    Outcome,
    Project,
    RoundResult,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../contracts/libraries/BN254.sol";
import {SketchFixture} from "./support/SketchFixture.sol";
import {ToyChunks, ToyTree} from "./support/ToyChunks.sol";

/// @notice What the calls of the sketch path cost with chunks of 4,096 numbers, 245 and 2,442 of them (10^6 and 10^7
/// numbers), bytes and pairings included. Chunk 0 is real; the leaves beside it are made up.
contract SketchGasTest is SketchFixture {
    uint256 private constant LENGTH = 4096;

    event Used(string call, uint256 gas);

    bytes32[] private _beside; // leaves 1, 2, ..
    ToyChunks private _toy;
    bytes32 private _digest4096;
    uint256 private _count;
    uint256 private _project;
    uint16 private _merged;

    function testAMillionNumbers() external {
        _play(245);
    }

    function testTenMillionNumbers() external {
        _play(2442);
    }

    function _play(uint256 count) private {
        _count = count;
        _toy = new ToyChunks(13, 256, LENGTH, 1);
        _digest4096 = gramVerifier.register(_toy.circuit(uint8(SLOTS)));
        for (uint256 j = 1; j < count; ++j) _beside.push(keccak256(abi.encode(j)));
        _round();
    }

    function _round() private {
        Terms memory t = _sketchTerms(address(0));
        (t.circuit, t.chunks, t.chunkLength) = (_digest4096, uint32(_count), uint32(LENGTH));
        t.initialModel = G1(uint256(_root(_leaf(_seedsOf(INITIAL), 4))), _count);
        _project = _started(t);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            bytes32 root = _root(_leaf(_seedsOf(slot), 2));
            _submitAs(_project, slot, keccak256(abi.encode(root, _count, trainers[slot])));
        }
        _close(_project);
        _costs("drawSketch", _send(stranger, abi.encodeCall(market.drawSketch, (_project, 1))), 80_000);
        this.complain();
        (RoundResult memory result, SketchResult memory sketch) = this.result();
        Posted memory posted;
        posted.before = market.projectOf(_project);
        uint256 used = _send(aggregators[0], abi.encodeCall(market.postSketchResult, (_project, result, sketch)));
        _costs("postSketchResult", used, 700_000);
        posted.outcome = _outcome(posted.before, result, 0, FEE, _earned(_project))[0];
        (posted.result, posted.sketch) = (result, sketch);
        posted.statement = this.statement(result, sketch);
        posted.outcome.statement = keccak256(abi.encode(posted.statement));
        this.chunk(posted);
        this.sketch(posted, 2);
        this.sketch(posted, SUM);
    }

    /// About one trainer, who answers.
    function complain() external {
        Arrivals memory arrivals = _arrivals(_project, 0);
        bytes memory call = abi.encodeCall(market.complainChunks, (_project, 1, 0, 1, new uint32[](1), arrivals));
        _costs("complainChunks", _send(aggregators[0], call), 200_000);
        LeafPath memory leaf = _leaf(_seedsOf(0), 2);
        int256[] memory part = _toy.total(_seedsOf(0));
        UpdateChunk memory given;
        (given.root, given.point, given.path) = (_root(leaf), leaf.point, leaf.path);
        (given.packed, given.proof) = (_toy.pack(part, 2), _toy.open(_digest4096, part, 2));
        _costs(
            "answerChunk",
            _send(stranger, abi.encodeCall(market.answerChunk, (_project, 1, 0, 0, given))),
            1_500_000
        );
    }

    function result() external returns (RoundResult memory given, SketchResult memory sketch_) {
        given = _result(_project, 0, _honestGram());
        _merged = given.merged;
        bytes32 seed = market.projectOf(_project).sketchSeed;
        given.proof = "";
        sketch_.roots = new bytes32[](SLOTS);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            G1 memory point = _toy.commitment(_toy.sketchOf(_seedsOf(slot), seed));
            given.proof = abi.encodePacked(given.proof, point.x, point.y);
            sketch_.roots[slot] = _root(_leaf(_seedsOf(slot), 2));
            if ((given.merged >> slot) & 1 == 1) taken.push(slot);
        }
        given.proof = abi.encodePacked(given.proof, new bytes(32));
        sketch_.root = _root(_leaf(_model(taken.length), 4));
        sketch_.seed = seed;
    }

    function statement(
        RoundResult calldata posted,
        SketchResult calldata sketch_
    ) external view returns (SketchStatement memory) {
        return
            SketchStatement({
                commitments: posted.proof[:64 * SLOTS],
                gram: keccak256(abi.encodePacked(posted.gram)),
                roots: sketch_.roots,
                present: 0x3f,
                merged: posted.merged,
                sum: _toy.commitment(_toy.sketchOf(taken, market.projectOf(_project).sketchSeed)),
                root: sketch_.root
            });
    }

    function chunk(Posted calldata posted) external {
        _ask("challengeSketch: a chunk", posted, ChallengeKind.Chunk, 0);
        ChunkFacts memory facts = _chunkFacts(posted, 0);
        ShownChunk memory shown;
        shown.before = _leaf(_seedsOf(INITIAL), 4);
        shown.merged = new LeafPath[](taken.length);
        for (uint256 i = 0; i < taken.length; ++i) shown.merged[i] = _leaf(_seedsOf(taken[i]), 2);
        int256[] memory part = _toy.total(_model(taken.length));
        (shown.packed, shown.path) = (_toy.pack(part, 4), shown.before.path);
        shown.proof = _toy.open(_digest4096, part, 4);
        bytes memory call = abi.encodeCall(market.showChunk, (_project, facts, shown));
        _costs("showChunk", _send(stranger, call), 2_000_000);
    }

    function sketch(Posted calldata posted, uint8 slot) external {
        _ask(slot == SUM ? "challengeSketch: the sum" : "challengeSketch: a slot", posted, ChallengeKind.Sketch, slot);
        SketchFacts memory facts = _sketchFacts(_project, posted, slot);
        uint256[] memory seeds = slot == SUM ? taken : _seedsOf(slot);
        uint256 z = _pointOf(_digest4096, facts);
        (uint256 y, G1 memory proof) = _toy.openAt(_toy.sketchOf(seeds, facts.seed), z);
        uint256[] memory values = new uint256[](_count);
        uint256 sum = 0;
        for (uint256 j = 1; j < _count; ++j) {
            values[j] = uint256(keccak256(abi.encode(j))) % R;
            sum = addmod(sum, values[j], R);
        }
        values[0] = addmod(y, R - sum, R); // false
        bytes memory call = abi.encodeCall(market.answerSketch, (_project, facts, values, proof));
        _costs("answerSketch", _send(aggregators[0], call), 400_000 + 1300 * _count);
        SketchEvidence memory evidence;
        evidence.leaf = _leaf(slot == SUM ? _model(taken.length) : seeds, slot == SUM ? 4 : 2);
        evidence.packed = _toy.pack(_toy.total(slot == SUM ? _model(taken.length) : seeds), slot == SUM ? 4 : 2);
        if (slot == SUM) {
            evidence.before = _leaf(_seedsOf(INITIAL), 4);
            evidence.packedBefore = _toy.pack(_toy.total(_seedsOf(INITIAL)), 4);
            call = abi.encodeCall(market.refuteSketch, (_project, facts, 0, values, evidence));
            _costs("refuteSketch: the sum", _send(stranger, call), 1_900_000 + 1000 * _count);
            return;
        }
        call = abi.encodeCall(market.refuteSketch, (_project, facts, 0, values, evidence));
        this.tried(call); // and taken back, so that the next question can be asked
        vm.warp(market.challengeOf(_project).deadline);
        _costs("closeSketch", _send(stranger, abi.encodeCall(market.closeSketch, (_project))), 120_000);
    }

    error Cost(uint256 used);

    function tried(bytes calldata call) external {
        try this.reverting(call) {
            revert("never");
        } catch (bytes memory why) {
            uint256 used;
            assembly ("memory-safe") {
                used := mload(add(why, 0x24))
            }
            _costs("refuteSketch: a slot", used, 1_200_000 + 1000 * _count);
        }
    }

    function reverting(bytes calldata call) external {
        revert Cost(_send(stranger, call));
    }

    function _ask(string memory name, Posted calldata posted, ChallengeKind kind, uint8 slot) private {
        _deposit(address(0), stranger, DEPOSIT);
        SketchQuestion memory question = _question(posted, slot, 0);
        bytes memory call = abi.encodeCall(market.challengeSketch, (_project, kind, question, _one(posted)));
        _costs(name, _send(stranger, call), 250_000);
    }

    function _leaf(uint256[] memory seeds, uint256 width) private view returns (LeafPath memory leaf) {
        leaf = _toy.leaves(seeds, width)[0];
        leaf.path = _path();
    }

    /// The same for all: only leaf 0 differs.
    function _path() private view returns (bytes32[] memory) {
        bytes32[] memory leaves = new bytes32[](_count);
        for (uint256 j = 1; j < _count; ++j) leaves[j] = _beside[j - 1];
        return ToyTree.path(leaves, 0);
    }

    function _root(LeafPath memory leaf) private pure returns (bytes32 node) {
        node = keccak256(abi.encode(leaf.point.x, leaf.point.y, leaf.hash));
        for (uint256 l = 0; l < leaf.path.length; ++l) node = keccak256(bytes.concat(node, leaf.path[l]));
    }

    function _costs(string memory name, uint256 used, uint256 most) private {
        emit Used(name, used);
        vm.assertLe(used, most, name);
    }
}
