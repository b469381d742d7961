// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice Track record of one address as a trainer or an aggregator, over all projects. Numbers saturate.
struct Record {
    uint32 projects; // that it was paid or released from in this role
    uint32 faults; // trainer: strikes and withheld updates; aggregator: time-outs and undone rounds
    uint64 contribution; // trainer: sum of its shares; aggregator: accepted results; 1e6 = a whole round
    uint64 score; // in the same unit: decayed, and halved by each fault
    uint40 updatedAt; // seconds
}

/// @title Track record of trainers and aggregators, written by the market only
/// @notice The score's rule (contracts/libraries/Reputation.sol has the integers):
/// - a new address has 0, the least there is: nobody gains by starting anew;
/// - it grows by the contribution, linearly: the same work spread over several addresses scores no more in sum;
/// - a fault halves it;
/// - it halves in 180 days, never grows by waiting, and how often it is written makes no difference to its decay.
/// It says how much proven work an address did, not for whom: who pays for a project of its own (aggregator, proofs,
/// gas) earns score in it. A stake deters what a score cannot.
interface IReputationRegistry {
    /// @notice A trainer's part in a project was added to its record.
    event TrainerRecorded(uint256 indexed project, address indexed trainer, uint256 contribution);
    /// @notice An aggregator's accepted results of a project were added to its record.
    event AggregatorRecorded(uint256 indexed project, address indexed aggregator, uint256 rounds);
    /// @notice A trainer, or an aggregator, broke a rule.
    event FaultRecorded(uint256 indexed project, address indexed account, bool asAggregator);

    /// @notice Only the market may write.
    error NotMarket(address caller);

    /// @notice Adds a trainer's part in a whole project. Market only; once for each project and trainer.
    /// @param contribution Sum of its shares of rounds, 1e6 = a whole round.
    function recordTrainer(uint256 project, address trainer, uint256 contribution) external;

    /// @notice Adds an aggregator's part in a whole project. Market only; once for each project and aggregator.
    /// @param rounds Results that were accepted and stand.
    function recordAggregator(uint256 project, address aggregator, uint256 rounds) external;

    /// @notice Counts a fault and halves the score. Market only.
    function recordFault(uint256 project, address account, bool asAggregator) external;

    /// @notice The record of an address as a trainer; its score as of this block.
    function trainerRecord(address trainer) external view returns (Record memory);

    /// @notice The record of an address as an aggregator; its score as of this block.
    function aggregatorRecord(address aggregator) external view returns (Record memory);

    /// @notice The score of an address as a trainer, as of this block: what a project's floor is compared with.
    function scoreOf(address trainer) external view returns (uint256);

    /// @notice The market that writes here.
    function market() external view returns (address);
}
