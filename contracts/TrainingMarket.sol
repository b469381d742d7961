// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {IGramVerifier} from "./interfaces/IGramVerifier.sol";
import {IReputationRegistry} from "./interfaces/IReputationRegistry.sol";
import {IStakeVault} from "./interfaces/IStakeVault.sol";
import {ITrainingMarket, Project, RoundResult, ScoreRule, Status, Terms} from "./interfaces/ITrainingMarket.sol";
import {BitMask} from "./libraries/BitMask.sol";
import {BN254, G1} from "./libraries/BN254.sol";
import {Krum} from "./libraries/Krum.sol";
import {Payments} from "./libraries/Payments.sol";
import {TermsCheck} from "./libraries/TermsCheck.sol";
import {ReputationRegistry} from "./ReputationRegistry.sol";
import {RoundJudge} from "./RoundJudge.sol";
import {StakeVault} from "./StakeVault.sol";

/// @title TrainingMarket
/// @notice The state machine of docs/protocol.md. No owner, no setter, no upgrade: a project's terms and this code are
/// all there is. Every state past a deadline can be moved on by anyone; all pay is pulled.
/// @dev Every function that moves money holds one lock, so a token or a receiver that calls back finds it taken.
contract TrainingMarket is ITrainingMarket, ReentrancyGuardTransient {
    using BitMask for uint256;

    struct Member {
        uint8 slot; // + 1; 0: no trainer
        uint8 index; // + 1; 0: no aggregator
        uint128 locked; // in the vault, for this project
    }

    uint256 private constant BASIS_POINTS = 10_000;
    uint256 private constant SHARE_UNIT = 1_000_000;
    uint256 private constant SEALED_KEY_BYTES = 80;
    uint256 private constant MAX_CONTACT_BYTES = 256;
    uint256 private constant MAX_UNBONDING_DELAY = 30 days;

    /// @inheritdoc ITrainingMarket
    address public immutable override vault;
    /// @inheritdoc ITrainingMarket
    address public immutable override reputation;
    /// @inheritdoc ITrainingMarket
    address public immutable override gramVerifier;
    /// @inheritdoc ITrainingMarket
    address public immutable override judge;
    uint256 private immutable _longestWindow;

    /// @inheritdoc ITrainingMarket
    uint256 public override projectCount;
    /// @inheritdoc ITrainingMarket
    mapping(address token => mapping(address account => uint256)) public override creditOf;

    mapping(uint256 project => Terms) private _terms;
    mapping(uint256 project => Project) private _projects;
    mapping(uint256 project => mapping(uint256 slot => address)) private _trainers;
    mapping(uint256 project => address[]) private _aggregators;
    mapping(uint256 project => mapping(address account => Member)) private _members;
    /// @dev bytes31 digest of the commitment, then the position as one byte.
    mapping(uint256 project => mapping(uint256 round => mapping(uint256 slot => bytes32))) private _submissions;

    /// @param verifier The GramVerifier.
    /// @param unbondingDelay Seconds that stake takes to leave the vault; no window of a project may be longer.
    constructor(address verifier, uint256 unbondingDelay) {
        if (verifier.code.length == 0) revert NoVerifier(verifier);
        if (unbondingDelay == 0 || unbondingDelay > MAX_UNBONDING_DELAY) revert InvalidUnbondingDelay(unbondingDelay);
        gramVerifier = verifier;
        _longestWindow = unbondingDelay;
        vault = address(new StakeVault(unbondingDelay));
        reputation = address(new ReputationRegistry());
        judge = address(new RoundJudge());
    }

    /// @notice Slashed native coin arrives here from the vault.
    receive() external payable {
        if (msg.sender != vault) revert UnexpectedPayment(msg.sender, msg.value);
    }

    // Before the start

    /// @inheritdoc ITrainingMarket
    function create(Terms calldata terms) external payable override nonReentrant returns (uint256 project) {
        TermsCheck.check(terms, IGramVerifier(gramVerifier), _longestWindow);
        project = ++projectCount;
        _terms[project] = terms;
        Project storage p = _projects[project];
        p.owner = msg.sender;
        p.status = Status.Open;
        p.joinDeadline = uint64(block.timestamp + terms.joinWindow);
        p.escrow = terms.reward;
        p.model = terms.initialModel;
        emit ProjectCreated(project, msg.sender, terms.circuit, terms.spec, terms.token, terms.reward);
        Payments.pull(terms.token, terms.reward);
    }

    /// @inheritdoc ITrainingMarket
    function join(uint256 project, bytes32 encryptionKey) external override nonReentrant {
        Project storage p = _inStatus(project, Status.Open);
        Terms storage t = _terms[project];
        _requireBefore(p.joinDeadline);
        if (p.trainerCount == t.slots) revert Full(project, t.slots);
        uint256 slot = 0;
        while (uint256(p.occupied).has(slot)) ++slot; // ends: a slot is free
        p.occupied |= uint16(1 << slot);
        ++p.trainerCount;
        _trainers[project][slot] = msg.sender;
        _addMember(project, Member(uint8(slot + 1), 0, t.trainerStake));
        emit TrainerJoined(project, msg.sender, slot, encryptionKey);
        IStakeVault(vault).lock(t.token, msg.sender, t.trainerStake);
    }

    /// @inheritdoc ITrainingMarket
    function joinAsAggregator(
        uint256 project,
        bytes32 encryptionKey,
        bytes calldata contact
    ) external override nonReentrant {
        Project storage p = _projects[project];
        Terms storage t = _terms[project];
        if (p.status == Status.Open) _requireBefore(p.joinDeadline);
        else if (p.status != Status.Active) revert WrongStatus(project, p.status);
        if (contact.length > MAX_CONTACT_BYTES) revert InvalidLength(contact.length, MAX_CONTACT_BYTES);
        uint256 index = p.aggregatorCount;
        if (index == TermsCheck.MAX_AGGREGATORS) revert Full(project, index);
        ++p.aggregatorCount;
        _aggregators[project].push(msg.sender);
        _addMember(project, Member(0, uint8(index + 1), t.aggregatorBond));
        emit AggregatorJoined(project, msg.sender, index, encryptionKey, contact);
        IStakeVault(vault).lock(t.token, msg.sender, t.aggregatorBond);
    }

    /// @inheritdoc ITrainingMarket
    function leave(uint256 project) external override nonReentrant {
        Project storage p = _projects[project];
        if (p.status != Status.Open && p.status != Status.Active) revert WrongStatus(project, p.status);
        Member memory member = _members[project][msg.sender];
        delete _members[project][msg.sender];
        if (member.slot != 0) _leaveAsTrainer(project, p, member.slot - 1);
        else if (member.index != 0) _leaveAsAggregator(project, p, member.index - 1);
        else revert NotMember(project, msg.sender);
        IStakeVault(vault).unlock(_terms[project].token, msg.sender, member.locked);
    }

    /// @inheritdoc ITrainingMarket
    function cancel(uint256 project) external override nonReentrant {
        Project storage p = _inStatus(project, Status.Open);
        bool startable = p.aggregatorCount != 0 && p.trainerCount >= _quorum(_terms[project]);
        if (msg.sender != p.owner && (block.timestamp < p.joinDeadline || startable)) {
            revert CannotCancel(project, msg.sender);
        }
        _end(project, p, Status.Cancelled);
    }

    /// @inheritdoc ITrainingMarket
    function start(uint256 project) external override nonReentrant {
        Project storage p = _inStatus(project, Status.Open);
        Terms storage t = _terms[project];
        uint256 needed = block.timestamp < p.joinDeadline ? t.slots : _quorum(t);
        if (p.aggregatorCount == 0 || p.trainerCount < needed) {
            revert CannotStart(p.trainerCount, needed, p.aggregatorCount);
        }
        p.status = Status.Active;
        _openRound(project, p, t);
    }

    // A round

    /// @inheritdoc ITrainingMarket
    function submit(uint256 project, uint256 round, uint256 x, uint256 y, bytes32 blob) external override nonReentrant {
        Project storage p = _inRound(project, round);
        _requireBefore(p.submitDeadline);
        uint256 slot = _slotOfSender(project);
        if (uint256(p.submitted).has(slot)) revert AlreadySubmitted(slot);
        G1 memory commitment = G1(x, y);
        if (!BN254.isOnCurve(commitment)) revert NotOnCurve(x, y);
        p.submitted |= uint16(1 << slot);
        uint8 position = ++p.submittedCount;
        _submissions[project][round][slot] = bytes32(BN254.digest(commitment)) | bytes32(uint256(position));
        emit UpdateSubmitted(project, round, msg.sender, slot, position, x, y, blob);
        _closeIfComplete(project, p);
    }

    /// @inheritdoc ITrainingMarket
    function reseal(uint256 project, uint256 round, bytes calldata sealedKey) external override {
        Project storage p = _inRound(project, round);
        _requireFrom(p.submitDeadline);
        uint256 slot = _slotOfSender(project);
        if (!uint256(p.submitted).has(slot)) revert NotSubmitted(slot);
        if (sealedKey.length != SEALED_KEY_BYTES) revert InvalidLength(sealedKey.length, SEALED_KEY_BYTES);
        emit KeyResealed(project, round, msg.sender, p.aggregatorIndex, sealedKey);
    }

    /// @inheritdoc ITrainingMarket
    function postResult(uint256 project, RoundResult calldata result) external override nonReentrant {
        Project storage p = _inRound(project, result.round);
        Terms storage t = _terms[project];
        _requireFrom(p.submitDeadline);
        _requireTurn(project, p);
        uint256 updates = _countWithout(p, t, result.omitted);
        if (updates < _quorum(t)) revert QuorumMissed(updates, _quorum(t));

        Krum.Verdict memory verdict = _verify(project, p, t, result);
        uint256 slashed = _strike(project, p, t, verdict.struck);
        _pay(project, p, t, verdict, slashed);
        _record(project, p, verdict, result.merged, result.omitted);
        creditOf[t.token][msg.sender] += t.aggregatorFee;
        p.escrow -= t.aggregatorFee;
        IReputationRegistry(reputation).recordAggregator(project, result.round, msg.sender, false);
        emit ResultPosted(
            project,
            result.round,
            msg.sender,
            result.omitted,
            result.merged,
            verdict.struck,
            t.aggregatorFee,
            result.model,
            p.model.x,
            p.model.y
        );
        _advance(project, p, t);
    }

    /// @inheritdoc ITrainingMarket
    function skip(uint256 project, uint256 round, uint256 omitted) external override nonReentrant {
        Project storage p = _inRound(project, round);
        Terms storage t = _terms[project];
        _requireFrom(p.submitDeadline);
        uint256 quorum = _quorum(t);
        if (p.submittedCount < quorum) {
            if (omitted != 0) revert InvalidOmission(omitted, p.submitted, t.faults);
        } else {
            if (omitted == 0) revert QuorumReached(p.submittedCount, quorum);
            _requireTurn(project, p);
            uint256 updates = _countWithout(p, t, omitted);
            if (updates >= quorum) revert QuorumReached(updates, quorum);
            Krum.Verdict memory none;
            _record(project, p, none, 0, omitted);
        }
        p.escrow += p.pot;
        p.pot = 0;
        emit RoundSkipped(project, round, p.submitted, omitted);
        _advance(project, p, t);
    }

    /// @inheritdoc ITrainingMarket
    function timeout(uint256 project, uint256 round) external override nonReentrant {
        Project storage p = _inRound(project, round);
        Terms storage t = _terms[project];
        _requireFrom(p.resultDeadline);
        if (p.submittedCount < _quorum(t)) revert QuorumMissed(p.submittedCount, _quorum(t));
        address late = _aggregators[project][p.aggregatorIndex];
        ++p.aggregatorIndex;
        bool halted = p.aggregatorIndex == p.aggregatorCount;
        p.resultDeadline = halted ? 0 : uint64(block.timestamp + t.resultWindow);
        uint256 slashed = _slash(project, t.token, late, _members[project][late].locked);
        p.pot += uint128(slashed);
        emit AggregatorTimedOut(project, round, late, slashed, p.resultDeadline);
        IReputationRegistry(reputation).recordAggregator(project, round, late, true);
        if (halted) _end(project, p, Status.Halted);
    }

    // Money out

    /// @inheritdoc ITrainingMarket
    function release(uint256 project) external override nonReentrant {
        Status status = _projects[project].status;
        if (status == Status.None || status == Status.Open || status == Status.Active) {
            revert WrongStatus(project, status);
        }
        uint256 amount = _members[project][msg.sender].locked;
        if (amount == 0) revert NothingToRelease(project, msg.sender);
        _members[project][msg.sender].locked = 0;
        emit Released(project, msg.sender, amount);
        IStakeVault(vault).unlock(_terms[project].token, msg.sender, amount);
    }

    /// @inheritdoc ITrainingMarket
    function claim(address token, address account) external override nonReentrant returns (uint256 amount) {
        amount = creditOf[token][account];
        if (amount == 0) revert NothingToClaim(token, account);
        creditOf[token][account] = 0;
        emit Claimed(token, account, amount);
        Payments.push(token, account, amount);
    }

    // Views

    /// @inheritdoc ITrainingMarket
    function projectOf(uint256 project) external view override returns (Project memory) {
        return _projects[project];
    }

    /// @inheritdoc ITrainingMarket
    function termsOf(uint256 project) external view override returns (Terms memory) {
        return _terms[project];
    }

    /// @inheritdoc ITrainingMarket
    function trainersOf(uint256 project) external view override returns (address[] memory bySlot) {
        bySlot = new address[](_terms[project].slots);
        for (uint256 slot = 0; slot < bySlot.length; ++slot) bySlot[slot] = _trainers[project][slot];
    }

    /// @inheritdoc ITrainingMarket
    function aggregatorsOf(uint256 project) external view override returns (address[] memory byIndex) {
        return _aggregators[project];
    }

    /// @inheritdoc ITrainingMarket
    function slotOf(uint256 project, address trainer) external view override returns (uint256) {
        return _members[project][trainer].slot;
    }

    /// @inheritdoc ITrainingMarket
    function aggregatorIndexOf(uint256 project, address aggregator) external view override returns (uint256) {
        return _members[project][aggregator].index;
    }

    /// @inheritdoc ITrainingMarket
    function lockedOf(uint256 project, address account) external view override returns (uint256) {
        return _members[project][account].locked;
    }

    /// @inheritdoc ITrainingMarket
    function submissionOf(
        uint256 project,
        uint256 round,
        uint256 slot
    ) external view override returns (bytes31 digest, uint256 position) {
        bytes32 submission = _submissions[project][round][slot];
        return (bytes31(submission), uint8(uint256(submission)));
    }

    // Members

    function _addMember(uint256 project, Member memory member) private {
        Member storage known = _members[project][msg.sender];
        if (known.slot != 0 || known.index != 0) revert AlreadyMember(project, msg.sender);
        _members[project][msg.sender] = member;
    }

    /// @dev A trainer that has submitted in this round stays: it may be struck for it.
    function _leaveAsTrainer(uint256 project, Project storage p, uint256 slot) private {
        if (uint256(p.submitted).has(slot)) revert AlreadySubmitted(slot);
        p.occupied &= ~uint16(1 << slot);
        --p.trainerCount;
        delete _trainers[project][slot];
        emit TrainerLeft(project, msg.sender, slot);
        if (p.status == Status.Active && block.timestamp < p.submitDeadline) _closeIfComplete(project, p);
    }

    /// @dev Those after it move up, so that the list stays in the order of joining and without holes (at most 8).
    function _leaveAsAggregator(uint256 project, Project storage p, uint256 index) private {
        if (p.status == Status.Active && index <= p.aggregatorIndex) revert WrongStatus(project, p.status);
        address[] storage list = _aggregators[project];
        for (uint256 i = index + 1; i < list.length; ++i) {
            list[i - 1] = list[i];
            _members[project][list[i]].index = uint8(i); // i - 1, + 1
        }
        list.pop();
        --p.aggregatorCount;
        emit AggregatorLeft(project, msg.sender, index);
    }

    // Rounds

    function _openRound(uint256 project, Project storage p, Terms storage t) private {
        ++p.round;
        p.submitted = 0;
        p.submittedCount = 0;
        p.submitDeadline = uint64(block.timestamp + t.submitWindow);
        p.resultDeadline = p.submitDeadline + t.resultWindow;
        emit RoundOpened(project, p.round, p.submitDeadline, p.resultDeadline);
    }

    /// @dev Nobody is waited for who has left.
    function _closeIfComplete(uint256 project, Project storage p) private {
        if (p.submitted != p.occupied) return;
        p.submitDeadline = uint64(block.timestamp);
        p.resultDeadline = uint64(block.timestamp + _terms[project].resultWindow);
    }

    /// @dev With fewer trainers than a quorum no later round can be paid (nobody joins an active project): it ends.
    function _advance(uint256 project, Project storage p, Terms storage t) private {
        if (p.round == t.rounds || p.trainerCount < _quorum(t)) _end(project, p, Status.Settled);
        else _openRound(project, p, t);
    }

    function _end(uint256 project, Project storage p, Status status) private {
        uint256 refund = uint256(p.escrow) + p.pot;
        p.status = status;
        p.escrow = 0;
        p.pot = 0;
        creditOf[_terms[project].token][p.owner] += refund;
        emit ProjectEnded(project, status, refund);
    }

    // A result

    /// @dev Checks proof and claims, moves the model's commitment.
    function _verify(
        uint256 project,
        Project storage p,
        Terms storage t,
        RoundResult calldata result
    ) private returns (Krum.Verdict memory) {
        Krum.Input memory input;
        input.submitted = p.submitted;
        input.omitted = result.omitted;
        input.gram = result.gram;
        bytes31[] memory commitments;
        (commitments, input.positions) = _readSubmissions(project, result.round, t.slots, result.omitted);
        p.model = IGramVerifier(gramVerifier).verify(
            t.circuit,
            commitments,
            result.merged,
            p.model,
            result.gram,
            result.proof
        );
        return
            RoundJudge(judge).judge(
                Krum.Rules({
                    slots: t.slots,
                    faults: t.faults,
                    maxNormSquared: t.maxNormSquared,
                    cosine: t.scoreRule == ScoreRule.Cosine,
                    strikeFactor: t.strikeFactor,
                    duplicateCosine: t.duplicateCosine
                }),
                input,
                Krum.Claims(result.merged, result.medianScoreSlot, result.medianNormSlot, result.neighbours)
            );
    }

    /// @dev An omitted slot enters the proof as an absent one.
    function _readSubmissions(
        uint256 project,
        uint256 round,
        uint256 slots,
        uint256 omitted
    ) private view returns (bytes31[] memory commitments, uint256[] memory positions) {
        commitments = new bytes31[](slots);
        positions = new uint256[](slots);
        for (uint256 slot = 0; slot < slots; ++slot) {
            bytes32 submission = _submissions[project][round][slot];
            positions[slot] = uint8(uint256(submission));
            if (!omitted.has(slot)) commitments[slot] = bytes31(submission);
        }
    }

    /// @dev Takes stake of the struck; nothing here can fail for one of them: the amount never exceeds what is locked.
    function _strike(
        uint256 project,
        Project storage p,
        Terms storage t,
        uint256 struck
    ) private returns (uint256 slashed) {
        uint256 loss = (uint256(t.trainerStake) * t.strikeSlash) / BASIS_POINTS;
        for (uint256 slot = 0; slot < t.slots; ++slot) {
            if (!struck.has(slot)) continue;
            address trainer = _trainers[project][slot];
            uint256 taken = Math.min(_members[project][trainer].locked, loss);
            emit TrainerStruck(project, p.round, trainer, taken);
            slashed += _slash(project, t.token, trainer, taken);
        }
    }

    /// @return received What arrived: a token that starts to keep a fee cannot make this contract owe what it lacks.
    function _slash(
        uint256 project,
        address token,
        address account,
        uint256 amount
    ) private returns (uint256 received) {
        if (amount == 0) return 0;
        _members[project][account].locked -= uint128(amount);
        uint256 before = Payments.balance(token);
        IStakeVault(vault).slash(token, account, amount);
        uint256 present = Payments.balance(token);
        return present > before ? Math.min(present - before, amount) : 0;
    }

    /// @dev Shares the round's budget, its pot and the stakes just slashed; what is left over stays in escrow.
    function _pay(
        uint256 project,
        Project storage p,
        Terms storage t,
        Krum.Verdict memory verdict,
        uint256 slashed
    ) private {
        uint256 budget = t.reward / t.rounds - t.aggregatorFee;
        uint256 pot = budget + p.pot + slashed;
        uint256 given = 0;
        for (uint256 slot = 0; slot < t.slots; ++slot) {
            uint256 contribution = verdict.contributions[slot];
            if (contribution == 0) continue;
            address trainer = _trainers[project][slot];
            // pot < 2^129, contribution < 2^100: the product fits.
            uint256 amount = (pot * contribution) / verdict.total;
            given += amount;
            creditOf[t.token][trainer] += amount;
            emit TrainerPaid(project, p.round, trainer, contribution, amount);
        }
        // Fits: terms bound the reward with all stakes and bonds to uint128 (TermsCheck).
        p.escrow = uint128(p.escrow + p.pot + slashed - given);
        p.pot = 0;
    }

    /// @dev Packs those judged or omitted into dense lists for the registry.
    function _record(
        uint256 project,
        Project storage p,
        Krum.Verdict memory verdict,
        uint256 merged,
        uint256 omitted
    ) private {
        uint256 named = verdict.contributions.length == 0 ? omitted : p.submitted;
        uint256 faulty = verdict.struck | omitted;
        address[] memory trainers = new address[](named.count());
        uint256[] memory shares = new uint256[](trainers.length);
        uint256 mergedMask = 0;
        uint256 faultMask = 0;
        uint256 slot = 0;
        for (uint256 i = 0; i < trainers.length; ++slot) {
            if (!named.has(slot)) continue;
            trainers[i] = _trainers[project][slot];
            if (verdict.total != 0) shares[i] = (SHARE_UNIT * verdict.contributions[slot]) / verdict.total;
            if (merged.has(slot)) mergedMask |= 1 << i;
            if (faulty.has(slot)) faultMask |= 1 << i;
            ++i;
        }
        IReputationRegistry(reputation).recordTrainers(project, p.round, trainers, shares, mergedMask, faultMask);
    }

    // Checks

    function _inStatus(uint256 project, Status status) private view returns (Project storage p) {
        p = _projects[project];
        if (p.status != status) revert WrongStatus(project, p.status);
    }

    function _inRound(uint256 project, uint256 round) private view returns (Project storage p) {
        p = _inStatus(project, Status.Active);
        if (p.round != round) revert WrongRound(round, p.round);
    }

    function _requireBefore(uint256 deadline) private view {
        if (block.timestamp >= deadline) revert DeadlinePassed(deadline, block.timestamp);
    }

    function _requireFrom(uint256 opens) private view {
        if (block.timestamp < opens) revert TooEarly(opens, block.timestamp);
    }

    function _requireTurn(uint256 project, Project storage p) private view {
        _requireBefore(p.resultDeadline);
        address current = _aggregators[project][p.aggregatorIndex];
        if (msg.sender != current) revert NotCurrentAggregator(msg.sender, current);
    }

    function _slotOfSender(uint256 project) private view returns (uint256) {
        uint256 slot = _members[project][msg.sender].slot;
        if (slot == 0) revert NotMember(project, msg.sender);
        return slot - 1;
    }

    function _countWithout(Project storage p, Terms storage t, uint256 omitted) private view returns (uint256) {
        uint256 count = omitted.count();
        if (!omitted.isWithin(p.submitted) || count > t.faults) {
            revert InvalidOmission(omitted, p.submitted, t.faults);
        }
        return p.submittedCount - count;
    }

    function _quorum(Terms storage t) private view returns (uint256) {
        return Krum.quorum(t.slots, t.faults);
    }
}
