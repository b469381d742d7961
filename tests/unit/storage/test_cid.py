"""CIDs: one text for each digest."""

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.storage.cid import cid_of, digest_of, from_digest


def test_known_cids():
    # Kubo 0.22: `ipfs add` of an empty file and of "hello world\n"
    assert cid_of(b"") == "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH"
    assert cid_of(b"hello world\n") == "QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o"


@given(st.binary(min_size=32, max_size=32))
def test_a_digest_comes_back(digest):
    cid = from_digest(digest)
    assert len(cid) == 46
    assert digest_of(cid) == digest


@given(st.text(max_size=60))
def test_arbitrary_text_is_refused(text):
    with pytest.raises(FairshareError) as refusal:
        digest_of(text)
    assert refusal.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    "cid",
    [
        "",
        cid_of(b"x")[:-1],
        cid_of(b"x") + "1",
        " " + cid_of(b"x")[1:],
        cid_of(b"x").replace("Qm", "Q0"),
        "1" + base58.b58encode(b"\x12\x20" + bytes(31)).decode(),
        base58.b58encode(b"\x13\x20" + b"\xff" * 32).decode(),
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku",
    ],
)
def test_what_is_no_cidv0_is_refused(cid):
    with pytest.raises(FairshareError) as refusal:
        digest_of(cid)
    assert refusal.value.reason is Reason.BAD_INPUT


def test_digests_of_other_lengths_are_refused():
    for size in (0, 31, 33):
        with pytest.raises(FairshareError):
            from_digest(bytes(size))
