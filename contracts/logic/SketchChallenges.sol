// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Circuit, IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {
    ChunkFacts,
    LeafPath,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchStatement
} from "../interfaces/ISketch.sol";
import {
    Challenge,
    ChallengeKind,
    ITrainingMarket,
    Outcome,
    Project,
    Settlement,
    Status,
    Terms
} from "../interfaces/ITrainingMarket.sol";
import {BitMask} from "../libraries/BitMask.sol";
import {BN254, G1} from "../libraries/BN254.sol";
import {ChunkTree} from "../libraries/ChunkTree.sol";
import {KzgOpening} from "../libraries/KzgOpening.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {SketchValue} from "../libraries/SketchValue.sol";
import {Challenges} from "./Challenges.sol";
import {Results} from "./Results.sol";

/// @title Challenges on the sketch path: a chunk of the new model, the commitment of a sketch, a proof
/// @notice Called by TrainingMarket with its own storage. One at a time, each question once a round; deposits, the time
/// given back and `undo` are those of Challenges.
/// @dev An answer to a question of a chunk is true, or it is none: anyone may give it. One to a question of a sketch
/// stands unless it is refuted, and whoever is accused pays for a false one: only the accused may give it.
library SketchChallenges {
    using BitMask for uint256;

    uint256 private constant UPDATE_WIDTH = 2; // bytes of an entry
    uint256 private constant MODEL_WIDTH = 4;
    uint8 private constant SUM = 255; // in the place of an input

    /// @notice ITrainingMarket.challengeSketch.
    /// @param encoded The call's data after the selector, as TrainingMarket has them.
    function challengeSketch(MarketState storage s, Parts calldata parts, bytes calldata encoded) external {
        (uint256 project, ChallengeKind kind) = abi.decode(encoded, (uint256, ChallengeKind));
        Outcome[] calldata outcomes = _outcomes(encoded);
        Project storage p = Challenges.inWindow(s, project);
        Rounds.requirePath(p, project, true);
        SketchQuestion memory question = _question(encoded);
        Challenge storage open = Challenges.ofRound(s, p, project);
        bool sum = kind == ChallengeKind.Sketch && question.slot == SUM;
        uint256 index = 0;
        if (sum) {
            question.cohort = 0;
            _requireStatements(p, question.statements, outcomes);
            open.accused = p.outcomeIndex;
        } else {
            index = Challenges.outcomeOf(p, project, question.cohort, outcomes);
            if (question.statements.length != 1) {
                revert ITrainingMarket.InvalidLength(question.statements.length, 1);
            }
            _requireStatement(question.statements[0], outcomes[index]);
            open.accused = outcomes[index].aggregatorIndex;
        }
        if (kind == ChallengeKind.Proof) {
            _askProof(s, open, project, question);
        } else if (kind == ChallengeKind.Chunk) {
            _askChunk(s, open, project, question, outcomes[index]);
        } else if (kind == ChallengeKind.Sketch) {
            _askSketch(s, parts, project, question, outcomes[0]);
        } else {
            revert ITrainingMarket.CannotChallenge(project);
        }
        Challenges.begin(s, parts, project, kind, question.cohort);
    }

    /// @notice ITrainingMarket.showChunk.
    /// @param encoded The call's data after the selector, as TrainingMarket has them.
    function showChunk(MarketState storage s, Parts calldata parts, bytes calldata encoded) external {
        (uint256 project, ChunkFacts memory facts, ShownChunk memory shown) = abi.decode(
            encoded,
            (uint256, ChunkFacts, ShownChunk)
        );
        Challenge storage open = Challenges.requireOpen(s, project, ChallengeKind.Chunk);
        _requireFacts(keccak256(abi.encode(facts)), open.statement);
        Terms storage t = s.terms[project];
        IGramVerifier verifier = IGramVerifier(parts.gramVerifier);
        G1 memory point = _moved(t, verifier.zeroOf(t.circuit), facts, shown);
        ChunkTree.requireLeaf(facts.root, facts.chunk, t.chunks, LeafPath(point, keccak256(shown.packed), shown.path));
        _requireLength(shown.packed, uint256(t.chunkLength) * MODEL_WIDTH);
        verifier.openChunk(t.circuit, point, MODEL_WIDTH, shown.packed, shown.proof);
        emit ITrainingMarket.ChunkShown(
            project,
            facts.round,
            facts.cohort,
            facts.chunk,
            point.x,
            point.y,
            shown.packed
        );
        emit ITrainingMarket.ChallengeAnswered(project, facts.round, ChallengeKind.Chunk, "");
        Challenges.close(s, parts, project);
    }

    /// @notice ITrainingMarket.answerSketch.
    /// @dev The time that the question took is given back now, that of the answer when it is closed.
    function answerSketch(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        SketchFacts calldata facts,
        uint256[] calldata values,
        G1 calldata proof
    ) external {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        Challenge storage open = Challenges.requireOpen(s, project, ChallengeKind.Sketch);
        address accused = s.aggregators[project][open.accused].holder;
        if (msg.sender != accused) revert ITrainingMarket.NotAccused(msg.sender, accused);
        if (s.sketchAnswers[project] != 0) revert ITrainingMarket.AnswerStands(project);
        _requireFacts(keccak256(abi.encode(facts)), open.statement);
        if (values.length != t.chunks) revert ITrainingMarket.InvalidLength(values.length, t.chunks);
        bytes32 circuit = t.circuit;
        IGramVerifier(parts.gramVerifier).openAt(
            circuit,
            facts.commitment,
            challengeOf(circuit, facts),
            _sumOf(values),
            proof
        );
        s.sketchAnswers[project] = keccak256(abi.encodePacked(values));
        uint256 deadline = block.timestamp + t.answerWindow;
        p.challengeDeadline += uint40(deadline - open.deadline);
        open.deadline = uint40(deadline);
        if (p.status == Status.Active && p.submitDeadline < deadline) Rounds.setWindow(p, t, deadline);
        emit ITrainingMarket.SketchAnswered(project, facts.round, deadline, values);
    }

    /// @notice ITrainingMarket.refuteSketch.
    /// @param encoded The call's data after the selector, as TrainingMarket has them.
    function refuteSketch(MarketState storage s, Parts calldata parts, bytes calldata encoded) external {
        (
            uint256 project,
            SketchFacts memory facts,
            uint256 chunk,
            uint256[] memory values,
            SketchEvidence memory evidence
        ) = abi.decode(encoded, (uint256, SketchFacts, uint256, uint256[], SketchEvidence));
        Challenge storage open = Challenges.requireOpen(s, project, ChallengeKind.Sketch);
        _requireFacts(keccak256(abi.encode(facts)), open.statement);
        _requireFacts(keccak256(abi.encodePacked(values)), s.sketchAnswers[project]);
        uint256 value = _valueOf(s.terms[project], IGramVerifier(parts.gramVerifier), facts, chunk, evidence);
        // The chunk has been looked for in the tree, so there is one, and a value of it.
        if (values[chunk] == value) revert ITrainingMarket.NotRefuted(chunk, value);
        s.sketchAnswers[project] = 0;
        open.deadline = uint40(block.timestamp); // nobody answers any more, and anyone may undo the round
        emit ITrainingMarket.SketchRefuted(project, facts.round, chunk, values[chunk], value);
    }

    /// @notice ITrainingMarket.closeSketch.
    function closeSketch(MarketState storage s, Parts calldata parts, uint256 project) external {
        Challenge storage open = s.challenges[project];
        if (open.kind != ChallengeKind.Sketch || s.sketchAnswers[project] == 0) {
            revert ITrainingMarket.NothingToAnswer(uint256(ChallengeKind.Sketch));
        }
        Rounds.requireFrom(open.deadline);
        s.sketchAnswers[project] = 0;
        emit ITrainingMarket.ChallengeAnswered(project, open.round, ChallengeKind.Sketch, "");
        Challenges.close(s, parts, project);
    }

    /// @notice Where the polynomial behind S is looked at: fixed once S, both roots and the seed are.
    function challengeOf(bytes32 circuit, SketchFacts memory facts) internal pure returns (uint256) {
        G1 memory c = facts.commitment;
        bytes32 hash = keccak256(abi.encode(circuit, c.x, c.y, facts.before, facts.root, facts.seed));
        return uint256(hash) % BN254.SCALAR_MODULUS;
    }

    // Questions

    /// @dev Lies in this call's data as it did in the market's, which has checked that it is there (Results).
    function _outcomes(bytes calldata encoded) private pure returns (Outcome[] calldata outcomes) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let list := add(encoded.offset, calldataload(add(encoded.offset, 0x60)))
            outcomes.offset := add(list, 0x20)
            outcomes.length := calldataload(list)
        }
    }

    function _question(bytes calldata encoded) private pure returns (SketchQuestion memory question) {
        (, , question) = abi.decode(encoded, (uint256, ChallengeKind, SketchQuestion));
    }

    function _askProof(
        MarketState storage s,
        Challenge storage open,
        uint256 project,
        SketchQuestion memory question
    ) private {
        uint256 mark = Challenges.markOf(ChallengeKind.Proof, question.cohort);
        if (s.terms[project].settlement != Settlement.OnDemand || open.answered & mark != 0) {
            revert ITrainingMarket.CannotChallenge(project);
        }
        open.answered |= uint16(mark);
        SketchStatement memory statement = question.statements[0];
        open.statement = Results.statementOf(keccak256(statement.commitments), statement.gram);
    }

    function _askChunk(
        MarketState storage s,
        Challenge storage open,
        uint256 project,
        SketchQuestion memory question,
        Outcome calldata outcome
    ) private {
        uint256 chunks = s.terms[project].chunks;
        if (question.chunk >= chunks) revert ITrainingMarket.WrongChunk(question.chunk, chunks);
        SketchStatement memory statement = question.statements[0];
        ChunkFacts memory facts = ChunkFacts({
            round: open.round,
            cohort: question.cohort,
            chunk: question.chunk,
            before: bytes32(outcome.model.x),
            root: statement.root,
            merged: new bytes32[](uint256(statement.merged).count())
        });
        uint256 next = 0;
        for (uint256 slot = 0; next < facts.merged.length; ++slot) {
            if (!uint256(statement.merged).has(slot)) continue;
            facts.merged[next] = statement.roots[slot];
            ++next;
        }
        _ask(s, open, project, ChallengeKind.Chunk, keccak256(abi.encode(facts)));
        emit ITrainingMarket.ChunkQuestioned(project, facts.round, facts.cohort, facts);
    }

    /// @param first The round's first outcome.
    function _askSketch(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        SketchQuestion memory question,
        Outcome calldata first
    ) private {
        Challenge storage open = s.challenges[project];
        SketchStatement[] memory statements = question.statements;
        SketchFacts memory facts;
        facts.round = open.round;
        (facts.cohort, facts.slot) = (question.cohort, question.slot);
        facts.seed = s.projects[project].sketchSeed; // no later round's: none is drawn while this can be asked
        if (question.slot == SUM) {
            G1 memory zero = IGramVerifier(parts.gramVerifier).zeroOf(s.terms[project].circuit);
            facts.commitment = _sumOfSums(zero, statements);
            facts.before = bytes32(first.model.x);
            facts.root = statements[statements.length - 1].root;
        } else {
            SketchStatement memory statement = statements[0];
            if (!uint256(statement.present).has(question.slot)) revert ITrainingMarket.CannotChallenge(project);
            facts.commitment = _pointAt(statement.commitments, question.slot);
            facts.root = statement.roots[question.slot];
        }
        _ask(s, open, project, ChallengeKind.Sketch, keccak256(abi.encode(facts)));
        emit ITrainingMarket.SketchQuestioned(project, facts.round, facts);
    }

    function _ask(
        MarketState storage s,
        Challenge storage open,
        uint256 project,
        ChallengeKind kind,
        bytes32 facts
    ) private {
        bytes32 question = keccak256(abi.encode(project, kind, facts));
        if (s.asked[question]) revert ITrainingMarket.CannotChallenge(project);
        s.asked[question] = true;
        open.statement = facts;
    }

    function _requireStatements(
        Project storage p,
        SketchStatement[] memory statements,
        Outcome[] calldata outcomes
    ) private view {
        Challenges.requireOutcomes(p, outcomes);
        if (statements.length != outcomes.length) {
            revert ITrainingMarket.InvalidLength(statements.length, outcomes.length);
        }
        for (uint256 i = 0; i < statements.length; ++i) _requireStatement(statements[i], outcomes[i]);
    }

    function _requireStatement(SketchStatement memory statement, Outcome calldata outcome) private pure {
        _requireFacts(keccak256(abi.encode(statement)), outcome.statement);
    }

    /// @dev C_0 + the sum over all results of (their sum - C_0).
    function _sumOfSums(G1 memory zero, SketchStatement[] memory statements) private view returns (G1 memory) {
        G1 memory minusZero = BN254.negate(zero);
        uint256[4] memory terms = [zero.x, zero.y, 0, 0];
        for (uint256 i = 0; i < statements.length; ++i) {
            (terms[2], terms[3]) = (statements[i].sum.x, statements[i].sum.y);
            BN254.accumulate(terms);
            (terms[2], terms[3]) = (minusZero.x, minusZero.y);
            BN254.accumulate(terms);
        }
        return G1(terms[0], terms[1]);
    }

    function _pointAt(bytes memory commitments, uint256 input) private pure returns (G1 memory point) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let at := add(add(commitments, 0x20), shl(6, input))
            mstore(point, mload(at))
            mstore(add(point, 0x20), mload(add(at, 0x20)))
        }
    }

    // Answers

    /// @dev What the new chunk's point has to be: the old one's, moved by those of the merged updates.
    function _moved(
        Terms storage t,
        G1 memory zero,
        ChunkFacts memory facts,
        ShownChunk memory shown
    ) private view returns (G1 memory) {
        uint256 chunks = t.chunks;
        uint256 count = facts.merged.length;
        if (shown.merged.length != count) revert ITrainingMarket.InvalidLength(shown.merged.length, count);
        ChunkTree.requireLeaf(facts.before, facts.chunk, chunks, shown.before);
        G1 memory minusZero = BN254.negate(zero);
        uint256[4] memory terms = [shown.before.point.x, shown.before.point.y, 0, 0];
        for (uint256 i = 0; i < count; ++i) {
            LeafPath memory leaf = shown.merged[i];
            ChunkTree.requireLeaf(facts.merged[i], facts.chunk, chunks, leaf);
            (terms[2], terms[3]) = (leaf.point.x, leaf.point.y);
            BN254.accumulate(terms);
            (terms[2], terms[3]) = (minusZero.x, minusZero.y);
            BN254.accumulate(terms);
        }
        return G1(terms[0], terms[1]);
    }

    function _sumOf(uint256[] calldata values) private pure returns (uint256 sum) {
        uint256 order = BN254.SCALAR_MODULUS;
        for (uint256 i = 0; i < values.length; ++i) {
            uint256 value = values[i];
            if (value >= order) revert IGramVerifier.NotAFieldElement(i, value);
            sum = addmod(sum, value, order);
        }
    }

    /// @dev The value at z of the sketch of a chunk, from the chunk.
    function _valueOf(
        Terms storage t,
        IGramVerifier verifier,
        SketchFacts memory facts,
        uint256 index,
        SketchEvidence memory evidence
    ) private view returns (uint256) {
        (bytes32 circuit, uint256 chunks) = (t.circuit, t.chunks);
        Circuit memory known = verifier.circuitOf(circuit);
        bool sum = facts.slot == SUM;
        SketchValue.Chunk memory chunk = SketchValue.Chunk({
            packed: evidence.packed,
            minus: "",
            width: sum ? MODEL_WIDTH : UPDATE_WIDTH,
            seed: facts.seed,
            firstBlock: (index * t.chunkLength) / known.length,
            buckets: known.length
        });
        uint256 length = t.chunkLength * chunk.width;
        _requireChunk(facts.root, index, chunks, evidence.leaf, evidence.packed, length);
        if (sum) {
            _requireChunk(facts.before, index, chunks, evidence.before, evidence.packedBefore, length);
            chunk.minus = evidence.packedBefore;
        }
        return KzgOpening.evaluateList(SketchValue.sketch(chunk), known.logrows, challengeOf(circuit, facts));
    }

    function _requireChunk(
        bytes32 root,
        uint256 index,
        uint256 chunks,
        LeafPath memory leaf,
        bytes memory packed,
        uint256 length
    ) private pure {
        _requireLength(packed, length);
        _requireFacts(keccak256(packed), leaf.hash);
        ChunkTree.requireLeaf(root, index, chunks, leaf);
    }

    function _requireLength(bytes memory packed, uint256 length) private pure {
        if (packed.length != length) revert ITrainingMarket.InvalidLength(packed.length, length);
    }

    function _requireFacts(bytes32 given, bytes32 expected) private pure {
        if (given != expected) revert ITrainingMarket.WrongFacts(given, expected);
    }
}
