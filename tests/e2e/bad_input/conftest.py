"""One chain and market for the whole suite; each test comes with a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.bad_input.ground import Ground, Visitor, open_ground


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with open_ground(tmp_path_factory.mktemp("ground")) as running:
        yield running


@pytest.fixture
def visitor(ground: Ground, tmp_path: Path) -> Visitor:
    return Visitor(ground, tmp_path)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A command that goes on although it should refuse would wait for a project's end."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(60, func_only=True))  # the ground takes its time
