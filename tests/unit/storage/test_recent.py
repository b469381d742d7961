"""Small blobs are kept in memory up to a size, the newest ones."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from marketplace.storage.recent import Recent


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 12)), max_size=30))
def test_it_never_holds_more_than_it_may(puts: list[tuple[str, int]]) -> None:
    recent, known = Recent(most=20, largest=10), {}
    for cid, size in puts:
        if size <= 10:
            known[cid] = bytes([size]) * size
        recent.put(cid, known.get(cid, bytes(size)))
        found = {name: recent.get(name) for name in known}
        held = [data for data in found.values() if data is not None]
        assert sum(map(len, held)) <= 20
        assert all(data in (None, known[name]) for name, data in found.items())


def test_the_oldest_goes_and_what_is_used_stays() -> None:
    recent = Recent(most=3, largest=1)
    for cid in "abc":
        recent.put(cid, cid.encode())
    assert recent.get("a") == b"a"
    recent.put("d", b"d")
    assert [recent.get(cid) for cid in "abcd"] == [b"a", None, b"c", b"d"]


def test_a_large_blob_is_not_kept() -> None:
    recent = Recent(most=100, largest=10)
    recent.put("a", bytes(11))
    assert recent.get("a") is None
