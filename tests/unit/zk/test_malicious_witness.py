"""No cell of a witness, of the public numbers or of a proof can be altered so that something false verifies.

Three provers: ezkl's own, fed with altered witnesses; one that alters what came out; and one that is not ezkl's and
writes any cell of the trace it likes, held against the constraints that key and verifier state (`constraint_system`).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from constraint_system import Checker, constraint_system, decided_cells, honest_trace

from tests.support.hostile_prover import Document, Proved, proofs_of, verdicts, witness_of
from zk import keys, prover
from zk.backend import ezkl
from zk.felts import FIELD, decode, encode, unsigned
from zk.files import CircuitFiles
from zk.shape import CircuitShape

WORD = 32
WITNESS_CELLS = ("inputs", "outputs", "processed_inputs")
IGNORED = ("pretty_elements", "max_lookup_inputs", "min_lookup_inputs", "max_range_size", "version")

Rows = list[list[int]]


@dataclass(frozen=True)
class Try:
    """An altered witness, and in words what was altered."""

    name: str
    witness: Document


def rows_of(seed: int, shape: CircuitShape) -> Rows:
    """Updates over the whole of int16; in odd seeds with an absent slot, extremes and two that are equal."""
    random = np.random.default_rng(seed)
    rows = random.integers(-32768, 32767, (shape.slots, shape.length), endpoint=True)
    if seed % 2:
        rows[0, 0], rows[0, -1] = -32768, 32767
        rows[1] = 0
        rows[-1] = rows[0]
    return [[int(entry) for entry in row] for row in rows]


def altered_values(random: np.random.Generator, felt: int) -> dict[str, int]:
    """Other field elements to put into a cell, by what they are."""
    other = int.from_bytes(random.bytes(40), "big") % FIELD
    values = {"+ 1": felt + 1, "- 1": felt - 1, "negated": -felt, "random": other, "+ 2^128": felt + 2**128}
    return {name: value % FIELD for name, value in values.items() if (value - felt) % FIELD}


def altered_witnesses(random: np.random.Generator, witness: Document) -> Iterator[Try]:
    """Each input, output and commitment of a witness altered by itself, and exchanged with the one after it."""
    for part, row, index in _cells(witness):
        value = _at(witness, part, row, index)
        for name, other in altered_values(random, unsigned(value)).items():
            yield Try(f"{part}[{row}][{index}] {name}", _with(witness, (part, row, index, encode(other))))
    cells = list(_cells(witness))
    for (part, row, index), after in pairwise(cells):
        first, second = _at(witness, part, row, index), _at(witness, *after)
        if part == after[0] and first != second:
            changed = _with(witness, (part, row, index, second), (*after, first))
            yield Try(f"{part}[{row}][{index}] exchanged with the next", changed)
    for row, index in [(r, i) for r, cells in enumerate(witness["inputs"]) for i in range(len(cells))]:
        beyond = (unsigned(witness["inputs"][row][index]) + FIELD).to_bytes(WORD, "little").hex()
        yield Try(f"inputs[{row}][{index}] + p", _with(witness, ("inputs", row, index, beyond)))


def recomputed(random: np.random.Generator, witness: Document) -> Iterator[Try]:
    """Each input altered, with the outputs that follow from it: honest about another update, which may be no int16."""
    for row, index in [(r, i) for r, cells in enumerate(witness["inputs"]) for i in range(len(cells))]:
        for name, value in altered_values(random, unsigned(witness["inputs"][row][index])).items():
            changed = _with(witness, ("inputs", row, index, encode(value)))
            changed["outputs"] = [gram_of(changed["inputs"])]
            yield Try(f"inputs[{row}][{index}] {name}, outputs recomputed", changed)


def gram_of(inputs: Sequence[Sequence[str]]) -> list[str]:
    """The Gram matrix in the field, as ezkl writes it."""
    rows = [[unsigned(cell) for cell in row] for row in inputs]
    return [
        encode(sum(a * b for a, b in zip(rows[i], rows[j], strict=True)))
        for i in range(len(rows))
        for j in range(i, len(rows))
    ]


def commitments_of(files: CircuitFiles, inputs: Sequence[Sequence[str]]) -> bytes:
    """What the inputs' commitments are, made without the prover."""
    made = [ezkl.kzg_commit(list(row), str(files.vk), str(files.settings), str(files.srs)) for row in inputs]
    return b"".join(unsigned(c).to_bytes(WORD, "big") for (point,) in made for c in (point.x, point.y))


def judge_tries(files: CircuitFiles, honest: Document, tries: Sequence[Try]) -> Counter[str]:
    """Runs the tries; fails on the first whose proof holds and says anything untrue. Counts what became of them."""
    base, *proved = proofs_of(files, [honest, *(try_.witness for try_ in tries)])
    assert base.holds
    assert base.mocked
    ends: Counter[str] = Counter()
    for try_, outcome in zip(tries, proved, strict=True):
        end = _end(files, base, try_, outcome)
        assert not end.startswith("ACCEPTED"), (try_.name, end)
        ends[end] += 1
    return ends


def _end(files: CircuitFiles, base: Proved, try_: Try, outcome: Proved) -> str:
    slots, inputs = files.shape.slots, try_.witness["inputs"]
    if outcome.mocked and try_.witness["outputs"] != [gram_of(inputs)]:
        return "ACCEPTED by the mock prover: not the Gram matrix of its inputs"
    if not outcome.proof:
        return "no proof"
    if not outcome.holds:
        return "a proof that does not verify"
    said = (outcome.commitments(slots), outcome.instances)
    if said == (base.commitments(slots), base.instances):
        return "the proof says what the honest one says"
    if said[0] == base.commitments(slots) or said[0] != commitments_of(files, inputs):
        return "ACCEPTED: not the commitments of its inputs"
    if list(said[1]) != gram_of(inputs):
        return "ACCEPTED: not the Gram matrix of its inputs"
    return "another true statement, with other commitments"


def altered_proofs(random: np.random.Generator, proved: Proved) -> Iterator[tuple[str, bytes, list[str]]]:
    """Each public number and each word of a proof altered, and exchanged with the one after it."""
    instances, proof = list(proved.instances), proved.proof
    for index, cell in enumerate(instances):
        for name, other in altered_values(random, unsigned(cell)).items():
            yield f"number {index} {name}", proof, _replaced(instances, index, encode(other))
        beyond = (unsigned(cell) + FIELD).to_bytes(WORD, "little").hex()
        yield f"number {index} + p", proof, _replaced(instances, index, beyond)
        after = (index + 1) % len(instances)
        if instances[after] != cell:
            exchanged = _replaced(_replaced(instances, index, instances[after]), after, cell)
            yield f"number {index} exchanged with the next", proof, exchanged
    words = [proof[at : at + WORD] for at in range(0, len(proof), WORD)]
    for index, word in enumerate(words):
        number, after = int.from_bytes(word, "big"), (index + 1) % len(words)
        others = {
            "+ 1": ((number + 1) % 2**256).to_bytes(WORD, "big"),
            "- 1": ((number - 1) % 2**256).to_bytes(WORD, "big"),
            "negated": (-number % FIELD).to_bytes(WORD, "big"),
            "random": random.bytes(WORD),
            "zero": bytes(WORD),
        }
        for name, changed in others.items():
            if changed != word:
                yield f"word {index} {name}", b"".join(_replaced(words, index, changed)), instances
        exchanged_words = _replaced(_replaced(words, index, words[after]), after, word)
        if exchanged_words != words:
            yield f"word {index} exchanged with the next", b"".join(exchanged_words), instances


def _try_all(files: CircuitFiles, seed: int, every: int = 1) -> Counter[str]:
    """All tries of a seed, or of the altered witnesses, which take a proof each, one in `every`."""
    random = np.random.default_rng(seed)
    honest = witness_of(files, rows_of(seed, files.shape))
    ends = judge_tries(files, honest, list(altered_witnesses(random, honest))[::every])
    again = judge_tries(files, honest, list(recomputed(random, honest))[::every])
    assert set(again) <= {"another true statement, with other commitments"}, again
    (proved,) = proofs_of(files, [honest])
    tries = list(altered_proofs(random, proved))
    held = verdicts(files, [(proved.proof, proved.instances), *((p, cells) for _, p, cells in tries)])
    assert held[0]
    accepted = [name for (name, _, _), holds in zip(tries, held[1:], strict=True) if holds]
    assert not accepted
    return ends + again + Counter({"an altered proof or public number": len(tries)})


def _refused(ends: Counter[str]) -> int:
    return sum(ends.values()) - ends["another true statement, with other commitments"]


def test_altered_witnesses_and_proofs_never_verify(files: CircuitFiles) -> None:
    ends = _try_all(files, seed=0, every=9)  # of five alterations a cell
    assert _refused(ends) >= 500, ends
    assert ends["another true statement, with other commitments"] > 0


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("slots", "length"), [(3, 4), (4, 7)])
def test_more_altered_witnesses_and_proofs_never_verify(
    cache: Path, slots: int, length: int, seed: int
) -> None:
    ends = _try_all(keys.build(CircuitShape(slots, length), cache), seed)
    print(f"{slots} x {length}, seed {seed}: {dict(ends)}")
    assert _refused(ends) >= 500


def test_what_ezkl_does_not_read_changes_nothing(files: CircuitFiles) -> None:
    honest = witness_of(files, rows_of(0, files.shape))
    tries = [
        Try(f"{name} is gone", honest | {name: None}) for name in ("pretty_elements", "processed_inputs")
    ]
    tries += [Try(f"{name} is 77", honest | {name: 77}) for name in IGNORED if "max" in name or "min" in name]
    ends = judge_tries(files, honest, tries)
    assert ends == {"the proof says what the honest one says": len(tries)}


def test_a_public_number_too_many_is_tied_to_nothing_and_refused_by_its_count(files: CircuitFiles) -> None:
    """ezkl's own verifier takes any such proof: that is why `zk.prover.verify` and the contract count."""
    honest = witness_of(files, rows_of(0, files.shape))
    longer = honest | {"outputs": [[*honest["outputs"][0], encode(7)]]}
    (proved,) = proofs_of(files, [longer])
    assert proved.holds
    numbers = [decode(cell) for cell in proved.instances]
    assert not prover.verify(files, proved.proof, numbers)
    assert not prover.verify(files, proved.proof, numbers[:-1])


@pytest.mark.parametrize(("slots", "length"), [(3, 4), pytest.param(4, 7, marks=pytest.mark.deep)])
def test_no_cell_of_the_trace_is_free_that_the_statement_speaks_of(
    cache: Path, slots: int, length: int
) -> None:
    """Whatever program made the trace: with one cell altered it holds only where the cell is in no constraint."""
    random = np.random.default_rng(slots)
    system = constraint_system(keys.build(CircuitShape(slots, length), cache))
    trace = honest_trace(system, rows_of(0, system.files.shape))
    checker = Checker(system, trace)
    assert checker.broken() == 0
    width = (system.advice - slots) // 3
    entries, each = len(trace.public), -(-length // width)
    cells = [(column, row) for column in range(system.advice) for row in range(system.rows)]
    cells += [(system.key.columns - 1, row) for row in range(entries)]
    free = set()
    for cell in cells:
        column, row = cell
        value = trace.advice[column][row] if column < system.advice else trace.public[row]
        if checker.holds_with(cell, (value + int(random.integers(1, 2**62)) * 2**128) % FIELD):
            free.add(cell)
    committed = {(column, row) for column in range(slots) for row in range(length)}
    factors = {(c, row) for c in range(slots, slots + 2 * width) for row in range(entries * each)}
    sums = {(slots + 2 * width, row) for row in range(entries * each)}
    instance = system.key.columns - 1
    published = {cell for entry in range(entries) for cell in system.key.equal_to((instance, entry))}
    assert set(cells) - free == committed | factors | sums | published


@pytest.mark.parametrize(("slots", "length"), [(3, 4), (5, 15), pytest.param(10, 20, marks=pytest.mark.deep)])
def test_the_committed_cells_decide_the_public_numbers(cache: Path, slots: int, length: int) -> None:
    """All of them together, too: from the committed cells the constraints leave one value for each public number."""
    system = constraint_system(keys.build(CircuitShape(slots, length), cache))
    decided = decided_cells(system, {(column, row) for column in range(slots) for row in range(length)})
    instance, entries = system.key.columns - 1, slots * (slots + 1) // 2
    assert {(instance, entry) for entry in range(entries)} <= decided
    short = {(column, row) for column in range(slots) for row in range(length) if (column, row) != (1, 2)}
    left = {(instance, entry) for entry in range(entries)} - decided_cells(system, short)
    assert len(left) == slots  # all that slot 1 is in, and nothing else


def _cells(witness: Document) -> Iterator[tuple[str, int, int]]:
    for part in WITNESS_CELLS:
        for row, cells in enumerate(_part(witness, part)):
            for index in range(len(cells)):
                yield part, row, index


def _part(witness: Document, part: str) -> list[list[str]]:
    cells: list[list[str]] = witness[part]["polycommit"] if part == "processed_inputs" else witness[part]
    return cells


def _at(witness: Document, part: str, row: int, index: int) -> str:
    return _part(witness, part)[row][index]


def _with(witness: Document, *changes: tuple[str, int, int, str]) -> Document:
    changed: Document = copy.deepcopy({name: witness[name] for name in witness})
    for part, row, index, value in changes:
        _part(changed, part)[row][index] = value
    return changed


def _replaced(items: list[Any], index: int, item: Any) -> list[Any]:
    return [*items[:index], item, *items[index + 1 :]]
