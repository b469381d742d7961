// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IReputationRegistry, Record} from "./interfaces/IReputationRegistry.sol";
import {BitMask} from "./libraries/BitMask.sol";

/// @title ReputationRegistry
/// @notice Created by the market in its constructor; nobody owns it.
contract ReputationRegistry is IReputationRegistry {
    using BitMask for uint256;

    /// @inheritdoc IReputationRegistry
    address public immutable override market;

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
    function recordTrainers(
        uint256 project,
        uint256 round,
        address[] calldata trainers,
        uint256[] calldata shares,
        uint256 merged,
        uint256 faults
    ) external override onlyMarket {
        for (uint256 i = 0; i < trainers.length; ++i) {
            Record storage record = _trainers[trainers[i]];
            ++record.rounds;
            if (merged.has(i)) ++record.merged;
            if (faults.has(i)) ++record.faults;
            // A share is at most a million, so 2^128 is out of reach, as 2^32 rounds are.
            record.contribution += uint128(shares[i]);
        }
        emit TrainersRecorded(project, round);
    }

    /// @inheritdoc IReputationRegistry
    function recordAggregator(
        uint256 project,
        uint256 round,
        address aggregator,
        bool fault
    ) external override onlyMarket {
        if (fault) ++_aggregators[aggregator].faults;
        else ++_aggregators[aggregator].rounds;
        emit AggregatorRecorded(project, round, aggregator, fault);
    }

    /// @inheritdoc IReputationRegistry
    function trainerRecord(address trainer) external view override returns (Record memory) {
        return _trainers[trainer];
    }

    /// @inheritdoc IReputationRegistry
    function aggregatorRecord(address aggregator) external view override returns (Record memory) {
        return _aggregators[aggregator];
    }
}
