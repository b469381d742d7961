// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Cohort, ITrainingMarket, Project, ScoreRule, Status, Terms} from "../interfaces/ITrainingMarket.sol";
import {BitMask} from "./BitMask.sol";
import {Draw} from "./Draw.sol";
import {Krum} from "./Krum.sol";
import {MarketState} from "./MarketState.sol";

/// @title A round's life: how it opens, who sits where, when it closes, how a project ends
library Rounds {
    using BitMask for uint256;

    /// @notice No trainer has the seat.
    uint256 internal constant NONE = type(uint256).max;

    /// @notice Opens the next round.
    function open(MarketState storage s, uint256 project) internal {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        ++p.round;
        p.openCohorts = p.cohorts;
        // Not before `challengeDeadline`: a challenge window is no longer than a submit window.
        setWindow(p, t, block.timestamp + t.submitWindow);
        emit ITrainingMarket.RoundOpened(project, p.round, p.submitDeadline, p.resultDeadline);
    }

    /// @notice Sets the submit deadline and what follows from it.
    function setWindow(Project storage p, Terms storage t, uint256 submitDeadline) internal {
        p.submitDeadline = uint40(submitDeadline);
        p.turnStart = uint40(submitDeadline);
        p.resultDeadline = uint40(submitDeadline + t.resultWindow);
    }

    /// @notice Closes the window once everybody awaited has submitted by transaction: batches may hold anything.
    function closeIfComplete(MarketState storage s, uint256 project) internal {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        if (t.scoreRule == ScoreRule.Reference && !p.revealed && p.referenceRound != p.round) return;
        uint256 awaited = t.slots < p.trainerCount ? t.slots : p.trainerCount;
        for (uint256 i = 0; i < p.cohorts; ++i) {
            Cohort storage c = s.cohorts[project][i];
            if (c.round != p.round || uint256(c.submitted).count() < awaited) return;
        }
        setWindow(p, t, block.timestamp < p.challengeDeadline ? p.challengeDeadline : block.timestamp);
    }

    /// @notice Ends a cohort's round; with the last one the round closes, and the next one opens or the project does.
    /// @dev With fewer trainers than a quorum no later round can be paid (nobody joins an active project).
    function conclude(MarketState storage s, uint256 project, Cohort storage c) internal {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        // Where the next round opens, the cohort's record is of a round that is over, and says nothing any more.
        if (--p.openCohorts != 0) {
            c.concluded = true;
            return;
        }
        // An earlier round is final and may be paid out: no later window must open it to challenges again.
        if (p.outcomeRound != p.round) p.outcome = 0;
        if (p.pot != 0) {
            p.escrow += p.pot;
            p.pot = 0;
        }
        bool last = p.round == p.lastRound || p.trainerCount < quorum(t);
        // After the last round the owner needs time to reveal its validation set, too.
        if (p.outcomeRound == p.round || (last && t.scoreRule == ScoreRule.Reference)) {
            p.challengeDeadline = uint40(block.timestamp + t.challengeWindow);
        }
        emit ITrainingMarket.RoundClosed(project, p.round, p.challengeDeadline);
        if (last) {
            c.concluded = true;
            p.status = Status.Closing;
        } else {
            open(s, project);
        }
    }

    /// @notice Nobody is left to aggregate. Results that can still be undone keep the project Closing until they
    /// cannot, and so does a reveal that is owed: else an owner could have its own aggregator fail to get out of it.
    function halt(MarketState storage s, uint256 project) internal {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        bool owed = p.referenceRound != 0 && !p.revealed && t.revealBond != 0;
        if (p.outcomeRound != p.round && !owed) return end(s, project, Status.Halted);
        if (p.outcomeRound != p.round) p.outcome = 0; // final: it must not be open to challenges again
        p.status = Status.Closing;
        p.challengeDeadline = uint40(block.timestamp + t.challengeWindow);
        emit ITrainingMarket.RoundClosed(project, p.round, p.challengeDeadline);
    }

    /// @notice Ends the project: what is left of escrow and pot is the owner's.
    function end(MarketState storage s, uint256 project, Status status) internal {
        Project storage p = s.projects[project];
        uint256 refund = uint256(p.escrow) + p.pot;
        p.status = status;
        p.escrow = 0;
        p.pot = 0;
        p.ownerCredit += uint96(refund); // fits: terms bound all amounts of a project together
        emit ITrainingMarket.ProjectEnded(project, status, refund);
    }

    /// @notice A cohort's state in the round under way, cleared of an earlier round's.
    function cohort(MarketState storage s, uint256 project, uint256 index) internal returns (Cohort storage c) {
        Project storage p = s.projects[project];
        if (index >= p.cohorts) revert ITrainingMarket.WrongCohort(index, p.cohorts);
        c = s.cohorts[project][index];
        if (c.round == p.round) {
            if (c.concluded) revert ITrainingMarket.WrongCohort(index, p.cohorts);
            return c;
        }
        c.round = p.round;
        c.submitted = 0;
        c.batched = 0;
        c.complained = 0;
        c.answered = 0;
        c.concluded = false;
        c.chain = 0;
    }

    /// @notice The number of the trainer that has a seat in a round, or NONE.
    function number(Project storage p, uint256 round, uint256 seat) internal view returns (uint256) {
        uint256 size = p.drawnFrom;
        if (seat >= size) return NONE;
        return p.drawn ? Draw.permute(keccak256(abi.encode(p.seed, round)), seat, size) : seat;
    }

    /// @notice `number` of some seats in a row in the round under way, each or NONE.
    function numbers(Project storage p, uint256 first, uint256 seats) internal view returns (uint256[] memory bySeat) {
        bySeat = new uint256[](seats);
        (uint256 size, bool drawn) = (p.drawnFrom, p.drawn);
        bytes32 seed = drawn ? keccak256(abi.encode(p.seed, uint256(p.round))) : bytes32(0);
        // Seats are fewer than 2^16.
        unchecked {
            for (uint256 i = 0; i < seats; ++i) {
                uint256 seat = first + i;
                if (seat >= size) seat = NONE;
                else if (drawn) seat = Draw.permute(seed, seat, size);
                bySeat[i] = seat;
            }
        }
    }

    /// @notice Whether a seat has submitted in the round under way, or is said to by the batch.
    function hasSubmitted(MarketState storage s, uint256 project, uint256 seat) internal view returns (bool) {
        uint256 slots = s.terms[project].slots;
        Cohort storage c = s.cohorts[project][seat / slots];
        return c.round == s.projects[project].round && uint256(c.submitted | c.batched).has(seat % slots);
    }

    /// @notice Whether what the latest results brought may still be undone: nothing of it is paid out.
    function provisional(MarketState storage s, uint256 project) internal view returns (bool) {
        Project storage p = s.projects[project];
        if (p.status != Status.Active && p.status != Status.Closing) return false;
        return
            block.timestamp < p.challengeDeadline ||
            p.challenged ||
            (p.round == p.outcomeRound && p.status == Status.Active);
    }

    /// @notice max(K - f, 2f + 3).
    function quorum(Terms storage t) internal view returns (uint256) {
        return Krum.quorum(t.slots, t.faults);
    }

    /// @notice The project, which must be in this status.
    function inStatus(MarketState storage s, uint256 project, Status status) internal view returns (Project storage p) {
        p = s.projects[project];
        if (p.status != status) revert ITrainingMarket.WrongStatus(project, p.status);
    }

    /// @notice The project, whose round under way must be this one.
    function inRound(MarketState storage s, uint256 project, uint256 round) internal view returns (Project storage p) {
        p = inStatus(s, project, Status.Active);
        if (p.round != round) revert ITrainingMarket.WrongRound(round, p.round);
    }

    /// @notice Reverts unless the project is on that path.
    function requirePath(Project storage p, uint256 project, bool sketched) internal view {
        if (p.sketched != sketched) revert ITrainingMarket.WrongPath(project);
    }

    /// @notice Reverts while the previous round is challenged, or can be.
    function requireUnchallenged(MarketState storage s, uint256 project) internal view {
        if (s.projects[project].challenged) revert ITrainingMarket.ChallengeOpen(project);
    }

    /// @notice Reverts unless the caller is the current aggregator, and in time.
    function requireTurn(MarketState storage s, uint256 project) internal view {
        Project storage p = s.projects[project];
        requireBefore(p.resultDeadline);
        address current = s.aggregators[project][p.aggregatorIndex].holder;
        if (msg.sender != current) revert ITrainingMarket.NotCurrentAggregator(msg.sender, current);
    }

    /// @notice Reverts from the deadline on.
    function requireBefore(uint256 deadline) internal view {
        if (block.timestamp >= deadline) revert ITrainingMarket.DeadlinePassed(deadline, block.timestamp);
    }

    /// @notice Reverts before the time.
    function requireFrom(uint256 opens) internal view {
        if (block.timestamp < opens) revert ITrainingMarket.TooEarly(opens, block.timestamp);
    }
}
