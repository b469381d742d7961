"""A command group that loads a sub-command only when it is called: help must not wait for libraries."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from marketplace.cli import settings_file
from marketplace.loading import loading

ROLES = "fairshare.commands"  # entry-point group by which roles bring their commands


@dataclass(frozen=True)
class Source:
    """Where a sub-command comes from: `load` gives its typer app."""

    help: str
    load: Callable[[], typer.Typer]


def module(path: str, help: str) -> Source:
    """The `app` of one of our own modules."""
    return Source(help, lambda: importlib.import_module(path).app)


def roles() -> dict[str, Source]:
    """What the installed roles bring."""
    return {
        point.name: Source(f"Commands of the {point.name}.", point.load)
        for point in entry_points(group=ROLES)
    }


class LazyGroup(TyperGroup):
    """Knows names and one-line helps; the sub-command itself, and its defaults, come when it is resolved."""

    sources: ClassVar[dict[str, Source]] = {}

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.sources)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in, enough for help."""
        source = self.sources.get(cmd_name)
        return None if source is None else TyperCommand(cmd_name, help=source.help, short_help=source.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stand_in, rest = super().resolve_command(ctx, args)
        if stand_in is None or name not in self.sources:
            return name, stand_in, rest
        with loading():
            command = typer.main.get_command(self.sources[name].load())
        path = settings_file.find()
        if path is not None:
            ctx.default_map = {name: _by_command(command, settings_file.defaults(path, name))}
        return name, command, rest


def _by_command(command: Any, values: settings_file.Values) -> dict[str, Any]:
    """`values` for each of a group's commands, or for the command itself."""
    below = getattr(command, "commands", None)
    return dict(values) if below is None else {name: _by_command(below[name], values) for name in below}
