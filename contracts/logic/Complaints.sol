// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {IReputationRegistry} from "../interfaces/IReputationRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {Arrivals, Cohort, ITrainingMarket, Member, Opening, Project, Terms} from "../interfaces/ITrainingMarket.sol";
import {Arrival} from "../libraries/Arrival.sol";
import {BitMask} from "../libraries/BitMask.sol";
import {BN254, G1} from "../libraries/BN254.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Rounds} from "../libraries/Rounds.sol";

/// @title Complaints about updates that cannot be opened, their answers, and what silence costs
/// @notice Called by TrainingMarket with its own storage. The side that is wrong pays the other `complaintDeposit`.
library Complaints {
    using BitMask for uint256;

    uint256 private constant UPDATE_WIDTH = 2; // bytes of an entry

    /// @notice ITrainingMarket.complain.
    function complain(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        Arrivals calldata arrivals
    ) external {
        Rounds.requirePath(s.projects[project], project, false);
        open(s, parts, project, round, cohort, slots, arrivals);
    }

    /// @notice Opens a complaint, on either path.
    function open(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        Arrivals calldata arrivals
    ) internal {
        Project storage p = Rounds.inRound(s, project, round);
        Terms storage t = s.terms[project];
        Rounds.requireUnchallenged(s, project);
        Rounds.requireTurn(s, project);
        Rounds.requireFrom(p.submitDeadline);
        Rounds.requireBefore(uint256(p.turnStart) + t.answerWindow);
        Cohort storage c = Rounds.cohort(s, project, cohort);
        uint256 before = uint256(c.complained | c.answered);
        Arrival.Received memory received = Arrival.read(s, project, cohort, arrivals);
        uint256 known = received.slots | (p.referenceRound == round ? 1 << t.slots : 0);
        if (slots == 0 || !slots.isWithin(known) || slots & before != 0) revert ITrainingMarket.InvalidComplaint(slots);
        c.complained |= uint16(slots);
        p.answerDeadline = uint40(block.timestamp + t.answerWindow);
        // Set from the last complaint of a turn, of which the time is bounded: nobody can stall by complaining.
        p.resultDeadline = p.answerDeadline + t.resultWindow;
        emit ITrainingMarket.UpdatesComplained(project, round, cohort, slots, p.answerDeadline);
        _keep(s, project, cohort, slots, received.digests);
        _secure(s, parts, project);
    }

    /// @dev Deposits for all open complaints, and half of the bond beside them: friends who answer false complaints
    /// must not carry off what the aggregator answers for its results with. What is missing is locked anew.
    function _secure(MarketState storage s, Parts calldata parts, uint256 project) private {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        uint256 pending = 0;
        for (uint256 i = 0; i < p.cohorts; ++i) {
            Cohort storage c = s.cohorts[project][i];
            if (c.round == p.round && !c.concluded) pending += uint256(c.complained).count();
        }
        uint256 needed = uint256(t.complaintDeposit) * pending + t.aggregatorBond / 2;
        Member storage m = s.members[project][msg.sender];
        if (m.locked >= needed) return;
        uint256 missing = needed - m.locked;
        m.locked = uint96(needed); // fits: TermsCheck
        IStakeVault(parts.vault).lock(t.token, msg.sender, missing);
    }

    /// @dev What an answer must open.
    function _keep(
        MarketState storage s,
        uint256 project,
        uint256 cohort,
        uint256 slots,
        bytes32[] memory digests
    ) private {
        Project storage p = s.projects[project];
        for (uint256 slot = 0; slot <= digests.length; ++slot) {
            if (!slots.has(slot)) continue;
            s.complaints[project][place(p.round, cohort, slot)] =
                slot == digests.length ? p.referenceDigest : digests[slot];
        }
    }

    /// @notice ITrainingMarket.answer.
    function answer(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256[3] calldata at, // round, cohort, slot
        G1 calldata commitment,
        Opening calldata opening
    ) external {
        Rounds.requirePath(s.projects[project], project, false);
        address holder = requireOpen(s, project, at);
        if (!BN254.isOnCurve(commitment)) revert ITrainingMarket.NotOnCurve(commitment.x, commitment.y);
        requireDigest(s, project, at, Arrival.digestOf(commitment.x, commitment.y, holder));
        uint256 norm = IGramVerifier(parts.gramVerifier).open(
            s.terms[project].circuit,
            commitment,
            UPDATE_WIDTH,
            opening.packed,
            opening.proof
        );
        if (norm > s.terms[project].maxNormSquared) revert ITrainingMarket.OpeningRejected();
        emit ITrainingMarket.UpdateAnswered(project, at[0], at[1], at[2], commitment.x, commitment.y, opening.packed);
        close(s, parts, project, at, holder);
    }

    /// @notice Reverts unless a complaint about this slot (round, cohort, slot) is open.
    /// @return holder Whose update it is.
    function requireOpen(
        MarketState storage s,
        uint256 project,
        uint256[3] memory at
    ) internal returns (address holder) {
        Project storage p = Rounds.inRound(s, project, at[0]);
        Rounds.requireBefore(p.answerDeadline);
        if (!uint256(Rounds.cohort(s, project, at[1]).complained).has(at[2])) {
            revert ITrainingMarket.NothingToAnswer(at[2]);
        }
        return _holder(s, p, project, at);
    }

    /// @notice Reverts unless the complaint is about this digest.
    function requireDigest(MarketState storage s, uint256 project, uint256[3] memory at, bytes32 digest) internal view {
        if (s.complaints[project][place(at[0], at[1], at[2])] != digest) {
            revert ITrainingMarket.DigestMismatch(at[2]);
        }
    }

    /// @notice A complaint is answered: the aggregator pays the holder.
    function close(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256[3] memory at,
        address holder
    ) internal {
        Cohort storage c = s.cohorts[project][at[1]];
        c.complained &= ~uint16(1 << at[2]);
        c.answered |= uint16(1 << at[2]);
        _pay(s, parts, project, s.aggregators[project][s.projects[project].aggregatorIndex].holder, holder);
    }

    /// @notice What silence costs: each slot complained about and not answered pays the current aggregator.
    /// @dev Nothing here can fail for one of them: nobody pays more than is locked.
    function withheld(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        uint256 cohort,
        uint256 silent
    ) external {
        Project storage p = s.projects[project];
        uint256 slots = s.terms[project].slots;
        address aggregator = s.aggregators[project][p.aggregatorIndex].holder;
        for (uint256 slot = 0; slot < slots; ++slot) {
            if (!silent.has(slot)) continue;
            address trainer = s.trainers[project][Rounds.number(p, p.round, cohort * slots + slot)].holder;
            uint256 paid = _pay(s, parts, project, trainer, aggregator);
            emit ITrainingMarket.UpdateWithheld(project, p.round, trainer, cohort, slot, paid);
            IReputationRegistry(parts.reputation).recordFault(project, trainer, false);
        }
    }

    /// @notice Where the digest of a complaint is kept.
    function place(uint256 round, uint256 cohort, uint256 slot) internal pure returns (uint256) {
        return (round << 16) | (cohort << 8) | slot;
    }

    function _pay(
        MarketState storage s,
        Parts memory parts,
        uint256 project,
        address from,
        address to
    ) private returns (uint256 paid) {
        Member storage m = s.members[project][from];
        paid = s.terms[project].complaintDeposit;
        if (paid > m.locked) paid = m.locked;
        if (paid == 0) return 0;
        m.locked -= uint96(paid);
        IStakeVault(parts.vault).transferLocked(s.terms[project].token, from, to, paid);
    }

    function _holder(
        MarketState storage s,
        Project storage p,
        uint256 project,
        uint256[3] memory at
    ) private view returns (address) {
        uint256 slots = s.terms[project].slots;
        if (at[2] == slots) return p.owner;
        return s.trainers[project][Rounds.number(p, at[0], at[1] * slots + at[2])].holder;
    }
}
