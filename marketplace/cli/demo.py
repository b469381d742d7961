"""`fairshare demo`."""

from pathlib import Path
from typing import Annotated

import typer

from marketplace.node import console
from marketplace.node.options import Settings, with_settings

app = typer.Typer()


@app.command()
@with_settings
def demo(
    settings: Settings,
    trainers: Annotated[int, typer.Option("--trainers", help="K, how many train.")] = 10,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=100, help="T, how many rounds.")] = 5,
    dataset: Annotated[str, typer.Option("--dataset", help="digits or fashion-mnist.")] = "digits",
    task: Annotated[
        str | None,
        typer.Option(
            "--task", help="softmax, mlp or cnn (a million parameters); the data set's own if left out."
        ),
    ] = None,
    attack: Annotated[
        list[str] | None,
        typer.Option("--attack", metavar="KIND@INDEX", help="Who cheats and how; `none` for nobody."),
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep everybody's files and logs there.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=2**31, help="Of data split and training.")] = 0,
) -> None:
    """Run a whole market on this machine: ten trainers, three of which cheat, and an audit in the end.

    Kinds of attack: sign-flip, scale, random, zero, label-flip, copy, absent, withhold-update (trainers),
    tamper-aggregate, withhold, withhold-model, false-complaint, false-gram (aggregators); for large models also
    false-leaf, one-chunk, accomplice (trainers), wrong-chunk, wrong-sketch, friend-sketch (aggregators: of trainer
    0). Exit status 0 only if the audit is valid.
    """
    from marketplace.devnet.demo.cast import cast
    from marketplace.devnet.demo.outcome import draw
    from marketplace.devnet.demo.project import Plan, check_dataset, check_task
    from marketplace.devnet.demo.run import Interrupted, run_demo
    from marketplace.node.lifecycle import stop_on_signals

    plan = Plan(cast(trainers, attack or ()), rounds, check_dataset(dataset), seed, check_task(task))
    with stop_on_signals() as stop:
        try:
            result = run_demo(plan, keep=keep, cache=settings.cache_dir, stop=stop)
        except Interrupted as error:
            raise KeyboardInterrupt from error
    console.result(result, lambda output: draw(result, output))
    if not result["audit"]["ok"]:
        raise typer.Exit(1)
