"""Addresses of peers, and contacts on the chain."""

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.errors import FairshareError, Reason
from marketplace.storage.contact import decode_contact, encode_contact
from marketplace.storage.multiaddress import check_multiaddress

RSA = "QmdqCDpXsz3KjshKFSfoWjdXiNaSzoXNeVffGXpnfRCcJa"
ED25519 = "12D3KooWEqnTdgqHnkkwarSrJjeMP2ZJiADWLYADaNvUb6SQNyPF"


@pytest.mark.parametrize("peer", [RSA, ED25519])
@pytest.mark.parametrize(
    "host", ["ip4/127.0.0.1", "ip4/203.0.113.9", "ip6/::1", "ip6/2001:db8::2", "dns4/node-1.example.org"]
)
def test_dialable_addresses_survive_the_chain(host, peer):
    address = f"/{host}/tcp/4001/p2p/{peer}"
    assert check_multiaddress(address) == address
    assert decode_contact(encode_contact(address)) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "/",
        f"/ip4/127.0.0.1/tcp/4001/ipfs/{RSA}",
        f"/ip4/127.0.0.1/udp/4001/quic-v1/p2p/{RSA}",
        f"/ip4/127.0.0.1/udp/4001/p2p/{RSA}",
        "/ip4/127.0.0.1/tcp/4001",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{RSA}/p2p-circuit",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{RSA}/",
        f" /ip4/127.0.0.1/tcp/4001/p2p/{RSA}",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{RSA}\n",
        f"/ip4/127.0.0.256/tcp/4001/p2p/{RSA}",
        f"/ip4/0.0.0.0/tcp/4001/p2p/{RSA}",
        f"/ip4/224.0.0.1/tcp/4001/p2p/{RSA}",
        f"/ip4/::1/tcp/4001/p2p/{RSA}",
        f"/ip6/127.0.0.1/tcp/4001/p2p/{RSA}",
        f"/ip6/::/tcp/4001/p2p/{RSA}",
        f"/ip6/fe80::1%eth0/tcp/4001/p2p/{RSA}",
        f"/dns4/-x/tcp/4001/p2p/{RSA}",
        f"/dns4/a b/tcp/4001/p2p/{RSA}",
        f"/dns4//tcp/4001/p2p/{RSA}",
        f"/dns4/{'a' * 64}/tcp/4001/p2p/{RSA}",
        f"/dns4/{'a.' * 100}/tcp/4001/p2p/{RSA}",
        f"/dns6/example.org/tcp/4001/p2p/{RSA}",
        f"/unix/x/tcp/4001/p2p/{RSA}",
        f"/ip4/127.0.0.1/tcp/0/p2p/{RSA}",
        f"/ip4/127.0.0.1/tcp/04001/p2p/{RSA}",
        f"/ip4/127.0.0.1/tcp/65536/p2p/{RSA}",
        f"/ip4/127.0.0.1/tcp/-1/p2p/{RSA}",
        "/ip4/127.0.0.1/tcp/4001/p2p/",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{RSA[:-1]}",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{RSA[:-1]}0",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{base58.b58encode(bytes(38)).decode()}",
        f"/ip4/127.0.0.1/tcp/4001/p2p/{'1' * 300}",
    ],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(FairshareError) as refusal:
        check_multiaddress(address)
    assert refusal.value.reason is Reason.BAD_INPUT
    assert len(refusal.value.message) < 300
    with pytest.raises(FairshareError):
        decode_contact(address.encode())


@given(st.binary(max_size=300))
def test_arbitrary_contacts_are_refused(contact):
    with pytest.raises(FairshareError) as refusal:
        decode_contact(contact)
    assert refusal.value.reason is Reason.BAD_INPUT


def test_a_contact_of_megabytes_is_refused_at_once():
    with pytest.raises(FairshareError):
        decode_contact(b"/ip4/127.0.0.1/tcp/4001/p2p/" + RSA.encode() + b"x" * 10_000_000)
