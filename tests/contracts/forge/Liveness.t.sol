// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Project, Status, Terms} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {MarketFixture} from "./support/MarketFixture.sol";
import {PlainToken} from "./support/Tokens.sol";

/// @notice From every state, if every party but one falls silent, that one gets back what is its own by waiting.
/// @dev What is its own: stake and free stake, credits, an owner's escrow and pot, and an aggregator's bond until it
/// lets its own deadline pass. An aggregator whose turn it is has the updates here; without them it has at most
/// f omissions to its name today (docs/security.md).
contract LivenessTest is MarketFixture {
    enum At {
        OpenBeforeJoinDeadline,
        OpenStartable,
        OpenTooFewTrainers,
        OpenNoAggregator,
        SubmittingNone,
        SubmittingFew,
        SubmittingQuorum,
        ClosedWithoutQuorum,
        ClosedWithQuorum,
        ResultOverdue,
        TakenOver,
        TakenOverOverdue,
        TooFewTrainersLeft,
        Settled,
        Cancelled,
        Halted
    }

    function testOwnerFromEveryState() external {
        for (uint256 i = 0; i <= uint256(type(At).max); ++i) _alone(At(i), owner, false);
    }

    function testTrainerThatSubmittedFromEveryState() external {
        for (uint256 i = 0; i <= uint256(type(At).max); ++i) _alone(At(i), trainers[0], false);
    }

    function testTrainerThatDidNotSubmitFromEveryState() external {
        for (uint256 i = 0; i <= uint256(type(At).max); ++i) _alone(At(i), trainers[5], false);
    }

    function testAggregatorFromEveryState() external {
        for (uint256 i = 0; i <= uint256(type(At).max); ++i) {
            At at = At(i);
            bool late = at == At.ResultOverdue || at == At.TakenOver || at == At.TakenOverOverdue;
            _alone(at, aggregators[0], late);
        }
    }

    function testReserveAggregatorFromEveryState() external {
        for (uint256 i = 0; i <= uint256(type(At).max); ++i) {
            _alone(At(i), aggregators[1], At(i) == At.TakenOverOverdue);
        }
    }

    /// A stranger with no stake can move every state on, too: nobody is needed.
    function testAnyStrangerEndsEveryProject() external {
        for (uint256 i = 0; i <= uint256(type(At).max); ++i) {
            uint256 project = _reach(At(i));
            for (uint256 step = 0; step < 20 && !_ended(project); ++step) _step(project, stranger, true);
            vm.assertTrue(_ended(project), "ended");
        }
    }

    /// `late`: the bond is forfeit, by its own silence.
    function _alone(At at, address who, bool late) private {
        uint256 project = _reach(at);
        address token = market.termsOf(project).token;
        Project memory p = market.projectOf(project);
        uint256 own = vault.freeOf(token, who) + market.creditOf(token, who);
        if (!late) own += market.lockedOf(project, who);
        if (who == owner) own += uint256(p.escrow) + p.pot;

        for (uint256 step = 0; step < 20 && !_ended(project); ++step) {
            if (_tryLeave(project, who)) break;
            _step(project, who, false);
        }
        vm.startPrank(who);
        if (market.lockedOf(project, who) != 0) market.release(project);
        uint256 free = vault.freeOf(token, who);
        if (free != 0) {
            vault.unbond(token, free);
            vm.warp(block.timestamp + DELAY);
            vault.withdraw(token);
        }
        if (market.creditOf(token, who) != 0) market.claim(token, who);
        vm.stopPrank();

        string memory where = string.concat("state ", string(abi.encodePacked(bytes1(uint8(65 + uint256(at))))));
        vm.assertGe(PlainToken(token).balanceOf(who), own, where);
        vm.assertTrue(own != 0 || late || at == At.Halted || at == At.OpenNoAggregator, where);
        _assertConserved(token);
    }

    /// One move by `who`, the only one who still moves; waits where it must.
    function _step(uint256 project, address who, bool withoutDuty) private {
        Project memory p = market.projectOf(project);
        if (p.status == Status.Open) return _stepOpen(project, p, who);
        if (block.timestamp < p.submitDeadline) vm.warp(p.submitDeadline);
        if (p.submittedCount < 5) {
            vm.prank(who);
            market.skip(project, p.round, 0);
            return;
        }
        bool turn = market.aggregatorIndexOf(project, who) == uint256(p.aggregatorIndex) + 1;
        if (turn && !withoutDuty && block.timestamp < p.resultDeadline) return _post(project, _honestGram(), 0);
        if (block.timestamp < p.resultDeadline) vm.warp(p.resultDeadline);
        vm.prank(who);
        market.timeout(project, p.round);
    }

    function _stepOpen(uint256 project, Project memory p, address who) private {
        if (who == owner) {
            vm.prank(who);
            return market.cancel(project);
        }
        if (block.timestamp < p.joinDeadline) vm.warp(p.joinDeadline);
        vm.prank(who);
        if (p.aggregatorCount != 0 && p.trainerCount >= 5) market.start(project);
        else market.cancel(project);
    }

    function _tryLeave(uint256 project, address who) private returns (bool left) {
        vm.prank(who);
        (left, ) = address(market).call(abi.encodeCall(market.leave, (project)));
    }

    function _ended(uint256 project) private view returns (bool) {
        Status status = market.projectOf(project).status;
        return status != Status.Open && status != Status.Active;
    }

    /// A fresh project, on a token of its own, in this state; where it is active, one round has been paid.
    function _reach(At at) private returns (uint256 project) {
        address token = address(new PlainToken());
        if (at <= At.OpenNoAggregator) return _reachOpen(at, token);
        project = _active(token);
        _playRound(project);
        if (at == At.SubmittingFew || at == At.ClosedWithoutQuorum) _submitFirst(project, 4);
        if (at == At.SubmittingQuorum || at == At.ClosedWithQuorum) _submitFirst(project, 5);
        if (at == At.ClosedWithoutQuorum || at == At.ClosedWithQuorum) _close(project);
        if (at == At.ResultOverdue || at == At.TakenOver || at == At.TakenOverOverdue || at == At.Halted) {
            _submitFirst(project, 5);
            _overdue(project);
        }
        if (at == At.TakenOver || at == At.TakenOverOverdue || at == At.Halted) market.timeout(project, 2);
        if (at == At.TakenOverOverdue || at == At.Halted) _overdue(project);
        if (at == At.Halted) market.timeout(project, 2);
        if (at == At.TooFewTrainersLeft) {
            for (uint256 i = 1; i < 5; ++i) vm.assertTrue(_tryLeave(project, trainers[i]), "leaves");
        }
        if (at == At.Settled) {
            _playRound(project);
            _playRound(project);
        }
        if (at == At.Cancelled) {
            project = _open(token);
            vm.prank(owner);
            market.cancel(project);
        }
    }

    function _reachOpen(At at, address token) private returns (uint256 project) {
        project = _create(_terms(token));
        uint256 count = at == At.OpenTooFewTrainers ? 3 : SLOTS;
        for (uint256 i = 0; i < count; ++i)
            _join(
                project,
                trainers[
                    i == 1
                        ? 5
                        : i == 5
                            ? 1
                            : i
                ]
            );
        if (at != At.OpenNoAggregator) for (uint256 i = 0; i < 2; ++i) _joinAsAggregator(project, aggregators[i]);
        if (at != At.OpenBeforeJoinDeadline) vm.warp(market.projectOf(project).joinDeadline);
    }

    function _overdue(uint256 project) private {
        vm.warp(market.projectOf(project).resultDeadline);
    }
}
