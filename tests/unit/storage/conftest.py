"""Real storage nodes, each a process of its own."""

import pytest

from marketplace.storage.embedded import EmbeddedNode
from marketplace.storage.store import ContentStore


@pytest.fixture(scope="session")
def alice(tmp_path_factory):
    with EmbeddedNode(tmp_path_factory.mktemp("alice")) as node:
        yield node


@pytest.fixture(scope="session")
def bob(tmp_path_factory):
    with EmbeddedNode(tmp_path_factory.mktemp("bob")) as node:
        yield node


@pytest.fixture(scope="session")
def alices(alice):
    return ContentStore(alice.api)


@pytest.fixture(scope="session")
def bobs(bob, alices):
    """Bob's store, connected to Alice's node."""
    store = ContentStore(bob.api)
    store.connect(alices.addresses()[0])
    return store
