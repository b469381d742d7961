// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {RoundJudge} from "../../../contracts/RoundJudge.sol";
import {ScoreRule} from "../../../contracts/interfaces/ITrainingMarket.sol";
import {Krum} from "../../../contracts/libraries/Krum.sol";
import {SlowKrum} from "./support/SlowKrum.sol";
import {TestBase} from "./support/TestBase.sol";

/// @notice Krum.sol against a reference that sorts, on Gram matrices of all kinds.
contract KrumTest is TestBase {
    uint256 private constant P = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    RoundJudge private _fast = new RoundJudge();
    SlowKrum private _slow = new SlowKrum();

    // Random rounds

    function testFuzzSmallVectorsWithTies(uint256 seed) external view {
        _compare(_rules(seed, 1 << 40), seed, 0);
    }

    function testFuzzAnyFieldElements(uint256 seed) external view {
        _compare(_rules(seed, (1 << 63) - 1), seed, 1);
    }

    function testFuzzExtremeEntriesAmongHonestOnes(uint256 seed) external view {
        _compare(_rules(seed, 40), seed, 2);
    }

    function testFuzzLargestNorms(uint256 seed) external view {
        _compare(_rules(seed, (1 << 63) - 1), seed, 3);
    }

    // Particular rounds

    function testAllEqualUpdatesShareAlike() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(10, 2);
        for (uint256 i = 0; i < input.gram.length; ++i) input.gram[i] = 100;
        Krum.Verdict memory v = _compareInput(rules, input);
        for (uint256 i = 0; i < 8; ++i) vm.assertEq(v.contributions[i], 800, "ties go to the lower slots");
        vm.assertEq(v.contributions[8] + v.contributions[9], 0, "f are left out");
        vm.assertEq(v.struck, 0, "nobody is struck among equals");
    }

    function testAllEqualUpdatesUnderTheDuplicateRulePayTheFirst() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(10, 2);
        rules.duplicateCosine = 9999;
        for (uint256 i = 0; i < input.gram.length; ++i) input.gram[i] = 100;
        for (uint256 i = 0; i < 10; ++i) input.positions[i] = 10 - i;
        Krum.Verdict memory v = _compareInput(rules, input);
        // Slot 9 came first but is not merged: nobody who is merged is paid.
        vm.assertEq(v.total, 0, "all copy slot 9");
    }

    function testZeroUpdatesEarnNothing() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(16, 6);
        Krum.Verdict memory v = _compareInput(rules, input);
        vm.assertEq(v.total, 0, "zero updates");
        vm.assertEq(v.struck, 0, "scores are all zero");
    }

    function testOneZeroUpdateAmongOthers() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        for (uint256 i = 0; i < 5; ++i) _set(input, 5, i, i, i == 0 ? 0 : 9);
        _compareInput(rules, input);
    }

    function testOversizedIsAbsentAndStruck() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(10, 2);
        for (uint256 i = 0; i < input.gram.length; ++i) input.gram[i] = 100;
        _set(input, 10, 3, 3, P - 1);
        _set(input, 10, 4, 4, rules.maxNormSquared + 1);
        Krum.Verdict memory v = _compareInput(rules, input);
        vm.assertEq(v.struck, (1 << 3) | (1 << 4), "struck");
        vm.assertEq(v.present, 1023 & ~v.struck, "absent");
        vm.assertEq(v.contributions[0], 600, "of six merged");
    }

    function testOversizedBelowQuorumMergesNothing() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        _set(input, 5, 0, 0, P / 2);
        Krum.Verdict memory v = _compareInput(rules, input);
        vm.assertEq(v.struck, 1, "still struck");
        vm.assertEq(v.present, 30, "four left, quorum is five");
    }

    function testBelowQuorumNothingMayBeClaimed() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        _set(input, 5, 0, 0, P / 2);
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        claims.merged = 2;
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongMerged.selector, 2));
        _fast.judge(rules, input, claims);
        claims.merged = 0;
        claims.neighbours[1] = 4;
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongNeighbours.selector, 1, 4));
        _fast.judge(rules, input, claims);
    }

    /// No vectors have it: a wrapped inner product would put a slot at a negative distance from everybody.
    function testAFarPairIsRefused() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        for (uint256 i = 0; i < 5; ++i) _set(input, 5, i, i, 4);
        rules.maxNormSquared = 6;
        uint256[8] memory beyond = [uint256(5), P - 5, 6, 7, P - 7, 1 << 128, P - (1 << 128), P / 2];
        for (uint256 k = 0; k < beyond.length; ++k) {
            for (uint256 i = 0; i < 5; ++i) {
                for (uint256 j = i + 1; j < 5; ++j) {
                    _set(input, 5, i, j, beyond[k]);
                    _expectFar(rules, input, claims, i, j);
                    _set(input, 5, i, j, k % 2 == 0 ? 4 : P - 4); // at the limit it is near
                    _compareInput(rules, input);
                    _set(input, 5, i, j, 0);
                }
            }
        }
    }

    /// Merged or not, and whether or not copies are looked for, which too long a product would be one of.
    function testOfFarPairsTheFirstIsNamed() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(10, 2);
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        for (uint256 i = 0; i < 10; ++i) _set(input, 10, i, i, 100);
        for (uint256 cosine = 0; cosine < 2; ++cosine) {
            rules.duplicateCosine = cosine * 10_000;
            _set(input, 10, 8, 9, P - 101);
            _expectFar(rules, input, claims, 8, 9);
            _set(input, 10, 3, 7, 101);
            _set(input, 10, 3, 5, P - 1000);
            _set(input, 10, 3, 4, 100);
            _expectFar(rules, input, claims, 3, 5);
            _set(input, 10, 3, 5, 0);
            _set(input, 10, 3, 7, 0);
        }
    }

    /// What is not present may be anything: an honest update beyond the bound has such products.
    function testAbsentOnesAreNotFar() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(10, 2);
        for (uint256 i = 0; i < 10; ++i) _set(input, 10, i, i, 100);
        input.submitted &= ~uint256(1 << 2);
        _set(input, 10, 7, 7, rules.maxNormSquared + 1);
        for (uint256 i = 0; i < 10; ++i) {
            if (i != 2) _set(input, 10, i < 2 ? i : 2, i < 2 ? 2 : i, 1 << 128);
            if (i != 7) _set(input, 10, i < 7 ? i : 7, i < 7 ? 7 : i, i % 2 == 0 ? 1 << 30 : P - (1 << 50));
        }
        Krum.Verdict memory v = _compareInput(rules, input);
        vm.assertEq(v.struck, 1 << 7, "oversized");
        vm.assertEq(v.present, 1023 & ~uint256((1 << 2) | (1 << 7)), "the others");
    }

    function testBelowTheQuorumNothingIsFar() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        _set(input, 5, 0, 0, P / 2);
        _set(input, 5, 1, 2, 1 << 128);
        vm.assertEq(_compareInput(rules, input).struck, 1, "nothing is merged");
    }

    function testAReferencePaysAlongItAndHasNoOtherSay() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _referenceRound();
        Krum.Verdict memory v = _compareInput(rules, input);
        vm.assertEq(v.present, 31, "the reference is not present");
        vm.assertTrue(v.byReference, "it counts");
        // Slot 4 is left out (the last of equals), slot 3 goes the other way, slot 2 across.
        uint256[5] memory along = [uint256(90), 100, 0, 0, 0];
        for (uint256 i = 0; i < 5; ++i) vm.assertEq(v.referenceContributions[i], along[i], "along the reference");
        vm.assertEq(v.referenceTotal, 190, "total");
        Krum.Verdict memory without = _withoutReference(rules, input);
        vm.assertEq(keccak256(abi.encode(v.scores)), keccak256(abi.encode(without.scores)), "scores");
        vm.assertEq(keccak256(abi.encode(v.contributions)), keccak256(abi.encode(without.contributions)), "the rule's");
    }

    /// Also where the slot is not merged, is a copy, or goes the other way; and what counts is looked at only.
    function testAFarReferenceIsRefused() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _referenceRound();
        rules.duplicateCosine = 10_000;
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        uint256[4] memory beyond = [101, P - 101, 1 << 128, rules.maxNormSquared + 1]; // 2^128: its square is 0 in a word
        for (uint256 k = 0; k < beyond.length; ++k) {
            for (uint256 i = 0; i < 5; ++i) {
                _set(input, 6, i, 5, beyond[k]);
                _expectFar(rules, input, claims, i, 5);
                input.referencePresent = false;
                _compareInput(rules, input);
                input.referencePresent = true;
                _set(input, 6, 5, 5, 0);
                _compareInput(rules, input);
                _set(input, 6, 5, 5, 100);
                _set(input, 6, i, 5, k % 2 == 0 ? 100 : P - 100);
                _compareInput(rules, input);
            }
        }
    }

    function testAReferenceOfNothingBeyondTheBoundOrAbsentIsNone() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _referenceRound();
        uint256[3] memory squares = [0, rules.maxNormSquared + 1, P - 1];
        for (uint256 k = 0; k < 3; ++k) {
            _set(input, 6, 5, 5, squares[k]);
            vm.assertTrue(!_compareInput(rules, input).byReference, "no reference");
        }
        _set(input, 6, 5, 5, rules.maxNormSquared);
        vm.assertTrue(_compareInput(rules, input).byReference, "at the bound it is one");
        vm.assertTrue(!_withoutReference(rules, input).byReference, "not submitted");
    }

    function testCopiesEarnNothingAlongTheReferenceEither() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _referenceRound();
        rules.duplicateCosine = 10_000;
        Krum.Verdict memory v = _compareInput(rules, input);
        vm.assertEq(v.referenceTotal, 90, "of five equals the first");
        vm.assertEq(v.total, 400, "by the rule too");
    }

    function testQuorum() external pure {
        vm.assertEq(Krum.quorum(10, 2), 8, "K - f");
        vm.assertEq(Krum.quorum(5, 1), 5, "2f + 3");
        vm.assertEq(Krum.quorum(16, 6), 15, "2f + 3");
        vm.assertEq(Krum.quorum(3, 0), 3, "no faults");
    }

    // False claims

    function testFuzzAnyOtherMergedMaskIsRefused(uint256 seed, uint256 other) external {
        (Krum.Rules memory rules, Krum.Input memory input, , Krum.Claims memory claims) = _quorate(seed);
        other = bound(other, 0, (1 << rules.slots) - 1);
        vm.assume(other != claims.merged);
        claims.merged = other;
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongMerged.selector, other));
        _fast.judge(rules, input, claims);
    }

    /// One merged slot exchanged for one that is not, often with the same score: ties go to the lower slot.
    function testFuzzAnExchangedSlotIsRefused(uint256 seed, uint256 pick) external {
        (Krum.Rules memory rules, Krum.Input memory input, Krum.Verdict memory v, Krum.Claims memory claims) = _quorate(
            seed
        );
        vm.assume(rules.faults != 0);
        uint256 out = _nth(claims.merged, pick);
        uint256 in_ = _nth(v.present & ~claims.merged, pick >> 64);
        claims.merged = (claims.merged & ~(1 << out)) | (1 << in_);
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongMerged.selector, claims.merged));
        _fast.judge(rules, input, claims);
    }

    function testAmongEqualsOnlyTheLowestSlotsAreMerged() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(10, 2);
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        vm.assertEq(claims.merged, 255, "slots 0 to 7");
        claims.merged = 1020;
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongMerged.selector, 1020));
        _fast.judge(rules, input, claims);
    }

    function testFuzzFartherNeighbourIsRefused(uint256 seed, uint256 pick) external {
        (Krum.Rules memory rules, Krum.Input memory input, Krum.Verdict memory v, Krum.Claims memory claims) = _quorate(
            seed
        );
        uint256 i = _nth(v.present, pick);
        uint256 named = claims.neighbours[i];
        uint256 out = _nth(named, pick >> 64);
        uint256 in_ = _nth(v.present & ~named & ~(1 << i), pick >> 128);
        claims.neighbours[i] = uint16((named & ~(1 << out)) | (1 << in_));
        if (_slow.distance(rules, input, i, out) != _slow.distance(rules, input, i, in_)) {
            vm.expectRevert(abi.encodeWithSelector(Krum.WrongNeighbours.selector, i, claims.neighbours[i]));
            _fast.judge(rules, input, claims);
        } else {
            // A tie: another name for the same sum.
            vm.assertEq(_hash(_fast.judge(rules, input, claims)), _hash(v), "same verdict");
        }
    }

    function testFuzzNeighboursMustBePresentOthersInNumber(uint256 seed, uint256 pick) external {
        (Krum.Rules memory rules, Krum.Input memory input, Krum.Verdict memory v, Krum.Claims memory claims) = _quorate(
            seed
        );
        uint256 slot = bound(pick, 0, rules.slots - 1);
        uint256 named = claims.neighbours[slot];
        uint256 kind = bound(pick >> 16, 0, 3);
        uint256 bad = named | (1 << slot); // itself
        if (kind == 1 && named != 0) bad = named & (named - 1); // one too few
        if (kind == 2) bad = named | (~v.present & 0xffff); // absent ones
        if (kind == 3) bad = v.present & ~(1 << slot); // all
        vm.assume(bad != named);
        claims.neighbours[slot] = uint16(bad);
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongNeighbours.selector, slot, bad));
        _fast.judge(rules, input, claims);
    }

    function testFuzzMedianClaimsHoldExactlyForTheMedian(uint256 seed, uint256 slot) external {
        (Krum.Rules memory rules, Krum.Input memory input, Krum.Verdict memory v, Krum.Claims memory claims) = _quorate(
            seed
        );
        slot = bound(slot, 0, 255);
        uint256 score = v.scores[claims.medianScoreSlot];
        claims.medianScoreSlot = slot;
        if (slot >= rules.slots || (v.present >> slot) & 1 == 0 || v.scores[slot] != score) {
            vm.expectRevert(abi.encodeWithSelector(Krum.WrongMedianScore.selector, slot));
        }
        _fast.judge(rules, input, claims);
    }

    function testFuzzMedianNormClaimsHoldExactlyForTheMedian(uint256 seed, uint256 slot) external {
        (Krum.Rules memory rules, Krum.Input memory input, Krum.Verdict memory v, Krum.Claims memory claims) = _quorate(
            seed
        );
        slot = bound(slot, 0, 255);
        bool right = slot < rules.slots && (v.present >> slot) & 1 == 1;
        if (right) right = _norm(rules, input, slot) == _norm(rules, input, claims.medianNormSlot);
        claims.medianNormSlot = slot;
        if (!right) vm.expectRevert(abi.encodeWithSelector(Krum.WrongMedianNorm.selector, slot));
        _fast.judge(rules, input, claims);
    }

    /// Norms 1, 2, .. of five: the third is the median, and no other slot is, present or not.
    function testOnlyTheMedianNormIsTheMedian() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        uint256 at = 0;
        for (uint256 i = 0; i < 5; ++i) {
            input.gram[at] = (i + 1) * (i + 1);
            at += 5 - i;
        }
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        vm.assertEq(claims.medianNormSlot, 2, "the third of five");
        _fast.judge(rules, input, claims);
        for (uint256 slot = 0; slot < 7; ++slot) {
            if (slot == 2) continue;
            claims.medianNormSlot = slot;
            vm.expectRevert(abi.encodeWithSelector(Krum.WrongMedianNorm.selector, slot));
            _fast.judge(rules, input, claims);
        }
    }

    /// Neighbours are read as they lie in the call data: what is no uint16 is no slot.
    function testNeighboursBeyondTheirTypeAreRefused() external view {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        bytes memory data = abi.encodeCall(_fast.judge, (rules, input, claims));
        (bool accepted, ) = address(_fast).staticcall(data);
        vm.assertTrue(accepted, "as it is");
        // The neighbours are the last five words; the bit above a uint16 is set in the third.
        data[data.length - 3 * 32 + 29] = 0x01;
        (accepted, ) = address(_fast).staticcall(data);
        vm.assertTrue(!accepted, "slot 16");
    }

    function testWrongLengthsAreRefused() external {
        (Krum.Rules memory rules, Krum.Input memory input) = _round(5, 1);
        (, Krum.Claims memory claims) = _slow.judge(rules, input);
        input.gram = new uint256[](16);
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongLength.selector, 16, 15));
        _fast.judge(rules, input, claims);
        input.gram = new uint256[](15);
        claims.neighbours = new uint16[](6);
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongLength.selector, 6, 5));
        _fast.judge(rules, input, claims);
        input.positions = new uint256[](4);
        vm.expectRevert(abi.encodeWithSelector(Krum.WrongLength.selector, 4, 5));
        _fast.judge(rules, input, claims);
    }

    // Helpers

    function _compare(Krum.Rules memory rules, uint256 seed, uint256 kind) private view {
        _compareInput(rules, _input(rules, seed, kind, true));
    }

    function _compareInput(
        Krum.Rules memory rules,
        Krum.Input memory input
    ) private view returns (Krum.Verdict memory got) {
        (bool accepted, bytes memory answer) = address(_slow).staticcall(abi.encodeCall(_slow.judge, (rules, input)));
        if (!accepted) {
            vm.assertEq(keccak256(_farAnswer(rules, input)), keccak256(answer), "a far pair");
            return got;
        }
        (Krum.Verdict memory expected, Krum.Claims memory claims) = abi.decode(answer, (Krum.Verdict, Krum.Claims));
        got = _fast.judge(rules, input, claims);
        vm.assertEq(got.present, expected.present, "present");
        vm.assertEq(got.struck, expected.struck, "struck");
        vm.assertEq(_hash(got), _hash(expected), "verdict");
    }

    /// What Krum.sol refuses a round with that has a far pair. Claims fit it but for that: without the reference.
    function _farAnswer(Krum.Rules memory rules, Krum.Input memory input) private view returns (bytes memory answer) {
        bool byReference = input.referencePresent;
        input.referencePresent = false;
        bool accepted;
        Krum.Claims memory claims;
        claims.neighbours = new uint16[](rules.slots);
        (accepted, answer) = address(_slow).staticcall(abi.encodeCall(_slow.judge, (rules, input)));
        if (accepted) (, claims) = abi.decode(answer, (Krum.Verdict, Krum.Claims));
        input.referencePresent = byReference;
        (accepted, answer) = address(_fast).staticcall(abi.encodeCall(_fast.judge, (rules, input, claims)));
        vm.assertTrue(!accepted, "taken");
    }

    function _expectFar(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Krum.Claims memory claims,
        uint256 i,
        uint256 j
    ) private {
        vm.expectRevert(abi.encodeWithSelector(Krum.FarPair.selector, i, j));
        _fast.judge(rules, input, claims);
        vm.expectRevert(abi.encodeWithSelector(Krum.FarPair.selector, i, j));
        _slow.judge(rules, input);
    }

    /// A round of vectors with a quorum, the reference's verdict and claims.
    function _quorate(
        uint256 seed
    )
        private
        view
        returns (Krum.Rules memory rules, Krum.Input memory input, Krum.Verdict memory v, Krum.Claims memory claims)
    {
        rules = _rules(seed, 1 << 40);
        input = _input(rules, seed, 0, false);
        (v, claims) = _slow.judge(rules, input);
    }

    function _rules(uint256 seed, uint256 maxNormSquared) private pure returns (Krum.Rules memory rules) {
        rules.slots = bound(random(seed, 1, 0), 3, 16);
        rules.faults = bound(random(seed, 2, 0), 0, (rules.slots - 3) / 2);
        rules.maxNormSquared = maxNormSquared;
        rules.rule = random(seed, 3, 0) % 2 == 0 ? ScoreRule.Cosine : ScoreRule.Projection;
        rules.hasReference = rules.slots < 16 && random(seed, 13, 0) % 2 == 0;
        rules.strikeFactor = random(seed, 4, 0) % 3 == 0 ? 0 : bound(random(seed, 5, 0), 100, 400);
        rules.duplicateCosine = random(seed, 6, 0) % 3 == 0 ? 0 : bound(random(seed, 7, 0), 5000, 10_000);
    }

    /// kind 0: small vectors; 1: any field elements; 2: small vectors, some oversized, with few extreme products, so
    /// that many rounds have no far pair; 3: the largest norms.
    function _input(
        Krum.Rules memory rules,
        uint256 seed,
        uint256 kind,
        bool absences
    ) private pure returns (Krum.Input memory input) {
        uint256 K = rules.slots;
        input.submitted = (1 << K) - 1;
        if (absences) {
            for (uint256 a = random(seed, 8, 0) % 3; a > 0; --a) input.submitted &= ~(1 << (random(seed, 9, a) % K));
        }
        input.positions = new uint256[](K);
        uint256 shift = random(seed, 11, 0) % K;
        for (uint256 i = 0; i < K; ++i) input.positions[i] = ((i + shift) % K) + 1;
        input.referencePresent = random(seed, 10, 0) % 3 != 0;
        uint256 inputs = rules.hasReference ? K + 1 : K;
        input.gram = new uint256[]((inputs * (inputs + 1)) / 2);
        uint256 at = 0;
        for (uint256 i = 0; i < inputs; ++i) {
            for (uint256 j = i; j < inputs; ++j) input.gram[at++] = _entry(rules, seed, kind, i, j);
        }
    }

    function _entry(
        Krum.Rules memory rules,
        uint256 seed,
        uint256 kind,
        uint256 i,
        uint256 j
    ) private pure returns (uint256) {
        uint256 dice = random(seed, 12 + i, j);
        if (kind == 1) return dice % 4 == 0 ? dice % P : _edge(rules, dice);
        if (kind == 3) {
            uint256 size = rules.maxNormSquared - (dice % 3) - (i == j || dice % 64 == 9 ? 0 : 2);
            return i == j || dice % 8 < 5 ? size : P - size;
        }
        if (kind == 2 && i == j && dice % 16 == 0) return rules.maxNormSquared - 1 + ((dice >> 8) % 3);
        if (kind == 2 && i != j && dice % 128 == 0) return _edge(rules, dice);
        int256 dot = 0;
        for (uint256 k = 0; k < 3; ++k) dot += _coordinate(seed, i, k) * _coordinate(seed, j, k);
        return dot < 0 ? P - uint256(-dot) : uint256(dot);
    }

    function _edge(Krum.Rules memory rules, uint256 dice) private pure returns (uint256) {
        uint256 n = rules.maxNormSquared;
        uint256[10] memory edges = [0, 1, n - 1, n, n + 1, P / 2, P / 2 + 1, P - 1, P - n, P - n - 1];
        return edges[(dice >> 8) % 10];
    }

    /// -3..3, with the same vectors often: ties.
    function _coordinate(uint256 seed, uint256 slot, uint256 k) private pure returns (int256) {
        uint256 vector = random(seed, 100, slot) % 6;
        return int256(random(seed, 200 + vector, k) % 7) - 3;
    }

    function _round(
        uint256 slots,
        uint256 faults
    ) private pure returns (Krum.Rules memory rules, Krum.Input memory input) {
        rules = Krum.Rules(slots, faults, 1 << 40, ScoreRule.Projection, false, 200, 0);
        input.submitted = (1 << slots) - 1;
        input.positions = new uint256[](slots);
        for (uint256 i = 0; i < slots; ++i) input.positions[i] = i + 1;
        input.gram = new uint256[]((slots * (slots + 1)) / 2);
    }

    /// Five equal updates and the owner's, whose products with them are 90, 100, 0, -100 and 100.
    function _referenceRound() private pure returns (Krum.Rules memory rules, Krum.Input memory input) {
        (rules, input) = _round(5, 1);
        rules.hasReference = true;
        input.referencePresent = true;
        input.gram = new uint256[](21);
        for (uint256 i = 0; i < 21; ++i) input.gram[i] = 100;
        _set(input, 6, 0, 5, 90);
        _set(input, 6, 2, 5, 0);
        _set(input, 6, 3, 5, P - 100);
    }

    function _withoutReference(
        Krum.Rules memory rules,
        Krum.Input memory input
    ) private view returns (Krum.Verdict memory) {
        input.referencePresent = false;
        return _compareInput(rules, input);
    }

    function _set(Krum.Input memory input, uint256 slots, uint256 i, uint256 j, uint256 value) private pure {
        input.gram[i * slots - (i * (i + 1)) / 2 + j] = value;
    }

    function _norm(Krum.Rules memory rules, Krum.Input memory input, uint256 slot) private pure returns (uint256 root) {
        uint256 inputs = rules.hasReference ? rules.slots + 1 : rules.slots;
        uint256 square = input.gram[slot * inputs - (slot * (slot + 1)) / 2 + slot];
        while ((root + 1) ** 2 <= square) ++root;
    }

    function _nth(uint256 mask, uint256 pick) private pure returns (uint256 slot) {
        uint256 size = 0;
        for (uint256 m = mask; m != 0; m &= m - 1) ++size;
        uint256 left = pick % size;
        for (slot = 0; ; ++slot) {
            if ((mask >> slot) & 1 == 0) continue;
            if (left == 0) return slot;
            --left;
        }
    }

    function _hash(Krum.Verdict memory verdict) private pure returns (bytes32) {
        return keccak256(abi.encode(verdict));
    }
}
