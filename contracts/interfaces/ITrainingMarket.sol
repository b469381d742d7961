// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {G1} from "../libraries/BN254.sol";

enum Status {
    None,
    Open,
    Active,
    Settled,
    Cancelled,
    Halted
}

enum ScoreRule {
    Projection,
    Cosine
}

/// @notice What an owner fixes when it posts a project. Nothing in it can change afterwards.
struct Terms {
    address token; // address(0): native coin
    uint128 reward; // whole escrow, the aggregators' fees included
    uint128 trainerStake;
    uint128 aggregatorBond;
    uint128 aggregatorFee; // for each proved round
    bytes32 spec; // sha2-256 digest of the spec's CIDv0
    bytes32 circuit; // digest in the GramVerifier
    uint8 slots; // K
    uint8 faults; // f
    uint16 rounds; // T
    uint32 joinWindow; // seconds
    uint32 submitWindow;
    uint32 resultWindow;
    ScoreRule scoreRule;
    uint16 strikeFactor; // hundredths of the median Krum score; 0: no strikes by score
    uint16 strikeSlash; // basis points of the trainer's stake
    uint16 duplicateCosine; // basis points; 0: no near-duplicate rule
    uint64 maxNormSquared; // N_max
    G1 initialModel; // M_0
}

/// @notice A project's state.
struct Project {
    address owner;
    Status status;
    uint16 round; // the round under way, from 1; 0 before the start
    uint8 trainerCount; // occupied slots
    uint8 aggregatorCount;
    uint8 aggregatorIndex; // the current aggregator
    uint8 submittedCount;
    uint64 joinDeadline;
    uint64 submitDeadline;
    uint64 resultDeadline;
    uint16 occupied; // bit mask of slots
    uint16 submitted; // bit mask of slots, this round
    uint128 escrow; // of the reward, not yet credited
    uint128 pot; // slashed bonds of this round, not yet credited
    G1 model; // commitment of the current global model
}

/// @notice The result of a round, as its aggregator posts it.
struct RoundResult {
    uint16 round;
    uint16 omitted; // submitted slots that could not be opened; at most f
    uint16 merged;
    uint8 medianScoreSlot; // a slot whose Krum score is the median
    uint8 medianNormSlot; // a slot whose norm is the median
    bytes32 model; // sha2-256 digest of the new model's CIDv0
    uint16[] neighbours; // by slot: the n - f - 2 nearest present slots; 0 for a slot that is not present
    uint256[] gram; // upper triangle, field elements
    bytes proof;
}

/// @title Projects, rounds, escrow and credits: the market's state machine (docs/protocol.md)
interface ITrainingMarket {
    /// @notice A project is open; its whole reward is in escrow.
    event ProjectCreated(
        uint256 indexed project,
        address indexed owner,
        bytes32 indexed circuit,
        bytes32 spec,
        address token,
        uint256 reward
    );
    /// @notice A trainer took a slot; `encryptionKey` is its X25519 public key.
    event TrainerJoined(uint256 indexed project, address indexed trainer, uint256 slot, bytes32 encryptionKey);
    /// @notice A trainer left; its stake is free. While Open the slot can be taken again.
    event TrainerLeft(uint256 indexed project, address indexed trainer, uint256 slot);
    /// @notice An aggregator was appended to the list. `contact`: addresses of its storage node, at most 256 bytes.
    event AggregatorJoined(
        uint256 indexed project,
        address indexed aggregator,
        uint256 index,
        bytes32 encryptionKey,
        bytes contact
    );
    /// @notice An aggregator left the list; those after `index` moved up by one.
    event AggregatorLeft(uint256 indexed project, address indexed aggregator, uint256 index);
    /// @notice A round's submissions are open. Both deadlines move up if the last awaited submission comes early.
    event RoundOpened(uint256 indexed project, uint256 indexed round, uint256 submitDeadline, uint256 resultDeadline);
    /// @notice A commitment (x, y) and the digest of the sealed update's CIDv0. `position` counts from 1.
    event UpdateSubmitted(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 slot,
        uint256 position,
        uint256 x,
        uint256 y,
        bytes32 blob
    );
    /// @notice An update's key, sealed to the aggregator that took over (80 bytes).
    event KeyResealed(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 aggregatorIndex,
        bytes sealedKey
    );
    /// @notice A proved result was accepted. Masks of slots; (x, y) is the new model's commitment, `model` its CID's
    /// digest.
    event ResultPosted(
        uint256 indexed project,
        uint256 indexed round,
        address indexed aggregator,
        uint256 omitted,
        uint256 merged,
        uint256 struck,
        uint256 fee,
        bytes32 model,
        uint256 x,
        uint256 y
    );
    /// @notice A merged trainer with a contribution was credited. Not emitted for a contribution of 0.
    event TrainerPaid(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 contribution,
        uint256 amount
    );
    /// @notice A trainer was struck; `slashed` of its stake went to the round's pot.
    event TrainerStruck(uint256 indexed project, uint256 indexed round, address indexed trainer, uint256 slashed);
    /// @notice The aggregator let its deadline pass; its bond went to the pot. `resultDeadline` is the next one's, 0
    /// if none is left.
    event AggregatorTimedOut(
        uint256 indexed project,
        uint256 indexed round,
        address indexed aggregator,
        uint256 slashed,
        uint256 resultDeadline
    );
    /// @notice A round ended without a result. Masks of slots.
    event RoundSkipped(uint256 indexed project, uint256 indexed round, uint256 submitted, uint256 omitted);
    /// @notice The project reached `status`; the owner was credited `refund`.
    event ProjectEnded(uint256 indexed project, Status status, uint256 refund);
    /// @notice Stake or bond of an ended project became free in the vault.
    event Released(uint256 indexed project, address indexed account, uint256 amount);
    /// @notice A credit was paid out.
    event Claimed(address indexed token, address indexed account, uint256 amount);

    /// @notice A term is out of range; `term` is its name, or what is wrong with it.
    error InvalidTerms(bytes32 term, uint256 value);
    /// @notice The project is not in a state that allows this.
    error WrongStatus(uint256 project, Status status);
    /// @notice Another round is under way.
    error WrongRound(uint256 given, uint256 current);
    /// @notice The deadline is over.
    error DeadlinePassed(uint256 deadline, uint256 time);
    /// @notice It is too early.
    error TooEarly(uint256 opens, uint256 time);
    /// @notice The account already has a part in this project.
    error AlreadyMember(uint256 project, address account);
    /// @notice The account has no such part in this project.
    error NotMember(uint256 project, address account);
    /// @notice All slots, or all places for aggregators, are taken.
    error Full(uint256 project, uint256 places);
    /// @notice Neither the owner while Open, nor anyone while `start` is impossible.
    error CannotCancel(uint256 project, address caller);
    /// @notice Too few trainers or no aggregator.
    error CannotStart(uint256 trainers, uint256 needed, uint256 aggregators);
    /// @notice The slot has submitted in this round.
    error AlreadySubmitted(uint256 slot);
    /// @notice The slot has not submitted in this round.
    error NotSubmitted(uint256 slot);
    /// @notice The commitment is not a point on the curve.
    error NotOnCurve(uint256 x, uint256 y);
    /// @notice Bytes of a wrong length.
    error InvalidLength(uint256 length, uint256 expected);
    /// @notice It is another aggregator's turn.
    error NotCurrentAggregator(address caller, address current);
    /// @notice Omitted slots must have submitted and be at most f.
    error InvalidOmission(uint256 omitted, uint256 submitted, uint256 faults);
    /// @notice Too few updates for a result.
    error QuorumMissed(uint256 updates, uint256 quorum);
    /// @notice Enough updates for a result: the round cannot be skipped.
    error QuorumReached(uint256 updates, uint256 quorum);
    /// @notice The account has nothing locked here.
    error NothingToRelease(uint256 project, address account);
    /// @notice The account has no credit.
    error NothingToClaim(address token, address account);
    /// @notice Native coin comes from the vault or with `create`, never alone.
    error UnexpectedPayment(address sender, uint256 amount);
    /// @notice The unbonding delay is 0 or beyond 30 days.
    error InvalidUnbondingDelay(uint256 delay);
    /// @notice The verifier's address has no code.
    error NoVerifier(address gramVerifier);

    /// @notice Posts a project and escrows its whole reward. Who joins checks `spec` against the terms.
    /// @return project Its number, from 1.
    function create(Terms calldata terms) external payable returns (uint256 project);

    /// @notice Takes the lowest free slot and locks the stake in the vault. Open, before the join deadline.
    function join(uint256 project, bytes32 encryptionKey) external;

    /// @notice Locks the bond and appends the caller to the list of aggregators. Open before the join deadline, or
    /// Active.
    function joinAsAggregator(uint256 project, bytes32 encryptionKey, bytes calldata contact) external;

    /// @notice Leaves with the whole stake or bond: anyone while Open; while Active a trainer that has not submitted
    /// in this round (its slot stays empty) and an aggregator whose turn has not come.
    function leave(uint256 project) external;

    /// @notice Ends an Open project with a full refund: its owner at any time, anyone once it can no longer start.
    function cancel(uint256 project) external;

    /// @notice Opens round 1: with an aggregator and all slots taken, or a quorum of them after the join deadline.
    function start(uint256 project) external;

    /// @notice Commits to an update; once a round. The last awaited submission closes the window at once.
    /// @param x,y The commitment, on the curve. `blob`: sha2-256 digest of the sealed update's CIDv0.
    function submit(uint256 project, uint256 round, uint256 x, uint256 y, bytes32 blob) external;

    /// @notice Hands the update's key, sealed to the current aggregator, to it: an event, no state. After the window.
    function reseal(uint256 project, uint256 round, bytes calldata sealedKey) external;

    /// @notice Proves a round and settles it: credits, fee, strikes, reputation, model; the next round or the end.
    function postResult(uint256 project, RoundResult calldata result) external;

    /// @notice Ends a round without pay: anyone where a quorum is missing; the current aggregator where it is
    /// missing without `omitted` (at most f). Settles the project where no later round can reach a quorum.
    function skip(uint256 project, uint256 round, uint256 omitted) external;

    /// @notice Slashes an aggregator that let the result deadline pass; the next one takes over, or the project halts.
    function timeout(uint256 project, uint256 round) external;

    /// @notice Frees the caller's stake or bond in the vault once the project has ended.
    function release(uint256 project) external;

    /// @notice Pays an account's credit to it; anyone may call.
    function claim(address token, address account) external returns (uint256 amount);

    /// @notice Number of projects; they are numbered from 1.
    function projectCount() external view returns (uint256);

    /// @notice A project's state; all zero where there is none.
    function projectOf(uint256 project) external view returns (Project memory);

    /// @notice A project's terms, as posted.
    function termsOf(uint256 project) external view returns (Terms memory);

    /// @notice The trainers, K entries by slot, zero where a slot is empty.
    function trainersOf(uint256 project) external view returns (address[] memory bySlot);

    /// @notice The aggregators in the order of their turns, those whose turn is over included.
    function aggregatorsOf(uint256 project) external view returns (address[] memory byIndex);

    /// @notice Slot + 1 of a trainer in a project, 0 if it is none.
    function slotOf(uint256 project, address trainer) external view returns (uint256);

    /// @notice Index + 1 of an aggregator in a project, 0 if it is none.
    function aggregatorIndexOf(uint256 project, address aggregator) external view returns (uint256);

    /// @notice What the vault still holds locked for this account in this project.
    function lockedOf(uint256 project, address account) external view returns (uint256);

    /// @notice digest: first 31 bytes of keccak256(x, y); 0 where the slot has not submitted. position: order of
    /// submission, from 1.
    function submissionOf(
        uint256 project,
        uint256 round,
        uint256 slot
    ) external view returns (bytes31 digest, uint256 position);

    /// @notice What an account may claim.
    function creditOf(address token, address account) external view returns (uint256);

    /// @notice The stake vault, created by this contract.
    function vault() external view returns (address);

    /// @notice The reputation registry, created by this contract.
    function reputation() external view returns (address);

    /// @notice The verifier of results.
    function gramVerifier() external view returns (address);

    /// @notice The RoundJudge, created by this contract: the rules from G to pay.
    function judge() external view returns (address);
}
