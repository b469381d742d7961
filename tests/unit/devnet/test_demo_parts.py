"""The demo's cast, project and story."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain import events as e
from marketplace.chain.types import Address, Status
from marketplace.devnet.data import Parts
from marketplace.devnet.demo.cast import (
    AGGREGATOR_ATTACKS,
    DEFAULT_ATTACKS,
    FEWEST_TRAINERS,
    HONEST,
    MOST_TRAINERS,
    TRAINER_ATTACKS,
    cast,
)
from marketplace.devnet.demo.project import Plan, project_file
from marketplace.devnet.demo.story import LogReader, Part, Story
from marketplace.errors import FairshareError, Reason
from marketplace.owner.watch import RoundModel

PARTS = Parts((), Path("validation.npz"), Path("evaluation.npz"))
ANYWHERE = (1, b"\1" * 32, 0)


@given(st.integers(FEWEST_TRAINERS, MOST_TRAINERS))
def test_the_default_cast_cheats_no_more_than_the_project_bears(trainers: int) -> None:
    made = cast(trainers, ())
    cheats = [behaviour for behaviour in made.trainers if behaviour != HONEST]
    assert len(made.trainers) == trainers
    assert trainers >= 2 * made.faults + 3
    assert cheats == list(DEFAULT_ATTACKS[: len(cheats)])
    assert set(made.aggregators) == {HONEST}
    project_file(Plan(made, 5, "digits", 0), PARTS)


def test_ten_trainers_as_the_issue_has_them() -> None:
    made = cast(10, ())
    assert made.faults == 2
    assert sorted(b for b in made.trainers if b != HONEST) == sorted(DEFAULT_ATTACKS)


@given(st.sampled_from(TRAINER_ATTACKS), st.integers(0, 9))
def test_an_attack_is_where_it_was_asked_for(kind: str, index: int) -> None:
    made = cast(10, [f"{kind}@{index}"])
    assert made.behaviour(f"trainer-{index}") == kind
    assert sum(behaviour != HONEST for behaviour in made.trainers) == 1


@given(st.sampled_from(AGGREGATOR_ATTACKS), st.integers(0, 1))
def test_an_aggregator_can_cheat_too(kind: str, index: int) -> None:
    assert cast(5, [f"{kind}@{index}"]).behaviour(f"aggregator-{index}") == kind


def test_nobody_cheats_where_nobody_is_to() -> None:
    assert set(cast(10, ["none"]).trainers) == {HONEST}


@pytest.mark.parametrize(
    "attacks",
    [
        ["copy"],
        ["copy@"],
        ["copy@-1"],
        ["copy@²"],
        ["copy@10"],
        ["withhold@2"],
        ["copy@1", "zero@1"],
        ["bad@1"],
    ],
)
def test_an_impossible_attack_is_refused(attacks: list[str]) -> None:
    with pytest.raises(FairshareError) as caught:
        cast(10, attacks)
    assert caught.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize("dataset", ["digits", "fashion-mnist"])
def test_every_data_set_has_a_project_within_the_exact_path(dataset: str) -> None:
    for trainers in range(FEWEST_TRAINERS, MOST_TRAINERS + 1):
        made = project_file(Plan(cast(trainers, ()), 5, dataset, 1), PARTS)
        assert (made.cohort.slots, made.cohort.trainers) == (trainers, trainers)
        assert made.has_reference


def test_the_story_follows_chain_and_logs() -> None:
    trainers = [Part(f"trainer-{i}", f"0x{i}", HONEST) for i in range(3)]
    story = Story([*trainers, Part("aggregator-0", "0xa", HONEST)])
    for slot, part in enumerate(reversed(trainers)):
        story.event(e.TrainerJoined(*ANYWHERE, 1, Address(part.address), slot, b""))
    story.event(e.AggregatorJoined(*ANYWHERE, 1, Address("0xa"), 0, b"", b""))
    assert story.first_aggregator_joined
    story.event(e.RoundOpened(*ANYWHERE, 1, 1, 10, 20))
    story.log_line("aggregator-0", {"event": "proving", "round": 1})
    story.log_line("aggregator-0", {"event": "proved", "round": 1, "cpu_s": 5.5})
    story.event(e.ReferenceSubmitted(*ANYWHERE, 1, 1, b"", b""))
    story.event(e.UpdatesComplained(*ANYWHERE, 1, 1, 0, 0b1100, 15))
    story.event(e.UpdateWithheld(*ANYWHERE, 1, 1, Address("0x0"), 0, 2, 12))
    story.event(
        e.ResultPosted(
            *(*ANYWHERE, 1, 1, Address("0xa"), 0, 0b011, 0b011, 0, 7, 900, 0, b"", 0, 0, (100, 50, 0))
        )
    )
    story.event(e.TrainerStruck(*ANYWHERE, 1, 1, Address("0x0"), 30))
    story.model(RoundModel(1, "Qm", 0.5))
    story.event(e.ProjectEnded(*ANYWHERE, 1, Status.SETTLED, 0))

    assert [part.merged for part in trainers] == [0, 1, 1]  # trainer-0 took the last slot
    assert (story.parts["trainer-2"].paid, story.parts["trainer-1"].paid) == (100, 50)
    assert story.parts["trainer-0"].slashed == 42
    assert story.rounds[1].reference
    assert any("complaint about trainer-0, the owner" in line for line in story.news)
    assert (story.rounds[1].merged, story.rounds[1].accuracy, story.rounds[1].proof_cpu_s) == (
        (0, 1),
        0.5,
        5.5,
    )
    assert story.ending == "settled"
    assert any("not merged: trainer-0" in line for line in story.news)


def test_a_log_line_of_another_kind_or_shape_changes_nothing() -> None:
    story = Story([Part("trainer-0", "0x0", HONEST)])
    for line in ({"event": "unheard of"}, {}, {"event": 3}, {"event": ["training"]}):
        story.log_line("trainer-0", line)
    story.log_line("trainer-0", {"event": "training"})
    assert story.parts["trainer-0"].doing == "training, round ?"


def test_a_log_is_read_by_whole_lines_once(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    reader = LogReader(path)
    assert reader.lines() == []
    path.write_text('{"event": "a"}\nnot json\n[1]\n{"event": "b"')
    assert reader.lines() == [{"event": "a"}]
    with path.open("a") as file:
        file.write('}\n{"event": "c"}\n')
    assert reader.lines() == [{"event": "b"}, {"event": "c"}]
    assert reader.lines() == []
