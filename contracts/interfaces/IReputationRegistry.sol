// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Track record of one address as a trainer or an aggregator, over all projects.
struct Record {
    uint32 rounds; // trainer: rounds with a submission that was judged or omitted; aggregator: results accepted
    uint32 merged; // trainer: rounds in which its update was merged
    uint32 faults; // trainer: strikes and omissions; aggregator: time-outs
    uint128 contribution; // trainer: sum of its shares of the rounds, 1e6 = a whole round
}

/// @title Track record of trainers and aggregators, written by the market only
interface IReputationRegistry {
    /// @notice The trainers of a round's result, or those omitted in a skip, were recorded.
    event TrainersRecorded(uint256 indexed project, uint256 indexed round);
    /// @notice An aggregator's result was accepted, or (`fault`) it let its deadline pass.
    event AggregatorRecorded(uint256 indexed project, uint256 indexed round, address indexed aggregator, bool fault);

    /// @notice Only the market may write.
    error NotMarket(address caller);

    /// @notice Adds one round to each trainer's record. Market only.
    /// @param trainers Those whose submission was judged or omitted.
    /// @param shares Of the round, by trainer, in millionths.
    /// @param merged Bit mask over `trainers`.
    /// @param faults Bit mask over `trainers`: struck or omitted.
    function recordTrainers(
        uint256 project,
        uint256 round,
        address[] calldata trainers,
        uint256[] calldata shares,
        uint256 merged,
        uint256 faults
    ) external;

    /// @notice Adds an accepted result, or a time-out, to an aggregator's record. Market only.
    function recordAggregator(uint256 project, uint256 round, address aggregator, bool fault) external;

    /// @notice The record of an address as a trainer.
    function trainerRecord(address trainer) external view returns (Record memory);

    /// @notice The record of an address as an aggregator; its `merged` and `contribution` stay 0.
    function aggregatorRecord(address aggregator) external view returns (Record memory);

    /// @notice The market that writes here.
    function market() external view returns (address);
}
