"""Small faults for the contracts: every one that the rules make, the order in which they are drawn, and a large one.

The draw is seeded, alike on every machine: it takes some of each file and of each rule.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

SEED = "fairshare 1"
LARGE = 100  # candidates in a file that is drawn from twice as often


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One change of one line. `line` counts from 1; `after` is empty where the statement is gone."""

    file: str
    line: int
    rule: str
    before: str
    after: str

    @property
    def key(self) -> str:
        """A name that stays as long as the line does, wherever in the file it stands."""
        return hashlib.sha256("\0".join((SEED, self.file, self.before, self.after)).encode()).hexdigest()[:8]

    def diff(self) -> str:
        return f"{self.file}:{self.line}\n  - {self.before.strip()}\n  + {self.after.strip()}"

    def applied(self, text: str) -> str:
        """The file's text with the change; the line's comment stays."""
        lines = text.splitlines(keepends=True)
        comment = lines[self.line - 1].rstrip("\n").removeprefix(self.before)
        indent = self.before[: len(self.before) - len(self.before.lstrip())]
        # A deleted statement leaves an empty one, so that an `if` above keeps its body.
        lines[self.line - 1] = (self.after or indent + "{}") + comment + "\n"
        return "".join(lines)


_COMPARISONS = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != ", " != ": " == "}
_ARITHMETIC = {
    " + ": " - ",
    " - ": " + ",
    " * ": " / ",
    " / ": " * ",
    " += ": " -= ",
    " -= ": " += ",
    "++": "--",
    "--": "++",
}
_LOGIC = {" && ": " || ", " || ": " && ", " & ": " | ", " | ": " & ", "<< ": ">> ", ">> ": "<< "}
_ASSEMBLY = {"lt(": "gt(", "gt(": "lt(", "add(": "sub(", "sub(": "add(", "mulmod(": "addmod("}
_DECLARATION = re.compile(
    r"^\s*(uint|int|bytes|address|bool|string|mapping|[A-Z]\w*( storage| memory| calldata)? )"
)
_REVERTING = re.compile(r"^\s*(if \(.*\) revert\b.*;|[\w.]*\b_?(require|assert)\w*\(.*\);)$")
_EFFECT = re.compile(
    r"^\s*(?!return|emit|revert|if|for|else|using|let)[a-zI_][\w.\[\]()+, -]*( [-+|&^]?= .*)?;$"
)
_POINTERS = {
    "s",
    "p",
    "t",
    "c",
    "m",
    "_state",
    "parts",
    "terms",
    "rules",
    "input",
    "work",
    "known",
    "received",
}  # no swap compiles
_PAIR = re.compile(r"(?<![\w.])(\w[\w.]*)\((\w[\w.]*), (\w[\w.]*)([,)])")


def _replaced(line: str, table: dict[str, str]) -> Iterator[str]:
    for old, new in table.items():
        for match in re.finditer(re.escape(old), line):
            yield line[: match.start()] + new + line[match.end() :]


def _comparison(line: str) -> Iterator[str]:
    yield from _replaced(line, _COMPARISONS)


def _arithmetic(line: str) -> Iterator[str]:
    # A loop's own step decides nothing but whether it ends.
    if not line.lstrip().startswith("for ("):
        yield from _replaced(line, _ARITHMETIC)


def _logic(line: str) -> Iterator[str]:
    yield from _replaced(line, _LOGIC)


def _assembly(line: str) -> Iterator[str]:
    if " := " in line or re.match(r"^\s*(if|switch) \w+\(", line):
        yield from _replaced(line, _ASSEMBLY)


def _removed_check(line: str) -> Iterator[str]:
    if _REVERTING.match(line):
        yield ""


def _removed_effect(line: str) -> Iterator[str]:
    if _EFFECT.match(line) and not _REVERTING.match(line) and not _DECLARATION.match(line):
        yield ""


def _swapped(line: str) -> Iterator[str]:
    if re.match(r"^\s*(function|event|error|emit|modifier|constructor)\b", line):
        return
    for match in _PAIR.finditer(line):
        name, first, second, end = match.groups()
        if (
            name in ("add", "mul", "and", "or", "xor", "addmod", "mulmod")
            or first == second
            or {first, second} & _POINTERS
        ):
            continue
        if {first, second, name}.isdisjoint(("if", "for", "while", "gas")):
            yield f"{line[: match.start()]}{name}({second}, {first}{end}{line[match.end() :]}"


RULES: dict[str, Callable[[str], Iterator[str]]] = {
    "comparison": _comparison,
    "arithmetic": _arithmetic,
    "logic": _logic,
    "assembly": _assembly,
    "removed check": _removed_check,
    "removed effect": _removed_effect,
    "swapped arguments": _swapped,
}


def _code_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines inside function bodies, without comments; a line is given once for each place that it stands."""
    depth = 0
    for number, line in enumerate(text.splitlines(), 1):
        code = re.sub(r"\s*//.*$", "", line)
        if code.strip().startswith(("*", "/*")):
            continue
        inside = depth >= 2
        depth += code.count("{") - code.count("}")
        if inside and code.strip() and not code.strip().startswith("emit "):
            yield number, code


def candidates(root: Path) -> list[Mutant]:
    """Every mutant that the rules make of the contracts, in the order of files and lines."""
    found = []
    for path in sorted((root / "contracts").rglob("*.sol")):
        if "interfaces" in path.parts:
            continue
        file = path.relative_to(root).as_posix()
        for number, line in _code_lines(path.read_text("utf8")):
            for rule, make in RULES.items():
                found += [Mutant(file, number, rule, line, after) for after in make(line)]
    return found


def draw(mutants: list[Mutant]) -> list[Mutant]:
    """All mutants in the order of the draw: each turn one of a file, of the next rule; small files pass every other."""
    queues: dict[str, dict[str, list[Mutant]]] = {}
    for mutant in sorted(mutants, key=lambda m: (m.key, m.line)):
        queues.setdefault(mutant.file, {}).setdefault(mutant.rule, []).append(mutant)
    drawn: list[Mutant] = []
    large = {file for file, rules in queues.items() if sum(map(len, rules.values())) > LARGE}
    turn = 0
    while any(queues.values()):
        for place, file in enumerate(sorted(queues)):
            if turn % 2 and file not in large:
                continue
            rules = sorted(queues[file])
            if rules:
                rule = rules[(turn + place) % len(rules)]
                drawn.append(queues[file][rule].pop(0))
                if not queues[file][rule]:
                    del queues[file][rule]
        turn += 1
    return drawn


def wrecked(text: str) -> str:
    """The file's text with every function failing: a fault that nothing misses which really runs this file."""
    return re.sub(r"(\bfunction\s+\w+\([^{};]*\{)", r"\1 assert(false);", text)
