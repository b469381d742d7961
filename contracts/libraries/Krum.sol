// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ScoreRule} from "../interfaces/ITrainingMarket.sol";
import {BN254} from "./BN254.sol";
import {BitMask} from "./BitMask.sol";

/// @title From a round's Gram matrix to who is merged, who is struck and who contributed what
/// @notice docs/protocol.md, "From G to pay", steps 1 to 9; marketplace/protocol/krum.py is its twin. Multi-Krum after
/// Blanchard et al., "Machine Learning with Adversaries" (NeurIPS 2017). Pure: it checks claims instead of sorting.
/// @dev Never overflows and never divides by zero, whatever field elements G holds: present slots have
/// G_ii <= N_max < 2^63, so an inner product that passes the near test is below 2^63 and a distance below 2^65.
library Krum {
    using BitMask for uint256;

    /// @notice Distance of two updates whose inner product no vectors in range can have.
    uint256 internal constant FAR = 1 << 72;
    uint256 private constant COSINE_SHIFT = 32;
    uint256 private constant BASIS_POINTS_SQUARED = 10_000 ** 2;

    /// @notice What a project's terms say about judging.
    struct Rules {
        uint256 slots;
        uint256 faults;
        uint256 maxNormSquared;
        ScoreRule rule; // Projection or Cosine: the project's, or its fallback
        bool hasReference; // the project's rule is Reference: G has a row more, the owner's
        uint256 strikeFactor;
        uint256 duplicateCosine;
    }

    /// @notice The round: mask of slots with an update in the proof, the order of submission by slot (from 1), G's
    /// upper triangle.
    struct Input {
        uint256 submitted;
        bool referencePresent;
        uint256[] positions;
        uint256[] gram;
    }

    /// @notice What the aggregator says and this library checks.
    struct Claims {
        uint256 merged;
        uint256 medianScoreSlot;
        uint256 medianNormSlot;
        uint16[] neighbours; // by slot
    }

    /// @notice The outcome. Arrays are by slot, 0 where a slot has none; `total` is the sum of the contributions.
    struct Verdict {
        uint256 present;
        uint256 struck;
        uint256[] scores;
        uint256[] contributions;
        uint256 total;
        uint256[] referenceContributions;
        uint256 referenceTotal;
        bool byReference; // the reference counts
    }

    /// @dev What is computed once over the pairs of present slots.
    struct Pairs {
        uint256 count; // n
        uint256[] normsSquared; // by slot
        uint256[] distances; // K x K
        int256[] dots; // by slot, over the merged
        uint256 copies; // mask
    }

    /// @notice The claim about a slot's nearest neighbours is not the rule's.
    error WrongNeighbours(uint256 slot, uint256 claimed);
    /// @notice The claimed mask is not the n - f smallest (score, slot).
    error WrongMerged(uint256 claimed);
    /// @notice The claimed slot does not hold the median of the scores.
    error WrongMedianScore(uint256 slot);
    /// @notice The claimed slot does not hold the median of the norms.
    error WrongMedianNorm(uint256 slot);
    /// @notice A list does not have the length that the number of slots asks for.
    error WrongLength(uint256 given, uint256 expected);

    /// @notice max(K - f, 2f + 3): the fewest updates with which a round is merged.
    function quorum(uint256 slots, uint256 faults) internal pure returns (uint256) {
        return Math.max(slots - faults, 2 * faults + 3);
    }

    /// @notice Judges a round; reverts where a claim is not exactly what the rules give.
    function judge(
        Rules memory rules,
        Input memory input,
        Claims memory claims
    ) internal pure returns (Verdict memory verdict) {
        uint256 inputs = rules.slots + (rules.hasReference ? 1 : 0);
        if (input.gram.length != (inputs * (inputs + 1)) / 2) {
            revert WrongLength(input.gram.length, (inputs * (inputs + 1)) / 2);
        }
        if (claims.neighbours.length != rules.slots) revert WrongLength(claims.neighbours.length, rules.slots);
        Pairs memory pairs;
        uint256 oversized;
        (verdict.present, oversized, pairs.normsSquared) = _sizes(rules, input);
        verdict.scores = new uint256[](rules.slots);
        verdict.contributions = new uint256[](rules.slots);
        verdict.referenceContributions = new uint256[](rules.slots);
        verdict.struck = oversized;
        pairs.count = verdict.present.count();
        if (pairs.count < quorum(rules.slots, rules.faults)) {
            _requireNoClaims(claims);
            return verdict;
        }
        _comparePairs(rules, input, claims.merged, verdict.present, pairs);
        _score(rules, claims, verdict, pairs);
        _requireMerged(rules, claims.merged, verdict, pairs.count);
        if (!verdict.present.has(claims.medianScoreSlot)) revert WrongMedianScore(claims.medianScoreSlot);
        if (!_isMedian(verdict.scores, verdict.present, pairs.count, claims.medianScoreSlot)) {
            revert WrongMedianScore(claims.medianScoreSlot);
        }
        verdict.struck |= _strikes(rules, verdict, verdict.scores[claims.medianScoreSlot]);
        _contribute(rules, input, claims, verdict, pairs);
    }

    /// @dev Step 1: present and oversized slots, and G's diagonal.
    function _sizes(
        Rules memory rules,
        Input memory input
    ) private pure returns (uint256 present, uint256 oversized, uint256[] memory normsSquared) {
        normsSquared = new uint256[](rules.slots);
        uint256 judged = input.submitted;
        uint256 cell = 0;
        for (uint256 i = 0; i < rules.slots; ++i) {
            if (judged.has(i)) {
                normsSquared[i] = input.gram[cell];
                if (input.gram[cell] > rules.maxNormSquared) oversized |= 1 << i;
                else present |= 1 << i;
            }
            cell += rules.slots - i + (rules.hasReference ? 1 : 0);
        }
    }

    /// @dev Nothing is merged without a quorum, so nothing may be claimed.
    function _requireNoClaims(Claims memory claims) private pure {
        if (claims.merged != 0) revert WrongMerged(claims.merged);
        for (uint256 i = 0; i < claims.neighbours.length; ++i) {
            if (claims.neighbours[i] != 0) revert WrongNeighbours(i, claims.neighbours[i]);
        }
    }

    /// @dev Steps 2, 7 and 9 in one walk over the pairs. `merged` is checked later.
    function _comparePairs(
        Rules memory rules,
        Input memory input,
        uint256 merged,
        uint256 present,
        Pairs memory pairs
    ) private pure {
        uint256 slots = rules.slots;
        pairs.distances = new uint256[](slots * slots);
        pairs.dots = new int256[](slots);
        // Safe: indices stay below 256, and a dot product is a sum of at most 16 numbers below 2^63.
        unchecked {
            for (uint256 i = 0; i < slots; ++i) {
                if ((present >> i) & 1 == 0) continue;
                uint256 cell = _row(rules, i); // of G_ij: cell + j
                if ((merged >> i) & 1 == 1) pairs.dots[i] += int256(pairs.normsSquared[i]);
                for (uint256 j = i + 1; j < slots; ++j) {
                    if ((present >> j) & 1 == 0) continue;
                    uint256 distance = _comparePair(rules, input, merged, pairs, i, j, input.gram[cell + j]);
                    pairs.distances[i * slots + j] = distance;
                    pairs.distances[j * slots + i] = distance;
                }
            }
        }
    }

    function _comparePair(
        Rules memory rules,
        Input memory input,
        uint256 merged,
        Pairs memory pairs,
        uint256 i,
        uint256 j,
        uint256 inner
    ) private pure returns (uint256 distance) {
        uint256 a = pairs.normsSquared[i];
        uint256 b = pairs.normsSquared[j];
        bool negative = inner > BN254.SCALAR_MODULUS / 2;
        uint256 size = negative ? BN254.SCALAR_MODULUS - inner : inner;
        // Safe: a and b are at most N_max, and size is once the first test has passed; then 2 * size <=
        // 2 * sqrt(a * b) <= a + b, and both sides of the duplicate test are below 2^154.
        unchecked {
            // The second test is Cauchy-Schwarz.
            if (size > rules.maxNormSquared || size * size > a * b) return FAR;
            if ((merged >> i) & (merged >> j) & 1 == 1) {
                int256 dot = negative ? -int256(size) : int256(size);
                pairs.dots[i] += dot;
                pairs.dots[j] += dot;
            }
            if (negative) return a + b + 2 * size;
            uint256 cosine = rules.duplicateCosine;
            if (cosine != 0 && size != 0 && size * size * BASIS_POINTS_SQUARED >= cosine * cosine * a * b) {
                pairs.copies |= 1 << (input.positions[i] < input.positions[j] ? j : i);
            }
            return a + b - 2 * size;
        }
    }

    /// @dev Step 3: r_i from the named neighbours, none of whom may be farther than a slot left unnamed.
    function _score(Rules memory rules, Claims memory claims, Verdict memory verdict, Pairs memory pairs) private pure {
        uint256 wanted = pairs.count - rules.faults - 2;
        for (uint256 i = 0; i < rules.slots; ++i) {
            uint256 named = claims.neighbours[i];
            if (!verdict.present.has(i)) {
                if (named != 0) revert WrongNeighbours(i, named);
                continue;
            }
            uint256 others = verdict.present & ~(1 << i);
            if (!named.isWithin(others) || named.count() != wanted) revert WrongNeighbours(i, named);
            (uint256 sum, bool nearest) = _sumOfNearest(pairs.distances, i * rules.slots, named, others);
            if (!nearest) revert WrongNeighbours(i, named);
            verdict.scores[i] = sum;
        }
    }

    /// @dev The sum of the named distances of a row, and whether none of them is above one left unnamed.
    function _sumOfNearest(
        uint256[] memory distances,
        uint256 row,
        uint256 named,
        uint256 others
    ) private pure returns (uint256 sum, bool nearest) {
        uint256 farthestNamed = 0;
        uint256 nearestUnnamed = type(uint256).max;
        // Safe: at most 15 distances, each at most 2^72.
        unchecked {
            for (uint256 j = 0; others >> j != 0; ++j) {
                if ((others >> j) & 1 == 0) continue;
                uint256 distance = distances[row + j];
                if ((named >> j) & 1 == 1) {
                    sum += distance;
                    if (distance > farthestNamed) farthestNamed = distance;
                } else if (distance < nearestUnnamed) {
                    nearestUnnamed = distance;
                }
            }
        }
        return (sum, farthestNamed <= nearestUnnamed);
    }

    /// @dev Step 4: the n - f smallest (r_i, i), as one number each.
    function _requireMerged(Rules memory rules, uint256 merged, Verdict memory verdict, uint256 count) private pure {
        if (!merged.isWithin(verdict.present) || merged.count() != count - rules.faults) revert WrongMerged(merged);
        uint256 largestMerged = 0;
        uint256 smallestLeft = type(uint256).max;
        for (uint256 i = 0; i < rules.slots; ++i) {
            if (!verdict.present.has(i)) continue;
            uint256 rank = (verdict.scores[i] << 8) | i;
            if (merged.has(i)) {
                if (rank > largestMerged) largestMerged = rank;
            } else if (rank < smallestLeft) {
                smallestLeft = rank;
            }
        }
        if (largestMerged > smallestLeft) revert WrongMerged(merged);
    }

    /// @dev Step 5: whether `values[slot]` is the ((n - 1) // 2)-th smallest of the present slots' values, from 0.
    function _isMedian(
        uint256[] memory values,
        uint256 present,
        uint256 count,
        uint256 slot
    ) private pure returns (bool) {
        uint256 place = (count - 1) / 2;
        uint256 median = values[slot];
        uint256 less = 0;
        uint256 lessOrEqual = 0;
        for (uint256 i = 0; i < values.length; ++i) {
            if (!present.has(i)) continue;
            if (values[i] < median) ++less;
            if (values[i] <= median) ++lessOrEqual;
        }
        return less <= place && place < lessOrEqual;
    }

    /// @dev Step 6, without the oversized. A score is below 2^76, the factor below 2^16.
    function _strikes(
        Rules memory rules,
        Verdict memory verdict,
        uint256 median
    ) private pure returns (uint256 struck) {
        if (rules.strikeFactor == 0) return 0;
        uint256 limit = rules.strikeFactor * median;
        for (uint256 i = 0; i < rules.slots; ++i) {
            if (verdict.present.has(i) && verdict.scores[i] * 100 > limit) struck |= 1 << i;
        }
    }

    /// @dev Where row i of the upper triangle starts, less i: G_ij is at _row(i) + j.
    function _row(Rules memory rules, uint256 i) private pure returns (uint256) {
        uint256 inputs = rules.slots + (rules.hasReference ? 1 : 0);
        return i * inputs - (i * (i + 1)) / 2;
    }

    /// @dev Step 8b: <q_i, q_ref> where it is positive and possible for vectors in range, else 0.
    function _alongReference(
        Rules memory rules,
        Input memory input,
        uint256 i,
        uint256 normSquared,
        uint256 reference_
    ) private pure returns (uint256) {
        uint256 inner = input.gram[_row(rules, i) + rules.slots];
        if (inner > rules.maxNormSquared || inner * inner > normSquared * reference_) return 0;
        return inner;
    }

    /// @dev Steps 7 to 9.
    function _contribute(
        Rules memory rules,
        Input memory input,
        Claims memory claims,
        Verdict memory verdict,
        Pairs memory pairs
    ) private pure {
        uint256[] memory norms = new uint256[](rules.slots);
        for (uint256 i = 0; i < rules.slots; ++i) {
            if (verdict.present.has(i)) norms[i] = Math.sqrt(pairs.normsSquared[i]);
        }
        if (!verdict.present.has(claims.medianNormSlot)) revert WrongMedianNorm(claims.medianNormSlot);
        if (!_isMedian(norms, verdict.present, pairs.count, claims.medianNormSlot)) {
            revert WrongMedianNorm(claims.medianNormSlot);
        }
        uint256 median = norms[claims.medianNormSlot];
        uint256 paid = claims.merged & ~pairs.copies;
        // An owner's update beyond the bound, or of nothing, is no reference.
        uint256 ownSquare = input.referencePresent ? input.gram[input.gram.length - 1] : 0;
        verdict.byReference = rules.hasReference && ownSquare != 0 && ownSquare <= rules.maxNormSquared;
        for (uint256 i = 0; i < rules.slots; ++i) {
            if (!paid.has(i) || norms[i] == 0) continue;
            uint256 capped = Math.min(norms[i], median);
            if (pairs.dots[i] > 0) {
                uint256 dot = uint256(pairs.dots[i]); // below 2^67
                bool cosine = rules.rule == ScoreRule.Cosine;
                uint256 contribution = cosine ? (dot << COSINE_SHIFT) / norms[i] : (dot * capped) / norms[i];
                verdict.contributions[i] = contribution;
                verdict.total += contribution;
            }
            if (verdict.byReference) {
                uint256 along = _alongReference(rules, input, i, pairs.normsSquared[i], ownSquare);
                verdict.referenceContributions[i] = (along * capped) / norms[i];
                verdict.referenceTotal += verdict.referenceContributions[i];
            }
        }
    }
}
