// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ScoreRule} from "../../../../contracts/interfaces/ITrainingMarket.sol";
import {Krum} from "../../../../contracts/libraries/Krum.sol";

/// @notice The rules of docs/protocol.md written down once more in the plainest way: full signed matrix, sorting.
/// It shares no code with Krum.sol but its structs.
contract SlowKrum {
    uint256 private constant P = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    struct Work {
        uint256 n;
        uint256[] slotsPresent;
        uint256 oversized;
        uint256[] norms; // by slot
        uint256 medianScore;
        uint256 medianNorm;
        uint256 inputs; // rows of G
    }

    function judge(
        Krum.Rules memory rules,
        Krum.Input memory input
    ) external pure returns (Krum.Verdict memory v, Krum.Claims memory c) {
        Work memory w;
        uint256 K = rules.slots;
        w.inputs = rules.hasReference ? K + 1 : K;
        c.neighbours = new uint16[](K);
        v.scores = new uint256[](K);
        v.contributions = new uint256[](K);
        v.referenceContributions = new uint256[](K);
        w.norms = new uint256[](K);
        w.slotsPresent = new uint256[](K);
        for (uint256 i = 0; i < K; i++) {
            if (!_in(input.submitted, i)) continue;
            if (_raw(input, w.inputs, i, i) > rules.maxNormSquared) w.oversized += 2 ** i;
            else w.slotsPresent[w.n++] = i;
        }
        w.slotsPresent = _take(w.slotsPresent, w.n);
        for (uint256 a = 0; a < w.n; a++) v.present += 2 ** w.slotsPresent[a];
        v.struck = w.oversized;
        uint256 quorum = 2 * rules.faults + 3;
        if (K - rules.faults > quorum) quorum = K - rules.faults;
        if (w.n < quorum) return (v, c);

        if (rules.hasReference && input.referencePresent) {
            uint256 own = _raw(input, K + 1, K, K);
            v.byReference = own > 0 && own <= rules.maxNormSquared;
        }
        _refuseFar(rules, input, w, v.byReference);
        _scores(rules, input, w, v, c);
        _masks(rules, input, w, v, c);
        for (uint256 a = 0; a < w.n; a++) {
            uint256 i = w.slotsPresent[a];
            if (rules.strikeFactor > 0 && v.scores[i] * 100 > rules.strikeFactor * w.medianScore) {
                if (!_in(v.struck, i)) v.struck += 2 ** i;
            }
        }
        _contributions(rules, input, w, v, c);
    }

    function distance(
        Krum.Rules memory rules,
        Krum.Input memory input,
        uint256 i,
        uint256 j
    ) public pure returns (uint256) {
        uint256 K = rules.hasReference ? rules.slots + 1 : rules.slots;
        int256 d = _signed(input, K, i, i) + _signed(input, K, j, j) - 2 * _signed(input, K, i, j);
        require(d >= 0, "negative distance");
        return uint256(d);
    }

    function _refuseFar(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Work memory w,
        bool byReference
    ) private pure {
        for (uint256 a = 0; a < w.n; a++) {
            for (uint256 b = a + 1; b < w.n; b++) {
                (uint256 i, uint256 j) = (w.slotsPresent[a], w.slotsPresent[b]);
                if (!_near(rules, input, i, j)) revert Krum.FarPair(i, j);
            }
        }
        for (uint256 a = 0; byReference && a < w.n; a++) {
            uint256 i = w.slotsPresent[a];
            if (!_near(rules, input, i, rules.slots)) revert Krum.FarPair(i, rules.slots);
        }
    }

    function _scores(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Work memory w,
        Krum.Verdict memory v,
        Krum.Claims memory c
    ) private pure {
        for (uint256 a = 0; a < w.n; a++) {
            uint256 i = w.slotsPresent[a];
            uint256[] memory keys = new uint256[](w.n - 1);
            uint256 k = 0;
            for (uint256 b = 0; b < w.n; b++) {
                uint256 j = w.slotsPresent[b];
                if (j != i) keys[k++] = distance(rules, input, i, j) * 256 + j;
            }
            _sort(keys);
            for (uint256 b = 0; b < w.n - rules.faults - 2; b++) {
                v.scores[i] += keys[b] / 256;
                c.neighbours[i] += uint16(2 ** (keys[b] % 256));
            }
        }
    }

    function _masks(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Work memory w,
        Krum.Verdict memory v,
        Krum.Claims memory c
    ) private pure {
        uint256[] memory byScore = new uint256[](w.n);
        uint256[] memory byNorm = new uint256[](w.n);
        for (uint256 a = 0; a < w.n; a++) {
            uint256 i = w.slotsPresent[a];
            w.norms[i] = _root(_raw(input, w.inputs, i, i));
            byScore[a] = v.scores[i] * 256 + i;
            byNorm[a] = w.norms[i] * 256 + i;
        }
        _sort(byScore);
        _sort(byNorm);
        for (uint256 a = 0; a < w.n - rules.faults; a++) c.merged += 2 ** (byScore[a] % 256);
        c.medianScoreSlot = byScore[(w.n - 1) / 2] % 256;
        c.medianNormSlot = byNorm[(w.n - 1) / 2] % 256;
        w.medianScore = byScore[(w.n - 1) / 2] / 256;
        w.medianNorm = byNorm[(w.n - 1) / 2] / 256;
    }

    function _contributions(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Work memory w,
        Krum.Verdict memory v,
        Krum.Claims memory c
    ) private pure {
        for (uint256 i = 0; i < rules.slots; i++) {
            if (!_in(c.merged, i) || w.norms[i] == 0 || _isCopy(rules, input, w, i)) continue;
            int256 dot = 0;
            for (uint256 j = 0; j < rules.slots; j++) {
                if (_in(c.merged, j)) dot += _signed(input, w.inputs, i, j);
            }
            _alongReference(rules, input, w, v, i);
            if (dot <= 0) continue;
            uint256 smaller = w.norms[i] < w.medianNorm ? w.norms[i] : w.medianNorm;
            v.contributions[i] =
                rules.rule == ScoreRule.Cosine
                    ? (uint256(dot) * 2 ** 32) / w.norms[i]
                    : (uint256(dot) * smaller) / w.norms[i];
            v.total += v.contributions[i];
        }
    }

    function _alongReference(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Work memory w,
        Krum.Verdict memory v,
        uint256 i
    ) private pure {
        if (!v.byReference) return;
        int256 dot = _signed(input, w.inputs, i, rules.slots);
        if (dot <= 0) return;
        uint256 smaller = w.norms[i] < w.medianNorm ? w.norms[i] : w.medianNorm;
        v.referenceContributions[i] = (uint256(dot) * smaller) / w.norms[i];
        v.referenceTotal += v.referenceContributions[i];
    }

    function _isCopy(
        Krum.Rules memory rules,
        Krum.Input memory input,
        Work memory w,
        uint256 j
    ) private pure returns (bool) {
        if (rules.duplicateCosine == 0) return false;
        for (uint256 a = 0; a < w.n; a++) {
            uint256 i = w.slotsPresent[a];
            if (i == j || input.positions[i] >= input.positions[j]) continue;
            int256 inner = _signed(input, w.inputs, i, j);
            if (inner <= 0) continue;
            uint256 left = (uint256(inner) * 10_000) ** 2;
            uint256 right = rules.duplicateCosine ** 2 * _raw(input, w.inputs, i, i) * _raw(input, w.inputs, j, j);
            if (left >= right) return true;
        }
        return false;
    }

    function _near(Krum.Rules memory rules, Krum.Input memory input, uint256 i, uint256 j) private pure returns (bool) {
        uint256 K = rules.hasReference ? rules.slots + 1 : rules.slots;
        int256 inner = _signed(input, K, i, j);
        uint256 size = inner < 0 ? uint256(-inner) : uint256(inner);
        if (size > rules.maxNormSquared) return false;
        return size ** 2 <= _raw(input, K, i, i) * _raw(input, K, j, j);
    }

    function _signed(Krum.Input memory input, uint256 K, uint256 i, uint256 j) private pure returns (int256) {
        uint256 felt = _raw(input, K, i, j);
        return felt > P / 2 ? -int256(P - felt) : int256(felt);
    }

    function _raw(Krum.Input memory input, uint256 K, uint256 i, uint256 j) private pure returns (uint256) {
        if (i > j) (i, j) = (j, i);
        uint256 at = 0;
        for (uint256 row = 0; row < i; row++) at += K - row;
        return input.gram[at + j - i];
    }

    function _root(uint256 square) private pure returns (uint256 root) {
        // Bit by bit from above.
        for (uint256 bit = 2 ** 32; bit > 0; bit /= 2) if ((root + bit) ** 2 <= square) root += bit;
    }

    function _in(uint256 mask, uint256 slot) private pure returns (bool) {
        return (mask / 2 ** slot) % 2 == 1;
    }

    function _take(uint256[] memory list, uint256 n) private pure returns (uint256[] memory head) {
        head = new uint256[](n);
        for (uint256 i = 0; i < n; i++) head[i] = list[i];
    }

    function _sort(uint256[] memory list) private pure {
        for (uint256 i = 1; i < list.length; i++) {
            for (uint256 j = i; j > 0 && list[j - 1] > list[j]; j--) (list[j - 1], list[j]) = (list[j], list[j - 1]);
        }
    }
}
