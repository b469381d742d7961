"""How a wrong spec is reported: BAD_SPEC, the field's dotted name first."""

from __future__ import annotations

from pydantic import ValidationError

from marketplace.errors import FairshareError, Reason

HINT = "correct this field; docs/spec.md lists every field and its range"


def bad_field(field: str, problem: str, hint: str = HINT) -> FairshareError:
    """A BAD_SPEC error about `field`, e.g. "scoring.strike_factor"."""
    return FairshareError(Reason.BAD_SPEC, f"{field}: {problem}", hint)


def from_validation(error: ValidationError) -> FairshareError:
    """The first thing pydantic found wrong, as one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "spec"
    problem = {
        "extra_forbidden": "there is no such field",
        "missing": "this field is missing",
    }.get(first["type"], first["msg"].removeprefix("Value error, "))
    return bad_field(_printable(field), problem)


def _printable(name: str) -> str:
    """A field name that may come from a stranger's spec: one short line."""
    shown = "".join(c if c.isprintable() else "?" for c in name)
    return shown if len(shown) <= 80 else shown[:77] + "..."
