// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {
    Account,
    Arrivals,
    Challenge,
    ChallengeKind,
    Cohort,
    Member,
    Opening,
    Outcome,
    Project,
    RoundResult,
    Settlement,
    Status
} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {G1} from "../../../../contracts/libraries/BN254.sol";
import {Krum} from "../../../../contracts/libraries/Krum.sol";
import {MarketFixture} from "./MarketFixture.sol";

/// @notice What the parties of a project keep, and their moves: any number of cohorts, batches, answers, undone rounds.
/// Moves that may be refused return whether they were accepted.
abstract contract Play is MarketFixture {
    uint256 internal constant QUORUM = 5;
    uint256 internal constant MAX_TRAINERS = 13;

    struct Batch {
        uint256 round;
        uint256 slots; // mask; the entries are theirs, in order
        uint256 signed; // mask of those with their holder's signature
        bytes32[] digests;
        bytes[] signatures;
    }

    /// What a proof on demand has to show.
    struct Shown {
        bytes commitments;
        uint256[] gram;
    }

    mapping(address => uint256) internal keyOf;
    mapping(uint256 project => mapping(uint256 cohort => Batch)) internal batches;
    mapping(uint256 project => Outcome[]) internal outcomes; // of the latest round with results
    mapping(uint256 project => mapping(uint256 cohort => Shown)) internal shown;
    mapping(uint256 project => int256[]) internal weights;
    mapping(uint256 project => int256[]) internal weightsBefore; // the latest round with results
    mapping(uint256 project => uint256) internal accepted; // results, less those undone
    bool internal withoutList; // the aggregator in turn does not have the batch's list

    function setUp() public virtual override {
        super.setUp();
        delete trainers;
        for (uint256 i = 0; i < MAX_TRAINERS; ++i) {
            uint256 key = uint256(keccak256(abi.encode("key", i)));
            trainers.push(vm.addr(key));
            keyOf[trainers[i]] = key;
        }
        aggregators.push(party("last aggregator"));
    }

    function _try(address target, address sender, bytes memory data) internal returns (bool ok) {
        vm.prank(sender);
        (ok, ) = target.call(data);
    }

    // Who is who

    function _ended(uint256 project) internal view returns (bool) {
        return market.projectOf(project).status >= Status.Settled;
    }

    /// Zero where the seat is empty.
    function _seated(uint256 project, uint256 seat) internal view returns (address) {
        uint256 round = market.projectOf(project).round;
        try market.numberOf(project, round, seat) returns (uint256 number) {
            return market.trainerOf(project, number).holder;
        } catch {
            return address(0);
        }
    }

    /// Zero where nobody is left.
    function _turn(uint256 project) internal view returns (address) {
        Project memory p = market.projectOf(project);
        return
            p.aggregatorIndex < p.aggregatorCount
                ? market.aggregatorsOf(project)[p.aggregatorIndex].holder
                : address(0);
    }

    function _accused(uint256 project) internal view returns (address) {
        return market.aggregatorsOf(project)[market.challengeOf(project).accused].holder;
    }

    // Submissions

    function _trySubmit(uint256 project, uint256 seat, bytes32 digest) internal returns (bool ok) {
        address holder = _seated(project, seat);
        if (holder == address(0)) return false;
        uint256 round = market.projectOf(project).round;
        ok = _try(address(market), holder, abi.encodeCall(market.submit, (project, round, seat, digest, "")));
        if (ok) _note(project, seat / SLOTS, uint8(seat % SLOTS), digest);
    }

    function _tryHonestSubmit(uint256 project, uint256 seat) internal returns (bool) {
        return _trySubmit(project, seat, _digest(_commitment(seat), _seated(project, seat)));
    }

    function _tryReference(uint256 project) internal returns (bool) {
        uint256 round = market.projectOf(project).round;
        bytes32 digest = _digest(_commitment(SLOTS), owner);
        return _try(address(market), owner, abi.encodeCall(market.submitReference, (project, round, digest, "")));
    }

    /// `unsigned`: mask of slots whose signature is not their holder's.
    function _tryBatch(uint256 project, uint256 cohort, uint256 slots, uint256 unsigned) internal returns (bool ok) {
        uint256 round = market.projectOf(project).round;
        Batch memory b;
        (b.round, b.slots) = (round, slots);
        b.digests = new bytes32[](SLOTS);
        b.signatures = new bytes[](SLOTS);
        uint256 n = 0;
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            if ((slots >> slot) & 1 == 0) continue;
            uint256 seat = cohort * SLOTS + slot;
            address holder = _seated(project, seat);
            b.digests[n] = _digest(_commitment(seat), holder);
            b.signatures[n] = new bytes(65);
            if (holder != address(0) && (unsigned >> slot) & 1 == 0) {
                b.signatures[n] = _sign(keyOf[holder], market.signedHash(project, round, b.digests[n]));
                b.signed |= 1 << slot;
            }
            ++n;
        }
        _cut(b, n);
        bytes memory data = abi.encodeCall(market.postBatch, (project, round, cohort, slots, _root(b), ""));
        ok = _try(address(market), _turn(project), data);
        if (!ok) return false;
        batches[project][cohort] = b;
        _note(project, cohort, 0xff, 0);
    }

    function _cut(Batch memory b, uint256 n) private pure {
        (bytes32[] memory digests_, bytes[] memory signatures) = (new bytes32[](n), new bytes[](n));
        for (uint256 i = 0; i < n; ++i) (digests_[i], signatures[i]) = (b.digests[i], b.signatures[i]);
        (b.digests, b.signatures) = (digests_, signatures);
    }

    function _root(Batch memory b) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](b.signatures.length);
        for (uint256 i = 0; i < hashes.length; ++i) hashes[i] = keccak256(b.signatures[i]);
        return keccak256(abi.encode(b.digests, hashes));
    }

    function _sign(uint256 key, bytes32 hash) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, hash);
        return abi.encodePacked(r, s, v);
    }

    function _arrivals(uint256 project, uint256 cohort) internal view override returns (Arrivals memory arrivals) {
        arrivals = super._arrivals(project, cohort);
        Batch storage b = batches[project][cohort];
        if (b.round != market.projectOf(project).round || withoutList) return arrivals;
        (arrivals.batch, arrivals.signatures) = (b.digests, b.signatures);
    }

    /// The fixture counts transactions; here a batch adds its signed slots at its place.
    function _input(
        uint256 project,
        uint256 cohort,
        uint256[] memory gram
    ) internal view override returns (Krum.Input memory input) {
        input = super._input(project, cohort, gram);
        Cohort memory c = market.cohortOf(project, cohort);
        bytes memory order = _arrivals(project, cohort).order;
        uint256 position = 0;
        for (uint256 i = 0; i < order.length; ++i) {
            if (uint8(order[i]) < SLOTS) {
                input.positions[uint8(order[i])] = ++position;
                continue;
            }
            uint256 added = withoutList ? 0 : batches[project][cohort].signed & ~uint256(c.submitted);
            for (uint256 slot = 0; slot < SLOTS; ++slot)
                if ((added >> slot) & 1 == 1) input.positions[slot] = ++position;
            input.submitted |= added & ~uint256(c.complained);
        }
    }

    // Complaints

    function _tryComplain(uint256 project, uint256 cohort, uint256 slots) internal returns (bool) {
        uint256 round = market.projectOf(project).round;
        Arrivals memory arrivals = _arrivals(project, cohort);
        bytes memory data = abi.encodeCall(market.complain, (project, round, cohort, slots, arrivals));
        return _try(address(market), _turn(project), data);
    }

    function _tryAnswer(uint256 project, uint256 cohort, uint256 slot, address sender) internal returns (bool) {
        uint256 seed = slot == SLOTS ? SLOTS : cohort * SLOTS + slot;
        Opening memory opening = toy.open(market.termsOf(project).circuit, toy.vector(seed), 2);
        uint256 round = market.projectOf(project).round;
        G1 memory c = _commitment(seed);
        bytes memory data = abi.encodeCall(market.answer, (project, round, cohort, slot, c, opening));
        return _try(address(market), sender, data);
    }

    // Results

    function _trySkip(uint256 project, uint256 cohort, address sender) internal returns (bool) {
        uint256 round = market.projectOf(project).round;
        return _try(address(market), sender, abi.encodeCall(market.skip, (project, round, cohort)));
    }

    function _tryTimeout(uint256 project, address sender) internal returns (bool) {
        uint256 round = market.projectOf(project).round;
        return _try(address(market), sender, abi.encodeCall(market.timeout, (project, round)));
    }

    /// The aggregator in turn posts what follows from G, and keeps what it may need later.
    function _tryPost(uint256 project, uint256 cohort, uint256[] memory gram) internal returns (bool ok) {
        Project memory before = market.projectOf(project);
        address turn = _turn(project);
        if (turn == address(0) || before.status != Status.Active) return false;
        RoundResult memory result = _result(project, cohort, gram);
        uint96[] memory was = _earnedBySlot(project, cohort, before.round);
        uint96 fee = market.aggregatorsOf(project)[before.aggregatorIndex].earned;
        ok = _try(address(market), turn, abi.encodeCall(market.postResult, (project, result)));
        if (!ok) return false;
        fee = market.aggregatorsOf(project)[before.aggregatorIndex].earned - fee;
        _keep(project, before, result, fee, was);
        ++accepted[project];
    }

    function _keep(
        uint256 project,
        Project memory before,
        RoundResult memory result,
        uint96 fee,
        uint96[] memory was
    ) private {
        if (outcomes[project].length == 0 || outcomes[project][0].round != before.round) {
            delete outcomes[project];
            if (weights[project].length == 0) weights[project] = toy.vector(99);
            weightsBefore[project] = weights[project];
        }
        uint96[] memory paid = _earnedBySlot(project, result.cohort, before.round);
        uint256 given = fee;
        for (uint256 slot = 0; slot < SLOTS; ++slot) given += (paid[slot] -= was[slot]);
        Project memory p = market.projectOf(project);
        uint256 slashed = uint256(p.escrow) + p.pot + given - before.escrow - before.pot;
        Outcome memory o = _outcome(before, result, uint96(slashed), fee, paid)[0];
        for (uint256 i = 0; i < o.numbers.length; ++i) {
            o.numbers[i] = uint32(market.numberOf(project, result.round, result.cohort * SLOTS + o.numbers[i]));
        }
        if (market.termsOf(project).settlement == Settlement.OnDemand) {
            o.statement = keccak256(abi.encode(keccak256(result.proof), keccak256(abi.encodePacked(result.gram))));
            shown[project][result.cohort] = Shown(result.proof, result.gram);
        }
        outcomes[project].push(o);
        _moveModel(project, result);
    }

    function _moveModel(uint256 project, RoundResult memory result) private {
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            if ((result.merged >> slot) & 1 == 0) continue;
            int256[] memory q = toy.vector(uint256(result.cohort) * SLOTS + slot);
            for (uint256 j = 0; j < q.length; ++j) weights[project][j] += q[j];
        }
    }

    /// By slot, in all; 0 for an empty seat.
    function _earnedBySlot(
        uint256 project,
        uint256 cohort,
        uint256 round
    ) internal view returns (uint96[] memory earned) {
        earned = new uint96[](SLOTS);
        for (uint256 slot = 0; slot < SLOTS; ++slot) {
            try market.numberOf(project, round, cohort * SLOTS + slot) returns (uint256 number) {
                earned[slot] = market.trainerOf(project, number).earned;
            } catch {
                continue;
            }
        }
    }

    // Challenges

    function _tryChallenge(
        uint256 project,
        ChallengeKind kind,
        uint256 cohort,
        address sender
    ) internal returns (bool) {
        bytes memory data = abi.encodeCall(market.challenge, (project, kind, cohort, outcomes[project]));
        return _try(address(market), sender, data);
    }

    /// Whoever has the model, or the proof, answers.
    function _tryAnswerChallenge(uint256 project, address sender) internal returns (bool) {
        Challenge memory open = market.challengeOf(project);
        if (open.kind == ChallengeKind.None) return false;
        if (open.kind == ChallengeKind.Model) {
            Opening memory opening = toy.open(market.termsOf(project).circuit, weights[project], 4);
            return _try(address(market), sender, abi.encodeCall(market.answerModel, (project, opening)));
        }
        for (uint256 i = 0; i < outcomes[project].length; ++i) {
            if (outcomes[project][i].statement != open.statement) continue;
            Shown memory s = shown[project][outcomes[project][i].cohort];
            bytes memory proof = abi.encodePacked(s.commitments, new bytes(32));
            return _try(address(market), sender, abi.encodeCall(market.answerProof, (project, s.gram, proof)));
        }
        return false;
    }

    function _tryUndo(uint256 project, address sender) internal returns (bool ok) {
        ok = _try(address(market), sender, abi.encodeCall(market.undo, (project, outcomes[project])));
        if (!ok) return false;
        accepted[project] -= outcomes[project].length;
        weights[project] = weightsBefore[project];
        delete outcomes[project];
    }

    // Ends

    function _waitUntil(uint256 time) internal {
        if (block.timestamp < time) vm.warp(time);
    }

    /// One move towards the end by `who`, the only one who still moves; waits where it must. `dutiful`: it does its own
    /// part; else it only does what any stranger may.
    function _step(uint256 project, address who, bool dutiful) internal {
        Project memory p = market.projectOf(project);
        if (p.status == Status.Open) return _stepOpen(project, p, who, dutiful);
        if (p.status == Status.Drawing) {
            if (block.number <= uint256(p.seed)) vm.roll(uint256(p.seed) + 1);
            return _must(_try(address(market), who, abi.encodeCall(market.draw, (project))), "draw");
        }
        if (market.challengeOf(project).kind != ChallengeKind.None) {
            if (dutiful && who == _accused(project) && _tryAnswerChallenge(project, who)) return;
            _waitUntil(market.challengeOf(project).deadline);
            return _must(_tryUndo(project, who), "undo");
        }
        if (p.status == Status.Closing) {
            if (dutiful && who == owner)
                _try(address(market), who, abi.encodeCall(market.reveal, (project, VALIDATION, SALT)));
            _waitUntil(p.challengeDeadline);
            return _must(_try(address(market), who, abi.encodeCall(market.settle, (project))), "settle");
        }
        _waitUntil(p.submitDeadline);
        for (uint256 cohort = 0; cohort < p.cohorts; ++cohort) {
            if (_stepCohort(project, cohort, who, dutiful)) return;
        }
        _waitUntil(market.projectOf(project).resultDeadline);
        _must(_tryTimeout(project, who), "timeout");
    }

    function _stepOpen(uint256 project, Project memory p, address who, bool dutiful) private {
        if (dutiful && who == owner)
            return _must(_try(address(market), who, abi.encodeCall(market.cancel, (project))), "cancel");
        _waitUntil(p.joinDeadline);
        bool startable = p.aggregatorCount != 0 && p.trainerCount >= QUORUM;
        bytes memory data =
            startable ? abi.encodeCall(market.start, (project)) : abi.encodeCall(market.cancel, (project));
        _must(_try(address(market), who, data), "start or cancel");
    }

    /// Whether anything could be done about the cohort.
    function _stepCohort(uint256 project, uint256 cohort, address who, bool dutiful) private returns (bool) {
        Cohort memory c = market.cohortOf(project, cohort);
        if (c.concluded) return false;
        if (c.complained != 0 && dutiful && block.timestamp < market.projectOf(project).answerDeadline) {
            for (uint256 slot = 0; slot < SLOTS; ++slot) {
                if ((c.complained >> slot) & 1 == 0 || _seated(project, cohort * SLOTS + slot) != who) continue;
                return _tryAnswer(project, cohort, slot, who);
            }
        }
        if (c.complained != 0) _waitUntil(market.projectOf(project).answerDeadline);
        if (_trySkip(project, cohort, who)) return true;
        return dutiful && who == _turn(project) && _tryPost(project, cohort, _honestGram(_inputs(project)));
    }

    function _inputs(uint256 project) internal view returns (uint256) {
        return market.termsOf(project).circuit == circuit ? SLOTS : SLOTS + 1;
    }

    function _finish(uint256 project, address who, bool dutiful) internal {
        for (uint256 step = 0; step < 200 && !_ended(project); ++step) _step(project, who, dutiful);
        _must(_ended(project), "ended");
    }

    /// Everything that is `who`'s leaves market and vault.
    function _takeOut(uint256 project, address who) internal {
        if (market.claimable(project, who) != 0) market.claim(project, who);
        if (market.membershipOf(project, who).locked != 0) {
            _must(_try(address(market), who, abi.encodeCall(market.release, (project))), "release");
        }
        _withdrawAll(market.termsOf(project).token, who);
    }

    function _withdrawAll(address token, address who) internal {
        uint256 free = vault.freeOf(token, who);
        if (free != 0) _must(_try(address(vault), who, abi.encodeCall(vault.unbond, (token, free))), "unbond");
        (uint256 amount, uint256 readyAt) = vault.unbondingOf(token, who);
        if (amount == 0) return;
        _waitUntil(readyAt);
        _must(_try(address(vault), who, abi.encodeCall(vault.withdraw, (token))), "withdraw");
    }

    /// A stranger ends all projects, then everybody takes out what is theirs: nothing is left, to the wei.
    function _drain(address[] memory tokens) internal {
        for (uint256 project = 1; project <= market.projectCount(); ++project) _finish(project, stranger, false);
        address[] memory all = _everybody();
        for (uint256 project = 1; project <= market.projectCount(); ++project) {
            for (uint256 i = 0; i < all.length; ++i) _takeOut(project, all[i]);
        }
        for (uint256 t = 0; t < tokens.length; ++t) {
            for (uint256 i = 0; i < all.length; ++i) _withdrawAll(tokens[t], all[i]);
            vm.assertEq(_balance(tokens[t], address(market)), 0, "nothing is left in the market");
            vm.assertEq(_balance(tokens[t], address(vault)), 0, "nothing is left in the vault");
        }
    }

    function _must(bool ok, string memory what) internal pure {
        vm.assertTrue(ok, what);
    }
}
