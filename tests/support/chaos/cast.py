"""The participants of a project as processes: what each runs, and how it reaches the chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from marketplace.learning.data import save_npz
from marketplace.storage.ports import lasting_port
from tests.support.chaos.ground import Ground
from tests.support.live_market import iris
from tests.support.processes import Role

_ROUTES = (("A", "B"), ("B", "A"), ("A",), ("B",))  # some are cut off by an endpoint's failure, some go on
_ALONE_EVERY = 3  # participants one uses the storage node that stands alone, the owner first


def cast(
    ground: Ground, project: int, trainers: int, aggregators: int, options: Sequence[str]
) -> dict[str, Role]:
    """A process for each participant, by name; none is started. `options`: of trainers."""
    roles = {}
    for place, (name, arguments) in enumerate(_command_lines(ground, project, trainers, aggregators)):
        route = _ROUTES[place % len(_ROUTES)]
        environment = ground.environment(name, route, embeds=place % _ALONE_EVERY != 0)
        if name.startswith("trainer"):
            arguments += options
        roles[name] = Role(name, arguments, environment, ground.folder / f"{name}.log")
    return roles


def _command_lines(
    ground: Ground, project: int, trainers: int, aggregators: int
) -> Iterator[tuple[str, list[str]]]:
    number = str(project)
    yield "owner", ["project", "serve", number]
    for index in range(aggregators):
        listen = f"127.0.0.1:{lasting_port()}"
        yield f"aggregator-{index}", ["aggregator", "run", "--project", number, "--listen", listen]
    for index, part in enumerate(iris(trainers)[0]):
        data = ground.folder / f"trainer-{index}.npz"
        save_npz(data, part)
        yield f"trainer-{index}", ["trainer", "run", number, "--data", str(data), "--seed", str(index)]
