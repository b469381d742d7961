"""From what data call a class to the project's number of it."""

from __future__ import annotations

import re

from marketplace.learning.sources.asked import Reading

_INTEGER = re.compile(r"([+-]?[0-9]{1,18})(\.0*)?")  # spreadsheets write 3 as 3.0
NAMES = ("label", "labels", "y", "target", "class")  # of a label's column, where the user names none


def number_of(text: str, reading: Reading) -> int | None:
    """The class called `text`: its place in --classes where they are given, else the number it spells."""
    name = text.strip()
    if reading.classes:
        return reading.classes.index(name) if name in reading.classes else None
    match = _INTEGER.fullmatch(name)
    return int(match.group(1)) if match else None
