"""The options that say how this machine trains (docs/training.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, cast

import typer

from marketplace.errors import FairshareError, Reason
from marketplace.learning.engine.checks import check_combination, check_machine, is_sharded
from marketplace.learning.engine.options import (
    MAX_ACCUMULATE,
    MAX_PROCESSES,
    MAX_WORKERS,
    PLAIN,
    PRECISIONS,
    SHARD_FROM,
    Engine,
    Precision,
)
from marketplace.learning.tasks import Task
from marketplace.learning.tasks.files import NeedsFiles
from marketplace.node.options import extended
from marketplace.spec.sections import TrainingSection


def _option(flag: str, text: str, **more: Any) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="How this machine trains", **more)


_OPTIONS: Mapping[str, tuple[Any, Any]] = {  # by name: annotation, default
    "precision": (
        Annotated[str, _option("--precision", "Of the passes: fp32, bf16 or fp16.", metavar="KIND")],
        PLAIN.precision,
    ),
    "accumulate": (
        Annotated[
            int,
            _option(
                "--accumulate",
                "Cut each batch into so many parts, to take less memory.",
                min=1,
                max=MAX_ACCUMULATE,
            ),
        ],
        PLAIN.accumulate,
    ),
    "compile_": (
        Annotated[bool, _option("--compile/--no-compile", "With torch.compile; on a CPU mostly slower.")],
        PLAIN.compile,
    ),
    "workers": (
        Annotated[int, _option("--workers", "Threads that read batches ahead.", min=0, max=MAX_WORKERS)],
        PLAIN.workers,
    ),
    "processes": (
        Annotated[
            int,
            _option(
                "--processes",
                "That share each batch; on CUDA one for each GPU.",
                min=1,
                max=MAX_PROCESSES,
            ),
        ],
        PLAIN.processes,
    ),
    "shard_from": (
        Annotated[
            int,
            _option(
                "--shard-from",
                "Parameters of a model from which on processes share it too.",
                min=1,
                metavar="N",
            ),
        ],
        SHARD_FROM,
    ),
}


def with_engine(function: Callable[..., None]) -> Callable[..., None]:
    """A command that also takes how to train, given to `function` as its `engine`."""

    def call(values: dict[str, Any], arguments: dict[str, Any]) -> None:
        function(**arguments, engine=engine_of(values))

    return extended(function, _OPTIONS, call, skip=("engine",))


def engine_of(values: Mapping[str, Any]) -> Engine:
    """The options' values as an Engine. Raises BAD_INPUT."""
    if values["precision"] not in PRECISIONS:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"--precision: {values['precision']!r} is none of {', '.join(PRECISIONS)}",
            "docs/training.md explains it",
        )
    return Engine(
        precision=cast(Precision, values["precision"]),
        accumulate=values["accumulate"],
        compile=values["compile_"],
        workers=values["workers"],
        processes=values["processes"],
        shard_from=values["shard_from"],
    )


def check_engine(
    engine: Engine, device: str, task: Task, training: TrainingSection, *, private: bool
) -> None:
    """All that can be said before joining. Raises BAD_INPUT, TOOL_MISSING."""
    if engine == PLAIN:  # always fits: no reason to wait for torch
        return
    check_combination(engine, training, private=private)
    check_machine(engine, device)
    if engine.processes > 1:
        if isinstance(task, NeedsFiles) and task.files:
            raise FairshareError(
                Reason.BAD_INPUT,
                "a task that needs files trains in one process only, for now",
                "leave out --processes",
            )
        is_sharded(engine, task.module(task.initial(0)))
