// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Track record of one address as a trainer or an aggregator, over all projects.
struct Record {
    uint32 rounds; // trainer: rounds with a submission that was judged; aggregator: results accepted
    uint32 merged; // trainer: rounds in which its update was merged
    uint32 faults; // trainer: strikes and omissions; aggregator: time-outs
    uint128 contribution; // trainer: sum of its shares of the rounds, 1e6 = a whole round
}

interface IReputationRegistry {
    event TrainersRecorded(uint256 indexed project, uint256 indexed round);
    event AggregatorRecorded(uint256 indexed project, uint256 indexed round, address indexed aggregator, bool fault);

    // Market only.
    function recordTrainers(
        uint256 project,
        uint256 round,
        address[] calldata trainers, // those judged
        uint256[] calldata shares, // millionths
        uint256 merged, // bit masks over `trainers`
        uint256 faults
    ) external;
    function recordAggregator(uint256 project, uint256 round, address aggregator, bool fault) external;

    function trainerRecord(address trainer) external view returns (Record memory);
    function aggregatorRecord(address aggregator) external view returns (Record memory);
    function market() external view returns (address);
}
