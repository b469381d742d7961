"""A first project.toml for an owner to fill in."""

from __future__ import annotations

from marketplace.spec import template


def faults_of(slots: int) -> int:
    """f for K slots: a fifth of them, as far as K >= 2f + 3 allows."""
    return min((slots - 3) // 2, max(1, slots // 5))


def draft(kind: str, trainers: int, rounds: int, challenge_window: int | None = None) -> str:
    """The template for a task of `kind`, for so many trainers, all of them in every round. BAD_INPUT: unknown kind."""
    wanted = {"count": rounds, "slots": trainers, "trainers": trainers, "faults": faults_of(trainers)}
    if challenge_window is not None:
        wanted["challenge_window"] = challenge_window
    return "\n".join(_with(line, wanted) for line in template(kind).split("\n"))


def _with(line: str, wanted: dict[str, int]) -> str:
    """The line with another number, its comment where it was."""
    key, equals, rest = line.partition(" = ")
    if not equals or key not in wanted:
        return line
    _, hash_, comment = rest.partition("#")
    shown = f"{key} = {wanted[key]}"
    return f"{shown:<{len(line) - len(hash_ + comment)}}{hash_}{comment}".rstrip()
