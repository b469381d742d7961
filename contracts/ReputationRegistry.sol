// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IReputationRegistry, Record} from "./interfaces/IReputationRegistry.sol";
import {Reputation} from "./libraries/Reputation.sol";

/// @title ReputationRegistry
/// @notice Created by the market in its constructor; nobody owns it.
contract ReputationRegistry is IReputationRegistry {
    using Reputation for Record;

    /// @inheritdoc IReputationRegistry
    address public immutable override market;

    // A record's field `score` holds the weight that Reputation makes the score of.
    mapping(address trainer => Record) private _trainers;
    mapping(address aggregator => Record) private _aggregators;

    modifier onlyMarket() {
        if (msg.sender != market) revert NotMarket(msg.sender);
        _;
    }

    constructor() {
        market = msg.sender;
    }

    /// @inheritdoc IReputationRegistry
    function recordTrainer(uint256 project, address trainer, uint256 contribution) external override onlyMarket {
        _trainers[trainer] = _trainers[trainer].grown(contribution, block.timestamp);
        emit TrainerRecorded(project, trainer, contribution);
    }

    /// @inheritdoc IReputationRegistry
    function recordAggregator(uint256 project, address aggregator, uint256 rounds) external override onlyMarket {
        // Beyond 64 bits both saturate alike; within them the product cannot overflow.
        uint256 contribution = rounds > type(uint64).max ? rounds : rounds * Reputation.WHOLE_ROUND;
        _aggregators[aggregator] = _aggregators[aggregator].grown(contribution, block.timestamp);
        emit AggregatorRecorded(project, aggregator, rounds);
    }

    /// @inheritdoc IReputationRegistry
    function recordFault(uint256 project, address account, bool asAggregator) external override onlyMarket {
        mapping(address => Record) storage records = asAggregator ? _aggregators : _trainers;
        records[account] = records[account].faulted(block.timestamp);
        emit FaultRecorded(project, account, asAggregator);
    }

    /// @inheritdoc IReputationRegistry
    function trainerRecord(address trainer) external view override returns (Record memory) {
        return _current(_trainers[trainer]);
    }

    /// @inheritdoc IReputationRegistry
    function aggregatorRecord(address aggregator) external view override returns (Record memory) {
        return _current(_aggregators[aggregator]);
    }

    /// @inheritdoc IReputationRegistry
    function scoreOf(address trainer) external view override returns (uint256) {
        return _current(_trainers[trainer]).score;
    }

    function _current(Record memory record) private view returns (Record memory) {
        record.score = uint64(Reputation.score(record.score, record.updatedAt, block.timestamp));
        return record;
    }
}
