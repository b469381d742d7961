"""Off development chains nobody posts or joins a project whose windows a node could miss; nothing is signed for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aggregator.joining import join
from marketplace.errors import FairshareError, Reason
from marketplace.owner.post import check_market
from marketplace.spec import ProjectFile
from marketplace.spec.template import template
from trainer_node.daemon import TrainerDaemon

PUBLIC = 1
ROUNDS = ProjectFile.from_toml(template("softmax")).rounds.model_copy(update={"answer_window": 8})


def as_owner() -> None:
    session: Any = SimpleNamespace(client=SimpleNamespace(chain_id=PUBLIC))
    checked: Any = SimpleNamespace(file=SimpleNamespace(rounds=ROUNDS))
    check_market(session, checked, Path(__file__))  # any file stands for the ceremony's


def member() -> Any:
    """Without a sender, a journal or a vault: to touch one would be another error."""
    spec = SimpleNamespace(rounds=ROUNDS)
    client = SimpleNamespace(chain_id=PUBLIC)
    context = SimpleNamespace(project=1, spec=spec, client=client, terms=SimpleNamespace(trainers=5))
    return SimpleNamespace(context=context)


def as_aggregator() -> None:
    join(member(), b"")


def as_trainer() -> None:
    project: Any = SimpleNamespace(trainer_count=0)
    TrainerDaemon._join(member(), project)


@pytest.mark.parametrize("take_part", [as_owner, as_aggregator, as_trainer])
def test_who_takes_part_looks_at_the_windows_first(take_part: Callable[[], None]) -> None:
    with pytest.raises(FairshareError) as caught:
        take_part()
    assert caught.value.reason is Reason.BAD_SPEC
    assert "rounds.answer_window" in caught.value.message
