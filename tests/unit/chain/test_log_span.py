"""How many blocks of logs are asked for at once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.log_span import FIRST_SPAN, Span


def asked(limit: int, blocks: int) -> tuple[int, int]:
    """Requests that were served and refused until all blocks are read, where one takes at most `limit` blocks."""
    span, served, refused, left = Span(), 0, 0, blocks
    while left:
        width = min(span.blocks, left)
        assert 1 <= width <= FIRST_SPAN
        if width > limit:
            refused += 1
            span.refused(width)
        else:
            served += 1
            left -= width
            span.served(width)
    return served, refused


@given(st.integers(1, 2 * FIRST_SPAN), st.integers(1, 200_000))
def test_a_limit_is_found_with_few_refusals_and_used(limit: int, blocks: int) -> None:
    served, refused = asked(limit, blocks)
    assert refused <= 60
    assert served <= blocks / (min(limit, FIRST_SPAN) * 0.6) + 30


def test_who_refuses_nothing_is_asked_for_the_most() -> None:
    assert asked(FIRST_SPAN, 5 * FIRST_SPAN) == (5, 0)


def test_a_dense_part_is_read_in_smaller_pieces_and_the_rest_in_larger_ones_again() -> None:
    """A limit on logs, not on blocks: one a block up to block 2,000, none after."""
    span, start, requests = Span(), 0, []
    while start < 100_000:
        width = min(span.blocks, 100_000 - start)
        logs = max(0, min(start + width, 2_000) - start)
        if logs > 100:
            span.refused(width)
        else:
            requests.append(width)
            start += width
            span.served(width)
    assert max(requests) > FIRST_SPAN // 2
    assert len(requests) < 200
