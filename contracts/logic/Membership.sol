// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IGramVerifier} from "../interfaces/IGramVerifier.sol";
import {IReputationRegistry} from "../interfaces/IReputationRegistry.sol";
import {IStakeVault} from "../interfaces/IStakeVault.sol";
import {Account, ITrainingMarket, Member, Project, Status, Terms} from "../interfaces/ITrainingMarket.sol";
import {Draw} from "../libraries/Draw.sol";
import {MarketState, Parts} from "../libraries/MarketState.sol";
import {Payments, Permit} from "../libraries/Payments.sol";
import {Rounds} from "../libraries/Rounds.sol";
import {TermsCheck} from "../libraries/TermsCheck.sol";

/// @title How a project is posted, who takes part in it, how it starts
/// @notice Called by TrainingMarket with its own storage.
library Membership {
    uint256 private constant MAX_CONTACT_BYTES = 256;

    /// @notice ITrainingMarket.create.
    /// @dev The reveal bond is no part of the escrow: nobody can earn it (Settling).
    function create(
        MarketState storage s,
        Parts calldata parts,
        Terms calldata terms,
        Permit calldata permit
    ) external returns (uint256 project) {
        TermsCheck.check(terms, IGramVerifier(parts.gramVerifier), parts.longestWindow);
        project = ++s.projectCount;
        s.terms[project] = terms;
        Project storage p = s.projects[project];
        p.owner = msg.sender;
        p.status = Status.Open;
        p.lastRound = terms.rounds;
        p.joinDeadline = uint40(block.timestamp + terms.joinWindow);
        p.escrow = terms.reward;
        p.model = terms.initialModel;
        if (terms.chunks != 0) p.sketched = true;
        emit ITrainingMarket.ProjectCreated(project, msg.sender, terms.circuit, terms.spec, terms.token, terms.reward);
        uint256 amount = uint256(terms.reward) + terms.revealBond;
        Payments.permit(terms.token, amount, permit);
        Payments.requireWhole(terms.token, s.held[terms.token]);
        Payments.pull(terms.token, amount);
        if (terms.token != address(0)) s.held[terms.token] += amount;
    }

    /// @notice ITrainingMarket.join.
    function join(MarketState storage s, Parts calldata parts, uint256 project, bytes32 encryptionKey) external {
        Project storage p = Rounds.inStatus(s, project, Status.Open);
        Terms storage t = s.terms[project];
        Rounds.requireBefore(p.joinDeadline);
        uint256 number = p.trainerCount;
        if (number == t.trainers) revert ITrainingMarket.Full(project, number);
        _requireReputation(parts, t.minReputation);
        uint96 stake = t.trainerStake;
        _admit(s, project, Member(uint32(number + 1), 0, false, stake, 0));
        p.trainerCount = uint32(number + 1);
        s.trainers[project][number] = Account(msg.sender, 0);
        emit ITrainingMarket.TrainerJoined(project, msg.sender, number, encryptionKey);
        if (stake != 0) IStakeVault(parts.vault).lock(t.token, msg.sender, stake);
    }

    /// @notice ITrainingMarket.joinAsAggregator.
    function joinAsAggregator(
        MarketState storage s,
        Parts calldata parts,
        uint256 project,
        bytes32 encryptionKey,
        bytes calldata contact,
        bytes32[] calldata listed
    ) external {
        Project storage p = s.projects[project];
        Terms storage t = s.terms[project];
        if (p.status == Status.Open) Rounds.requireBefore(p.joinDeadline);
        else if (p.status != Status.Active) revert ITrainingMarket.WrongStatus(project, p.status);
        if (contact.length > MAX_CONTACT_BYTES) {
            revert ITrainingMarket.InvalidLength(contact.length, MAX_CONTACT_BYTES);
        }
        uint256 index = p.aggregatorCount;
        if (index == TermsCheck.MAX_AGGREGATORS) revert ITrainingMarket.Full(project, index);
        if (!_isListed(t.aggregators, listed)) revert ITrainingMarket.NotListed(project, msg.sender);
        uint96 bond = t.aggregatorBond;
        _admit(s, project, Member(0, uint8(index + 1), false, bond, 0));
        p.aggregatorCount = uint8(index + 1);
        s.aggregators[project][index] = Account(msg.sender, 0);
        emit ITrainingMarket.AggregatorJoined(project, msg.sender, index, encryptionKey, contact);
        if (bond != 0) IStakeVault(parts.vault).lock(t.token, msg.sender, bond);
    }

    /// @notice ITrainingMarket.leave.
    function leave(MarketState storage s, Parts calldata parts, uint256 project) external {
        Project storage p = s.projects[project];
        Status status = p.status;
        if (status != Status.Open && status != Status.Active) revert ITrainingMarket.WrongStatus(project, status);
        Member memory member = s.members[project][msg.sender];
        if (member.left || (member.number == 0 && member.index == 0)) {
            revert ITrainingMarket.NotMember(project, msg.sender);
        }
        if (member.index != 0) _leaveAsAggregator(s, p, project, member.index - 1);
        else if (status == Status.Open) _leaveOpen(s, p, project, member.number - 1);
        else _leaveActive(s, p, project, member.number - 1);
        if (member.locked != 0) IStakeVault(parts.vault).unlock(s.terms[project].token, msg.sender, member.locked);
    }

    /// @notice ITrainingMarket.cancel.
    function cancel(MarketState storage s, uint256 project) external {
        Project storage p = Rounds.inStatus(s, project, Status.Open);
        bool startable = p.aggregatorCount != 0 && p.trainerCount >= Rounds.quorum(s.terms[project]);
        if (msg.sender != p.owner && (block.timestamp < p.joinDeadline || startable)) {
            revert ITrainingMarket.CannotCancel(project, msg.sender);
        }
        p.ownerCredit = s.terms[project].revealBond;
        Rounds.end(s, project, Status.Cancelled);
    }

    /// @notice ITrainingMarket.start.
    function start(MarketState storage s, uint256 project) external {
        Project storage p = Rounds.inStatus(s, project, Status.Open);
        Terms storage t = s.terms[project];
        uint256 trainers = p.trainerCount;
        uint256 needed = block.timestamp < p.joinDeadline ? t.trainers : Rounds.quorum(t);
        if (p.aggregatorCount == 0 || trainers < needed) {
            revert ITrainingMarket.CannotStart(trainers, needed, p.aggregatorCount);
        }
        uint256 full = trainers / t.slots;
        uint256 cohorts = full < t.cohorts ? full : t.cohorts;
        if (cohorts == 0) cohorts = 1;
        p.cohorts = uint8(cohorts);
        p.drawnFrom = uint32(trainers);
        p.drawn = trainers > t.slots; // as where there are several cohorts
        if (p.drawn) _scheduleDraw(p, project);
        else _activate(s, p, project);
    }

    /// @notice ITrainingMarket.draw.
    function draw(MarketState storage s, uint256 project) external {
        Project storage p = Rounds.inStatus(s, project, Status.Drawing);
        uint256 seedBlock = uint256(p.seed);
        if (block.number <= seedBlock) revert ITrainingMarket.TooEarly(seedBlock + 1, block.number);
        bytes32 hash = blockhash(seedBlock);
        if (hash == 0) {
            _scheduleDraw(p, project); // more than 256 blocks ago
        } else {
            p.seed = keccak256(abi.encode(hash, project));
            _activate(s, p, project);
        }
    }

    /// @dev The members are fixed before the block is made: nobody can join, leave or cancel by its hash.
    function _scheduleDraw(Project storage p, uint256 project) private {
        p.status = Status.Drawing;
        p.seed = bytes32(block.number + 1);
        emit ITrainingMarket.DrawScheduled(project, block.number + 1);
    }

    function _activate(MarketState storage s, Project storage p, uint256 project) private {
        p.status = Status.Active;
        emit ITrainingMarket.ProjectStarted(project, p.drawnFrom, p.cohorts, p.seed);
        Rounds.open(s, project);
    }

    /// @dev Who left an Active project stays known: its place is not given again, and it is not seen twice.
    function _admit(MarketState storage s, uint256 project, Member memory member) private {
        Member storage known = s.members[project][msg.sender];
        if (known.number != 0 || known.index != 0) revert ITrainingMarket.AlreadyMember(project, msg.sender);
        s.members[project][msg.sender] = member;
    }

    function _requireReputation(Parts calldata parts, uint256 needed) private view {
        if (needed == 0) return;
        uint256 score = IReputationRegistry(parts.reputation).scoreOf(msg.sender);
        if (score < needed) revert ITrainingMarket.ReputationTooLow(msg.sender, score, needed);
    }

    /// @dev Leaves are hashed twice: no inner node of the tree passes for one.
    function _isListed(bytes32 root, bytes32[] calldata proof) private view returns (bool) {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(msg.sender))));
        return root == 0 || MerkleProof.verifyCalldata(proof, root, leaf);
    }

    /// @dev Numbers stay dense: the last trainer moves into the hole.
    function _leaveOpen(MarketState storage s, Project storage p, uint256 project, uint256 number) private {
        uint256 last = p.trainerCount - 1;
        p.trainerCount = uint32(last);
        delete s.members[project][msg.sender];
        if (number != last) {
            address moved = s.trainers[project][last].holder;
            s.trainers[project][number].holder = moved;
            s.members[project][moved].number = uint32(number + 1);
        }
        delete s.trainers[project][last];
        emit ITrainingMarket.TrainerLeft(project, msg.sender, number);
    }

    /// @dev One that has submitted in this round stays: it may be struck for it. The place is emptied, so that no
    /// signature of one without a stake counts in a batch; what it earned is found by its number.
    function _leaveActive(MarketState storage s, Project storage p, uint256 project, uint256 number) private {
        uint256 seat = p.drawn ? Draw.inverse(keccak256(abi.encode(p.seed, p.round)), number, p.drawnFrom) : number;
        uint256 slots = s.terms[project].slots;
        // Beyond the seats there are no cohorts, and no submissions.
        if (Rounds.hasSubmitted(s, project, seat)) revert ITrainingMarket.AlreadySubmitted(seat % slots);
        Member storage member = s.members[project][msg.sender];
        member.left = true;
        member.locked = 0;
        s.trainers[project][number].holder = address(0);
        --p.trainerCount;
        emit ITrainingMarket.TrainerLeft(project, msg.sender, number);
        if (block.timestamp < p.submitDeadline) Rounds.closeIfComplete(s, project);
    }

    /// @dev Those after it move up, so that the list stays in the order of joining and without holes (at most 8). One
    /// in reserve has earned nothing.
    function _leaveAsAggregator(MarketState storage s, Project storage p, uint256 project, uint256 index) private {
        if (p.status == Status.Active && index <= p.aggregatorIndex) {
            revert ITrainingMarket.WrongStatus(project, p.status);
        }
        delete s.members[project][msg.sender];
        mapping(uint256 index => Account) storage list = s.aggregators[project];
        uint256 last = p.aggregatorCount - 1;
        for (uint256 i = index + 1; i <= last; ++i) {
            address moved = list[i].holder;
            list[i - 1].holder = moved;
            s.members[project][moved].index = uint8(i); // i - 1, + 1
        }
        delete list[last];
        p.aggregatorCount = uint8(last);
        emit ITrainingMarket.AggregatorLeft(project, msg.sender, index);
    }
}
