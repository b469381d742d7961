"""The commands that bad input of every kind is tried on."""

from __future__ import annotations

from marketplace.learning.data import save_npz
from tests.e2e.bad_input.ground import Visitor, write_project
from tests.support.live_market import SLOTS, iris, project_file

Command = tuple[str, ...]  # with {project}, {data} (an .npz that fits) and {file} (a project.toml) to fill in

TRAIN: Command = ("trainer", "run", "{project}", "--data", "{data}")
CHECK: Command = ("trainer", "check", "{project}", "--data", "{data}")
SERVE: Command = ("aggregator", "run", "--project", "{project}")
POST: Command = ("project", "post", "{file}")
OWN: Command = ("project", "serve", "{project}")
WATCH: Command = ("project", "watch", "{project}")
MODEL: Command = ("project", "model", "{project}", "-o", "model.npz")
AUDIT: Command = ("audit", "{project}")

# That open a keystore.
SIGNING: tuple[Command, ...] = (
    POST,
    OWN,
    ("project", "reveal", "{project}"),
    ("project", "settle", "{project}"),
    ("project", "cancel", "{project}"),
    ("project", "refund", "{project}"),
    ("challenge", "{project}", "model"),
    TRAIN,
    ("trainer", "claim", "{project}"),
    ("trainer", "leave", "{project}"),
    SERVE,
)
# That read its address alone.
ADDRESSED: tuple[Command, ...] = (
    ("wallet", "show"),
    ("trainer", "status", "{project}"),
    ("trainer", "status", "--all"),
    ("trainer", "explain", "{project}"),
    ("aggregator", "status"),
)
# That need no key.
READING: tuple[Command, ...] = (
    ("project", "list"),
    ("project", "show", "{project}"),
    CHECK,
    WATCH,
    MODEL,
    AUDIT,
    ("serve", "--port", "1"),
)
ALL = (*SIGNING, *ADDRESSED, *READING)
OF_A_PROJECT = tuple(command for command in ALL if "{project}" in command)


def name(command: Command) -> str:
    """For pytest's ids."""
    return " ".join(word for word in command[:2] if word.isalpha())


def filled(visitor: Visitor, command: Command, project: int | str | None = None) -> list[str]:
    """The command with what it names; the files are made in the visitor's home."""
    data, folder = visitor.home / "data.npz", visitor.home / "project"
    if "{data}" in command and not data.exists():
        save_npz(data, iris(SLOTS)[0][0])
    if "{file}" in command and not folder.exists():
        write_project(folder, project_file())
    known = visitor.ground.project("open") if project is None else project
    return [word.format(project=known, data=data, file=folder / "project.toml") for word in command]
