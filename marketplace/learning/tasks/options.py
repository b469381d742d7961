"""A task's own options, read from a spec's [task] section; what is wrong with one is BAD_SPEC and its name."""

from __future__ import annotations

from marketplace.spec.problems import bad_field
from marketplace.spec.sections import TaskSection


def refuse_unknown(section: TaskSection, known: tuple[str, ...]) -> None:
    """Raise BAD_SPEC for an option that is not `known`: a typing error must not change a project silently."""
    for name in section.options:
        if name not in known:
            raise bad_field(f"task.{name}", f"the task {section.kind} has no such option")


def integer(section: TaskSection, name: str, default: int | None, low: int, high: int) -> int:
    """An integer from `low` to `high`; `default` None: it must be given."""
    value = section.options.get(name, default)
    if value is None:
        raise bad_field(f"task.{name}", "this field is missing")
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise bad_field(f"task.{name}", f"it is an integer from {low} to {high}")
    return value


def number(section: TaskSection, name: str, default: float, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    value = section.options.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise bad_field(f"task.{name}", f"it is a number from {low:g} to {high:g}")
    return float(value)


def choice(section: TaskSection, name: str, default: str | None, known: tuple[str, ...]) -> str:
    """One of the words `known`; `default` None: it must be given."""
    value = section.options.get(name, default)
    if value is None:
        raise bad_field(f"task.{name}", "this field is missing")
    if value not in known:
        raise bad_field(f"task.{name}", "it is " + " or ".join(f'"{word}"' for word in known))
    assert isinstance(value, str)
    return value


def text(section: TaskSection, name: str) -> str | None:
    """A text; None where it is not given."""
    value = section.options.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_field(f"task.{name}", "it is a text")
    return value


def integers(section: TaskSection, name: str, count: int, low: int, high: int) -> tuple[int, ...] | None:
    """A list of `count` integers from `low` to `high`; None where it is not given."""
    values = _list(section, name, count)
    if values is None:
        return None
    whole = tuple(value for value in values if isinstance(value, int) and low <= value <= high)
    if len(whole) != count:
        raise bad_field(f"task.{name}", f"it holds integers from {low} to {high}")
    return whole


def numbers(section: TaskSection, name: str, count: int, low: float, high: float) -> tuple[float, ...] | None:
    """A list of `count` numbers from `low` to `high`; None where it is not given."""
    values = _list(section, name, count)
    if values is None:
        return None
    if not all(low <= value <= high for value in values):
        raise bad_field(f"task.{name}", f"it holds numbers from {low:g} to {high:g}")
    return tuple(float(value) for value in values)


def _list(section: TaskSection, name: str, count: int) -> tuple[int | float, ...] | None:
    values = section.options.get(name)
    if values is None:
        return None
    if not isinstance(values, tuple) or len(values) != count:
        raise bad_field(f"task.{name}", f"it is a list of {count} numbers")
    return values
