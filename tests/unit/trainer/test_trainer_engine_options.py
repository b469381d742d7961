"""How the user says how to train, and what is refused before anything is at stake."""

from __future__ import annotations

from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from marketplace.errors import FairshareError, Reason
from marketplace.learning import tasks
from marketplace.learning.engine.options import PLAIN, SHARD_FROM, Engine
from marketplace.spec import ProjectFile, template
from trainer_node.engine_options import check_engine, engine_of, with_engine

PROJECT = ProjectFile.from_toml(template("softmax"))
DEFAULTS: dict[str, Any] = {
    "precision": "fp32",
    "accumulate": 1,
    "compile_": False,
    "workers": 0,
    "processes": 1,
    "shard_from": SHARD_FROM,
}


def parsed(*arguments: str) -> Engine | None:
    """What a command is given; None where the command line is refused."""
    found: list[Engine] = []
    app = typer.Typer()

    @app.command()
    @with_engine
    def command(engine: Engine) -> None:
        found.append(engine)

    CliRunner().invoke(app, list(arguments))
    return found[0] if found else None


def test_without_options_training_is_plain() -> None:
    assert engine_of(DEFAULTS) == PLAIN == parsed()


def test_every_option_is_taken() -> None:
    given = "--precision bf16 --accumulate 4 --compile --workers 2 --processes 3 --shard-from 1000"
    assert parsed(*given.split()) == Engine("bf16", 4, True, 2, 3, 1000)


@pytest.mark.parametrize(
    "arguments",
    [
        "--precision fp8",
        "--accumulate 0",
        "--workers -1",
        "--processes 0",
        "--processes 65",
        "--shard-from 0",
    ],
)
def test_what_makes_no_sense_is_refused(arguments: str) -> None:
    assert parsed(*arguments.split()) is None


def test_a_precision_that_does_not_exist_is_named() -> None:
    with pytest.raises(FairshareError) as caught:
        engine_of(DEFAULTS | {"precision": "fp8"})
    assert caught.value.reason is Reason.BAD_INPUT
    assert "fp8" in caught.value.message


@pytest.mark.parametrize(
    ("engine", "private", "said"),
    [
        (Engine(precision="bf16"), True, "--precision"),
        (Engine(workers=1), True, "--workers"),
        (Engine(processes=2, shard_from=650, precision="fp16"), False, "fp16"),
    ],
)
def test_what_does_not_go_together_is_refused_before_joining(
    engine: Engine, private: bool, said: str
) -> None:
    with pytest.raises(FairshareError, match=said):
        check_engine(engine, "cpu", tasks.load(PROJECT.task), PROJECT.training, private=private)


def test_what_goes_together_is_not() -> None:
    for engine in (PLAIN, Engine(processes=2, shard_from=651, precision="fp16"), Engine(accumulate=3)):
        check_engine(engine, "cpu", tasks.load(PROJECT.task), PROJECT.training, private=False)
