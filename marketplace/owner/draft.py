"""A first project.toml for an owner to fill in."""

from __future__ import annotations

from marketplace.spec import template


def faults_of(trainers: int) -> int:
    """f for K trainers: a fifth of them, as far as K >= 2f + 3 allows."""
    return min((trainers - 3) // 2, max(1, trainers // 5))


def draft(kind: str, trainers: int, rounds: int) -> str:
    """The template for a task of `kind`, for so many trainers and rounds. Raises BAD_INPUT for an unknown kind."""
    wanted = {"count": rounds, "trainers": trainers, "faults": faults_of(trainers)}
    return "\n".join(_with(line, wanted) for line in template(kind).split("\n"))


def _with(line: str, wanted: dict[str, int]) -> str:
    """The line with another number, its comment where it was."""
    key, equals, rest = line.partition(" = ")
    if not equals or key not in wanted:
        return line
    _, hash_, comment = rest.partition("#")
    shown = f"{key} = {wanted[key]}"
    return f"{shown:<{len(line) - len(hash_ + comment)}}{hash_}{comment}".rstrip()
