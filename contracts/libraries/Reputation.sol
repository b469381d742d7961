// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Record} from "../interfaces/IReputationRegistry.sol";

/// @title The score's integers. Twin: marketplace/protocol/reputation.py
/// @dev H: the half-life. g(t) = 2^n * (1 + r / H) at the time t = n * H + r. A record keeps in its field `score`
/// a weight: the sum of the contributions times g of their times, divided by 2^n of its last write. The score at t is
/// weight / g(t). As g depends on the clock alone (2^(t / H), linear between whole half-lives), nobody slows the decay
/// by writing often.
library Reputation {
    uint256 internal constant HALF_LIFE = 180 days;
    uint256 internal constant WHOLE_ROUND = 1e6;

    /// @notice The score that a record with this weight, written at `since`, has at `time`; rounded down.
    function score(uint256 weight, uint256 since, uint256 time) internal pure returns (uint256) {
        return (carried(weight, since, time) * HALF_LIFE) / (HALF_LIFE + (time % HALF_LIFE));
    }

    /// @notice A weight of time `since` as of `time`: halved for each multiple of the half-life in between.
    function carried(uint256 weight, uint256 since, uint256 time) internal pure returns (uint256) {
        return weight >> (time / HALF_LIFE - since / HALF_LIFE);
    }

    /// @notice A project's contribution added at `time`; everything saturates.
    function grown(Record memory record, uint256 contribution, uint256 time) internal pure returns (Record memory) {
        uint256 part = _least(contribution, type(uint64).max);
        uint256 weight =
            carried(record.score, record.updatedAt, time) + (part * (HALF_LIFE + (time % HALF_LIFE))) / HALF_LIFE;
        if (record.projects < type(uint32).max) ++record.projects;
        record.contribution = uint64(_least(record.contribution + part, type(uint64).max));
        record.score = uint64(_least(weight, type(uint64).max));
        record.updatedAt = uint40(time);
        return record;
    }

    /// @notice A fault at `time`: half of the score is gone.
    function faulted(Record memory record, uint256 time) internal pure returns (Record memory) {
        if (record.faults < type(uint32).max) ++record.faults;
        record.score = uint64(carried(record.score, record.updatedAt, time) / 2);
        record.updatedAt = uint40(time);
        return record;
    }

    function _least(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
