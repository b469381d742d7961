// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    ChallengeKind,
    Outcome,
    Project,
    Settlement,
    Status,
    Terms
} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {Handler} from "./support/Handler.sol";
import {Play} from "./support/Play.sol";
import {TestBase} from "./support/TestBase.sol";
import {PlainToken} from "./support/Tokens.sol";

/// @notice From every state, if every party but one falls silent, that one gets back what is its own by waiting.
/// @dev What is its own: stake and free stake, what it has earned for good, an owner's escrow, pot and reveal bond, and
/// an aggregator's bond until it lets a deadline of its own pass.
contract LivenessTest is Play {
    enum At {
        OpenBeforeJoinDeadline,
        OpenStartable,
        OpenTooFewTrainers,
        OpenNoAggregator,
        Drawing,
        DrawingForgotten,
        SubmittingNone,
        SubmittingFew,
        SubmittingQuorum,
        BatchPosted,
        BatchOfNothing,
        ClosedWithoutQuorum,
        ClosedWithQuorum,
        ComplaintOpen,
        ComplaintUnanswered,
        ComplaintsBelowQuorum,
        ResultOverdue,
        TakenOver,
        TakenOverWithBatch,
        OneCohortConcluded,
        HaltedMidRound,
        ModelChallenged,
        ProofChallenged,
        ChallengeUnanswered,
        Undone,
        TooFewTrainersLeft,
        LastRound,
        Closing,
        ClosingChallenged,
        ClosingUndone,
        ClosingAfterASkip,
        Settled,
        Cancelled,
        Halted
    }

    uint256 private constant STATES = uint256(type(At).max) + 1;
    uint256 private constant COMPLAINED = 2; // the trainer of seat 2 is complained about

    function testOwnerFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), owner);
    }

    function testTrainerFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), trainers[0]);
    }

    function testTrainerComplainedAboutFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), trainers[COMPLAINED]);
    }

    function testTrainerThatDidNotSubmitFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), trainers[5]);
    }

    function testFirstAggregatorFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), aggregators[0]);
    }

    function testSecondAggregatorFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), aggregators[1]);
    }

    function testLastAggregatorFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), aggregators[2]);
    }

    /// The one who challenged, too: its deposit comes back, and as much of the bond.
    function testStrangerFromEveryState() external {
        for (uint256 i = 0; i < STATES; ++i) _alone(At(i), stranger);
    }

    /// Nobody is needed: a stranger ends the project from every state, and then everything is paid out, to the wei.
    function testAnyStrangerEndsEveryProject() external {
        for (uint256 i = 0; i < STATES; ++i) this.endFrom(At(i));
    }

    /// Called from outside, so that its memory is given back.
    function endFrom(At at) external {
        uint256 project = _reach(at);
        address token = market.termsOf(project).token;
        _finish(project, stranger, false);
        address[] memory all = _everybody();
        for (uint256 i = 0; i < all.length; ++i) _takeOut(project, all[i]);
        vm.assertEq(_balance(token, address(market)), 0, string.concat("market, state ", _name(uint256(at))));
        vm.assertEq(_balance(token, address(vault)), 0, string.concat("vault, state ", _name(uint256(at))));
    }

    /// From whatever state random play of all roles leads to.
    function testFuzzAfterAnyPrefixEverythingIsPaidOut(uint256 seed) external {
        Handler handler = new Handler();
        handler.setUp();
        bytes4[] memory list = handler.selectors();
        for (uint256 i = 0; i < 30; ++i) {
            uint256 dice = random(seed, i, 0);
            (bool ok, ) = address(handler).call(abi.encodeWithSelector(list[dice % list.length], dice >> 8));
            vm.assertTrue(ok, "action");
        }
        handler.drain();
    }

    // One alone

    function _alone(At at, address who) private {
        uint256 project = _reach(at);
        address token = market.termsOf(project).token;
        uint256 own = _own(project, token, who) - _forfeit(at, who);
        for (uint256 step = 0; step < 200 && !_ended(project); ++step) {
            bool left = _try(address(market), who, abi.encodeCall(market.leave, (project)));
            if (left && market.claimable(project, who) == 0) break;
            _step(project, who, true);
        }
        _takeOut(project, who);
        string memory where = string.concat("state ", _name(uint256(at)));
        vm.assertGe(_balance(token, who), own, where);
        vm.assertEq(vault.freeOf(token, who) + vault.lockedOf(token, who), 0, where);
        _assertConserved(token);
    }

    function _own(uint256 project, address token, address who) private view returns (uint256 own) {
        Project memory p = market.projectOf(project);
        own = vault.freeOf(token, who) + vault.lockedOf(token, who) + market.claimable(project, who);
        if (market.membershipOf(project, who).index != 0 && _owesWhatIsOverdue(project, who)) {
            own -= market.membershipOf(project, who).locked;
        }
        if (who == owner) {
            own += uint256(p.escrow) + p.pot;
            if (!p.revealed && !_ended(project)) own += market.termsOf(project).revealBond;
        }
        if (market.challengeOf(project).kind == ChallengeKind.None || (who == _accused(project) && !_late(project)))
            return own;
        // What a challenge may undo is not its own yet.
        for (uint256 i = 0; i < outcomes[project].length; ++i) {
            Outcome memory o = outcomes[project][i];
            if (who == market.aggregatorsOf(project)[o.aggregatorIndex].holder) own -= o.fee;
            for (uint256 j = 0; j < o.numbers.length; ++j) {
                if (who == market.trainerOf(project, o.numbers[j]).holder) own -= o.amounts[j];
            }
        }
    }

    /// Lost already, by what it did or did not do.
    function _forfeit(At at, address who) private view returns (uint256) {
        if (at == At.BatchOfNothing && who == aggregators[0]) return BOND;
        return at == At.ComplaintUnanswered && who == trainers[COMPLAINED] ? DEPOSIT : 0;
    }

    function _late(uint256 project) private view returns (bool) {
        return block.timestamp >= market.challengeOf(project).deadline;
    }

    /// Its bond is forfeit by its own silence.
    function _owesWhatIsOverdue(uint256 project, address who) private view returns (bool) {
        Project memory p = market.projectOf(project);
        if (market.challengeOf(project).kind != ChallengeKind.None) return who == _accused(project) && _late(project);
        return p.status == Status.Active && who == _turn(project) && block.timestamp >= p.resultDeadline;
    }

    function _name(uint256 i) private pure returns (string memory) {
        return string(abi.encodePacked(bytes1(uint8(48 + i / 10)), bytes1(uint8(48 + (i % 10)))));
    }

    // States

    /// A fresh project, on a token of its own, in this state. Where it is Active its first round has been paid, unless
    /// the state is about that round.
    function _reach(At at) private returns (uint256 project) {
        Terms memory t = at == At.LastRound || at >= At.Closing ? _referenceTerms(address(0)) : _terms(address(0));
        t.token = address(new PlainToken());
        t.rounds = 2;
        t.batchWindow = 5 minutes;
        if (at <= At.OpenNoAggregator) return _reachOpen(at, t);
        if (at == At.Drawing || at == At.DrawingForgotten) return _reachDrawing(at, t);
        if (at == At.OneCohortConcluded || at == At.HaltedMidRound) return _reachTwoCohorts(at, t);
        if (at == At.ProofChallenged) t.settlement = Settlement.OnDemand;
        if (at == At.Closing || at == At.ClosingChallenged || at == At.ClosingUndone) t.rounds = 1;
        if (at == At.Cancelled) {
            project = _openWith(t);
            vm.prank(owner);
            market.cancel(project);
            return project;
        }
        project = _activeWith(t);
        _play(project);
        if (at >= At.ModelChallenged && at <= At.Undone) _challenged(project, at);
        else if (at == At.ClosingChallenged || at == At.ClosingUndone) _challenged(project, at);
        else if (at > At.ChallengeUnanswered) _reachLate(at, project);
        else _reachRound(at, project);
    }

    function _reachOpen(At at, Terms memory t) private returns (uint256 project) {
        project = _create(t);
        for (uint256 i = 0; i < SLOTS; ++i) if (at != At.OpenTooFewTrainers || i % 2 == 0) _join(project, trainers[i]);
        if (at != At.OpenNoAggregator) for (uint256 i = 0; i < 3; ++i) _joinAsAggregator(project, aggregators[i]);
        if (at != At.OpenBeforeJoinDeadline) vm.warp(market.projectOf(project).joinDeadline);
    }

    function _reachDrawing(At at, Terms memory t) private returns (uint256 project) {
        t.trainers = uint32(MAX_TRAINERS);
        t.cohorts = 2;
        project = _openWith(t);
        market.start(project);
        if (at == At.DrawingForgotten) vm.roll(block.number + 300);
    }

    function _reachTwoCohorts(At at, Terms memory t) private returns (uint256 project) {
        project = _reachDrawing(At.Drawing, t);
        vm.roll(block.number + 2);
        market.draw(project);
        for (uint256 seat = 0; seat < 2 * SLOTS; ++seat) _must(_tryHonestSubmit(project, seat), "submit");
        _close(project);
        _must(_tryPost(project, 0, _honestGram()), "post");
        if (at == At.HaltedMidRound) for (uint256 i = 0; i < 3; ++i) _overdue(project, true);
    }

    function _reachRound(At at, uint256 project) private {
        if (at == At.SubmittingNone) return;
        if (at == At.BatchPosted || at == At.TakenOverWithBatch) _must(_tryBatch(project, 0, 0x1f, 0), "batch");
        else if (at == At.BatchOfNothing) _must(_tryBatch(project, 0, 0x3f, 0x3f), "batch");
        else _submitSome(project, at == At.SubmittingFew || at == At.ClosedWithoutQuorum ? 4 : 5);
        if (at <= At.BatchOfNothing) return;
        _close(project);
        if (at >= At.ComplaintOpen && at <= At.ComplaintUnanswered)
            _must(_tryComplain(project, 0, 1 << COMPLAINED), "complain");
        if (at == At.ComplaintsBelowQuorum) _must(_tryComplain(project, 0, 0x0e), "complain");
        if (at == At.ComplaintUnanswered) vm.warp(market.projectOf(project).answerDeadline);
        if (at >= At.ResultOverdue) _overdue(project, at != At.ResultOverdue);
    }

    function _reachLate(At at, uint256 project) private {
        if (at == At.TooFewTrainersLeft) {
            for (uint256 i = 1; i < 5; ++i)
                if (i != COMPLAINED)
                    _must(_try(address(market), trainers[i], abi.encodeCall(market.leave, (project))), "leave");
        }
        if (at == At.LastRound) _submitSome(project, 5);
        if (at == At.ClosingAfterASkip) {
            _close(project);
            _must(_trySkip(project, 0, stranger), "skip");
        }
        if (at == At.Settled) {
            _play(project);
            _finish(project, stranger, false);
        }
        if (at == At.Halted) {
            _submitSome(project, 5);
            for (uint256 i = 0; i < 3; ++i) _overdue(project, true);
        }
    }

    function _challenged(uint256 project, At at) private {
        _deposit(market.termsOf(project).token, stranger, DEPOSIT);
        ChallengeKind kind = at == At.ProofChallenged ? ChallengeKind.Proof : ChallengeKind.Model;
        _must(_tryChallenge(project, kind, 0, stranger), "challenge");
        if (at == At.ModelChallenged || at == At.ProofChallenged || at == At.ClosingChallenged) return;
        vm.warp(market.challengeOf(project).deadline);
        if (at != At.ChallengeUnanswered) _must(_tryUndo(project, stranger), "undo");
    }

    function _submitSome(uint256 project, uint256 count) private {
        for (uint256 seat = 0; seat < count; ++seat) _must(_tryHonestSubmit(project, seat), "submit");
    }

    function _play(uint256 project) private {
        _submitSome(project, SLOTS);
        if (_inputs(project) != SLOTS) _must(_tryReference(project), "reference");
        _close(project);
        _must(_tryPost(project, 0, _honestGram(_inputs(project))), "post");
    }

    function _overdue(uint256 project, bool slashed) private {
        vm.warp(market.projectOf(project).resultDeadline);
        if (slashed) _must(_tryTimeout(project, stranger), "timeout");
    }
}
