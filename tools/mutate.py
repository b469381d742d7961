#!/usr/bin/env python3
"""Mutation check of the contracts: small faults, one at a time, that some test must notice.

tools/mutants.py makes and draws them. Each is built and tested in a scratch copy outside the repository: first with the
suites nearest to its file (NEAREST), then, if it is still alive, built anew with all suites. What became of it is kept
in build/mutants.json, with a digest of the sources that said so: a run that was stopped goes on where it was. One
that survives needs its entry, with the reason, in tools/mutation-survivors.toml.

    python tools/mutate.py                         the whole draw: half an hour on one core
    python tools/mutate.py --list                  what it would do
    python tools/mutate.py --mutants 20 --skip 10  a part of the draw; --file Shares.sol, --only ID: others
    python tools/mutate.py --prove                 that each suite runs the files it is said to be nearest to

What does not compile, or is explained as the same program, does not count: the next of the draw makes up for it.
Ends with 1 where less than 95 % are killed or a survivor has no entry, with 2 where the tests fail without any mutant.
"""

from __future__ import annotations

import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from mutants import Mutant, candidates, draw, wrecked

ROOT = Path(__file__).resolve().parent.parent
SUITES = Path("tests/contracts/forge")
EXPLAINED = ROOT / "tools" / "mutation-survivors.toml"
LOG = ROOT / "build" / "mutants.json"
MUTANTS = 72
LEAST_KILLED = 0.95
SECONDS = 900  # one run of forge; a mutant that loops for ever is noticed by it
# Tests that count storage writes or gas: they hold for optimised code only, which takes four times as long to compile.
COUNTING = "testLockAndUnlockWriteOnce|testCountsStopAtTheirTop|testWhatANumberAndABucketCost|testTheLargest"

# Which suites are likeliest to notice a fault in a file. All others are tried after them.
NEAREST = {
    "GramVerifier": ["GramVerifier", "KzgOpening"],
    "ReputationRegistry": ["ReputationRegistry"],
    "RoundJudge": ["Krum"],
    "StakeVault": ["StakeVault", "Rebasing"],
    "TrainingMarket": ["Market", "Starting", "RoundLife"],
    "Arrival": ["Arrival", "Batches", "RoundLife"],
    "BN254": ["GramVerifier", "KzgOpening"],
    "BitMask": ["MutantsArithmetic", "Krum", "GramVerifier"],
    "Draw": ["Draw"],
    "Krum": ["Krum"],
    "KzgOpening": ["KzgOpening"],
    "Payments": ["Payments"],
    "Reputation": ["ReputationRegistry", "MutantsArithmetic"],
    "Rounds": ["MutantsSeats", "RoundLife", "Cohorts", "Settling", "Membership"],
    "Shares": ["Shares", "Settling"],
    "TermsCheck": ["TermsCheck"],
    "ChunkTree": ["ChunkTree", "SketchComplaints"],
    "SketchValue": ["SketchValue", "SketchChallenges"],
    "Challenges": ["Challenges", "ChallengeTime", "MutantsChallenges"],
    "SketchChallenges": ["SketchChallenges"],
    "SketchComplaints": ["SketchComplaints"],
    "SketchRounds": ["SketchRounds", "SketchComplaints"],
    "Complaints": ["Complaints"],
    "Membership": ["Membership", "Starting"],
    "Results": ["MutantsResults", "RoundLife", "Settling", "Cohorts"],
    "Settling": ["Settling"],
    "Submissions": ["RoundLife", "Batches", "References"],
}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What became of a mutant (killed, survived, or invalid: it does not compile), what said so, from which sources."""

    mutant: Mutant
    outcome: str
    by: str
    seconds: float
    sources: str


class ToolFailed(Exception):
    """forge said neither that tests passed nor that one failed."""


class Bench:
    """A scratch copy of what forge needs, built once, in which one mutant at a time is tried."""

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
        self.built = folder / "built"
        run = self._run("build", "--force")
        if run.returncode != 0:
            raise ToolFailed(f"the contracts do not compile:\n{(run.stdout + run.stderr)[-2000:]}")
        (folder / "build").rename(self.built)

    def test(
        self, suites: Iterable[str], file: Path | None = None, text: str = "", anew: bool = False
    ) -> tuple[str, str]:
        """What forge says of these suites, with another text in one file: passed, failed or invalid, and why.

        Where not `anew`, from the same first build, of which only that file and what has its code inside is compiled:
        tests reach contracts by their addresses (dynamic test linking). `--prove` shows that nothing stale runs. A test
        that expects a constructor to fail is blind that way, so who passes is tried `anew`.
        """
        shutil.rmtree(self.folder / "build", ignore_errors=True)
        if not anew:
            shutil.copytree(self.built, self.folder / "build")
        path = self.folder / (file or "foundry.toml")
        original = path.read_text("utf8")
        if file is not None:
            path.write_text(text, "utf8")
        pattern = f"{SUITES}/{{{','.join([*suites, 'none'])}}}.t.sol"
        try:
            again = ["--force"] if anew else []
            chosen = ["--no-match-test", COUNTING, "--match-path", pattern]
            run = self._run("test", *again, "--fail-fast", "--threads", "1", *chosen, linking=not anew)
        except subprocess.TimeoutExpired:
            return "failed", f"no end within {SECONDS} s"
        finally:
            path.write_text(original, "utf8")
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

    def _run(self, *arguments: str, linking: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "FOUNDRY_OPTIMIZER": "false",
            "FOUNDRY_DYNAMIC_TEST_LINKING": str(linking).lower(),
            "FOUNDRY_FUZZ_RUNS": "16",
            "FOUNDRY_INVARIANT_RUNS": "2",
            "FOUNDRY_FUZZ_SEED": "0x1",
            "NO_COLOR": "1",
        }
        command = [str(self.forge), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=SECONDS
        )

    def near(self, file: str) -> list[str]:
        return [suite for suite in NEAREST[Path(file).stem] if suite in self.suites]

    def judge(self, mutant: Mutant, nearest_only: bool) -> Verdict:
        text = mutant.applied((self.folder / mutant.file).read_text("utf8"))
        near = self.near(mutant.file)
        begun = time.monotonic()
        for suites in [near] if nearest_only else [near, self.suites]:
            result, by = self.test(suites, Path(mutant.file), text, anew=suites is self.suites)
            if result != "passed":
                outcome = "killed" if result == "failed" else "invalid"
                sources = digest(self.folder, suites)
                return Verdict(mutant, outcome, by, time.monotonic() - begun, sources)
        by = "the nearest suites" if nearest_only else "all suites"
        return Verdict(mutant, "survived", by, time.monotonic() - begun, digest(self.folder, self.suites))


def digest(root: Path, suites: Iterable[str]) -> str:
    """Of the code, without comments, of the contracts, of these suites and of what suites have in common."""
    found = hashlib.sha256()
    tests = root / SUITES
    files = [root / "foundry.toml", *(root / "contracts").rglob("*.sol"), *(tests / "support").glob("*.sol")]
    for path in sorted([*files, *(tests / f"{suite}.t.sol" for suite in suites)]):
        code = re.sub(r"\s*//.*", "", path.read_text("utf8"))
        found.update(f"{path.relative_to(root)}\0{code}\0".encode())
    return found.hexdigest()[:16]


# --- what is known already ------------------------------------------------------------------------------------------


def remembered(mutants: Iterable[Mutant]) -> dict[Mutant, Verdict]:
    """The verdicts in the log that hold for the sources as they are. One of the nearest suites only is no survivor."""
    if not LOG.exists():
        return {}
    entries = json.loads(LOG.read_text("utf8"))
    suites = sorted(path.name.removesuffix(".t.sol") for path in (ROOT / SUITES).glob("*.t.sol"))
    everything = digest(ROOT, suites)
    known = {}
    for mutant in mutants:
        entry = entries.get(_log_key(mutant))
        if entry is None or entry["by"] == "the nearest suites":
            continue
        near = [suite for suite in NEAREST[Path(mutant.file).stem] if suite in suites]
        hold = {everything}
        if entry["outcome"] != "survived":
            hold.add(digest(ROOT, near))
        if entry["sources"] in hold:
            known[mutant] = Verdict(mutant, entry["outcome"], entry["by"], entry["seconds"], entry["sources"])
    return known


def remember(verdict: Verdict) -> None:
    entries = json.loads(LOG.read_text("utf8")) if LOG.exists() else {}
    entry = {name: getattr(verdict, name) for name in ("outcome", "by", "seconds", "sources")}
    entries[_log_key(verdict.mutant)] = {"at": verdict.mutant.diff(), **entry}
    LOG.parent.mkdir(exist_ok=True)
    unfinished = LOG.with_suffix(".new")
    unfinished.write_text(json.dumps(entries, indent=1, sort_keys=True) + "\n", "utf8")
    unfinished.replace(LOG)


def _log_key(mutant: Mutant) -> str:
    return f"{mutant.key}@{mutant.line}"


Explanations = dict[tuple[str, str, str], str]


def explanations() -> Explanations:
    """Why no test can tell a mutant from the original, by file and the two lines."""
    if not EXPLAINED.exists():
        return {}
    entries = tomllib.loads(EXPLAINED.read_text("utf8")).get("survivor", [])
    return {(entry["file"], entry["before"], entry["after"]): entry["why"] for entry in entries}


def reason(mutant: Mutant, explained: Explanations) -> str | None:
    return explained.get((mutant.file, mutant.before.strip(), mutant.after.strip()))


def counts(verdict: Verdict, explained: Explanations) -> bool:
    """Whether it compiles, and is another program than the original."""
    same = verdict.outcome == "survived" and reason(verdict.mutant, explained) is not None
    return verdict.outcome != "invalid" and not same


# --- the whole ------------------------------------------------------------------------------------------------------


def try_all(mutants: list[Mutant], options: argparse.Namespace, benches: list[Bench]) -> Iterator[Verdict]:
    """Verdicts as they come, until there are as many that count as are wanted; later ones of the draw make up."""
    explained = explanations()
    known = {} if options.nearest else remembered(mutants)
    waiting = collections.deque(mutants)
    deadline = time.monotonic() + (options.seconds or float("inf"))
    valid = 0
    running: dict[concurrent.futures.Future[Verdict], Bench] = {}
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        while True:
            while waiting and valid + len(running) < options.mutants and len(running) < options.jobs:
                mutant = waiting.popleft()
                if mutant in known:
                    valid += counts(known[mutant], explained)
                    yield known[mutant]
                elif time.monotonic() < deadline:
                    bench = next(bench for bench in benches if bench not in running.values())
                    running[pool.submit(bench.judge, mutant, options.nearest)] = bench
            if not running:
                return
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                del running[future]
                verdict = future.result()
                remember(verdict)
                valid += counts(verdict, explained)
                yield verdict


def prove(bench: Bench) -> int:
    """With every function of a file failing, each of its nearest suites must fail: then what runs is what was built."""
    missed = 0
    for file in sorted({mutant.file for mutant in candidates(bench.folder)}):
        text = wrecked((bench.folder / file).read_text("utf8"))
        for suite in bench.near(file):
            result, by = bench.test([suite], Path(file), text)
            missed += result != "failed"
            print(f"{result:8} {suite:20} {file:40} {by[:80]}", flush=True)
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutants", type=int, default=MUTANTS, help="how many of the draw, those that count")
    parser.add_argument("--skip", type=int, default=0, help="leave out this many of the draw before")
    parser.add_argument("--file", action="append", help="only files of this name, e.g. Shares.sol")
    parser.add_argument("--only", action="append", help="only mutants of this id")
    parser.add_argument("--jobs", type=int, default=1, help="at once; each wants a core and 1 GB")
    parser.add_argument("--nearest", action="store_true", help="only the suites nearest to the file")
    parser.add_argument("--seconds", type=int, default=0, help="begin no mutant after so long; 0: do all")
    parser.add_argument("--prove", action="store_true", help="that each suite runs the files as they are")
    parser.add_argument(
        "--no-baseline", action="store_true", help="trust that the tests pass without a mutant"
    )
    parser.add_argument("--list", action="store_true")
    return parser.parse_args()


def main() -> int:
    options = _arguments()
    mutants = draw(candidates(ROOT))
    if options.file:
        mutants = [mutant for mutant in mutants if Path(mutant.file).name in options.file]
    if options.only:
        mutants = [mutant for mutant in mutants if mutant.key in options.only]
    mutants = mutants[options.skip :]
    if options.list:
        for mutant in mutants[: options.mutants]:
            print(f"{mutant.key} {mutant.rule:17} {mutant.diff()}")
        return 0
    begun = time.monotonic()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        benches = []
        for number in range(1 if options.prove else options.jobs):
            (Path(name) / str(number)).mkdir()
            benches.append(Bench(Path(name) / str(number)))
        if not options.no_baseline:
            result, said = benches[0].test(benches[0].suites)
            if result != "passed":
                print(f"The tests fail without any mutant: {said}", file=sys.stderr)
                return 2
            print(f"without a mutant: {said} pass", flush=True)
        if options.prove:
            return prove(benches[0])
        for verdict in try_all(mutants, options, benches):
            verdicts.append(verdict)
            mutant = verdict.mutant
            place = f"{Path(mutant.file).name}:{mutant.line}"
            what = f"{verdict.outcome:8} {place:25} {mutant.rule:17} {verdict.seconds:4.0f} s"
            print(f"{mutant.key} {what}  {verdict.by[:90]}", flush=True)
    outcome = report(verdicts, explanations())
    print(f"{time.monotonic() - begun:.0f} s")
    return outcome


def report(verdicts: list[Verdict], explained: Explanations) -> int:
    """Prints the survivors and the figures by file; 0 where the demands are met."""
    counted = [verdict for verdict in verdicts if counts(verdict, explained)]
    survivors = [verdict.mutant for verdict in verdicts if verdict.outcome == "survived"]
    for mutant in survivors:
        print(f"\nsurvived {mutant.key}: {mutant.diff()}\n  {reason(mutant, explained) or 'NOT EXPLAINED'}")
    print()
    for file in sorted({verdict.mutant.file for verdict in counted}):
        outcomes = [verdict.outcome for verdict in counted if verdict.mutant.file == file]
        print(f"{outcomes.count('killed'):4} of {len(outcomes):2} killed  {file}")
    killed = sum(verdict.outcome == "killed" for verdict in counted)
    unexplained = len(counted) - killed
    rate = killed / len(counted) if counted else 0.0
    print(
        f"\n{len(counted)} mutants, {killed} killed ({100 * rate:.1f} %), {unexplained} survived unexplained"
    )
    print(f"beside them {len(survivors) - unexplained} that are explained as the same program")
    print(f"and {sum(verdict.outcome == 'invalid' for verdict in verdicts)} that do not compile")
    return 0 if counted and rate >= LEAST_KILLED and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
