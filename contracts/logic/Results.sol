// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {IReputationRegistry} from "../interfaces/IReputationRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {
    Account,
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
import {G1} from "../libraries/BN254.sol";
import {Krum} from "../libraries/Krum.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Payments} from "../libraries/Payments.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {Shares} from "../libraries/Shares.sol";
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
        uint256 slots;
        uint256 present; // mask of slots
        bool referencePresent;
        Krum.Verdict verdict;
        Outcome outcome;
        G1 model; // after it
        uint96[] amounts;
    }

    /// @notice ITrainingMarket.postResult.
    /// @param encoded The call data from where the RoundResult begins, as TrainingMarket has them.
    function postResult(MarketState storage s, Parts calldata parts, uint256 project, bytes calldata encoded) external {
        RoundResult calldata result = _decoded(encoded);
        Project storage p = Rounds.inRound(s, project, result.round);
        Terms storage t = s.terms[project];
        Rounds.requirePath(p, project, false);
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.submitDeadline); // never before the challenge deadline of the previous round
        Rounds.requireTurn(s, project);
        Cohort storage c = Rounds.cohort(s, project, result.cohort);
        uint256 complained = c.complained;
        if (complained != 0) Rounds.requireFrom(p.answerDeadline);
        Arrival.Received memory received = Arrival.read(s, project, result.cohort, result.arrivals);

        Work memory work;
        work.project = project;
        work.slots = received.holders.length;
        work.present = received.slots & ~complained;
        requireQuorum(t, work);
        work.referencePresent = p.referenceRound == p.round && !complained.has(work.slots);
        _accept(s, parts, work, received, result);
        if (complained != 0) Complaints.withheld(s, parts, project, result.cohort, uint16(complained));
        work.outcome.slashed = uint96(_strike(s, parts, p, t, work, received));
        pay(s, p, t, work, received.numbers, result.merged != 0);
        remember(p, work.outcome);
        announce(work, result);
        if (t.settlement == Settlement.OnDemand) {
            emit ITrainingMarket.ResultStated(project, p.round, result.cohort, work.outcome.statement);
        }
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

    /// @dev The struct lies in this call's data as it did in the market's, which has checked that its head is there;
    /// whatever it points at is checked when it is read. To encode it anew would cost more than to judge it.
    function _decoded(bytes calldata encoded) private pure returns (RoundResult calldata result) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            result := encoded.offset
        }
    }

    /// @notice Reverts where too few updates are present.
    function requireQuorum(Terms storage t, Work memory work) internal view {
        (uint256 present, uint256 quorum) = (work.present.count(), Rounds.quorum(t));
        if (present < quorum) revert ITrainingMarket.QuorumMissed(present, quorum);
    }

    /// @dev What the result is about: its commitments, its verdict, and the model that it leads to.
    function _accept(
        MarketState storage s,
        Parts calldata parts,
        Work memory work,
        Arrival.Received memory received,
        RoundResult calldata result
    ) private {
        Project storage p = s.projects[work.project];
        Terms storage t = s.terms[work.project];
        bytes calldata proof = result.proof;
        uint256[] calldata gram = result.gram;
        _requireCommitments(p, work, received, proof);
        work.verdict = verdictOf(t, work, received.positions, gram, result);
        begin(p, work.outcome, result);
        _move(parts, p, t, work, result.merged, gram, proof);
    }

    /// @dev Every present slot's digest is of the commitment in the proof; the others hold C_0 (GramVerifier).
    function _requireCommitments(
        Project storage p,
        Work memory work,
        Arrival.Received memory received,
        bytes calldata proof
    ) private view {
        (uint256 slots, uint256 present) = (work.slots, work.present);
        // Reverts where the proof is too short for the points.
        bytes calldata points = proof[:(work.referencePresent ? slots + 1 : slots) * POINT_BYTES];
        (address[] memory holders, bytes32[] memory digests) = (received.holders, received.digests);
        unchecked {
            for (uint256 slot = 0; slot < slots; ++slot) {
                if ((present >> slot) & 1 == 0) continue;
                if (Arrival.digestAt(points, slot, holders[slot]) != digests[slot]) {
                    revert ITrainingMarket.DigestMismatch(slot);
                }
            }
        }
        if (work.referencePresent && Arrival.digestAt(points, slots, p.owner) != p.referenceDigest) {
            revert ITrainingMarket.DigestMismatch(slots);
        }
    }

    /// @notice What the rules make of a result.
    function verdictOf(
        Terms storage t,
        Work memory work,
        uint256[] memory positions,
        uint256[] calldata gram,
        RoundResult calldata result
    ) internal view returns (Krum.Verdict memory) {
        ScoreRule rule = t.scoreRule;
        bool byOwner = rule == ScoreRule.Reference;
        Krum.Rules memory rules = Krum.Rules({
            slots: work.slots,
            faults: t.faults,
            maxNormSquared: t.maxNormSquared,
            rule: byOwner ? t.fallbackRule : rule,
            hasReference: byOwner,
            strikeFactor: t.strikeFactor,
            duplicateCosine: t.duplicateCosine
        });
        Krum.Round memory round = Krum.Round({
            submitted: work.present,
            referencePresent: work.referencePresent,
            positions: positions,
            merged: result.merged,
            medianScoreSlot: result.medianScoreSlot,
            medianNormSlot: result.medianNormSlot
        });
        return Krum.judge(rules, round, gram, result.neighbours);
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

    /// @notice The outcome, as far as it is the state before it; reverts where the result was made on another model.
    /// @dev Else a reorganisation could put an honest result on a model whose sum nobody has: its maker would pay.
    function begin(Project storage p, Outcome memory outcome, RoundResult calldata result) internal view {
        if (result.before != bytes32(p.model.x)) {
            revert ITrainingMarket.WrongModel(result.before, bytes32(p.model.x));
        }
        outcome.round = p.round;
        outcome.cohort = result.cohort;
        outcome.aggregatorIndex = p.aggregatorIndex;
        outcome.escrow = p.escrow;
        outcome.pot = p.pot;
        outcome.model = p.model;
    }

    /// @dev Checks the proof, or on demand only what it will be about, and moves the model's commitment.
    function _move(
        Parts calldata parts,
        Project storage p,
        Terms storage t,
        Work memory work,
        uint256 merged,
        uint256[] calldata gram,
        bytes calldata proof
    ) private {
        uint256 present = work.present | (work.referencePresent ? 1 << work.slots : 0);
        IGramVerifier verifier = IGramVerifier(parts.gramVerifier);
        if (t.settlement == Settlement.Proved) {
            work.model = verifier.verify(t.circuit, present, merged, work.outcome.model, gram, proof);
        } else {
            work.model = verifier.move(t.circuit, present, merged, work.outcome.model, gram, proof);
            work.outcome.statement = statementOf(proof, gram);
        }
        if (merged != 0) p.model = work.model;
    }

    /// @notice What a proof on demand must show: these commitments have this Gram matrix.
    function statementOf(bytes calldata commitments, uint256[] calldata gram) internal pure returns (bytes32) {
        return statementOf(keccak256(commitments), keccak256(abi.encodePacked(gram)));
    }

    /// @notice The same, of the hashes of both.
    function statementOf(bytes32 commitments, bytes32 gram) internal pure returns (bytes32) {
        return keccak256(abi.encode(commitments, gram));
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

    /// @notice Shares the cohort's budget, the pot and the stakes just slashed; what is left over stays in escrow.
    /// @param earned Whether the aggregator has its fee: where nothing is merged, nobody has earned anything.
    function pay(
        MarketState storage s,
        Project storage p,
        Terms storage t,
        Work memory work,
        uint256[] memory numbers,
        bool earned
    ) internal {
        Outcome memory outcome = work.outcome;
        uint256 fee = t.aggregatorFee;
        uint256 pot = uint256(t.reward) / t.rounds / p.cohorts - fee + outcome.pot + outcome.slashed;
        uint256 given;
        (work.amounts, given) = Shares.amounts(pot, work.verdict, t.referenceShare);
        (outcome.numbers, outcome.amounts) = _credit(s.trainers[work.project], numbers, work.amounts);
        if (earned) {
            outcome.fee = uint96(fee);
            s.aggregators[work.project][outcome.aggregatorIndex].earned += uint96(fee);
        }
        // Fits: terms bound the reward with all stakes and bonds (TermsCheck).
        p.escrow = uint96(uint256(outcome.escrow) + outcome.pot + outcome.slashed - given - outcome.fee);
        p.pot = 0;
    }

    /// @return paid Their numbers, and what each was paid: whoever got nothing is not in them.
    function _credit(
        mapping(uint256 number => Account) storage trainers,
        uint256[] memory numbers,
        uint96[] memory amounts
    ) private returns (uint32[] memory paid, uint96[] memory sums) {
        uint256 slots = amounts.length;
        (paid, sums) = (new uint32[](slots), new uint96[](slots));
        uint256 count = 0;
        for (uint256 slot = 0; slot < slots;) {
            uint96 amount = amounts[slot];
            if (amount != 0) {
                uint256 number = numbers[slot];
                trainers[number].earned += amount;
                (paid[count], sums[count]) = (uint32(number), amount);
                unchecked {
                    ++count;
                }
            }
            unchecked {
                ++slot;
            }
        }
        // Both were made long enough for all: shortened, they are of those paid.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            mstore(paid, count)
            mstore(sums, count)
        }
    }

    /// @notice Appends a round's outcome to the chain of them.
    function remember(Project storage p, Outcome memory outcome) internal {
        bytes32 before = p.outcomeRound == p.round ? p.outcome : bytes32(0);
        p.outcome = link(before, outcome);
        p.outcomeRound = p.round;
        p.outcomeIndex = p.aggregatorIndex;
    }

    /// @notice The chain of a round's outcomes after one more.
    function link(bytes32 chain, Outcome memory outcome) internal pure returns (bytes32) {
        return keccak256(abi.encode(chain, keccak256(abi.encode(outcome))));
    }

    /// @notice Emits ResultPosted.
    function announce(Work memory work, RoundResult calldata result) internal {
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
            work.model.x,
            work.model.y,
            work.amounts
        );
    }
}
