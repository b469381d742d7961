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
} from "../../../../contracts/interfaces/ISketch.sol";
import {
    Arrivals,
    ChallengeKind,
    Outcome,
    Project,
    RoundResult,
    ScoreRule,
    Settlement,
    Terms
} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../../contracts/libraries/Krum.sol";
import {MarketFixture} from "./MarketFixture.sol";
import {ToyChunks, ToyTree} from "./ToyChunks.sol";

/// @notice A market with projects on the sketch path: three chunks of 512 numbers, sketches of 256. All leaves, roots,
/// commitments and openings are real; G is made up, as in MarketFixture. Who cheats is noted here, and all else follows
/// from it: the leaves of an update, its sketch, the leaves of a model.
abstract contract SketchFixture is MarketFixture {
    uint256 internal constant R = BN254.SCALAR_MODULUS;
    uint256 internal constant CHUNKS = 3;
    uint256 internal constant INITIAL = 99; // the seed of the initial model
    uint8 internal constant SUM = 255;

    /// @notice A result, and what it was posted on.
    struct Posted {
        Project before;
        RoundResult result;
        SketchResult sketch;
        Outcome outcome;
        SketchStatement statement;
    }

    ToyChunks internal chunked;
    bytes32 internal sketchCircuit;
    bytes32 internal sketchCircuitWithReference;
    /// Seats whose updates a project's model has taken up, in their order.
    uint256[] internal taken;
    /// What cheaters put in the place of a leaf, by seat and chunk, and by chunk of a new model.
    mapping(uint256 seat => mapping(uint256 chunk => LeafPath)) internal bentLeaf;
    mapping(uint256 chunk => LeafPath) internal bentModel;
    /// What is added to the first bucket of a seat's sketch.
    mapping(uint256 seat => int256) internal bentSketch;

    function setUp() public virtual override {
        super.setUp();
        chunked = new ToyChunks(10, 256, 512, CHUNKS);
        sketchCircuit = gramVerifier.register(chunked.circuit(uint8(SLOTS)));
        sketchCircuitWithReference = gramVerifier.register(chunked.circuit(uint8(SLOTS + 1)));
    }

    function _sketchTerms(address token) internal view returns (Terms memory t) {
        return _sketched(_terms(token), sketchCircuit);
    }

    function _sketchReferenceTerms(address token) internal view returns (Terms memory t) {
        return _sketched(_referenceTerms(token), sketchCircuitWithReference);
    }

    function _sketched(Terms memory t, bytes32 digest) private view returns (Terms memory) {
        t.circuit = digest;
        t.chunks = uint32(CHUNKS);
        t.chunkLength = uint32(chunked.length());
        t.initialModel = G1(uint256(_rootOf(chunked.leaves(_seedsOf(INITIAL), 4))), CHUNKS);
        return t;
    }

    function _onDemand(Terms memory t) internal pure returns (Terms memory) {
        t.settlement = Settlement.OnDemand;
        return t;
    }

    // Vectors, leaves, roots

    function _seedsOf(uint256 seat) internal pure returns (uint256[] memory seeds) {
        seeds = new uint256[](1);
        seeds[0] = seat;
    }

    /// The model after the first `count` updates that were taken up.
    function _model(uint256 count) internal view returns (uint256[] memory seeds) {
        seeds = new uint256[](count + 1);
        seeds[0] = INITIAL;
        for (uint256 i = 0; i < count; ++i) seeds[i + 1] = taken[i];
    }

    function _updateLeaves(uint256 seat) internal view returns (LeafPath[] memory leaves) {
        leaves = chunked.leaves(_seedsOf(seat), 2);
        for (uint256 j = 0; j < leaves.length; ++j) {
            if (bentLeaf[seat][j].hash == 0) continue;
            (leaves[j].point, leaves[j].hash) = (bentLeaf[seat][j].point, bentLeaf[seat][j].hash);
        }
        _addPaths(leaves);
    }

    /// @param bent Whether it is the new one, that an aggregator may have bent.
    function _modelLeaves(uint256 count, bool bent) internal view returns (LeafPath[] memory leaves) {
        leaves = chunked.leaves(_model(count), 4);
        for (uint256 j = 0; bent && j < leaves.length; ++j) {
            if (bentModel[j].hash == 0) continue;
            (leaves[j].point, leaves[j].hash) = (bentModel[j].point, bentModel[j].hash);
        }
        _addPaths(leaves);
    }

    function _addPaths(LeafPath[] memory leaves) private pure {
        bytes32[] memory digests_ = _digestsOf(leaves);
        for (uint256 j = 0; j < leaves.length; ++j) leaves[j].path = ToyTree.path(digests_, j);
    }

    function _digestsOf(LeafPath[] memory leaves) private pure returns (bytes32[] memory digests_) {
        digests_ = new bytes32[](leaves.length);
        for (uint256 j = 0; j < leaves.length; ++j) {
            digests_[j] = keccak256(abi.encode(leaves[j].point.x, leaves[j].point.y, leaves[j].hash));
        }
    }

    function _rootOf(LeafPath[] memory leaves) internal pure returns (bytes32) {
        return ToyTree.root(_digestsOf(leaves));
    }

    // A round

    function _commitment(uint256 seat) internal view virtual override returns (G1 memory) {
        return G1(uint256(_rootOf(_updateLeaves(seat))), CHUNKS);
    }

    function _sketchOf(uint256 project, uint256 seat) internal view virtual returns (int256[] memory sums) {
        sums = chunked.sketchOf(_seedsOf(seat), market.projectOf(project).sketchSeed);
        sums[0] += bentSketch[seat];
    }

    function _proof(
        uint256 project,
        uint256 cohort,
        Krum.Input memory input
    ) internal view virtual override returns (bytes memory points) {
        Terms memory t = market.termsOf(project);
        if (t.chunks == 0) return super._proof(project, cohort, input);
        uint256 inputs = t.scoreRule == ScoreRule.Reference ? SLOTS + 1 : SLOTS;
        uint256 present = input.submitted | (input.referencePresent ? 1 << SLOTS : 0);
        for (uint256 i = 0; i < inputs; ++i) {
            bool here = (present >> i) & 1 == 1;
            uint256 seat = i == SLOTS ? SLOTS : cohort * SLOTS + i;
            G1 memory point = here ? chunked.commitment(_sketchOf(project, seat)) : chunked.zero();
            points = abi.encodePacked(points, point.x, point.y);
        }
        if (t.settlement != Settlement.OnDemand) points = abi.encodePacked(points, new bytes(32));
    }

    function _drawSketch(uint256 project) internal {
        _close(project);
        market.drawSketch(project, market.projectOf(project).round);
    }

    /// Inputs that are left out of the next results although they answered.
    uint16 internal leftOut;

    function _input(
        uint256 project,
        uint256 cohort,
        uint256[] memory gram
    ) internal view virtual override returns (Krum.Input memory input) {
        input = super._input(project, cohort, gram);
        input.submitted &= ~uint256(leftOut);
        if ((leftOut >> SLOTS) & 1 == 1) input.referencePresent = false;
    }

    /// What an honest aggregator posts, up to what is bent, in the round under way.
    function _prepare(uint256 project, uint256 cohort) internal returns (Posted memory posted) {
        Terms memory t = market.termsOf(project);
        uint256 inputs = t.scoreRule == ScoreRule.Reference ? SLOTS + 1 : SLOTS;
        uint256[] memory gram = _honestGram(inputs);
        posted.before = market.projectOf(project);
        posted.result = _result(project, cohort, gram);
        Krum.Input memory input = _input(project, cohort, gram);
        posted.sketch.roots = new bytes32[](inputs);
        posted.sketch.leftOut = leftOut;
        posted.sketch.seed = market.projectOf(project).sketchSeed;
        for (uint256 i = 0; i < inputs; ++i) {
            bool here = i == SLOTS ? input.referencePresent : (input.submitted >> i) & 1 == 1;
            uint256 seat = i == SLOTS ? SLOTS : cohort * SLOTS + i;
            if (here) posted.sketch.roots[i] = bytes32(_commitment(seat).x);
            if ((posted.result.merged >> i) & 1 == 1) taken.push(seat);
        }
        posted.sketch.root = _rootOf(_modelLeaves(taken.length, true));
        uint256 referenceBit = input.referencePresent ? 1 << SLOTS : 0;
        posted.statement = _statement(project, posted, uint16(input.submitted | referenceBit), inputs);
    }

    function _statement(
        uint256 project,
        Posted memory posted,
        uint16 present,
        uint256 inputs
    ) private view returns (SketchStatement memory statement) {
        bytes memory commitments = new bytes(inputs * 64);
        for (uint256 i = 0; i < commitments.length; ++i) commitments[i] = posted.result.proof[i];
        int256[] memory all = new int256[](chunked.width());
        for (uint256 i = 0; i < SLOTS; ++i) {
            if ((posted.result.merged >> i) & 1 == 0) continue;
            all = chunked.sum(all, _sketchOf(project, posted.result.cohort * SLOTS + i));
        }
        statement = SketchStatement({
            commitments: commitments,
            gram: keccak256(abi.encodePacked(posted.result.gram)),
            roots: posted.sketch.roots,
            present: present,
            merged: posted.result.merged,
            sum: chunked.commitment(all),
            root: posted.sketch.root
        });
    }

    function _postSketch(uint256 project, Posted memory posted) internal {
        uint96[] memory earned = _earnedOf(project, posted.result);
        uint256 fees = market.aggregatorsOf(project)[posted.before.aggregatorIndex].earned;
        vm.prank(_current(project));
        market.postSketchResult(project, posted.result, posted.sketch);
        Outcome memory o = posted.outcome;
        uint96[] memory after_ = _earnedOf(project, posted.result);
        for (uint256 i = 0; i < SLOTS; ++i) after_[i] -= earned[i];
        fees = market.aggregatorsOf(project)[posted.before.aggregatorIndex].earned - fees;
        o = _outcome(posted.before, posted.result, 0, uint96(fees), after_)[0];
        for (uint256 i = 0; i < o.numbers.length; ++i) {
            uint256 seat = posted.result.cohort * SLOTS + o.numbers[i];
            o.numbers[i] = uint32(market.numberOf(project, posted.result.round, seat));
        }
        o.statement = keccak256(abi.encode(posted.statement));
        posted.outcome = o;
    }

    /// What the holders of the cohort's seats have earned in all.
    function _earnedOf(uint256 project, RoundResult memory result) private view returns (uint96[] memory bySlot) {
        bySlot = new uint96[](SLOTS);
        for (uint256 i = 0; i < SLOTS; ++i) {
            uint256 number = market.numberOf(project, result.round, result.cohort * SLOTS + i);
            bySlot[i] = market.trainerOf(project, number).earned;
        }
    }

    function _playSketch(uint256 project) internal returns (Posted memory posted) {
        _submitFirst(project, SLOTS);
        _drawSketch(project);
        posted = _prepare(project, 0);
        _postSketch(project, posted);
    }

    function _started(Terms memory t) internal returns (uint256 project) {
        delete taken;
        return _activeWith(t);
    }

    function _one(Posted memory posted) internal pure returns (Outcome[] memory outcomes) {
        outcomes = new Outcome[](1);
        outcomes[0] = posted.outcome;
    }

    // Complaints

    function _complainChunk(uint256 project, uint256 slots, uint32[] memory chunks) internal {
        uint256 round = market.projectOf(project).round;
        Arrivals memory arrivals = _arrivals(project, 0);
        vm.prank(_current(project));
        market.complainChunks(project, round, 0, slots, chunks, arrivals);
    }

    function _complainChunk(uint256 project, uint256 slot, uint32 chunk) internal {
        uint32[] memory chunks = new uint32[](1);
        chunks[0] = chunk;
        _complainChunk(project, 1 << slot, chunks);
    }

    function _updateChunk(bytes32 digest, uint256 seat, uint256 chunk) internal view returns (UpdateChunk memory) {
        LeafPath[] memory leaves = _updateLeaves(seat);
        int256[] memory part = chunked.part(_seedsOf(seat), chunk);
        G1 memory proof = chunked.open(digest, part, 2);
        LeafPath memory leaf = leaves[chunk];
        return UpdateChunk(_rootOf(leaves), leaf.point, chunked.pack(part, 2), leaf.path, proof);
    }

    // Challenges

    function _question(
        Posted memory posted,
        uint8 slot,
        uint32 chunk
    ) internal pure returns (SketchQuestion memory question) {
        question.cohort = posted.result.cohort;
        (question.slot, question.chunk) = (slot, chunk);
        question.statements = new SketchStatement[](1);
        question.statements[0] = posted.statement;
    }

    function _challenge(uint256 project, ChallengeKind kind, SketchQuestion memory question, Posted memory p) internal {
        _deposit(address(0), stranger, DEPOSIT);
        vm.prank(stranger);
        market.challengeSketch(project, kind, question, _one(p));
    }

    function _chunkFacts(Posted memory posted, uint32 chunk) internal pure returns (ChunkFacts memory facts) {
        facts.round = posted.result.round;
        (facts.cohort, facts.chunk) = (posted.result.cohort, chunk);
        (facts.before, facts.root) = (bytes32(posted.before.model.x), posted.sketch.root);
        facts.merged = new bytes32[](_bits(posted.result.merged));
        uint256 next = 0;
        for (uint256 i = 0; i < SLOTS; ++i) {
            if ((posted.result.merged >> i) & 1 == 1) facts.merged[next++] = posted.sketch.roots[i];
        }
    }

    /// @param before How many updates had been taken up before the round.
    function _shown(
        uint256 project,
        Posted memory posted,
        uint32 chunk,
        uint256 before
    ) internal view returns (ShownChunk memory shown) {
        shown.before = _modelLeaves(before, false)[chunk];
        shown.merged = new LeafPath[](_bits(posted.result.merged));
        uint256 next = 0;
        for (uint256 i = 0; i < SLOTS; ++i) {
            if ((posted.result.merged >> i) & 1 == 0) continue;
            shown.merged[next++] = _updateLeaves(posted.result.cohort * SLOTS + i)[chunk];
        }
        int256[] memory part = chunked.part(_model(before + next), chunk);
        shown.packed = chunked.pack(part, 4);
        shown.path = _modelLeaves(before + next, true)[chunk].path;
        shown.proof = chunked.open(market.termsOf(project).circuit, part, 4);
    }

    function _sketchFacts(
        uint256 project,
        Posted memory posted,
        uint8 slot
    ) internal view returns (SketchFacts memory facts) {
        facts.round = posted.result.round;
        facts.slot = slot;
        facts.seed = market.projectOf(project).sketchSeed;
        if (slot == SUM) {
            facts.commitment = posted.statement.sum;
            (facts.before, facts.root) = (bytes32(posted.before.model.x), posted.sketch.root);
            return facts;
        }
        facts.cohort = posted.result.cohort;
        facts.root = posted.sketch.roots[slot];
        bytes memory commitments = posted.statement.commitments;
        G1 memory point = facts.commitment;
        assembly ("memory-safe") {
            let at := add(add(commitments, 0x20), mul(slot, 0x40))
            mstore(point, mload(at))
            mstore(add(point, 0x20), mload(add(at, 0x20)))
        }
    }

    function _pointOf(bytes32 digest, SketchFacts memory facts) internal pure returns (uint256) {
        G1 memory c = facts.commitment;
        return uint256(keccak256(abi.encode(digest, c.x, c.y, facts.before, facts.root, facts.seed))) % R;
    }

    function _bits(uint256 mask) internal pure returns (uint256 count) {
        for (; mask != 0; mask >>= 1) count += mask & 1;
    }

    /// What a transaction of this call uses: 21,000, its bytes, and what it runs; refunds are not taken off.
    function _send(address sender, bytes memory data) internal returns (uint256 used) {
        return _sendTo(address(market), sender, data);
    }

    function _sendTo(address to, address sender, bytes memory data) internal returns (uint256 used) {
        used = 21_000;
        for (uint256 i = 0; i < data.length; ++i) used += data[i] == 0 ? 4 : 16;
        vm.cool(address(market));
        vm.cool(address(vault));
        vm.cool(address(gramVerifier));
        bool ok;
        vm.prank(sender);
        uint256 start = gasleft();
        // Not by `call`, which copies to the end of this test's memory.
        assembly ("memory-safe") {
            ok := call(gas(), to, 0, add(data, 0x20), mload(data), 0, 0)
        }
        used += start - gasleft();
        vm.assertTrue(ok, "sent");
    }

    // Called from outside, so that a revert can be expected of the whole.

    function postSketch(uint256 project) external {
        Posted memory posted = _prepare(project, 0);
        _postSketch(project, posted);
    }
}
