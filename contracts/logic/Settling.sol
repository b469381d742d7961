// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IReputationRegistry} from "../interfaces/IReputationRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {ITrainingMarket, Member, Project, Status, Terms} from "../interfaces/ITrainingMarket.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Payments} from "../libraries/Payments.sol";
import {Rounds} from "../libraries/Rounds.sol";

/// @title How a project is settled, and how what it owes is paid out
/// @notice Called by TrainingMarket with its own storage.
/// @dev The reveal bond is never in escrow. It is the owner's again once the project is cancelled, or halted before any
/// reference came in, or the validation set revealed; else `settle` shares it out.
library Settling {
    uint256 private constant WHOLE_ROUND = 1e6; // of a contribution in the registry

    /// @notice ITrainingMarket.reveal.
    /// @dev Once; it stays revealed where the last round is undone after it, and no reference is taken any more.
    function reveal(MarketState storage s, uint256 project, bytes32 validation, bytes32 salt) external {
        Project storage p = Rounds.inStatus(s, project, Status.Closing);
        Terms storage t = s.terms[project];
        if (p.revealed) revert ITrainingMarket.WrongStatus(project, Status.Closing);
        if (msg.sender != p.owner) revert ITrainingMarket.NotOwner(project, msg.sender);
        if (keccak256(abi.encode(validation, salt)) != t.validation) revert ITrainingMarket.NotTheValidationSet();
        p.revealed = true;
        p.ownerCredit += t.revealBond;
        emit ITrainingMarket.ValidationRevealed(project, validation, salt);
    }

    /// @notice ITrainingMarket.settle.
    /// @dev A project is Closing as well where its last aggregator failed (Rounds.halt). A reference that came in may
    /// have been paid by: its owner reveals, or forfeits, however the project ends.
    function settle(MarketState storage s, uint256 project) external {
        Project storage p = Rounds.inStatus(s, project, Status.Closing);
        Rounds.requireUnchallenged(s, project);
        Rounds.requireFrom(p.challengeDeadline);
        bool halted = p.aggregatorIndex == p.aggregatorCount;
        if (!p.revealed && (!halted || p.referenceRound != 0)) _forfeit(p, s.terms[project].revealBond);
        Rounds.end(s, project, halted ? Status.Halted : Status.Settled);
    }

    /// @notice ITrainingMarket.release.
    /// @dev Who has lost all of its stake has no record to be written.
    function release(MarketState storage s, Parts calldata parts, uint256 project) external {
        Status status = s.projects[project].status;
        if (status != Status.Settled && status != Status.Cancelled && status != Status.Halted) {
            revert ITrainingMarket.WrongStatus(project, status);
        }
        Member storage member = s.members[project][msg.sender];
        uint256 amount = member.locked;
        if (amount == 0) revert ITrainingMarket.NothingToRelease(project, msg.sender);
        member.locked = 0;
        emit ITrainingMarket.Released(project, msg.sender, amount);
        IStakeVault(parts.vault).unlock(s.terms[project].token, msg.sender, amount);
        _record(s, parts, project, member);
    }

    /// @notice ITrainingMarket.claim.
    /// @dev Internal, for gas: it is called more often than anything else.
    function claim(MarketState storage s, uint256 project, address account) internal returns (uint256 amount) {
        Project storage p = s.projects[project];
        if (Rounds.provisional(s, project)) {
            Rounds.requireUnchallenged(s, project);
            // Before the round is over nobody knows until when it can be challenged.
            uint256 until = block.timestamp < p.challengeDeadline ? p.challengeDeadline : p.resultDeadline;
            revert ITrainingMarket.TooEarly(until, block.timestamp);
        }
        Member storage member = s.members[project][account];
        uint256 earned = _earned(s, p, project, member);
        uint256 credit = 0;
        if (account == p.owner) {
            earned += _bondBack(s, p, project);
            credit = p.ownerCredit;
            p.ownerCredit = 0;
        }
        amount = earned + credit - member.claimed;
        if (amount == 0) revert ITrainingMarket.NothingToClaim(project, account);
        member.claimed = uint96(earned); // fits: all amounts of a project do together (TermsCheck)
        emit ITrainingMarket.Claimed(project, account, amount);
        _payOut(s, s.terms[project].token, account, amount);
    }

    function _payOut(MarketState storage s, address token, address account, uint256 amount) private {
        if (token == address(0)) {
            Payments.push(token, account, amount);
            return;
        }
        uint256 held = s.held[token];
        uint256 paid = Payments.worth(token, amount, held);
        s.held[token] = held - amount;
        Payments.push(token, account, paid);
    }

    /// @notice ITrainingMarket.claimable.
    function claimable(MarketState storage s, uint256 project, address account) internal view returns (uint256 amount) {
        Project storage p = s.projects[project];
        Member storage member = s.members[project][account];
        amount = _earned(s, p, project, member);
        if (account == p.owner) amount += _bondBack(s, p, project) + p.ownerCredit;
        amount -= member.claimed;
    }

    /// @dev In all, the bonus included.
    function _earned(
        MarketState storage s,
        Project storage p,
        uint256 project,
        Member storage member
    ) private view returns (uint256 earned) {
        uint256 number = member.number;
        if (number != 0) {
            earned = s.trainers[project][number - 1].earned;
            // The only projects with a bonus: no claim of another pays for looking.
            if (!p.revealed && p.status >= Status.Settled && !member.left) earned += p.bonus;
        } else if (member.index != 0) {
            earned = s.aggregators[project][member.index - 1].earned;
        }
    }

    /// @dev The reveal bond of a halted project in which no reference ever came in: there is nothing to reveal.
    function _bondBack(MarketState storage s, Project storage p, uint256 project) private view returns (uint256) {
        bool owed = p.status == Status.Halted && !p.revealed && p.referenceRound == 0;
        return owed ? s.terms[project].revealBond : 0;
    }

    /// @dev In equal parts to the trainers that have not left, the rest to the owner. Where there is nothing to share,
    /// the set counts as revealed: no claim has to look for a bonus then.
    function _forfeit(Project storage p, uint256 bond) private {
        uint256 trainers = p.trainerCount;
        uint256 bonus = trainers == 0 ? 0 : bond / trainers;
        p.revealed = bonus == 0;
        if (bonus != 0) p.bonus = uint96(bonus);
        if (bond != 0) p.ownerCredit += uint96(bond - bonus * trainers);
    }

    /// @dev The registry counts in whole rounds: a trainer's share of the reward times T, an aggregator's results.
    function _record(MarketState storage s, Parts calldata parts, uint256 project, Member storage member) private {
        Terms storage t = s.terms[project];
        IReputationRegistry registry = IReputationRegistry(parts.reputation);
        if (member.number != 0) {
            uint256 earned = s.trainers[project][member.number - 1].earned;
            uint256 contribution = (earned * t.rounds * WHOLE_ROUND) / t.reward;
            if (contribution != 0) registry.recordTrainer(project, msg.sender, contribution);
        } else {
            uint256 fee = t.aggregatorFee;
            uint256 earned = s.aggregators[project][member.index - 1].earned;
            if (fee != 0 && earned != 0) registry.recordAggregator(project, msg.sender, earned / fee);
        }
    }
}
