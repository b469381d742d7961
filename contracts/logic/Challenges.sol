// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {IReputationRegistry} from "../interfaces/IReputationRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {
    Challenge,
    ChallengeKind,
    ITrainingMarket,
    Member,
    Opening,
    Outcome,
    Project,
    Settlement,
    Status,
    Terms
} from "../interfaces/ITrainingMarket.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {Results} from "./Results.sol";

/// @title Challenges of the previous round, their answers, and how a round is undone
/// @notice Called by TrainingMarket with its own storage. One challenge at a time, each kind once a round, and the time
/// that one takes is added to the window: nobody can use a challenge to stall, nor to keep another from being raised.
library Challenges {
    uint256 private constant MODEL_WIDTH = 4; // bytes of an entry
    uint256 private constant POINT_BYTES = 64;

    /// @notice ITrainingMarket.challenge.
    function challenge(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        ChallengeKind kind,
        uint256 cohort,
        Outcome[] calldata outcomes
    ) external {
        Project storage p = inWindow(s, project);
        Rounds.requirePath(p, project, false);
        Terms storage t = s.terms[project];
        Challenge storage open = ofRound(s, p, project);
        uint256 mark = markOf(kind, cohort);
        // Of the sketch path's kinds none could be answered here.
        bool known = kind == ChallengeKind.Model || kind == ChallengeKind.Proof;
        if (!known || cohort >= p.cohorts || open.answered & mark != 0) {
            revert ITrainingMarket.CannotChallenge(project);
        }
        open.accused = p.outcomeIndex;
        if (kind == ChallengeKind.Proof) {
            if (t.settlement != Settlement.OnDemand) revert ITrainingMarket.CannotChallenge(project);
            Outcome calldata outcome = outcomes[outcomeOf(p, project, cohort, outcomes)];
            open.statement = outcome.statement;
            open.accused = outcome.aggregatorIndex;
        }
        open.answered |= uint16(mark);
        begin(s, parts, project, kind, cohort);
    }

    /// @notice The record of a round's challenges, cleared of an earlier round's.
    function ofRound(
        MarketState storage s,
        Project storage p,
        uint256 project
    ) internal returns (Challenge storage open) {
        open = s.challenges[project];
        if (open.round != p.outcomeRound) {
            open.round = p.outcomeRound;
            open.answered = 0;
        }
    }

    /// @notice Opens a challenge: the caller has said who is accused, and of what.
    function begin(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        ChallengeKind kind,
        uint256 cohort
    ) internal {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        Challenge storage open = s.challenges[project];
        open.kind = kind;
        p.challenged = true;
        open.challenger = msg.sender;
        open.deadline = uint40(block.timestamp + t.answerWindow);
        if (p.status == Status.Active && p.submitDeadline < open.deadline) Rounds.setWindow(p, t, open.deadline);
        emit ITrainingMarket.Challenged(project, p.outcomeRound, msg.sender, kind, cohort, open.deadline);
        IStakeVault(parts.vault).lock(t.token, msg.sender, t.complaintDeposit);
    }

    /// @notice ITrainingMarket.answerModel.
    function answerModel(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        Opening calldata opening
    ) external {
        Project storage p = s.projects[project];
        requireOpen(s, project, ChallengeKind.Model);
        IGramVerifier(parts.gramVerifier).open(
            s.terms[project].circuit,
            p.model,
            MODEL_WIDTH,
            opening.packed,
            opening.proof
        );
        emit ITrainingMarket.ChallengeAnswered(project, p.outcomeRound, ChallengeKind.Model, opening.packed);
        close(s, parts, project);
    }

    /// @notice ITrainingMarket.answerProof.
    function answerProof(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256[] calldata gram,
        bytes calldata proof
    ) external {
        Project storage p = s.projects[project];
        Challenge storage open = requireOpen(s, project, ChallengeKind.Proof);
        bytes32 circuit = s.terms[project].circuit;
        IGramVerifier verifier = IGramVerifier(parts.gramVerifier);
        uint256 slots = verifier.circuitOf(circuit).slots;
        bytes32 statement = Results.statementOf(proof[:slots * POINT_BYTES], gram);
        if (statement != open.statement) revert ITrainingMarket.WrongOutcomes(statement, open.statement);
        // Which slots are absent was checked with the result; here all may hold anything.
        verifier.verify(circuit, (1 << slots) - 1, 0, p.model, gram, proof);
        emit ITrainingMarket.ChallengeAnswered(project, p.outcomeRound, ChallengeKind.Proof, "");
        close(s, parts, project);
    }

    /// @notice ITrainingMarket.undo.
    /// @dev Nothing of the round has been paid out, and nothing else moved escrow or pot since (Rounds.provisional). A
    /// round under way that built on it is void as well; both are made up for. Strikes stand: they were proved, or the
    /// struck could have demanded it.
    function undo(MarketState storage s, Parts calldata parts, uint256 project, Outcome[] calldata outcomes) external {
        Project storage p = s.projects[project];
        Challenge storage open = s.challenges[project];
        if (open.kind == ChallengeKind.None) revert ITrainingMarket.NothingToAnswer(0);
        Rounds.requireFrom(open.deadline);
        if (open.kind == ChallengeKind.Sketch && s.sketchAnswers[project] != 0) {
            revert ITrainingMarket.AnswerStands(project);
        }
        requireOutcomes(p, outcomes);
        _revert(s, p, project, outcomes);
        address accused = s.aggregators[project][open.accused].holder;
        uint256 taken = _punish(s, parts, project, accused, open.challenger);
        p.pot += uint96(taken);
        p.lastRound += p.status == Status.Active ? 2 : 1;
        p.outcome = 0;
        p.outcomeRound = 0;
        p.challengeDeadline = uint40(block.timestamp);
        open.kind = ChallengeKind.None;
        p.challenged = false;
        if (open.accused == p.aggregatorIndex) ++p.aggregatorIndex;
        emit ITrainingMarket.RoundUndone(project, outcomes[0].round, accused, taken, p.model.x, p.model.y);
        IReputationRegistry(parts.reputation).recordFault(project, accused, true);
        if (p.aggregatorIndex == p.aggregatorCount) {
            Rounds.halt(s, project);
        } else {
            p.status = Status.Active;
            Rounds.open(s, project);
        }
    }

    /// @notice Ends a challenge that was answered.
    /// @dev The challenger's deposit goes to the accused; the time that the challenge took is given back to others.
    function close(MarketState storage s, Parts memory parts, uint256 project) internal {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        Challenge storage open = s.challenges[project];
        open.kind = ChallengeKind.None;
        p.challenged = false;
        p.challengeDeadline += uint40(block.timestamp + t.answerWindow - open.deadline);
        if (p.status == Status.Active && p.submitDeadline < p.challengeDeadline) {
            Rounds.setWindow(p, t, p.challengeDeadline);
        }
        address accused = s.aggregators[project][open.accused].holder;
        IStakeVault(parts.vault).transferLocked(t.token, open.challenger, accused, t.complaintDeposit);
    }

    /// @dev Frees the challenger's deposit, and gives it as much of the accused's bond; the rest goes to the market.
    function _punish(
        MarketState storage s,
        Parts memory parts,
        uint256 project,
        address accused,
        address challenger
    ) private returns (uint256 taken) {
        Terms storage t = s.terms[project];
        Member storage m = s.members[project][accused];
        IStakeVault vault = IStakeVault(parts.vault);
        vault.unlock(t.token, challenger, t.complaintDeposit);
        uint96 reward = m.locked < t.complaintDeposit ? m.locked : t.complaintDeposit;
        if (reward != 0) {
            m.locked -= reward;
            vault.transferLocked(t.token, accused, challenger, reward);
        }
        return Results.slash(s, parts, project, accused, type(uint96).max);
    }

    function _revert(MarketState storage s, Project storage p, uint256 project, Outcome[] calldata outcomes) private {
        uint256 held = uint256(p.escrow) + p.pot;
        for (uint256 i = 0; i < outcomes.length; ++i) {
            Outcome calldata outcome = outcomes[i];
            s.aggregators[project][outcome.aggregatorIndex].earned -= outcome.fee;
            held += outcome.fee;
            for (uint256 j = 0; j < outcome.numbers.length; ++j) {
                s.trainers[project][outcome.numbers[j]].earned -= outcome.amounts[j];
                held += outcome.amounts[j];
            }
        }
        p.escrow = outcomes[0].escrow;
        p.pot = uint96(held - outcomes[0].escrow); // what was in it, and what was slashed since
        p.model = outcomes[0].model;
    }

    /// @notice Reverts unless these are the outcomes of the round that can be undone, in their order.
    function requireOutcomes(Project storage p, Outcome[] calldata outcomes) internal view {
        bytes32 chain = 0;
        for (uint256 i = 0; i < outcomes.length; ++i) chain = Results.link(chain, outcomes[i]);
        if (chain != p.outcome || chain == 0) revert ITrainingMarket.WrongOutcomes(chain, p.outcome);
    }

    /// @notice Which of the round's outcomes is this cohort's; reverts where they are not the round's.
    function outcomeOf(
        Project storage p,
        uint256 project,
        uint256 cohort,
        Outcome[] calldata outcomes
    ) internal view returns (uint256 index) {
        requireOutcomes(p, outcomes);
        for (uint256 i = 0; i < outcomes.length; ++i) {
            if (outcomes[i].cohort == cohort) return i;
        }
        revert ITrainingMarket.CannotChallenge(project); // that cohort was skipped
    }

    /// @notice The project, whose previous round must be open to challenges.
    function inWindow(MarketState storage s, uint256 project) internal view returns (Project storage p) {
        p = s.projects[project];
        bool closed = p.status == Status.Active || p.status == Status.Closing;
        // Of a round that is not over, part of the results is still to come.
        bool over = p.outcome != 0 && (p.outcomeRound != p.round || p.status == Status.Closing);
        if (!closed || !over || block.timestamp >= p.challengeDeadline) {
            revert ITrainingMarket.CannotChallenge(project);
        }
        Rounds.requireUnchallenged(s, project);
    }

    /// @notice The open challenge, which must be of this kind, its deadline not over.
    function requireOpen(
        MarketState storage s,
        uint256 project,
        ChallengeKind kind
    ) internal view returns (Challenge storage open) {
        open = s.challenges[project];
        if (open.kind != kind) revert ITrainingMarket.NothingToAnswer(uint256(kind));
        Rounds.requireBefore(open.deadline);
    }

    /// @notice The bit of `Challenge.answered` for a kind of which there is one a round, or one a cohort.
    function markOf(ChallengeKind kind, uint256 cohort) internal pure returns (uint256) {
        return kind == ChallengeKind.Model ? 1 : 2 << cohort;
    }
}
