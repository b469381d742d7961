"""Project files that cannot be posted: the field is named, or the limit; nothing is made and nothing is paid."""

from __future__ import annotations

import re

import pytest

from marketplace.errors import Reason
from tests.e2e.bad_input.ground import UNBONDING_S, Visitor, write_project
from tests.support.live_market import project_file

BAD = Reason.BAD_SPEC
# What replaces a line of the file (by its key), or is added to a section; what the error names.
CHANGES: dict[str, tuple[str, str, str, Reason, tuple[str, ...]]] = {
    "unknown section": ("project", "", "[extras]\nfield = 1", BAD, ("extras",)),
    "unknown field": ("rounds", "", "colour = 1", BAD, ("rounds.colour",)),
    "unknown field of a task": ("task", "", "hiden = 16", BAD, ("hiden",)),
    "unknown task": ("task", "kind", 'kind = "poetry"', BAD, ("task.kind", "poetry")),
    "unknown rule": ("scoring", "rule", 'rule = "vibes"', BAD, ("scoring.rule",)),
    "missing field": ("rounds", "count", "", BAD, ("rounds.count",)),
    "text for a number": ("rounds", "count", 'count = "5"', BAD, ("rounds.count",)),
    "a fraction of a round": ("rounds", "count", "count = 2.5", BAD, ("rounds.count",)),
    "no rounds": ("rounds", "count", "count = 0", BAD, ("rounds.count",)),
    "too many rounds": ("rounds", "count", "count = 65536", BAD, ("rounds.count",)),
    "no window": ("rounds", "submit_window", "submit_window = 0", BAD, ("rounds.submit_window",)),
    "a window beyond the market's": (
        "rounds",
        "result_window",
        "result_window = 100000",
        BAD,
        ("rounds.result_window", str(UNBONDING_S)),
    ),
    "too many trainers": ("cohort", "slots", "slots = 17", BAD, ("cohort.slots",)),
    "too many faults": ("cohort", "faults", "faults = 2", BAD, ("cohort.faults", "7 slots")),
    "NaN": ("training", "learning_rate", "learning_rate = nan", BAD, ("training.learning_rate",)),
    "infinity": ("training", "clip_norm", "clip_norm = inf", BAD, ("training.clip_norm",)),
    "negative": ("training", "clip_norm", "clip_norm = -1.0", BAD, ("training.clip_norm",)),
    "no reward": ("reward", "amount", 'amount = "0"', BAD, ("reward.amount",)),
    "a negative reward": ("reward", "amount", 'amount = "-5"', BAD, ("reward.amount",)),
    "an unknown unit": ("reward", "amount", 'amount = "5 gold"', BAD, ("reward.amount",)),
    "a reward of fees": (
        "reward",
        "aggregator_fee",
        'aggregator_fee = "1 eth"',
        BAD,
        ("reward.aggregator_fee",),
    ),
    "a token that is none": ("reward", "token", 'token = "0x12"', BAD, ("reward.token",)),
    "slashing nothing": (
        "stakes",
        "trainer",
        'trainer = "0"',
        BAD,
        ("stakes.complaint_deposit", "trainer's stake"),
    ),
    "a scale beyond its range": (
        "arithmetic",
        "scale_bits",
        "scale_bits = 31",
        BAD,
        ("arithmetic.scale_bits",),
    ),
    "a norm beyond 63 bits": (
        "training",
        "clip_norm",
        "clip_norm = 1000000.0",
        BAD,
        ("arithmetic.scale_bits", "training.clip_norm"),
    ),
    "a bound below honest updates": (
        "arithmetic",
        "max_norm_squared",
        "max_norm_squared = 5",
        BAD,
        ("arithmetic.max_norm_squared", "honest updates"),
    ),
    "another evaluation hash": (
        "evaluation",
        "sha256",
        'sha256 = "' + "0" * 64 + '"',
        BAD,
        ("evaluation.sha256",),
    ),
    "no evaluation set": ("evaluation", "file", "", BAD, ("evaluation.file",)),
    "a peer that is none": ("storage", "peers", 'peers = ["here"]', BAD, ("storage.peers",)),
    "beyond the exact path": ("task", "features", "features = 40000", Reason.TOO_LARGE, ("100000", "120003")),
}


def with_change(text: str, section: str, key: str, line: str) -> str:
    """The TOML with `key`'s line in `section` replaced, or `line` put there."""
    heading, rest = re.split(rf"(?<=^\[{section}\]\n)", text, maxsplit=1, flags=re.MULTILINE)
    body, bracket, after = rest.partition("\n[")
    kept = [old for old in body.split("\n") if not key or not old.startswith(f"{key} = ")]
    return heading + "\n".join([*kept, line]) + bracket + after


@pytest.mark.parametrize("kind", CHANGES)
def test_a_project_file_with_a_wrong_field(visitor: Visitor, kind: str) -> None:
    section, key, line, reason, named = CHANGES[kind]
    path = write_project(visitor.home / "project", project_file())
    path.write_text(with_change(path.read_text(), section, key, line))
    visitor.refused("project", "post", str(path), reason=reason, named=named)
    visitor.refused("project", "post", str(path), "--dry-run", "--json", reason=reason, named=named)


@pytest.mark.parametrize(
    ("content", "reason", "named"),
    [
        (b"", BAD, ["project"]),
        (b"[project", BAD, ["TOML"]),
        (b"\xff\xfe", BAD, ["TOML"]),
        (b"project = 1", BAD, ["project"]),
        (b"a = " + b"[" * 5000, BAD, ["TOML"]),
        (b"# much\n" * 20000, Reason.TOO_LARGE, ["65536"]),
    ],
    ids=["empty", "no TOML", "no text", "no section", "deep", "long"],
)
def test_what_is_no_project_file(visitor: Visitor, content: bytes, reason: Reason, named: list[str]) -> None:
    path = visitor.home / "project.toml"
    path.write_bytes(content)
    visitor.refused("project", "post", str(path), reason=reason, named=named)


def test_a_project_file_that_is_not_there(visitor: Visitor) -> None:
    visitor.refused("project", "post", "none.toml", reason=Reason.NOT_FOUND, named=["none.toml"])
    visitor.refused("project", "post", str(visitor.home), reason=Reason.BAD_INPUT, named=[str(visitor.home)])


def test_a_token_that_is_no_contract(visitor: Visitor) -> None:
    path = write_project(visitor.home / "project", project_file())
    whole = path.read_text()
    nobody, market = "0x" + "12" * 20, visitor.ground.market
    for token, reason in ((nobody, Reason.NO_CONTRACT), (market, Reason.REFUSED)):
        path.write_text(with_change(whole, "reward", "token", f'token = "{token}"'))
        visitor.refused("project", "post", str(path), reason=reason, named=[token])


def test_a_draft_of_what_does_not_exist(visitor: Visitor) -> None:
    for arguments, named in (
        (("--task", "poetry"), "poetry"),
        (("--trainers", "2"), "--trainers"),
        (("--trainers", "17"), "--trainers"),
        (("--rounds", "0"), "--rounds"),
    ):
        visitor.refused("project", "new", "mine", *arguments, reason=Reason.BAD_INPUT, named=[named])
    assert not (visitor.home / "mine").exists()
