// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {
    ChunkFacts,
    ShownChunk,
    SketchEvidence,
    SketchFacts,
    SketchQuestion,
    SketchResult,
    UpdateChunk
} from "./interfaces/ISketch.sol";
import {
    Account,
    Arrivals,
    Challenge,
    ChallengeKind,
    Cohort,
    ITrainingMarket,
    Member,
    Opening,
    Outcome,
    Project,
    RoundResult,
    Terms
} from "./interfaces/ITrainingMarket.sol";
import {Arrival} from "./libraries/Arrival.sol";
import {G1} from "./libraries/BN254.sol";
import {MarketState, Parts} from "./libraries/MarketState.sol";
import {Permit} from "./libraries/Payments.sol";
import {Rounds} from "./libraries/Rounds.sol";
import {Challenges} from "./logic/Challenges.sol";
import {Complaints} from "./logic/Complaints.sol";
import {Membership} from "./logic/Membership.sol";
import {Results} from "./logic/Results.sol";
import {Settling} from "./logic/Settling.sol";
import {SketchChallenges} from "./logic/SketchChallenges.sol";
import {SketchComplaints} from "./logic/SketchComplaints.sol";
import {SketchRounds} from "./logic/SketchRounds.sol";
import {Submissions} from "./logic/Submissions.sol";
import {ReputationRegistry} from "./ReputationRegistry.sol";
import {StakeVault} from "./StakeVault.sol";

/// @title TrainingMarket
/// @notice The state machine of docs/protocol.md. No owner, no setter, no upgrade: a project's terms and this code are
/// all there is. Every state past a deadline can be moved on by anyone; all pay is pulled.
/// @dev Storage, the lock and the views are here; what each call does is in logic/, libraries linked at deployment that
/// work on this contract's storage. Every call that changes anything holds one lock, so a token, a wallet or a receiver
/// that calls back finds it taken.
contract TrainingMarket is ITrainingMarket, ReentrancyGuardTransient {
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

    MarketState private _state;

    /// @param verifier The GramVerifier.
    /// @param roundJudge The RoundJudge.
    /// @param unbondingDelay Seconds that stake takes to leave the vault; no window of a project may be longer.
    constructor(address verifier, address roundJudge, uint256 unbondingDelay) {
        if (verifier.code.length == 0) revert NoCode(verifier);
        if (roundJudge.code.length == 0) revert NoCode(roundJudge);
        if (unbondingDelay == 0 || unbondingDelay > MAX_UNBONDING_DELAY) revert InvalidUnbondingDelay(unbondingDelay);
        gramVerifier = verifier;
        judge = roundJudge;
        _longestWindow = unbondingDelay;
        vault = address(new StakeVault(unbondingDelay));
        reputation = address(new ReputationRegistry());
    }

    /// @notice Slashed native coin arrives here from the vault.
    receive() external payable {
        if (msg.sender != vault) revert UnexpectedPayment(msg.sender, msg.value);
    }

    // Before the start

    /// @inheritdoc ITrainingMarket
    function create(
        Terms calldata terms,
        Permit calldata permit
    ) external payable override nonReentrant returns (uint256 project) {
        return Membership.create(_state, _parts(), terms, permit);
    }

    /// @inheritdoc ITrainingMarket
    function join(uint256 project, bytes32 encryptionKey) external override nonReentrant {
        Membership.join(_state, _parts(), project, encryptionKey);
    }

    /// @inheritdoc ITrainingMarket
    function joinAsAggregator(
        uint256 project,
        bytes32 encryptionKey,
        bytes calldata contact,
        bytes32[] calldata listed
    ) external override nonReentrant {
        Membership.joinAsAggregator(_state, _parts(), project, encryptionKey, contact, listed);
    }

    /// @inheritdoc ITrainingMarket
    function leave(uint256 project) external override nonReentrant {
        Membership.leave(_state, _parts(), project);
    }

    /// @inheritdoc ITrainingMarket
    function cancel(uint256 project) external override nonReentrant {
        Membership.cancel(_state, project);
    }

    /// @inheritdoc ITrainingMarket
    function start(uint256 project) external override nonReentrant {
        Membership.start(_state, project);
    }

    /// @inheritdoc ITrainingMarket
    function draw(uint256 project) external override nonReentrant {
        Membership.draw(_state, project);
    }

    // A round

    /// @inheritdoc ITrainingMarket
    function submit(
        uint256 project,
        uint256 round,
        uint256 seat,
        bytes32 digest,
        bytes32 blob
    ) external override nonReentrant {
        Submissions.submit(_state, project, round, seat, digest, blob);
    }

    /// @inheritdoc ITrainingMarket
    function submitSigned(
        uint256 project,
        uint256 round,
        uint256 seat,
        address trainer,
        bytes32 digest,
        bytes32 blob,
        bytes calldata signature
    ) external override nonReentrant {
        Submissions.Submission memory submission = Submissions.Submission(trainer, digest, blob);
        Submissions.submitSigned(_state, project, round, seat, submission, signature);
    }

    /// @inheritdoc ITrainingMarket
    function submitReference(
        uint256 project,
        uint256 round,
        bytes32 digest,
        bytes32 blob
    ) external override nonReentrant {
        Submissions.submitReference(_state, project, round, digest, blob);
    }

    /// @inheritdoc ITrainingMarket
    function postBatch(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        bytes32 root,
        bytes32 list
    ) external override nonReentrant {
        Submissions.postBatch(_state, project, round, cohort, slots, root, list);
    }

    /// @inheritdoc ITrainingMarket
    function reseal(uint256 project, uint256 round, bytes calldata sealedKey) external override nonReentrant {
        Submissions.reseal(_state, project, round, sealedKey);
    }

    /// @inheritdoc ITrainingMarket
    function complain(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        Arrivals calldata arrivals
    ) external override nonReentrant {
        Complaints.complain(_state, _parts(), project, round, cohort, slots, arrivals);
    }

    /// @inheritdoc ITrainingMarket
    function answer(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot,
        G1 calldata commitment,
        Opening calldata opening
    ) external override nonReentrant {
        Complaints.answer(_state, _parts(), project, [round, cohort, slot], commitment, opening);
    }

    /// @inheritdoc ITrainingMarket
    function postResult(uint256 project, RoundResult calldata result) external override nonReentrant {
        // Passed on as it came: the compiler would copy each list word by word.
        bytes calldata encoded;
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            encoded.offset := result
            encoded.length := sub(calldatasize(), result)
        }
        Results.postResult(_state, _parts(), project, encoded);
    }

    /// @inheritdoc ITrainingMarket
    function drawSketch(uint256 project, uint256 round) external override nonReentrant {
        SketchRounds.drawSketch(_state, project, round);
    }

    /// @inheritdoc ITrainingMarket
    function complainChunks(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slots,
        uint32[] calldata chunks,
        Arrivals calldata arrivals
    ) external override nonReentrant {
        SketchComplaints.complainChunks(_state, _parts(), project, [round, cohort, slots], chunks, arrivals);
    }

    /// @inheritdoc ITrainingMarket
    function answerChunk(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot,
        UpdateChunk calldata given
    ) external override nonReentrant {
        SketchComplaints.answerChunk(_state, _parts(), project, [round, cohort, slot], given);
    }

    /// @inheritdoc ITrainingMarket
    function postSketchResult(uint256, RoundResult calldata, SketchResult calldata) external override nonReentrant {
        // Passed on as it came, as all that follows of nested structs.
        SketchRounds.postSketchResult(_state, _parts(), msg.data[4:]);
    }

    /// @inheritdoc ITrainingMarket
    function skip(uint256 project, uint256 round, uint256 cohort) external override nonReentrant {
        Results.skip(_state, _parts(), project, round, cohort);
    }

    /// @inheritdoc ITrainingMarket
    function timeout(uint256 project, uint256 round) external override nonReentrant {
        Results.timeout(_state, _parts(), project, round);
    }

    // After a round

    /// @inheritdoc ITrainingMarket
    function challenge(
        uint256 project,
        ChallengeKind kind,
        uint256 cohort,
        Outcome[] calldata outcomes
    ) external override nonReentrant {
        Challenges.challenge(_state, _parts(), project, kind, cohort, outcomes);
    }

    /// @inheritdoc ITrainingMarket
    function answerModel(uint256 project, Opening calldata opening) external override nonReentrant {
        Challenges.answerModel(_state, _parts(), project, opening);
    }

    /// @inheritdoc ITrainingMarket
    function answerProof(
        uint256 project,
        uint256[] calldata gram,
        bytes calldata proof
    ) external override nonReentrant {
        Challenges.answerProof(_state, _parts(), project, gram, proof);
    }

    /// @inheritdoc ITrainingMarket
    function challengeSketch(
        uint256,
        ChallengeKind,
        SketchQuestion calldata,
        Outcome[] calldata
    ) external override nonReentrant {
        SketchChallenges.challengeSketch(_state, _parts(), msg.data[4:]);
    }

    /// @inheritdoc ITrainingMarket
    function showChunk(uint256, ChunkFacts calldata, ShownChunk calldata) external override nonReentrant {
        SketchChallenges.showChunk(_state, _parts(), msg.data[4:]);
    }

    /// @inheritdoc ITrainingMarket
    function answerSketch(
        uint256 project,
        SketchFacts calldata facts,
        uint256[] calldata values,
        G1 calldata proof
    ) external override nonReentrant {
        SketchChallenges.answerSketch(_state, _parts(), project, facts, values, proof);
    }

    /// @inheritdoc ITrainingMarket
    function refuteSketch(
        uint256,
        SketchFacts calldata,
        uint256,
        uint256[] calldata,
        SketchEvidence calldata
    ) external override nonReentrant {
        SketchChallenges.refuteSketch(_state, _parts(), msg.data[4:]);
    }

    /// @inheritdoc ITrainingMarket
    function closeSketch(uint256 project) external override nonReentrant {
        SketchChallenges.closeSketch(_state, _parts(), project);
    }

    /// @inheritdoc ITrainingMarket
    function undo(uint256 project, Outcome[] calldata outcomes) external override nonReentrant {
        Challenges.undo(_state, _parts(), project, outcomes);
    }

    // Money out

    /// @inheritdoc ITrainingMarket
    function reveal(uint256 project, bytes32 validation, bytes32 salt) external override nonReentrant {
        Settling.reveal(_state, project, validation, salt);
    }

    /// @inheritdoc ITrainingMarket
    function settle(uint256 project) external override nonReentrant {
        Settling.settle(_state, project);
    }

    /// @inheritdoc ITrainingMarket
    function release(uint256 project) external override nonReentrant {
        Settling.release(_state, _parts(), project);
    }

    /// @inheritdoc ITrainingMarket
    function claim(uint256 project, address account) external override nonReentrant returns (uint256 amount) {
        return Settling.claim(_state, project, account);
    }

    // Views

    /// @inheritdoc ITrainingMarket
    function projectCount() external view override returns (uint256) {
        return _state.projectCount;
    }

    /// @inheritdoc ITrainingMarket
    function projectOf(uint256 project) external view override returns (Project memory) {
        return _state.projects[project];
    }

    /// @inheritdoc ITrainingMarket
    function termsOf(uint256 project) external view override returns (Terms memory) {
        return _state.terms[project];
    }

    /// @inheritdoc ITrainingMarket
    function cohortOf(uint256 project, uint256 cohort) external view override returns (Cohort memory found) {
        if (_state.cohorts[project][cohort].round == _state.projects[project].round) {
            found = _state.cohorts[project][cohort];
        }
    }

    /// @inheritdoc ITrainingMarket
    function challengeOf(uint256 project) external view override returns (Challenge memory) {
        return _state.challenges[project];
    }

    /// @inheritdoc ITrainingMarket
    function trainerOf(uint256 project, uint256 number) external view override returns (Account memory) {
        return _state.trainers[project][number];
    }

    /// @inheritdoc ITrainingMarket
    function numberOf(uint256 project, uint256 round, uint256 seat) external view override returns (uint256 number) {
        number = Rounds.number(_state.projects[project], round, seat);
        if (number == Rounds.NONE) revert NotYourSeat(seat, address(0));
    }

    /// @inheritdoc ITrainingMarket
    function aggregatorsOf(uint256 project) external view override returns (Account[] memory byIndex) {
        byIndex = new Account[](_state.projects[project].aggregatorCount);
        for (uint256 i = 0; i < byIndex.length; ++i) byIndex[i] = _state.aggregators[project][i];
    }

    /// @inheritdoc ITrainingMarket
    function membershipOf(uint256 project, address account) external view override returns (Member memory) {
        return _state.members[project][account];
    }

    /// @inheritdoc ITrainingMarket
    function claimable(uint256 project, address account) external view override returns (uint256) {
        return Settling.claimable(_state, project, account);
    }

    /// @inheritdoc ITrainingMarket
    function complaintOf(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot
    ) external view override returns (bytes32 digest) {
        return _state.complaints[project][Complaints.place(round, cohort, slot)];
    }

    /// @inheritdoc ITrainingMarket
    function complainedChunkOf(
        uint256 project,
        uint256 round,
        uint256 cohort,
        uint256 slot
    ) external view override returns (uint256 chunk) {
        return SketchComplaints.chunkOf(_state, project, [round, cohort, slot]);
    }

    /// @inheritdoc ITrainingMarket
    function standingAnswerOf(uint256 project) external view override returns (bytes32 values) {
        return _state.sketchAnswers[project];
    }

    /// @inheritdoc ITrainingMarket
    function signedHash(uint256 project, uint256 round, bytes32 digest) external view override returns (bytes32) {
        return Arrival.signedHash(project, round, digest);
    }

    /// @inheritdoc ITrainingMarket
    function relayedHash(
        uint256 project,
        uint256 round,
        bytes32 digest,
        bytes32 blob
    ) external view override returns (bytes32) {
        return Arrival.relayedHash(project, round, digest, blob);
    }

    function _parts() private view returns (Parts memory) {
        return Parts(vault, reputation, gramVerifier, _longestWindow);
    }
}
