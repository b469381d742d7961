// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {IReputationRegistry} from "../interfaces/IReputationRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {
    Cohort,
    ITrainingMarket,
    Member,
    Outcome,
    Project,
    RoundResult,
    ScoreRule,
    Settlement,
    Terms
} from "../interfaces/ITrainingMarket.sol";
import {Arrival} from "../libraries/Arrival.sol";
import {BitMask} from "../libraries/BitMask.sol";
import {Krum} from "../libraries/Krum.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Payments} from "../libraries/Payments.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {Shares} from "../libraries/Shares.sol";
import {RoundJudge} from "../RoundJudge.sol";
import {Complaints} from "./Complaints.sol";

/// @title How a cohort's round ends: a result, a skip, or another aggregator's turn
/// @notice Called by TrainingMarket with its own storage.
library Results {
    using BitMask for uint256;

    uint256 private constant BASIS_POINTS = 10_000;
    uint256 private constant POINT_BYTES = 64;

    /// @dev A result while it is worked out.
    struct Work {
        uint256 project;
        uint256 present; // mask of slots
        bool referencePresent;
        Krum.Verdict verdict;
        Outcome outcome;
        uint96[] amounts;
    }

    /// @notice ITrainingMarket.postResult.
    function postResult(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        RoundResult calldata result
    ) external {
        Project storage p = Rounds.inRound(s, project, result.round);
        Terms storage t = s.terms[project];
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.submitDeadline); // never before the challenge deadline of the previous round
        Rounds.requireTurn(s, project);
        Cohort storage c = Rounds.cohort(s, project, result.cohort);
        if (c.complained != 0) Rounds.requireFrom(p.answerDeadline);
        Arrival.Received memory received = Arrival.read(s, project, result.cohort, result.arrivals);

        Work memory work;
        work.project = project;
        work.present = received.slots & ~uint256(c.complained);
        uint256 quorum = Rounds.quorum(t);
        if (work.present.count() < quorum) revert ITrainingMarket.QuorumMissed(work.present.count(), quorum);
        work.referencePresent = p.referenceRound == p.round && !uint256(c.complained).has(t.slots);
        _requireCommitments(p, t, work, received, result.proof);
        work.verdict = _judge(parts, t, work, received.positions, result);
        _open(p, work.outcome, result);
        _move(parts, p, t, work, result);

        if (c.complained != 0) Complaints.withheld(s, parts, project, result.cohort, c.complained);
        work.outcome.slashed = uint96(_strike(s, parts, p, t, work, received));
        _pay(s, p, t, work, received.numbers, result.merged != 0);
        _remember(p, work.outcome);
        _announce(p, work, result);
        Rounds.conclude(s, project, c);
    }

    /// @notice ITrainingMarket.skip.
    /// @dev A batch that a stand-in cannot open does not keep it from skipping.
    function skip(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256 round,
        uint256 cohort
    ) external {
        Project storage p = Rounds.inRound(s, project, round);
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.submitDeadline);
        Cohort storage c = Rounds.cohort(s, project, cohort);
        if (c.complained != 0) Rounds.requireFrom(p.answerDeadline);
        uint256 quorum = Rounds.quorum(s.terms[project]);
        uint256 updates = _updates(c, p.round);
        if (updates >= quorum) {
            uint256 sure = uint256(c.submitted & ~c.complained).count();
            if (sure >= quorum || p.aggregatorIndex == c.batchIndex) {
                revert ITrainingMarket.QuorumReached(updates, quorum);
            }
            Rounds.requireTurn(s, project);
        }
        if (c.complained != 0) Complaints.withheld(s, parts, project, cohort, c.complained);
        emit ITrainingMarket.RoundSkipped(project, round, cohort);
        Rounds.conclude(s, project, c);
    }

    /// @notice ITrainingMarket.timeout.
    /// @dev Where only cohorts without a quorum are open, the aggregator is not to blame: anyone can skip them.
    function timeout(MarketState storage s, Parts calldata parts, uint256 project, uint256 round) external {
        Project storage p = Rounds.inRound(s, project, round);
        Terms storage t = s.terms[project];
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.resultDeadline);
        _requireDue(s, p, t, project);
        address late = s.aggregators[project][p.aggregatorIndex].holder;
        bool halted = ++p.aggregatorIndex == p.aggregatorCount;
        if (halted) {
            p.resultDeadline = 0;
        } else {
            p.turnStart = uint40(block.timestamp);
            p.resultDeadline = uint40(block.timestamp + t.resultWindow);
        }
        uint256 slashed = slash(s, parts, project, late, type(uint96).max);
        p.pot += uint96(slashed);
        emit ITrainingMarket.AggregatorTimedOut(project, round, late, slashed, p.resultDeadline);
        IReputationRegistry(parts.reputation).recordFault(project, late, true);
        if (halted) Rounds.halt(s, project);
    }

    /// @notice Takes up to `amount` of what an account has locked and sends it to the market.
    /// @return received What arrived: a token that starts to keep a fee cannot make the market owe what it lacks.
    function slash(
        MarketState storage s,
        Parts memory parts,
        uint256 project,
        address account,
        uint256 amount
    ) public returns (uint256 received) {
        Member storage m = s.members[project][account];
        address token = s.terms[project].token;
        amount = Math.min(amount, m.locked);
        if (amount == 0) return 0;
        m.locked -= uint96(amount);
        uint256 before = Payments.balance(token);
        IStakeVault(parts.vault).slash(token, account, amount);
        uint256 present = Payments.balance(token);
        received = present > before ? Math.min(present - before, amount) : 0;
        if (token != address(0)) s.held[token] += received;
    }

    // Checks

    /// @dev Every present slot's digest is of the commitment in the proof; the others hold C_0 (GramVerifier).
    function _requireCommitments(
        Project storage p,
        Terms storage t,
        Work memory work,
        Arrival.Received memory received,
        bytes calldata proof
    ) private view {
        uint256 slots = t.slots;
        for (uint256 slot = 0; slot < slots; ++slot) {
            if (!work.present.has(slot)) continue;
            if (_digest(proof, slot, received.holders[slot]) != received.digests[slot]) {
                revert ITrainingMarket.DigestMismatch(slot);
            }
        }
        if (work.referencePresent && _digest(proof, slots, p.owner) != p.referenceDigest) {
            revert ITrainingMarket.DigestMismatch(slots);
        }
    }

    function _digest(bytes calldata proof, uint256 slot, address holder) private pure returns (bytes32) {
        bytes calldata point = proof[slot * POINT_BYTES:(slot + 1) * POINT_BYTES];
        return Arrival.digestOf(uint256(bytes32(point)), uint256(bytes32(point[32:])), holder);
    }

    function _judge(
        Parts memory parts,
        Terms storage t,
        Work memory work,
        uint256[] memory positions,
        RoundResult calldata result
    ) private view returns (Krum.Verdict memory) {
        bool byOwner = t.scoreRule == ScoreRule.Reference;
        return
            RoundJudge(parts.judge).judge(
                Krum.Rules({
                    slots: t.slots,
                    faults: t.faults,
                    maxNormSquared: t.maxNormSquared,
                    rule: byOwner ? t.fallbackRule : t.scoreRule,
                    hasReference: byOwner,
                    strikeFactor: t.strikeFactor,
                    duplicateCosine: t.duplicateCosine
                }),
                Krum.Input(work.present, work.referencePresent, positions, result.gram),
                Krum.Claims(result.merged, result.medianScoreSlot, result.medianNormSlot, result.neighbours)
            );
    }

    function _requireDue(MarketState storage s, Project storage p, Terms storage t, uint256 project) private view {
        uint256 quorum = Rounds.quorum(t);
        for (uint256 i = 0; i < p.cohorts; ++i) {
            Cohort storage c = s.cohorts[project][i];
            if (c.round == p.round && !c.concluded && _updates(c, p.round) >= quorum) return;
        }
        revert ITrainingMarket.QuorumMissed(0, quorum);
    }

    function _updates(Cohort storage c, uint256 round) private view returns (uint256) {
        return c.round == round ? uint256((c.submitted | c.batched) & ~c.complained).count() : 0;
    }

    // Effects

    function _open(Project storage p, Outcome memory outcome, RoundResult calldata result) private view {
        outcome.round = p.round;
        outcome.cohort = result.cohort;
        outcome.aggregatorIndex = p.aggregatorIndex;
        outcome.escrow = p.escrow;
        outcome.pot = p.pot;
        outcome.model = p.model;
    }

    /// @dev Checks the proof, or on demand only what it will be about, and moves the model's commitment.
    function _move(
        Parts memory parts,
        Project storage p,
        Terms storage t,
        Work memory work,
        RoundResult calldata result
    ) private {
        uint256 present = work.present | (work.referencePresent ? 1 << t.slots : 0);
        IGramVerifier verifier = IGramVerifier(parts.gramVerifier);
        if (t.settlement == Settlement.Proved) {
            p.model = verifier.verify(t.circuit, present, result.merged, p.model, result.gram, result.proof);
        } else {
            p.model = verifier.move(t.circuit, present, result.merged, p.model, result.gram, result.proof);
            work.outcome.statement = statementOf(result.proof, result.gram);
        }
    }

    /// @notice What a proof on demand must show: these commitments have this Gram matrix.
    function statementOf(bytes calldata commitments, uint256[] calldata gram) internal pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(commitments), keccak256(abi.encodePacked(gram))));
    }

    /// @dev Takes stake of the struck; nothing here can fail for one of them.
    function _strike(
        MarketState storage s,
        Parts memory parts,
        Project storage p,
        Terms storage t,
        Work memory work,
        Arrival.Received memory received
    ) private returns (uint256 slashed) {
        uint256 struck = work.verdict.struck;
        // What is not proved takes nobody's stake: an undo could not give it back.
        if (struck == 0 || t.settlement == Settlement.OnDemand) return 0;
        uint256 loss = (uint256(t.trainerStake) * t.strikeSlash) / BASIS_POINTS;
        for (uint256 slot = 0; slot < received.holders.length; ++slot) {
            if (!struck.has(slot)) continue;
            address trainer = received.holders[slot];
            uint256 taken = slash(s, parts, work.project, trainer, loss);
            slashed += taken;
            emit ITrainingMarket.TrainerStruck(work.project, p.round, trainer, taken);
            IReputationRegistry(parts.reputation).recordFault(work.project, trainer, false);
        }
    }

    /// @dev Shares the cohort's budget, the pot and the stakes just slashed; what is left over stays in escrow. Where
    /// nothing is merged, nobody has earned anything, the aggregator included.
    function _pay(
        MarketState storage s,
        Project storage p,
        Terms storage t,
        Work memory work,
        uint256[] memory numbers,
        bool merged
    ) private {
        Outcome memory outcome = work.outcome;
        uint256 budget = uint256(t.reward) / t.rounds / p.cohorts - t.aggregatorFee;
        uint256 pot = budget + outcome.pot + outcome.slashed;
        uint256 given;
        (work.amounts, given) = Shares.amounts(pot, work.verdict, t.referenceShare);
        outcome.numbers = new uint32[](_countPaid(work.amounts));
        outcome.amounts = new uint96[](outcome.numbers.length);
        uint256 next = 0;
        for (uint256 slot = 0; slot < work.amounts.length; ++slot) {
            uint96 amount = work.amounts[slot];
            if (amount == 0) continue;
            outcome.numbers[next] = uint32(numbers[slot]);
            outcome.amounts[next] = amount;
            ++next;
            s.trainers[work.project][numbers[slot]].earned += amount;
        }
        if (merged) {
            outcome.fee = t.aggregatorFee;
            s.aggregators[work.project][p.aggregatorIndex].earned += outcome.fee;
        }
        // Fits: terms bound the reward with all stakes and bonds (TermsCheck).
        p.escrow = uint96(uint256(outcome.escrow) + outcome.pot + outcome.slashed - given - outcome.fee);
        p.pot = 0;
    }

    function _countPaid(uint96[] memory amounts) private pure returns (uint256 paid) {
        for (uint256 slot = 0; slot < amounts.length; ++slot) {
            if (amounts[slot] != 0) ++paid;
        }
    }

    function _remember(Project storage p, Outcome memory outcome) private {
        bytes32 before = p.outcomeRound == p.round ? p.outcome : bytes32(0);
        p.outcome = link(before, outcome);
        p.outcomeRound = p.round;
        p.outcomeIndex = p.aggregatorIndex;
    }

    /// @notice The chain of a round's outcomes after one more.
    function link(bytes32 chain, Outcome memory outcome) internal pure returns (bytes32) {
        return keccak256(abi.encode(chain, keccak256(abi.encode(outcome))));
    }

    function _announce(Project storage p, Work memory work, RoundResult calldata result) private {
        emit ITrainingMarket.ResultPosted(
            work.project,
            result.round,
            msg.sender,
            result.cohort,
            work.present,
            result.merged,
            work.verdict.struck,
            work.outcome.fee,
            work.outcome.escrow,
            work.outcome.pot,
            result.model,
            p.model.x,
            p.model.y,
            work.amounts
        );
    }
}
