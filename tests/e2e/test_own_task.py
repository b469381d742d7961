"""The example of a user's own task: installed by pip, found by name, and refused clearly where it is not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from marketplace.errors import EXIT_STATUS, FairshareError, Reason
from marketplace.learning import datasets, split
from marketplace.learning.data import save_npz
from marketplace.owner.checked import check_project
from marketplace.owner.draft import draft
from marketplace.owner.post import post
from marketplace.spec import ProjectFile
from tests.support.deployed import block_for_each_transaction
from tests.support.live_market import LiveMarket
from tests.support.processes import FAIRSHARE

EXAMPLE = Path(__file__).parents[2] / "examples" / "own-task"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example is installed into, by pip, from a copy: building leaves files."""
    folder = tmp_path_factory.mktemp("own-task")
    shutil.copytree(EXAMPLE, folder / "source")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    alone = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, *alone, "--target", folder / "installed", folder / "source"], check=True)
    return folder / "installed"


def run(
    *arguments: str | Path, package: Path | None = None, **settings: str
) -> subprocess.CompletedProcess[str]:
    """A command, in a process that finds `package`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRSHARE_")}
    path = [str(package)] if package else []
    inherited = clean.get("PYTHONPATH")
    clean["PYTHONPATH"] = os.pathsep.join([*path, *([inherited] if inherited else [])])
    return subprocess.run(list(arguments), env=clean | settings, capture_output=True, text=True, timeout=240)


def written_project(folder: Path, package: Path) -> Path:
    """What `fairshare project new` makes of the example's template, with digits beside it; the trainer's data too."""
    made = run(
        *FAIRSHARE, "project", "new", folder, "--task", "prototypes", "--trainers", "5", package=package
    )
    assert made.returncode == 0, made.stderr
    training, held_out = datasets.digits()
    mine, validation = split.iid(training, 2, 0)
    save_npz(folder / "mine.npz", mine)
    save_npz(folder / "validation.npz", validation)
    save_npz(folder / "evaluation.npz", held_out.rows(np.arange(100)))
    return folder / "project.toml"


def test_a_task_is_found_where_it_is_installed_and_refused_by_name_where_not(
    tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project.toml"
    with monkeypatch.context() as installed:
        installed.syspath_prepend(str(package))
        project.write_text(draft("prototypes", 5, 2))
        assert ProjectFile.from_toml(project.read_text()).length == 640
    with pytest.raises(FairshareError) as caught:
        check_project(project)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message == "task.kind: no task 'prototypes' is installed"
    assert "install the package that brings it" in caught.value.hint
    with pytest.raises(FairshareError, match="no template for 'prototypes'"):
        draft("prototypes", 5, 2)


@pytest.mark.deep
def test_the_example_keeps_what_its_own_tests_say(package: Path) -> None:
    tests = run(
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:pytest-brownie",
        EXAMPLE,
        package=package,
    )
    assert tests.returncode == 0, tests.stdout


@pytest.mark.deep
@pytest.mark.timeout(600)
def test_it_is_posted_and_trained(
    market: LiveMarket, tmp_path: Path, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = written_project(tmp_path / "mine", package)
    project.write_text(
        project.read_text()
        .replace("join_window = 86400", "join_window = 300")
        .replace(" = 3600", " = 60")
        .replace(" = 1800", " = 30")
    )
    settings = market.environment("owner", tmp_path / "state")
    preview = run(*FAIRSHARE, "project", "post", project, "--dry-run", "--json", package=package, **settings)
    assert preview.returncode == 0, preview.stderr
    refused = run(*FAIRSHARE, "project", "post", project, "--dry-run", **settings)
    assert refused.returncode == EXIT_STATUS[Reason.BAD_SPEC]
    assert "no task 'prototypes' is installed" in refused.stderr
    monkeypatch.syspath_prepend(str(package))
    with block_for_each_transaction(market.owner.client):
        posted = post(market.owner, check_project(project), say=lambda _: None)

    checking = (
        *FAIRSHARE,
        "trainer",
        "check",
        str(posted.project),
        "--data",
        tmp_path / "mine" / "mine.npz",
        "--json",
    )
    without = run(*checking, **settings)
    assert without.returncode == EXIT_STATUS[Reason.BAD_SPEC]
    assert "no task 'prototypes' is installed" in without.stderr
    checked = run(*checking, package=package, **settings)
    assert checked.returncode == 0, checked.stderr
    trial = json.loads(checked.stdout)["trial"]
    assert trial["accuracy_before"] < 0.3
    assert trial["accuracy_after"] > 0.7
