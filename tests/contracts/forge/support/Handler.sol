// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Project, RoundResult, Status, Terms} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254, G1} from "../../../../contracts/libraries/BN254.sol";
import {MarketFixture} from "./MarketFixture.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Plays all roles at random, sensible and senseless, and remembers what was once promised.
contract Handler is MarketFixture {
    uint256 private constant MAX_PROJECTS = 8;

    address[] private _tokens;
    /// @dev What was seen of a submission after its window closed.
    mapping(uint256 => mapping(uint256 => mapping(uint256 => bytes32))) private _sealed;
    /// @dev By token: all that ever came in from and went out to accounts.
    mapping(address => uint256) private _in;
    mapping(address => uint256) private _out;
    /// @notice How often something happened.
    mapping(bytes32 => uint256) public reached;

    function setUp() public override {
        super.setUp();
        _tokens.push(address(0));
        _tokens.push(address(new PlainToken()));
        _fresh(0);
        _fresh(1);
    }

    function selectors() external pure returns (bytes4[] memory list) {
        list = new bytes4[](14);
        list[0] = this.submit.selector;
        list[1] = this.submit.selector;
        list[2] = this.submit.selector;
        list[3] = this.post.selector;
        list[4] = this.post.selector;
        list[5] = this.progress.selector;
        list[6] = this.progress.selector;
        list[7] = this.pass.selector;
        list[8] = this.leave.selector;
        list[9] = this.poke.selector;
        list[10] = this.stake.selector;
        list[11] = this.withdraw.selector;
        list[12] = this.collect.selector;
        list[13] = this.another.selector;
    }

    // Actions

    function another(uint256 seed) external {
        if (market.projectCount() < MAX_PROJECTS) _fresh(seed);
    }

    /// All who still can submit, from a random one on, do so one by one until a random stop.
    function submit(uint256 seed) external {
        (uint256 project, Project memory p) = _pick(seed);
        if (p.status != Status.Active) return;
        uint256 count = (seed >> 16) % (SLOTS + 2);
        for (uint256 i = 0; i < count; ++i) {
            uint256 slot = ((seed >> 24) + i) % SLOTS;
            G1 memory c = _commitment(slot);
            vm.prank(trainers[slot]);
            _try(address(market), abi.encodeCall(market.submit, (project, p.round, c.x, c.y, bytes32(seed))));
        }
    }

    /// The current aggregator posts what follows from a random G, sometimes of rubbish.
    function post(uint256 seed) external {
        (uint256 project, Project memory p) = _pick(seed);
        if (p.status != Status.Active) return;
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            if (market.slotOf(project, trainers[slot]) != slot + 1) continue;
            if ((p.submitted >> slot) & 1 == 0 && block.timestamp < p.submitDeadline) _submit(project, slot);
        }
        p = market.projectOf(project);
        if (p.submittedCount < 5) return;
        _close(project);
        _remember();
        uint256[] memory gram = _honestGram();
        for (uint256 k = (seed >> 16) % 8; k > 0; --k) {
            uint256 dice = random(seed, k, 0);
            gram[dice % gram.length] =
                dice % 3 == 0
                    ? (dice >> 8) % BN254.SCALAR_MODULUS
                    : dice % 3 == 1
                        ? (dice >> 8) % (1 << 41)
                        : (dice >> 8) % 400;
        }
        uint256 omitted = p.submittedCount == 6 && seed % 5 == 0 ? 1 << ((seed >> 32) % SLOTS) : 0;
        if (omitted & ~uint256(p.submitted) != 0) omitted = 0;
        RoundResult memory result = _result(project, gram, omitted);
        vm.prank(market.aggregatorsOf(project)[p.aggregatorIndex]);
        if (_try(address(market), abi.encodeCall(market.postResult, (project, result)))) ++reached["results"];
    }

    /// The deadlines pass and somebody moves the project on.
    function progress(uint256 seed) external {
        (uint256 project, Project memory p) = _pick(seed);
        address who = _someone(seed);
        if (p.status == Status.Open) {
            if (seed % 2 == 0) vm.warp(_later(p.joinDeadline));
            vm.prank(who);
            _try(address(market), abi.encodeCall(market.start, (project)));
            return;
        }
        if (p.status != Status.Active) return;
        if (p.submittedCount < 5) {
            vm.warp(_later(p.submitDeadline));
            _remember();
            vm.prank(who);
            if (_try(address(market), abi.encodeCall(market.skip, (project, p.round, 0)))) ++reached["skips"];
        } else if (seed % 3 == 0) {
            vm.warp(_later(p.resultDeadline));
            _remember();
            vm.prank(who);
            if (_try(address(market), abi.encodeCall(market.timeout, (project, p.round)))) ++reached["time-outs"];
        } else {
            vm.warp(_later(p.submitDeadline));
            vm.prank(market.aggregatorsOf(project)[p.aggregatorIndex]);
            _try(address(market), abi.encodeCall(market.skip, (project, p.round, 1 << (seed % SLOTS))));
        }
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 40 minutes));
        _remember();
    }

    function leave(uint256 seed) external {
        (uint256 project, ) = _pick(seed);
        if (seed % 16 != 0) return; // seldom, so that projects get somewhere
        vm.prank(_someone(seed));
        _try(address(market), abi.encodeCall(market.leave, (project)));
    }

    /// Calls that are mostly out of place.
    function poke(uint256 seed) external {
        (uint256 project, Project memory p) = _pick(seed);
        bytes[6] memory calls = [
            abi.encodeCall(market.cancel, (project)),
            abi.encodeCall(market.timeout, (project, p.round)),
            abi.encodeCall(market.skip, (project, p.round, seed % 64)),
            abi.encodeCall(market.release, (project)),
            abi.encodeCall(market.join, (project, KEY)),
            abi.encodeCall(market.joinAsAggregator, (project, KEY, ""))
        ];
        uint256 which = (seed >> 16) % 6;
        if (which == 0 && seed % 8 != 0) which = 3;
        vm.prank(_someone(seed));
        _try(address(market), calls[which]);
    }

    function stake(uint256 seed) external {
        address token = _tokens[seed % 2];
        uint256 amount = bound(seed >> 8, 1, 5 ether);
        _deposit(token, _someone(seed), amount);
        _in[token] += amount;
    }

    function withdraw(uint256 seed) external {
        address token = _tokens[seed % 2];
        address who = _someone(seed);
        uint256 free = vault.freeOf(token, who);
        vm.prank(who);
        if (free > 0 && seed % 3 != 0) return vault.unbond(token, bound(seed >> 8, 1, free));
        (uint256 amount, uint256 readyAt) = vault.unbondingOf(token, who);
        if (seed % 5 == 0 && block.timestamp < readyAt) vm.warp(readyAt);
        vm.prank(who);
        if (_try(address(vault), abi.encodeCall(vault.withdraw, (token)))) {
            _out[token] += amount;
            ++reached["withdrawals"];
        }
    }

    /// Ends of projects: release, and credits claimed (twice, in vain).
    function collect(uint256 seed) external {
        (uint256 project, ) = _pick(seed);
        address who = _someone(seed);
        address token = _tokens[(seed >> 4) % 2];
        vm.prank(who);
        _try(address(market), abi.encodeCall(market.release, (project)));
        uint256 credit = market.creditOf(token, who);
        if (_try(address(market), abi.encodeCall(market.claim, (token, who)))) {
            _out[token] += credit;
            ++reached["claims"];
        }
        vm.assertTrue(!_try(address(market), abi.encodeCall(market.claim, (token, who))), "no double claim");
    }

    // What must hold

    function assertConserved() external view {
        for (uint256 i = 0; i < 2; ++i) {
            _assertConserved(_tokens[i]);
            uint256 held = _balance(_tokens[i], address(vault)) + _balance(_tokens[i], address(market));
            vm.assertEq(held, _in[_tokens[i]] - _out[_tokens[i]], "in - out = held");
        }
    }

    /// Locked stake is locked for projects that know of it, and for nothing else.
    function assertLocksMatch() external view {
        address[] memory all = _everybody();
        for (uint256 t = 0; t < 2; ++t) {
            for (uint256 i = 0; i < all.length; ++i) {
                uint256 known = 0;
                for (uint256 project = 1; project <= market.projectCount(); ++project) {
                    if (market.termsOf(project).token == _tokens[t]) known += market.lockedOf(project, all[i]);
                }
                vm.assertEq(vault.lockedOf(_tokens[t], all[i]), known, "locked in the vault = locked for projects");
            }
        }
    }

    function assertSubmissionsStand() external view {
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            for (uint256 round = 1; round <= market.projectOf(project).round; ++round) {
                for (uint256 slot = 0; slot < SLOTS; ++slot) {
                    bytes32 then = _sealed[project][round][slot];
                    if (then != 0) vm.assertEq(_submission(project, round, slot), then, "submission");
                }
            }
        }
    }

    /// Counters, masks and lists tell the same story; ended projects hold nothing.
    function assertConsistent() external view {
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            Project memory p = market.projectOf(project);
            uint256 occupied = 0;
            uint256 count = 0;
            address[] memory bySlot = market.trainersOf(project);
            for (uint256 slot = 0; slot < bySlot.length; ++slot) {
                if (bySlot[slot] == address(0)) continue;
                occupied |= 1 << slot;
                ++count;
                vm.assertEq(market.slotOf(project, bySlot[slot]), slot + 1, "slot");
            }
            vm.assertEq(p.occupied, occupied, "occupied");
            vm.assertEq(p.trainerCount, count, "trainers");
            vm.assertEq(p.submitted & ~p.occupied, 0, "who submitted is there");
            vm.assertEq(market.aggregatorsOf(project).length, p.aggregatorCount, "aggregators");
            if (p.status > Status.Active) vm.assertEq(uint256(p.escrow) + p.pot, 0, "nothing kept");
        }
    }

    // Helpers

    function _fresh(uint256 seed) private {
        Terms memory terms = _terms(_tokens[seed % 2]);
        terms.strikeFactor = seed % 3 == 0 ? 0 : 150;
        uint256 project = _create(terms);
        _in[terms.token] += REWARD;
        for (uint256 i = 0; i < SLOTS; ++i) {
            _join(project, trainers[i]);
            _in[terms.token] += STAKE;
        }
        for (uint256 i = 0; i < aggregators.length; ++i) {
            _joinAsAggregator(project, aggregators[i]);
            _in[terms.token] += BOND;
        }
        if (seed % 4 != 3) market.start(project);
    }

    function _remember() private {
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            Project memory p = market.projectOf(project);
            if (p.status != Status.Active || block.timestamp < p.submitDeadline) continue;
            for (uint256 slot = 0; slot < SLOTS; ++slot) {
                _sealed[project][p.round][slot] = _submission(project, p.round, slot);
            }
        }
    }

    function _submission(uint256 project, uint256 round, uint256 slot) private view returns (bytes32) {
        (bytes31 digest, uint256 position) = market.submissionOf(project, round, slot);
        return keccak256(abi.encode(digest, position));
    }

    function _pick(uint256 seed) private view returns (uint256 project, Project memory p) {
        project = ((seed >> 8) % market.projectCount()) + 1;
        p = market.projectOf(project);
    }

    function _someone(uint256 seed) private view returns (address) {
        address[] memory all = _everybody();
        return all[(seed >> 40) % all.length];
    }

    function _later(uint256 time) private view returns (uint256) {
        return block.timestamp < time ? time : block.timestamp;
    }

    function _try(address target, bytes memory call_) private returns (bool ok) {
        (ok, ) = target.call(call_);
    }
}
