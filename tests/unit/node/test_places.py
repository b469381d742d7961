from __future__ import annotations

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.node.places import read_place


def test_places_to_listen() -> None:
    assert read_place("127.0.0.1:9000") == ("127.0.0.1", 9000)
    assert read_place("[::1]:80") == ("::1", 80)
    for bad in ("", "9000", ":9000", "host:", "host:0", "host:65536", "host:٣", "host:1x"):
        with pytest.raises(FairshareError) as refused:
            read_place(bad)
        assert refused.value.reason is Reason.BAD_INPUT


def test_a_port_alone_is_at_the_default_host() -> None:
    assert read_place("9464", default_host="127.0.0.1") == ("127.0.0.1", 9464)
    assert read_place("0.0.0.0:9464", default_host="127.0.0.1") == ("0.0.0.0", 9464)
    for bad in ("", ":9464", "nine", "0"):
        with pytest.raises(FairshareError):
            read_place(bad, default_host="127.0.0.1")
