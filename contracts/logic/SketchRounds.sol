// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {SketchResult, SketchStatement} from "../interfaces/ISketch.sol";
import {
    Cohort,
    ITrainingMarket,
    Project,
    RoundResult,
    ScoreRule,
    Settlement,
    Terms
} from "../interfaces/ITrainingMarket.sol";
import {Arrival} from "../libraries/Arrival.sol";
import {BitMask} from "../libraries/BitMask.sol";
import {G1} from "../libraries/BN254.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {Complaints} from "./Complaints.sol";
import {Results} from "./Results.sol";

/// @title A round on the sketch path: its seed, and its result
/// @notice Called by TrainingMarket with its own storage.
library SketchRounds {
    using BitMask for uint256;

    uint256 private constant POINT_BYTES = 64;

    /// @notice ITrainingMarket.drawSketch.
    /// @dev All updates are committed to, and the previous round's sketches can no longer be challenged.
    function drawSketch(MarketState storage s, uint256 project, uint256 round) external {
        Project storage p = Rounds.inRound(s, project, round);
        Rounds.requirePath(p, project, true);
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.submitDeadline);
        if (p.seedRound == round) revert ITrainingMarket.AlreadyDrawn(project, round);
        bytes32 seed = seedOf(blockhash(block.number - 1), project, round);
        p.seedRound = uint16(round);
        p.sketchSeed = seed;
        emit ITrainingMarket.SketchDrawn(project, round, seed);
    }

    /// @notice ITrainingMarket.postSketchResult. The checks are those of Results.postResult, in its order.
    /// @dev No strike takes stake here: that a sketch is the update's is not proved, and an undo could give nothing
    /// back.
    /// @param encoded The call's data after the selector, as TrainingMarket has them.
    function postSketchResult(MarketState storage s, Parts calldata parts, bytes calldata encoded) external {
        (uint256 project, RoundResult calldata result, SketchResult calldata sketch) = _decoded(encoded);
        _requireInTime(s, project, result, sketch.seed);
        Arrival.Received memory received = Arrival.read(s, project, result.cohort, result.arrivals);
        Results.Work memory work;
        work.project = project;
        work.slots = received.holders.length;
        _setPresent(s, work, received.slots, result.cohort, sketch.leftOut);
        SketchStatement memory statement = _accept(s, parts, work, received, result, sketch);
        _settle(s, parts, work, received, result, sketch);
        _announce(work, sketch, statement);
        Rounds.conclude(s, project, s.cohorts[project][result.cohort]);
    }

    /// @dev The proof does not know the seed: without it here, an honest result that a reorganisation puts after
    /// another draw would stand, and be false.
    function _requireInTime(MarketState storage s, uint256 project, RoundResult calldata result, bytes32 seed) private {
        Project storage p = Rounds.inRound(s, project, result.round);
        Rounds.requirePath(p, project, true);
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.submitDeadline);
        Rounds.requireTurn(s, project);
        if (Rounds.cohort(s, project, result.cohort).complained != 0) Rounds.requireFrom(p.answerDeadline);
        if (p.seedRound != p.round) revert ITrainingMarket.NotDrawn(project, p.round);
        if (seed != p.sketchSeed) revert ITrainingMarket.WrongSeed(seed, p.sketchSeed);
    }

    /// @notice A round's seed.
    function seedOf(bytes32 blockHash, uint256 project, uint256 round) internal pure returns (bytes32) {
        return keccak256(abi.encode(blockHash, project, round));
    }

    /// @dev The structs lie in this call's data as they did in the market's, which has checked that their heads are
    /// there (Results).
    function _decoded(
        bytes calldata encoded
    ) private pure returns (uint256 project, RoundResult calldata result, SketchResult calldata sketch) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let start := encoded.offset
            project := calldataload(start)
            result := add(start, calldataload(add(start, 0x20)))
            sketch := add(start, calldataload(add(start, 0x40)))
        }
    }

    /// @dev Who is left out had the complaint about it answered, so nobody is to blame, and the aggregator has no fee.
    function _setPresent(
        MarketState storage s,
        Results.Work memory work,
        uint256 received,
        uint256 cohort,
        uint256 leftOut
    ) private view {
        Project storage p = s.projects[work.project];
        Cohort storage c = s.cohorts[work.project][cohort];
        uint256 complained = c.complained;
        if (!leftOut.isWithin(uint256(c.answered) & ~complained)) revert ITrainingMarket.InvalidLeftOut(leftOut);
        work.present = received & ~complained & ~leftOut;
        Results.requireQuorum(s.terms[work.project], work);
        work.referencePresent = p.referenceRound == p.round && !(complained | leftOut).has(work.slots);
    }

    function _accept(
        MarketState storage s,
        Parts calldata parts,
        Results.Work memory work,
        Arrival.Received memory received,
        RoundResult calldata result,
        SketchResult calldata sketch
    ) private returns (SketchStatement memory statement) {
        Project storage p = s.projects[work.project];
        Terms storage t = s.terms[work.project];
        uint256 inputs = work.slots + (t.scoreRule == ScoreRule.Reference ? 1 : 0);
        if (sketch.roots.length != inputs) revert ITrainingMarket.InvalidLength(sketch.roots.length, inputs);
        _requireRoots(p, t, work, received, sketch.roots);
        work.verdict = Results.verdictOf(t, work, received.positions, result.gram, result);
        Results.begin(p, work.outcome, result);
        statement = SketchStatement({
            commitments: result.proof[:inputs * POINT_BYTES],
            gram: keccak256(abi.encodePacked(result.gram)),
            roots: sketch.roots,
            present: uint16(work.present | (work.referencePresent ? 1 << work.slots : 0)),
            merged: result.merged,
            sum: G1(0, 0),
            root: sketch.root
        });
        statement.sum = _sum(IGramVerifier(parts.gramVerifier), t, statement, result);
        work.outcome.statement = keccak256(abi.encode(statement));
        work.model = G1(uint256(sketch.root), work.outcome.model.y);
        if (result.merged != 0) p.model.x = work.model.x;
        else if (work.model.x != work.outcome.model.x) {
            revert ITrainingMarket.ModelMoved(sketch.root, bytes32(work.outcome.model.x));
        }
    }

    /// @dev Every present input's digest is of (root, chunks); the roots of the others say nothing.
    function _requireRoots(
        Project storage p,
        Terms storage t,
        Results.Work memory work,
        Arrival.Received memory received,
        bytes32[] calldata roots
    ) private view {
        uint256 chunks = t.chunks;
        for (uint256 input = 0; input < roots.length; ++input) {
            bool owners = input == work.slots;
            bool matches;
            if (owners ? work.referencePresent : work.present.has(input)) {
                address holder = owners ? p.owner : received.holders[input];
                bytes32 digest = owners ? p.referenceDigest : received.digests[input];
                matches = Arrival.digestOf(uint256(roots[input]), chunks, holder) == digest;
            } else {
                matches = roots[input] == 0;
            }
            if (!matches) revert ITrainingMarket.DigestMismatch(input);
        }
    }

    /// @dev Checks the proof, or on demand only what it will be about: C_0 moved by the merged sketches.
    function _sum(
        IGramVerifier verifier,
        Terms storage t,
        SketchStatement memory statement,
        RoundResult calldata result
    ) private view returns (G1 memory) {
        bytes32 circuit = t.circuit;
        G1 memory zero = verifier.zeroOf(circuit);
        if (t.settlement == Settlement.Proved) {
            return verifier.verify(circuit, statement.present, statement.merged, zero, result.gram, result.proof);
        }
        return verifier.move(circuit, statement.present, statement.merged, zero, result.gram, result.proof);
    }

    function _settle(
        MarketState storage s,
        Parts calldata parts,
        Results.Work memory work,
        Arrival.Received memory received,
        RoundResult calldata result,
        SketchResult calldata sketch
    ) private {
        Project storage p = s.projects[work.project];
        uint16 complained = s.cohorts[work.project][result.cohort].complained;
        if (complained != 0) Complaints.withheld(s, parts, work.project, result.cohort, complained);
        bool earned = result.merged != 0 && sketch.leftOut == 0;
        Results.pay(s, p, s.terms[work.project], work, received.numbers, earned);
        Results.remember(p, work.outcome);
        Results.announce(work, result);
    }

    function _announce(
        Results.Work memory work,
        SketchResult calldata sketch,
        SketchStatement memory statement
    ) private {
        emit ITrainingMarket.SketchResultPosted(
            work.project,
            work.outcome.round,
            work.outcome.cohort,
            sketch.leftOut,
            statement
        );
    }
}
