// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Account, Challenge, Cohort, Member, Project, Terms} from "../interfaces/ITrainingMarket.sol";

/// @notice All that the market stores. The logic libraries work on it by delegatecall.
struct MarketState {
    uint256 projectCount;
    mapping(uint256 project => Terms) terms;
    mapping(uint256 project => Project) projects;
    mapping(uint256 project => mapping(uint256 number => Account)) trainers;
    /// @dev By index, below `Project.aggregatorCount`: no length is read or written.
    mapping(uint256 project => mapping(uint256 index => Account)) aggregators;
    mapping(uint256 project => mapping(address account => Member)) members;
    mapping(uint256 project => mapping(uint256 cohort => Cohort)) cohorts;
    /// @dev Key: keccak-free, round * 2^16 + cohort * 2^8 + slot (K: the reference).
    mapping(uint256 project => mapping(uint256 place => bytes32 digest)) complaints;
    mapping(uint256 project => Challenge) challenges;
    /// @dev Sketch path. 16 bits a slot; key: `complaints`' for slot 0.
    mapping(uint256 project => mapping(uint256 place => uint256 chunks)) complainedChunks;
    /// @dev Sketch path: questions, by keccak256 of project, kind and hash of the facts, which name the round.
    mapping(bytes32 question => bool) asked;
    /// @dev Sketch path: hash of the values of the answer that stands.
    mapping(uint256 project => bytes32 values) sketchAnswers;
    /// @dev What the market owes of each ERC-20 in all: where a token shrinks by itself, everyone bears it alike.
    mapping(address token => uint256) held;
}

/// @notice The contracts that the market works with, and its longest window in seconds.
struct Parts {
    address vault;
    address reputation;
    address gramVerifier;
    uint256 longestWindow;
}
