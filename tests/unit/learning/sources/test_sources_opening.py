"""Formats load their libraries when they are used: an .npz needs none of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.learning.data import save_npz
from tests.support.data_files import csv_cells, digits, image_bytes, pixels, write_csv

CODE = """
import sys
for name in sys.argv[2:]:
    sys.modules[name] = None  # as if it were not installed
from pathlib import Path
from marketplace.errors import FairshareError
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.opening import open_source
try:
    print(open_source(Path(sys.argv[1]), Wanted(64, 10), Reading()).description.format)
except FairshareError as error:
    print(error.reason, error.message, error.hint)
"""


def said(path: Path, *missing: str) -> str:
    """What opening `path` says where these libraries are missing."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path), *missing], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("missing", ["pyarrow", "PIL"])
def test_a_missing_library_is_named_with_what_brings_it(tmp_path: Path, missing: str) -> None:
    data = digits(30)
    save_npz(tmp_path / "data.npz", data)
    write_csv(tmp_path / "data.csv", csv_cells(data))
    for label, row in zip(data.y.tolist(), data.X, strict=True):
        (tmp_path / "images" / str(label)).mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / str(label) / "a.png").write_bytes(image_bytes(pixels(row)))
    assert said(tmp_path / "data.npz", missing) == "npz\n"
    for path in (tmp_path / "data.csv", tmp_path / "images"):
        told = said(path, missing)
        assert told.startswith("tool-missing ")
        assert missing in told
        assert "fairshare[data]" in told
