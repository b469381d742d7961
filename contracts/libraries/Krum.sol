// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ScoreRule} from "../interfaces/ITrainingMarket.sol";
import {BitMask} from "./BitMask.sol";

/// @title From a round's Gram matrix to who is merged, who is struck and who contributed what
/// @notice docs/protocol.md, "From G to pay", steps 1 to 9; marketplace/protocol/krum.py is its twin. Multi-Krum after
/// Blanchard et al., "Machine Learning with Adversaries" (NeurIPS 2017). Pure: it checks claims instead of sorting.
/// @dev Never overflows and never divides by zero, whatever field elements G holds: present slots have
/// G_ii <= N_max < 2^63, so an inner product that is not refused is below 2^63, a distance at most 2^65, a score below
/// 2^69 and a dot_i below 2^67. That is what `unchecked` relies on throughout.
library Krum {
    using BitMask for uint256;

    /// @dev BN254's scalar field; a literal, because assembly takes no other constants.
    uint256 private constant FIELD = 0x30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001;
    uint256 private constant FAR_SHIFT = 16; // in a mask of twins: from a slot's bit to the one that says it is far
    uint256 private constant COSINE_SHIFT = 32;
    uint256 private constant BASIS_POINTS = 10_000;
    uint256 private constant BASIS_POINTS_SQUARED = 100_000_000;
    /// @dev j at byte 2^j mod 19, for j < 16: 2 is a primitive root of 19. So a walk goes from set bit to set bit.
    uint256 private constant INDEX_OF_BIT = 0x0000010d02000e060308000c0f05070b040a0900000000000000000000000000;

    /// @notice What a project's terms say about judging.
    struct Rules {
        uint256 slots; // at most 16
        uint256 faults;
        uint256 maxNormSquared; // below 2^63
        ScoreRule rule; // Projection or Cosine: the project's, or its fallback
        bool hasReference; // the project's rule is Reference: G has a row more, the owner's
        uint256 strikeFactor;
        uint256 duplicateCosine;
    }

    /// @notice The round: mask of slots with an update in the proof, the order of submission by slot (from 1), and the
    /// upper triangle of G.
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

    /// @notice Input and Claims without their lists, for callers whose lists lie apart.
    struct Round {
        uint256 submitted;
        bool referencePresent;
        uint256[] positions;
        uint256 merged;
        uint256 medianScoreSlot;
        uint256 medianNormSlot;
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

    /// @dev A round while it is judged. `table` has K columns, by slot: row 0 is G_jj, row 1 dot_j, and row 2 + i, for
    /// present i and j, is D_ij.
    struct Work {
        uint256 slots;
        uint256 inputs; // rows of G
        uint256 bound; // N_max
        uint256 present; // mask
        uint256 count; // n
        uint256 merged; // mask, as claimed
        uint256 copies; // mask
        bool alike; // whether near-duplicates are looked for
        uint256 duplicate; // squared cosine of near-duplicates, in squared basis points
        uint256[] table;
    }

    /// @notice No vectors of int16 within N_max have this inner product of two present updates, or (other = K) of one
    /// and the reference: one of the two is none, and nobody complained.
    error FarPair(uint256 slot, uint256 other);
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

    /// @notice Judges a round; reverts where two vectors are far, or a claim is not exactly what the rules give.
    function judge(
        Rules memory rules,
        Round memory round,
        uint256[] calldata gram,
        uint16[] calldata neighbours
    ) internal pure returns (Verdict memory verdict) {
        Work memory work;
        work.slots = rules.slots;
        work.inputs = rules.hasReference ? work.slots + 1 : work.slots;
        _requireLength(gram.length, (work.inputs * (work.inputs + 1)) / 2);
        _requireLength(round.positions.length, work.slots);
        _requireLength(neighbours.length, work.slots);
        verdict.scores = new uint256[](work.slots);
        verdict.contributions = new uint256[](work.slots);
        verdict.referenceContributions = new uint256[](work.slots);
        work.table = new uint256[](work.slots * (work.slots + 2));
        work.bound = rules.maxNormSquared;
        verdict.struck = _measure(work, round.submitted, gram);
        verdict.present = work.present;
        if (work.count < quorum(work.slots, rules.faults)) {
            _requireNoClaims(round.merged, neighbours);
            return verdict;
        }
        work.merged = round.merged;
        // Where there are no near-duplicates, no order is needed to tell which of two is the copy.
        work.alike = rules.duplicateCosine != 0 && rules.duplicateCosine <= BASIS_POINTS;
        work.duplicate = work.alike ? rules.duplicateCosine * rules.duplicateCosine : BASIS_POINTS_SQUARED;
        _compare(work, gram, round.positions);
        _score(work, neighbours, work.count - rules.faults - 2, verdict.scores);
        verdict.struck |= _rank(work, rules, round.medianScoreSlot, verdict.scores);
        if (rules.hasReference && round.referencePresent) {
            // An owner's update beyond the bound, or of nothing, is no reference.
            uint256 square = gram[gram.length - 1];
            verdict.byReference = square != 0 && square <= work.bound;
        }
        uint256 median = _medianNorm(work, round.medianNormSlot);
        _contribute(work, median, rules.rule == ScoreRule.Cosine, verdict);
        if (verdict.byReference) {
            uint256 cell;
            // solhint-disable-next-line no-inline-assembly
            assembly ("memory-safe") {
                cell := add(gram.offset, shl(5, mload(work))) // work.slots
            }
            _contributeAlong(work, cell, gram[gram.length - 1], median, verdict);
        }
    }

    function _requireLength(uint256 given, uint256 expected) private pure {
        if (given != expected) revert WrongLength(given, expected);
    }

    /// @dev Nothing is merged without a quorum, so nothing may be claimed.
    function _requireNoClaims(uint256 merged, uint16[] calldata neighbours) private pure {
        if (merged != 0) revert WrongMerged(merged);
        for (uint256 i = 0; i < neighbours.length; ++i) {
            if (neighbours[i] != 0) revert WrongNeighbours(i, neighbours[i]);
        }
    }

    /// @dev Step 1: present and oversized slots, and G's diagonal.
    function _measure(
        Work memory work,
        uint256 submitted,
        uint256[] calldata gram
    ) private pure returns (uint256 oversized) {
        (uint256[] memory table, uint256 slots, uint256 bound) = (work.table, work.slots, work.bound);
        uint256 step = work.inputs; // to the next cell of the diagonal
        uint256 cell = 0;
        uint256 present = 0;
        uint256 count = 0;
        unchecked {
            for (uint256 i = 0; i < slots; ++i) {
                if ((submitted >> i) & 1 != 0) {
                    uint256 square = gram[cell];
                    if (square > bound) {
                        oversized |= 1 << i;
                    } else {
                        table[i] = square;
                        present |= 1 << i;
                        ++count;
                    }
                }
                cell += step;
                --step;
            }
        }
        (work.present, work.count) = (present, count);
    }

    /// @dev Steps 2, 7 and 9 in one walk over the pairs. `merged` is checked later.
    function _compare(Work memory work, uint256[] calldata gram, uint256[] memory positions) private pure {
        uint256[] memory table = work.table;
        uint256 toGram; // bytes from G_jj in the table to G_ij in the call data
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            toGram := sub(gram.offset, add(table, 0x20))
        }
        (uint256 slots, uint256 rest) = (work.slots, work.inputs);
        unchecked {
            for (uint256 i = 0; i < slots; ++i) {
                if ((work.present >> i) & 1 != 0) {
                    uint256 twins = _compareOne(work, i, toGram);
                    if (twins != 0) {
                        uint256 far = (twins >> FAR_SHIFT) & work.present;
                        if (far != 0) revert FarPair(i, Math.log2(far & (~far + 1)));
                        if (work.alike) work.copies |= _copies(positions, i, twins);
                    }
                }
                toGram += 32 * --rest;
            }
        }
    }

    function _compareOne(Work memory work, uint256 i, uint256 toGram) private pure returns (uint256 twins) {
        (uint256[] memory table, uint256 slots, uint256 merged) = (work.table, work.slots, work.merged);
        uint256 dot;
        unchecked {
            merged = (merged >> i) & 1 != 0 ? merged : 0;
            (twins, dot) = _compareRow(toGram, work.duplicate, merged, work.bound, 32 * slots, i, table);
            table[slots + i] += dot;
        }
    }

    /// @dev Compares slot i with those above it, absent ones too: their distances nobody reads, and an oversized one
    /// may well be far. In two's complement: a negative inner product is 2^256 less its size, and its square and the
    /// sums come out right.
    /// @param together Mask of the slots that add to dot_i, as i adds to theirs: none if i is not merged.
    /// @param width Of a row of the table, in bytes.
    /// @param bit The number of slot i; in the loop the mask of j alone.
    /// @param square The table; in the loop where G_jj is in it.
    /// @return twins The slots that i is a near-duplicate of; shifted by FAR_SHIFT those that it is far from. Absent
    /// ones are no near-duplicates, as their G_jj is 0 in the table.
    /// @return dot What the walk adds to dot_i.
    function _compareRow(
        uint256 toGram,
        uint256 duplicate,
        uint256 together,
        uint256 bound,
        uint256 width,
        uint256 bit,
        uint256[] memory square
    ) private pure returns (uint256 twins, uint256 dot) {
        // By hand: most of a judgement's gas goes here, and the compiler's indexing would double it.
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            square := add(square, 0x20)
            let end := add(square, width)
            square := add(square, shl(5, bit))
            let toRow := mul(width, add(bit, 2)) // from G_jj to the distance of i and j
            let column := add(square, toRow) // where the distance of j and i is
            let a := mload(square)
            let duplicates := mul(duplicate, a)
            if together {
                dot := a
            }
            bit := shl(bit, 1)
            for {} 1 {} {
                square := add(square, 0x20)
                if eq(square, end) {
                    break
                }
                column := add(column, width)
                bit := shl(1, bit)
                // Plus N_max, so that one comparison does for both signs.
                let inner := addmod(calldataload(add(square, toGram)), bound, FIELD)
                if gt(inner, shl(1, bound)) {
                    twins := or(twins, shl(FAR_SHIFT, bit))
                    continue
                }
                inner := sub(inner, bound)
                // Most pairs are below the near-duplicates' limit, which is not above that of Cauchy-Schwarz.
                if iszero(lt(mul(mul(inner, inner), BASIS_POINTS_SQUARED), mul(duplicates, mload(square)))) {
                    if gt(mul(inner, inner), mul(a, mload(square))) {
                        twins := or(twins, shl(FAR_SHIFT, bit))
                        continue
                    }
                    if sgt(inner, 0) {
                        twins := or(twins, bit)
                    }
                }
                if and(together, bit) {
                    dot := add(dot, inner)
                    mstore(add(square, width), add(inner, mload(add(square, width))))
                }
                inner := sub(add(a, mload(square)), shl(1, inner)) // distance
                mstore(add(square, toRow), inner)
                mstore(column, inner)
            }
        }
    }

    /// @dev Step 9: of slot i and each of its near-duplicates, the one that came later.
    function _copies(uint256[] memory positions, uint256 i, uint256 twins) private pure returns (uint256 copies) {
        for (uint256 j = i + 1; j < positions.length; ++j) {
            if (twins.has(j)) copies |= 1 << (positions[i] < positions[j] ? j : i);
        }
    }

    /// @dev Step 3: r_i from the named neighbours, none of whom may be farther than a slot left unnamed.
    function _score(
        Work memory work,
        uint16[] calldata neighbours,
        uint256 wanted,
        uint256[] memory scores
    ) private pure {
        (uint256[] memory table, uint256 width, uint256 present) = (work.table, 32 * work.slots, work.present);
        uint256 row; // where slot i's row of the table begins
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            row := add(add(table, 0x20), mul(2, width))
        }
        unchecked {
            for (uint256 i = 0; i < scores.length; ++i) {
                uint256 named; // neighbours[i], without its decoding: the check below is the stricter one
                // solhint-disable-next-line no-inline-assembly
                assembly ("memory-safe") {
                    named := calldataload(add(neighbours.offset, shl(5, i)))
                }
                uint256 others = (present >> i) & 1 != 0 ? present ^ (1 << i) : 0;
                if (named & ~others != 0) revert WrongNeighbours(i, named);
                if (others != 0) {
                    (uint256 count, uint256 sum, bool nearest) = _sumOfNearest(row, named, others ^ named);
                    if (count != wanted || !nearest) revert WrongNeighbours(i, named);
                    scores[i] = sum;
                }
                row += width;
            }
        }
    }

    /// @dev How many are named, their distances in sum, and whether none of them is farther than one of the others.
    function _sumOfNearest(
        uint256 row,
        uint256 named,
        uint256 others
    ) private pure returns (uint256 count, uint256 sum, bool nearest) {
        // solhint-disable-next-line no-inline-assembly
        assembly ("memory-safe") {
            let least := not(0) // distance of the others
            for {} others {} {
                let bit := and(others, sub(0, others)) // the lowest
                others := xor(others, bit)
                let distance := mload(add(row, shl(5, byte(mod(bit, 19), INDEX_OF_BIT))))
                if lt(distance, least) {
                    least := distance
                }
            }
            let farther := 0
            for {} named {} {
                let bit := and(named, sub(0, named))
                named := xor(named, bit)
                let distance := mload(add(row, shl(5, byte(mod(bit, 19), INDEX_OF_BIT))))
                farther := or(farther, gt(distance, least))
                sum := add(sum, distance)
                count := add(count, 1)
            }
            nearest := iszero(farther)
        }
    }

    /// @dev Steps 4 to 6: the merged are the n - f smallest (r_i, i), as one number each; the claimed slot holds the
    /// median of the scores; who is beyond the factor, without the oversized.
    function _rank(
        Work memory work,
        Rules memory rules,
        uint256 medianSlot,
        uint256[] memory scores
    ) private pure returns (uint256 struck) {
        (uint256 merged, uint256 present) = (work.merged, work.present);
        if (!present.has(medianSlot)) revert WrongMedianScore(medianSlot);
        uint256 median = scores[medianSlot];
        uint256 limit = rules.strikeFactor == 0 ? type(uint256).max : rules.strikeFactor * median;
        uint256 largestMerged = 0;
        uint256 smallestLeft = type(uint256).max;
        uint256 left = 0;
        uint256 less = 0;
        uint256 more = 0;
        unchecked {
            for (uint256 i = 0; i < scores.length; ++i) {
                if ((present >> i) & 1 == 0) continue;
                uint256 rank = scores[i];
                if (rank < median) ++less;
                else if (rank > median) ++more;
                if (rank * 100 > limit) struck |= 1 << i;
                rank = (rank << 8) | i;
                if ((merged >> i) & 1 != 0) {
                    if (rank > largestMerged) largestMerged = rank;
                } else {
                    if (rank < smallestLeft) smallestLeft = rank;
                    ++left;
                }
            }
        }
        if (!merged.isWithin(present) || left != rules.faults || largestMerged > smallestLeft) {
            revert WrongMerged(merged);
        }
        if (!_isMedian(work.count, less, more)) revert WrongMedianScore(medianSlot);
    }

    /// @dev Step 5: whether the ((n - 1) // 2)-th smallest of n values, from 0, is the one that `less` are less and
    /// `more` are more than.
    function _isMedian(uint256 count, uint256 less, uint256 more) private pure returns (bool) {
        uint256 place = (count - 1) / 2;
        return less <= place && place < count - more;
    }

    /// @dev Step 7: nu, the norm of the claimed slot if that is the median. One root will do: n_i < nu where
    /// G_ii < nu^2, and n_i > nu where G_ii >= (nu + 1)^2.
    function _medianNorm(Work memory work, uint256 slot) private pure returns (uint256 median) {
        (uint256[] memory table, uint256 slots, uint256 present) = (work.table, work.slots, work.present);
        if (!present.has(slot)) revert WrongMedianNorm(slot);
        median = Math.sqrt(table[slot]);
        uint256 less = 0;
        uint256 more = 0;
        unchecked {
            uint256 from = median * median;
            uint256 to = from + 2 * median;
            for (uint256 i = 0; i < slots; ++i) {
                if ((present >> i) & 1 == 0) continue;
                uint256 square = table[i];
                if (square < from) ++less;
                else if (square > to) ++more;
            }
        }
        if (!_isMedian(work.count, less, more)) revert WrongMedianNorm(slot);
    }

    /// @dev Step 8 for the merged that are no copies.
    function _contribute(Work memory work, uint256 median, bool cosine, Verdict memory verdict) private pure {
        (uint256[] memory table, uint256 slots, uint256 paid) = (work.table, work.slots, work.merged & ~work.copies);
        uint256[] memory contributions = verdict.contributions;
        uint256 total = 0;
        unchecked {
            for (uint256 i = 0; i < slots; ++i) {
                if ((paid >> i) & 1 == 0) continue;
                uint256 dot = table[slots + i];
                uint256 square = table[i];
                if (int256(dot) <= 0 || square == 0) continue;
                dot = cosine ? (dot << COSINE_SHIFT) / Math.sqrt(square) : _capped(dot, square, median);
                contributions[i] = dot;
                total += dot;
            }
        }
        verdict.total = total;
    }

    /// @dev Steps 2 and 8b: <q_i, q_ref> must be possible for vectors in range, and counts where it is positive.
    /// @param cell Where the call data have G_i,ref, at the end of row i, for i = 0.
    /// @param ownSquare G_ref,ref.
    function _contributeAlong(
        Work memory work,
        uint256 cell,
        uint256 ownSquare,
        uint256 median,
        Verdict memory verdict
    ) private pure {
        (uint256[] memory table, uint256 slots, uint256 bound) = (work.table, work.slots, work.bound);
        uint256 paid = work.merged & ~work.copies;
        uint256 total = 0;
        unchecked {
            for (uint256 i = 0; i < slots; ++i) {
                if ((work.present >> i) & 1 != 0) {
                    uint256 square;
                    uint256 dot;
                    // solhint-disable-next-line no-inline-assembly
                    assembly ("memory-safe") {
                        square := mload(add(add(table, 0x20), shl(5, i)))
                        dot := addmod(calldataload(cell), bound, FIELD) // as in _compareRow
                    }
                    if (dot > 2 * bound) revert FarPair(i, slots);
                    dot -= bound;
                    if (dot * dot > square * ownSquare) revert FarPair(i, slots);
                    if (int256(dot) > 0 && (paid >> i) & 1 != 0) {
                        dot = _capped(dot, square, median);
                        verdict.referenceContributions[i] = dot;
                        total += dot;
                    }
                }
                cell += 32 * (slots - i);
            }
        }
        verdict.referenceTotal = total;
    }

    /// @dev dot * min(n_i, nu) // n_i. Up to the median that is `dot`, and no root is needed.
    function _capped(uint256 dot, uint256 square, uint256 median) private pure returns (uint256) {
        unchecked {
            return square <= median * (median + 2) ? dot : (dot * median) / Math.sqrt(square);
        }
    }
}
