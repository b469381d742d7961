// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    Challenge,
    ChallengeKind,
    Cohort,
    Member,
    Project,
    RoundResult,
    ScoreRule,
    Settlement,
    Status,
    Terms
} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {BN254} from "../../../../contracts/libraries/BN254.sol";
import {Play} from "./Play.sol";
import {PlainToken} from "./Tokens.sol";

/// @notice Plays all roles at random, honest and hostile, and remembers what was once promised.
/// @dev An action never fails: what the market may refuse is tried, what it must refuse is asserted to be refused.
contract Handler is Play {
    uint256 private constant MAX_PROJECTS = 12;
    uint256 private constant LIVE_PROJECTS = 2; // at once

    address[] private _tokens;
    mapping(uint256 project => bytes32) private _terms0; // hash of the terms as posted
    mapping(uint256 project => Status) private _status; // as last seen
    mapping(uint256 project => bool) private _undone; // since then
    mapping(uint256 project => mapping(uint256 round => mapping(uint256 cohort => bytes32))) private _sealed;
    mapping(uint256 project => mapping(uint256 round => mapping(uint256 cohort => uint256))) private _rubbish;
    mapping(address token => uint256) private _in; // all that ever came in from accounts
    mapping(address token => uint256) private _out;
    /// @notice How often something happened.
    mapping(bytes32 what => uint256) public reached;

    function setUp() public override {
        super.setUp();
        _tokens.push(address(0));
        _tokens.push(address(new PlainToken()));
        _fresh(0x1011); // on demand, by reference
        _fresh(0x1042); // two cohorts
    }

    function selectors() external pure returns (bytes4[] memory list) {
        list = new bytes4[](25);
        bytes4[3] memory often = [this.submit.selector, this.post.selector, this.progress.selector];
        for (uint256 i = 0; i < 9; ++i) list[i] = often[i % 3];
        list[9] = this.batch.selector;
        list[10] = this.complain.selector;
        list[11] = this.complain.selector;
        list[12] = this.answer.selector;
        list[13] = this.challenge.selector;
        list[14] = this.challenge.selector;
        list[15] = this.answerChallenge.selector;
        list[16] = this.pass.selector;
        list[17] = this.leave.selector;
        list[18] = this.poke.selector;
        list[19] = this.stake.selector;
        list[20] = this.withdraw.selector;
        list[21] = this.collect.selector;
        list[22] = this.forge.selector;
        list[23] = this.another.selector;
        list[24] = this.batch.selector;
    }

    modifier observed() {
        _;
        _observe();
        uint256 count = market.projectCount();
        if (count < MAX_PROJECTS && _live() == 0) _fresh(random(count, block.timestamp, 0));
    }

    // Actions

    function another(uint256 seed) external observed {
        if (_live() < LIVE_PROJECTS && market.projectCount() < MAX_PROJECTS) _fresh(seed);
    }

    /// Some submit, in any order; now and then a digest of nothing, seldom the reference.
    function submit(uint256 seed) external observed {
        (uint256 project, Project memory p) = _ready(seed);
        if (p.status != Status.Active) return;
        uint256 seats = uint256(p.cohorts) * SLOTS;
        uint256 count = (seed >> 16) % (seats + 5);
        for (uint256 i = 0; i < count; ++i) {
            uint256 seat = ((seed >> 24) + i) % seats;
            if (random(seed, i, 1) % 16 == 0 && _trySubmit(project, seat, keccak256("nothing"))) {
                _rubbish[project][p.round][seat / SLOTS] |= 1 << (seat % SLOTS);
            }
            if (_tryHonestSubmit(project, seat)) ++reached["submissions"];
        }
        if ((seed >> 40) % 3 != 0 && _tryReference(project)) ++reached["references"];
    }

    /// The aggregator's batch, some of it unsigned, some of it of empty seats.
    function batch(uint256 seed) external observed {
        (uint256 project, Project memory p) = _ready(seed);
        if (p.status != Status.Active) return;
        uint256 unsigned = (seed >> 48) % 4 == 0 ? (seed >> 16) % 64 : 0;
        uint256 slots = (seed >> 24) % 3 == 0 ? (seed >> 32) % 64 : 0x3f;
        if (_tryBatch(project, (seed >> 40) % p.cohorts, slots, unsigned)) ++reached["batches"];
    }

    /// The window closes and the current aggregator posts what follows from a random G, for some cohort or for all.
    function post(uint256 seed) external observed {
        (uint256 project, Project memory p) = _ready(seed);
        if (p.status != Status.Active || _turn(project) == address(0)) return;
        if ((seed >> 16) % 4 != 0) {
            for (uint256 seat = 0; seat < uint256(p.cohorts) * SLOTS; ++seat) _tryHonestSubmit(project, seat);
            if ((seed >> 18) % 2 == 0 && _tryReference(project)) ++reached["references"];
        }
        _wait(market.projectOf(project).submitDeadline);
        uint256[] memory gram = _gram(project, seed);
        withoutList = (seed >> 24) % 8 == 0;
        for (uint256 cohort = 0; cohort < p.cohorts; ++cohort) {
            if ((seed >> 28) % 4 == cohort) continue;
            uint256 rubbish = _rubbish[project][p.round][cohort];
            if (rubbish != 0 && _tryComplain(project, cohort, rubbish)) ++reached["complaints"];
            Cohort memory c = market.cohortOf(project, cohort);
            if (c.complained != 0 && !c.concluded) _wait(market.projectOf(project).answerDeadline);
            if (_tryPost(project, cohort, gram)) ++reached["results"];
        }
        withoutList = false;
        if ((seed >> 68) % 3 != 0) _challenge(project, seed);
    }

    /// Complaints, right and wrong ones, about updates and the reference.
    function complain(uint256 seed) external observed {
        (uint256 project, Project memory p) = _ready(seed);
        if (p.status != Status.Active) return;
        uint256 cohort = (seed >> 48) % p.cohorts;
        if ((seed >> 52) % 2 == 0) {
            for (uint256 slot = 0; slot < SLOTS; ++slot) _tryHonestSubmit(project, cohort * SLOTS + slot);
            _wait(market.projectOf(project).submitDeadline);
        }
        uint256 slots = (1 << ((seed >> 24) % (SLOTS + 1))) | ((seed >> 32) % 3 == 0 ? 1 << ((seed >> 40) % SLOTS) : 0);
        if (_tryComplain(project, cohort, slots)) ++reached["complaints"];
        if ((seed >> 50) % 2 == 0) _answer(project, cohort, _someone(seed));
    }

    function answer(uint256 seed) external observed {
        (uint256 project, Project memory p) = _pick(seed);
        if (p.status == Status.Active) _answer(project, (seed >> 16) % p.cohorts, _someone(seed));
    }

    function _answer(uint256 project, uint256 cohort, address who) private {
        uint256 complained = market.cohortOf(project, cohort).complained;
        for (uint256 slot = 0; slot <= SLOTS; ++slot) {
            if ((complained >> slot) & 1 == 0) continue;
            if (_tryAnswer(project, cohort, slot, who)) ++reached["answers"];
        }
    }

    /// Somebody with stake challenges the previous round.
    function challenge(uint256 seed) external observed {
        (uint256 project, ) = _pick(seed);
        _challenge(project, seed);
    }

    function _challenge(uint256 project, uint256 seed) private {
        address who = _someone(seed);
        address token = market.termsOf(project).token;
        if (market.projectOf(project).outcome == 0) return;
        if (vault.freeOf(token, who) < DEPOSIT) _fund(token, who, DEPOSIT);
        bool onDemand = market.termsOf(project).settlement == Settlement.OnDemand;
        ChallengeKind kind = onDemand && (seed >> 16) % 3 != 0 ? ChallengeKind.Proof : ChallengeKind.Model;
        if (!_tryChallenge(project, kind, (seed >> 20) % 2, who)) return;
        ++reached["challenges"];
        if ((seed >> 72) % 3 == 0) vm.warp(block.timestamp + 4 minutes);
        if ((seed >> 76) % 2 == 0 && _tryAnswerChallenge(project, who)) ++reached["shown"];
    }

    function answerChallenge(uint256 seed) external observed {
        (uint256 project, ) = _pick(seed);
        if (_tryAnswerChallenge(project, _someone(seed))) ++reached["shown"];
    }

    /// Deadlines pass and somebody moves the project on.
    function progress(uint256 seed) external observed {
        (uint256 project, Project memory p) = _pick(seed);
        address who = (seed >> 16) % 2 == 0 ? _turn(project) : _someone(seed);
        if (_ended(project)) return;
        if (market.challengeOf(project).kind != ChallengeKind.None) {
            if ((seed >> 38) % 2 == 0 && _tryAnswerChallenge(project, who)) ++reached["shown"];
            else _wait(market.challengeOf(project).deadline);
            if (_undo(project, who)) ++reached["undone"];
            return;
        }
        if (p.status == Status.Active) {
            if ((seed >> 18) % 4 == 0) _wait(p.submitDeadline);
            uint256 cohort = (seed >> 20) % p.cohorts;
            if ((seed >> 18) % 4 == 0 && market.cohortOf(project, cohort).complained != 0) _wait(p.answerDeadline);
            if (_trySkip(project, cohort, who)) ++reached["skips"];
            if ((seed >> 24) % 4 != 0) return;
            _wait(market.projectOf(project).resultDeadline);
            if (_tryTimeout(project, who)) ++reached["time-outs"];
            return;
        }
        if (p.status == Status.Closing && (seed >> 28) % 4 != 0) {
            bytes memory data = abi.encodeCall(market.reveal, (project, VALIDATION, SALT));
            if ((seed >> 32) % 2 == 0 && _try(address(market), owner, data)) ++reached["reveals"];
            if ((seed >> 34) % 2 == 0) return;
        }
        if (p.status == Status.Drawing) vm.roll(block.number + 1 + ((seed >> 36) % 300));
        _step(project, who == address(0) ? stranger : who, false);
        ++reached[bytes32("status") | bytes32(uint256(market.projectOf(project).status))];
    }

    function pass(uint256 time) external observed {
        vm.warp(block.timestamp + bound(time, 1, 10 minutes));
    }

    function leave(uint256 seed) external observed {
        (uint256 project, ) = _pick(seed);
        bytes memory data = abi.encodeCall(market.leave, (project));
        if (seed % 2 == 0 && _try(address(market), _someone(seed), data)) ++reached["leaves"];
    }

    /// Calls that are mostly out of place.
    function poke(uint256 seed) external observed {
        (uint256 project, Project memory p) = _pick(seed);
        bytes[9] memory calls = [
            abi.encodeCall(market.cancel, (project)),
            abi.encodeCall(market.timeout, (project, p.round)),
            abi.encodeCall(market.skip, (project, p.round, seed % 3)),
            abi.encodeCall(market.release, (project)),
            abi.encodeCall(market.join, (project, KEY)),
            abi.encodeCall(market.joinAsAggregator, (project, KEY, "", new bytes32[](0))),
            abi.encodeCall(market.settle, (project)),
            abi.encodeCall(market.start, (project)),
            abi.encodeCall(market.draw, (project))
        ];
        uint256 which = (seed >> 16) % 9;
        if (which == 0 && seed % 8 != 0) which = 3;
        _try(address(market), _someone(seed), calls[which]);
    }

    function stake(uint256 seed) external observed {
        _fund(_tokens[seed % 2], _someone(seed), bound(seed >> 8, 1, 5 ether));
    }

    function withdraw(uint256 seed) external observed {
        address token = _tokens[seed % 2];
        address who = _someone(seed);
        uint256 free = vault.freeOf(token, who);
        if (free > 0 && (seed >> 80) % 3 != 0) {
            uint256 part = bound(seed >> 88, 1, free);
            _must(_try(address(vault), who, abi.encodeCall(vault.unbond, (token, part))), "free stake unbonds");
        }
        (uint256 amount, uint256 readyAt) = vault.unbondingOf(token, who);
        if ((seed >> 96) % 32 == 0) _wait(readyAt);
        bool ok = _try(address(vault), who, abi.encodeCall(vault.withdraw, (token)));
        vm.assertTrue(ok == (amount != 0 && block.timestamp >= readyAt), "exactly once its delay is over");
        if (ok) _out[token] += amount;
    }

    /// Release, and claims: twice, the second in vain.
    function collect(uint256 seed) external observed {
        uint256 project = ((seed >> 8) % market.projectCount()) + 1;
        address token = market.termsOf(project).token;
        address[] memory all = _everybody();
        for (uint256 i = 0; i < 6; ++i) {
            address who = all[((seed >> 56) + 3 * i) % all.length];
            _try(address(market), who, abi.encodeCall(market.release, (project)));
            uint256 due = market.claimable(project, who);
            bytes memory data = abi.encodeCall(market.claim, (project, who));
            if (_try(address(market), stranger, data)) {
                _out[token] += due;
                ++reached["claims"];
            }
            vm.assertTrue(!_try(address(market), who, data), "no double claim");
        }
    }

    /// Results that are false in one place, by the one whose turn it is: all of them are refused.
    function forge(uint256 seed) external observed {
        (uint256 project, Project memory p) = _pick(seed);
        address turn = _turn(project);
        if (p.status != Status.Active || turn == address(0)) return;
        RoundResult memory r = _result(project, (seed >> 16) % p.cohorts, _honestGram(_inputs(project)));
        uint256 which = (seed >> 24) % 7;
        if (which == 0) r.proof = abi.encodePacked(r.proof, uint8(0));
        else if (which == 1) r.gram[(seed >> 32) % r.gram.length] += BN254.SCALAR_MODULUS;
        else if (which == 2) r.proof[(seed >> 32) % (64 * _inputs(project))] ^= bytes1(uint8(1 + ((seed >> 64) % 255)));
        else if (which == 3) --r.round;
        else if (which == 4) r.merged ^= uint16(1 << ((seed >> 32) % 16));
        else if (which == 5) r.arrivals.order = abi.encodePacked(r.arrivals.order, uint8((seed >> 32) % 7));
        else turn = _other(seed, turn);
        bool ok = _try(address(market), turn, abi.encodeCall(market.postResult, (project, r)));
        vm.assertTrue(!ok, "a false result is refused");
    }

    // What must hold

    /// Ends every project and takes everything out; nothing may be left.
    function drain() external {
        _drain(_tokens);
    }

    function assertConserved() external view {
        for (uint256 i = 0; i < 2; ++i) {
            _assertConserved(_tokens[i]);
            uint256 held = _balance(_tokens[i], address(vault)) + _balance(_tokens[i], address(market));
            vm.assertEq(held, _in[_tokens[i]] - _out[_tokens[i]], "in - out = held");
        }
    }

    /// Locked stake is locked for projects that know of it, or for open challenges, and for nothing else.
    function assertLocksMatch() external view {
        address[] memory all = _everybody();
        for (uint256 t = 0; t < 2; ++t) {
            for (uint256 i = 0; i < all.length; ++i) {
                uint256 known = 0;
                for (uint256 project = 1; project <= market.projectCount(); ++project) {
                    if (market.termsOf(project).token != _tokens[t]) continue;
                    known += market.membershipOf(project, all[i]).locked;
                    Challenge memory open = market.challengeOf(project);
                    if (open.kind != ChallengeKind.None && open.challenger == all[i]) known += DEPOSIT;
                }
                vm.assertEq(vault.lockedOf(_tokens[t], all[i]), known, "locked in the vault = locked for projects");
            }
        }
    }

    /// Nobody has got more than it earned, its part of a forfeited bond, and the owner what was left.
    function assertNobodyClaimsTwice() external view {
        address[] memory all = _everybody();
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            Project memory p = market.projectOf(project);
            for (uint256 i = 0; i < all.length; ++i) {
                Member memory m = market.membershipOf(project, all[i]);
                uint256 earned = m.number != 0 && !m.left ? p.bonus : 0;
                if (m.number != 0) earned += market.trainerOf(project, m.number - 1).earned;
                if (m.index != 0) earned += market.aggregatorsOf(project)[m.index - 1].earned;
                if (all[i] == owner) earned += market.termsOf(project).revealBond;
                vm.assertLe(m.claimed, earned, "claimed at most what was earned");
            }
        }
    }

    /// One round can be undone at a time, none is paid twice, and terms stay as they were posted.
    function assertRounds() external view {
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            Project memory p = market.projectOf(project);
            Terms memory t = market.termsOf(project);
            vm.assertEq(keccak256(abi.encode(t)), _terms0[project], "terms");
            vm.assertLe(accepted[project], uint256(t.rounds) * p.cohorts, "results in all");
            vm.assertLe(p.round, p.lastRound, "rounds");
            vm.assertLe(p.aggregatorIndex, p.aggregatorCount, "turns");
            if (_ended(project)) vm.assertEq(uint256(p.escrow) + p.pot, 0, "nothing is kept");
            if (p.status != Status.Active) continue;
            bool open = market.challengeOf(project).kind != ChallengeKind.None;
            if (!open && block.timestamp >= p.challengeDeadline) continue;
            vm.assertTrue(p.outcomeRound < p.round, "no results while the previous round is provisional");
            vm.assertLe(p.challengeDeadline, p.submitDeadline, "nor before it is final");
        }
    }

    // Helpers

    function _live() private view returns (uint256 live) {
        for (uint256 project = 1; project <= market.projectCount(); ++project) if (!_ended(project)) ++live;
    }

    function _observe() private {
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            Project memory p = market.projectOf(project);
            bool back = _undone[project] && _status[project] == Status.Closing && p.status == Status.Active;
            vm.assertTrue(back || p.status >= _status[project], "a project moves forward only, but for an undo");
            vm.assertTrue(_status[project] < Status.Settled || p.status == _status[project], "an end is an end");
            if (p.status != _status[project]) _countEnd(p);
            (_status[project], _undone[project]) = (p.status, false);
            if (p.status != Status.Active) continue;
            for (uint256 i = 0; i < p.cohorts; ++i) {
                bytes32 before = _sealed[project][p.round][i];
                bytes32 chain = market.cohortOf(project, i).chain;
                if (before != 0) vm.assertEq(chain, before, "arrivals stand once the window is closed");
                if (block.timestamp >= p.submitDeadline) _sealed[project][p.round][i] = chain;
            }
        }
    }

    function _countEnd(Project memory p) private {
        if (p.status == Status.Settled) ++reached["settled"];
        if (p.status == Status.Halted) ++reached["halted"];
        if (p.status == Status.Cancelled) ++reached["cancelled"];
        if (p.bonus != 0) ++reached["forfeits"];
    }

    function _undo(uint256 project, address who) private returns (bool ok) {
        ok = _tryUndo(project, who);
        if (ok) _undone[project] = true;
    }

    /// A project of any kind, with as many members as chance has it.
    function _fresh(uint256 seed) private {
        address token = _tokens[seed % 2];
        Terms memory t = (seed >> 4) % 2 == 0 ? _terms(token) : _referenceTerms(token);
        if ((seed >> 4) % 4 == 3) t.fallbackRule = ScoreRule.Cosine;
        if (seed % 4 < 2) t.settlement = Settlement.OnDemand;
        t.rounds = uint16(1 + ((seed >> 8) % 4));
        uint8[3] memory sizes = [6, 8, 13];
        t.trainers = sizes[(seed >> 5) % 3];
        t.cohorts = uint8(1 + ((seed >> 5) % 3 == 2 ? 1 : 0));
        t.submitWindow = 20 minutes;
        t.batchWindow = (seed >> 12) % 3 == 0 ? 0 : 15 minutes;
        t.strikeFactor = (seed >> 16) % 3 == 0 ? 0 : 150;
        t.answerWindow = (seed >> 20) % 2 == 0 ? 5 minutes : 25 minutes;
        t.challengeWindow = (seed >> 21) % 2 == 0 ? 5 minutes : 20 minutes;
        uint256 project = _create(t);
        _in[token] += uint256(t.reward) + t.revealBond;
        _terms0[project] = keccak256(abi.encode(t));
        uint256 absent = (seed >> 24) % 4 == 3 ? (seed >> 28) % 4 : 0;
        for (uint256 i = 0; i < t.trainers - absent; ++i) _join(project, trainers[i]);
        uint256 n = (seed >> 32) % 8 == 7 ? 0 : 1 + ((seed >> 36) % 3);
        for (uint256 i = 0; i < n; ++i) _joinAsAggregator(project, aggregators[i]);
        _in[token] += (t.trainers - absent) * uint256(STAKE) + n * uint256(BOND);
        if (!_try(address(market), stranger, abi.encodeCall(market.start, (project)))) return;
        if (market.projectOf(project).status != Status.Drawing || (seed >> 40) % 4 == 3) return;
        vm.roll(block.number + 2);
        market.draw(project);
    }

    function _fund(address token, address who, uint256 amount) private {
        _deposit(token, who, amount);
        _in[token] += amount;
    }

    /// Honest, but for some numbers of any size that a Gram matrix can have.
    function _gram(uint256 project, uint256 seed) private view returns (uint256[] memory gram) {
        gram = _honestGram(_inputs(project));
        for (uint256 k = (seed >> 64) % 6; k > 0; --k) {
            uint256 dice = random(seed, k, 0);
            uint256 kind = dice % 3;
            uint256 top =
                kind == 0
                    ? BN254.SCALAR_MODULUS
                    : kind == 1
                        ? 1 << 41
                        : 400;
            gram[(dice >> 8) % gram.length] = (dice >> 16) % top;
        }
        _mend(gram, _inputs(project), market.termsOf(project).maxNormSquared);
    }

    /// Zero where two vectors within the bound would be far: such results are refused (Krum.FarPair).
    function _mend(uint256[] memory gram, uint256 inputs, uint256 bound_) private pure {
        uint256[] memory squares = new uint256[](inputs);
        uint256 at = 0;
        for (uint256 i = 0; i < inputs; at += inputs - i++) squares[i] = gram[at];
        at = 0;
        for (uint256 i = 0; i < inputs; ++i) {
            for (uint256 j = i; j < inputs; ++j) {
                uint256 size = gram[at] > BN254.SCALAR_MODULUS / 2 ? BN254.SCALAR_MODULUS - gram[at] : gram[at];
                bool within = squares[i] <= bound_ && squares[j] <= bound_;
                if (within && (size > bound_ || size * size > squares[i] * squares[j])) gram[at] = 0;
                ++at;
            }
        }
    }

    /// Any, but an ended one only where no other is left, or seldom.
    function _pick(uint256 seed) private view returns (uint256 project, Project memory p) {
        uint256 count = market.projectCount();
        for (uint256 i = 0; i < count; ++i) {
            project = (((seed >> 8) + i) % count) + 1;
            if (!_ended(project) || (seed >> 240) % 16 == 0) break;
        }
        p = market.projectOf(project);
    }

    /// Likewise, moved on where nothing can arrive any more.
    function _ready(uint256 seed) private returns (uint256 project, Project memory p) {
        (project, p) = _pick(seed);
        if (p.status < Status.Active && (seed >> 244) % 4 != 0) _step(project, stranger, false);
        if (p.status == Status.Active) {
            for (uint256 i = 0; i < 2; ++i) if (_trySkip(project, i, _someone(seed))) ++reached["skips"];
        }
        p = market.projectOf(project);
    }

    function _someone(uint256 seed) private view returns (address) {
        address[] memory all = _everybody();
        return all[(seed >> 56) % all.length];
    }

    function _other(uint256 seed, address turn) private view returns (address who) {
        who = _someone(seed);
        return who == turn ? stranger : who;
    }

    function _wait(uint256 time) private {
        _waitUntil(time);
        _observe();
    }
}
