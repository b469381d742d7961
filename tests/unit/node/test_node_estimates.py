"""Previews of large models: what they take is said, and small ones say nothing of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from marketplace.node.costs import aggregator_costs, trainer_costs
from marketplace.node.estimate import estimate_vectors
from marketplace.updates.codec import packed_model_bytes, packed_update_bytes
from marketplace.updates.leaves import leaves_bytes
from tests.support.sketched import CHUNKS, chain_terms, sketched_spec
from zk.curve import Point


@pytest.mark.parametrize(("chunks", "chunk_length"), [(1, 256), (251, 4096), (2442, 4096)])
def test_sizes_are_those_of_the_files(chunks: int, chunk_length: int) -> None:
    estimate = estimate_vectors(chunks, chunk_length)
    numbers = chunks * chunk_length
    assert estimate.numbers == numbers
    assert abs(estimate.update_bytes - packed_update_bytes(numbers) - leaves_bytes(chunks)) < 100
    assert abs(estimate.model_bytes - packed_model_bytes(numbers) - leaves_bytes(chunks)) < 100


def test_a_million_parameters_in_words() -> None:
    words = estimate_vectors(251, 4096).in_words()
    assert words.startswith("1,028,096 numbers: about 2.6 s ")
    assert "uploads 2.1 MB" in words
    assert "fetches 4.1 MB" in words


def test_who_takes_part_is_told_of_a_large_model_alone() -> None:
    terms = chain_terms(sketched_spec(), Point(1, CHUNKS))
    for costs in (trainer_costs, aggregator_costs):
        told = costs(terms, 10**9)
        assert told["large_model"].startswith("1,536 numbers")
        plain = costs(replace(terms, chunks=0, chunk_length=0), 10**9)
        assert plain == {name: value for name, value in told.items() if name != "large_model"}
