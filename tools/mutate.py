#!/usr/bin/env python3
"""Mutation check of the contracts: small faults, one at a time, that some test must notice.

Rules make every mutant there could be; a seeded draw, alike on every machine, takes some of each file and rule. Each is
built and tested in a scratch copy outside the repository: first with the suites nearest to its file (NEAREST), not
optimised, for that compiles in half the time; then, if it is still alive, with all of them. A survivor needs its entry,
with the reason, in tools/mutation-survivors.toml.

    python tools/mutate.py                         the whole draw: hours on two cores
    python tools/mutate.py --list                  what it would do
    python tools/mutate.py --mutants 20 --skip 10  a part of the draw; --file Shares.sol, --only ID: others

Ends with 1 where less than 95 % are killed or a survivor has no entry, with 2 where the tests fail without any mutant.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUITES = Path("tests/contracts/forge")
EXPLAINED = ROOT / "tools" / "mutation-survivors.toml"
SEED = "fairshare 1"
MUTANTS = 120
LARGE = 150  # candidates in a file that is drawn from twice as often
LEAST_KILLED = 0.95
SECONDS = 900  # one run of forge; a mutant that loops for ever is noticed by it
# Tests that count storage writes: they hold for optimised code only, which takes twice as long to compile.
COUNTING = "testLockAndUnlockWriteOnce|testCountsStopAtTheirTop"

# Which suites are likeliest to notice a fault in a file. All others are tried after them.
NEAREST = {
    "GramVerifier": ["GramVerifier", "KzgOpening"],
    "ReputationRegistry": ["ReputationRegistry"],
    "RoundJudge": ["Krum"],
    "StakeVault": ["StakeVault", "Rebasing"],
    "TrainingMarket": ["Market", "Starting", "RoundLife"],
    "Arrival": ["Arrival", "Batches", "RoundLife"],
    "BN254": ["GramVerifier", "KzgOpening"],
    "BitMask": ["Krum", "GramVerifier"],
    "Draw": ["Draw"],
    "Krum": ["Krum"],
    "KzgOpening": ["KzgOpening"],
    "Payments": ["Payments"],
    "Reputation": ["ReputationRegistry"],
    "Rounds": ["RoundLife", "Cohorts", "Settling", "Membership"],
    "Shares": ["Shares", "Settling"],
    "TermsCheck": ["TermsCheck"],
    "Challenges": ["Challenges", "ChallengeTime"],
    "Complaints": ["Complaints"],
    "Membership": ["Membership", "Starting"],
    "Results": ["RoundLife", "Settling", "Cohorts"],
    "Settling": ["Settling"],
    "Submissions": ["RoundLife", "Batches", "References"],
}


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


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a mutant: killed, survived, or invalid (it does not compile), and what said so."""

    mutant: Mutant
    outcome: str
    by: str
    seconds: float


class ToolFailed(Exception):
    """forge said neither that tests passed nor that one failed."""


# --- making mutants -------------------------------------------------------------------------------------------------

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
        if name in ("add", "mul", "and", "or", "xor") or first == second or {first, second} & _POINTERS:
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


def candidates(root: Path = ROOT) -> list[Mutant]:
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


# --- running them ---------------------------------------------------------------------------------------------------


class Bench:
    """A scratch copy of what forge needs, in which one mutant at a time is tried."""

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self.folder = folder
        found = sorted((root / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge"))
        if not found:
            raise ToolFailed("no forge in node_modules: run `make setup`")
        self.forge = found[0]  # npm's wrapper would lose the exit status
        shutil.copytree(root / "contracts", folder / "contracts")
        shutil.copytree(root / SUITES, folder / SUITES)
        shutil.copytree(root / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(root / "foundry.toml", folder)
        (folder / "node_modules").symlink_to(root / "node_modules")
        self.suites = sorted(path.name.removesuffix(".t.sol") for path in (folder / SUITES).glob("*.t.sol"))
        # Compiling is most of a run's time: tests that are not wanted, or are not imported, lie here.
        self.aside = folder / "aside"
        self.aside.mkdir()

    def test(self, suites: list[str], optimised: bool) -> tuple[str, str]:
        """What forge says of these suites: passed, failed or invalid; and the test, or the compiler's message."""
        self._lay_out(suites)
        # --force: with linked libraries an incremental build may test what was there before.
        command = [
            str(self.forge),
            "test",
            "--force",
            "--fail-fast",
            "--threads",
            "1",
            "--no-match-test",
            COUNTING,
        ]
        environment = {
            **os.environ,
            "FOUNDRY_SRC": str(SUITES),
            "FOUNDRY_OPTIMIZER": str(optimised).lower(),
            "FOUNDRY_FUZZ_RUNS": "16",
            "FOUNDRY_INVARIANT_RUNS": "2",
            "FOUNDRY_FUZZ_SEED": "0x1",
            "NO_COLOR": "1",
        }
        try:
            run = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return "failed", f"no end within {SECONDS} s"
        said = run.stdout + run.stderr
        failure = re.search(r"^\[FAIL[^\]]*\].*$", said, re.MULTILINE)
        if failure:
            return "failed", failure.group(0)
        compiler = re.search(r"^Error(?: \(\d+\))?: .*$", said, re.MULTILINE)
        if "Compiler run failed" in said or "Compilation failed" in said:
            return "invalid", compiler.group(0) if compiler else "does not compile"
        passed = re.search(r"(\d+) tests? passed, 0 failed", said)
        if run.returncode != 0 or passed is None or passed.group(1) == "0":
            raise ToolFailed(f"forge ended with {run.returncode}:\n{said[-2000:]}")
        return "passed", f"{passed.group(1)} tests"

    def _lay_out(self, suites: list[str]) -> None:
        """Leaves in the tests' folder the suites and what they import, and nothing else."""
        tests = self.folder / SUITES
        for path in [*tests.glob("*.sol"), *tests.glob("support/*.sol")]:
            (self.aside / path.relative_to(tests)).parent.mkdir(exist_ok=True)
            shutil.move(path, self.aside / path.relative_to(tests))
        wanted = [Path(f"{suite}.t.sol") for suite in suites]
        while wanted:
            path = wanted.pop()
            if not (self.aside / path).exists():
                continue  # it is there already, or is no test
            shutil.move(self.aside / path, tests / path)
            for name in re.findall(r'"(\.[^"]+\.sol)"', (tests / path).read_text("utf8")):
                wanted.append(Path(os.path.normpath(path.parent / name)))

    def judge(self, mutant: Mutant, nearest_only: bool) -> Verdict:
        path = self.folder / mutant.file
        original = path.read_text("utf8")
        lines = original.splitlines(keepends=True)
        comment = lines[mutant.line - 1].rstrip("\n").removeprefix(mutant.before)
        # A deleted statement leaves an empty one, so that an `if` above keeps its body.
        after = mutant.after or re.match(r"\s*", mutant.before).group(0) + "{}"  # type: ignore[union-attr]
        lines[mutant.line - 1] = after + comment + "\n"
        path.write_text("".join(lines), "utf8")
        near = [suite for suite in NEAREST[path.stem] if suite in self.suites]
        stages = [(near, False)] if nearest_only else [(near, False), (self.suites, True)]
        begun = time.monotonic()
        try:
            for suites, optimised in stages:
                result, by = self.test(suites, optimised)
                if result != "passed":
                    outcome = "killed" if result == "failed" else "invalid"
                    return Verdict(mutant, outcome, by, time.monotonic() - begun)
            return Verdict(mutant, "survived", f"{len(stages[-1][0])} suites", time.monotonic() - begun)
        finally:
            path.write_text(original, "utf8")


def _try_all(mutants: list[Mutant], options: argparse.Namespace, folder: Path) -> Iterator[Verdict]:
    """In the order in which they end."""
    free = []
    for number in range(options.jobs):
        (folder / str(number)).mkdir()
        free.append(Bench(folder / str(number)))
    deadline = time.monotonic() + (options.seconds or float("inf"))

    def one(mutant: Mutant) -> Verdict | None:
        if time.monotonic() > deadline:
            return None
        bench = free.pop()
        try:
            return bench.judge(mutant, options.nearest)
        finally:
            free.append(bench)

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, mutant) for mutant in mutants]):
            verdict = done.result()
            if verdict is not None:
                yield verdict


def _explanations() -> dict[tuple[str, str, str], str]:
    """Why a mutant survives, by file and the two lines."""
    if not EXPLAINED.exists():
        return {}
    entries = tomllib.loads(EXPLAINED.read_text("utf8")).get("survivor", [])
    return {(entry["file"], entry["before"], entry["after"]): entry["why"] for entry in entries}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=MUTANTS, help="how many of the draw")
    parser.add_argument("--skip", type=int, default=0, help="leave out this many of the draw before")
    parser.add_argument("--file", action="append", help="only files of this name, e.g. Shares.sol")
    parser.add_argument("--only", action="append", help="only mutants of this id")
    parser.add_argument("--jobs", type=int, default=1, help="at once; each wants a core and 2 GB")
    parser.add_argument("--nearest", action="store_true", help="only the suites nearest to the file")
    parser.add_argument("--seconds", type=int, default=0, help="begin no mutant after so long; 0: do all")
    parser.add_argument(
        "--no-baseline", action="store_true", help="trust that the tests pass without a mutant"
    )
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    mutants = draw(candidates())
    if options.file:
        mutants = [mutant for mutant in mutants if Path(mutant.file).name in options.file]
    if options.only:
        mutants = [mutant for mutant in mutants if mutant.key in options.only]
    mutants = mutants[options.skip : options.skip + options.mutants]
    if options.list:
        for mutant in mutants:
            print(f"{mutant.key} {mutant.rule:17} {mutant.diff()}")
        return 0
    explained = _explanations()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        if not options.no_baseline:
            (folder / "baseline").mkdir()
            bench = Bench(folder / "baseline")
            result, said = bench.test(bench.suites, optimised=True)
            if result != "passed":
                print(f"The tests fail without any mutant: {said}", file=sys.stderr)
                return 2
            print(f"without a mutant: {said} pass", flush=True)
        for verdict in _try_all(mutants, options, folder):
            verdicts.append(verdict)
            mutant = verdict.mutant
            place = f"{Path(mutant.file).name}:{mutant.line}"
            what = (
                f"{verdict.outcome:8} {place:25} {mutant.rule:17} {verdict.seconds:4.0f} s  {verdict.by[:90]}"
            )
            print(f"{mutant.key} {what}", flush=True)
    return _report(verdicts, explained)


def _report(verdicts: list[Verdict], explained: dict[tuple[str, str, str], str]) -> int:
    killed = sum(verdict.outcome == "killed" for verdict in verdicts)
    survivors = [verdict.mutant for verdict in verdicts if verdict.outcome == "survived"]
    unexplained = 0
    for mutant in survivors:
        why = explained.get((mutant.file, mutant.before.strip(), mutant.after.strip()))
        unexplained += why is None
        print(f"\nsurvived {mutant.key}: {mutant.diff()}\n  {why or 'NOT EXPLAINED'}")
    tried = killed + len(survivors)
    rate = killed / tried if tried else 0.0
    print(
        f"\n{tried} mutants, {killed} killed ({100 * rate:.1f} %), {len(survivors)} survived, {unexplained} unexplained"
    )
    print(f"{len(verdicts) - tried} more do not compile, and do not count")
    return 0 if tried and rate >= LEAST_KILLED and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
