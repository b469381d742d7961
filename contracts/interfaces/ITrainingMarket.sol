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

interface ITrainingMarket {
    event ProjectCreated(
        uint256 indexed project,
        address indexed owner,
        bytes32 indexed circuit,
        bytes32 spec,
        address token,
        uint256 reward
    );
    event TrainerJoined(uint256 indexed project, address indexed trainer, uint256 slot, bytes32 encryptionKey);
    event TrainerLeft(uint256 indexed project, address indexed trainer, uint256 slot);
    event AggregatorJoined(
        uint256 indexed project,
        address indexed aggregator,
        uint256 index,
        bytes32 encryptionKey,
        bytes contact
    );
    event AggregatorLeft(uint256 indexed project, address indexed aggregator, uint256 index);
    event RoundOpened(uint256 indexed project, uint256 indexed round, uint256 submitDeadline, uint256 resultDeadline);
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
    event KeyResealed(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 aggregatorIndex,
        bytes sealedKey
    );
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
    event TrainerPaid(
        uint256 indexed project,
        uint256 indexed round,
        address indexed trainer,
        uint256 contribution,
        uint256 amount
    );
    event TrainerStruck(uint256 indexed project, uint256 indexed round, address indexed trainer, uint256 slashed);
    event AggregatorTimedOut(
        uint256 indexed project,
        uint256 indexed round,
        address indexed aggregator,
        uint256 slashed,
        uint256 resultDeadline
    );
    event RoundSkipped(uint256 indexed project, uint256 indexed round, uint256 submitted, uint256 omitted);
    event ProjectEnded(uint256 indexed project, Status status, uint256 refund);
    event Released(uint256 indexed project, address indexed account, uint256 amount);
    event Claimed(address indexed token, address indexed account, uint256 amount);

    function create(Terms calldata terms) external payable returns (uint256 project);
    function join(uint256 project, bytes32 encryptionKey) external;
    function joinAsAggregator(uint256 project, bytes32 encryptionKey, bytes calldata contact) external;
    function leave(uint256 project) external;
    function cancel(uint256 project) external;
    function start(uint256 project) external;
    function submit(uint256 project, uint256 round, uint256 x, uint256 y, bytes32 blob) external;
    function reseal(uint256 project, uint256 round, bytes calldata sealedKey) external;
    function postResult(uint256 project, RoundResult calldata result) external;
    function skip(uint256 project, uint256 round, uint256 omitted) external;
    function timeout(uint256 project, uint256 round) external;
    function release(uint256 project) external;
    function claim(address token, address account) external returns (uint256 amount);

    function projectCount() external view returns (uint256);
    function projectOf(uint256 project) external view returns (Project memory);
    function termsOf(uint256 project) external view returns (Terms memory);
    function trainersOf(uint256 project) external view returns (address[] memory bySlot);
    function aggregatorsOf(uint256 project) external view returns (address[] memory byIndex);
    /// Slot + 1 of a trainer in a project, 0 if it is none.
    function slotOf(uint256 project, address trainer) external view returns (uint256);
    /// Index + 1 of an aggregator in a project, 0 if it is none.
    function aggregatorIndexOf(uint256 project, address aggregator) external view returns (uint256);
    /// What the vault still holds locked for this account in this project.
    function lockedOf(uint256 project, address account) external view returns (uint256);
    /// digest: first 31 bytes of keccak256(x, y); 0 where the slot has not submitted. position: order of submission, from 1.
    function submissionOf(uint256 project, uint256 round, uint256 slot)
        external
        view
        returns (bytes31 digest, uint256 position);
    function creditOf(address token, address account) external view returns (uint256);
    function vault() external view returns (address);
    function reputation() external view returns (address);
    function gramVerifier() external view returns (address);
}
