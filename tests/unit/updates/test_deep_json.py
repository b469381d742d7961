"""Nested beyond measure, JSON of strangers is refused by every reader; it must not end the process."""

from __future__ import annotations

import subprocess
import sys

import pytest

# In a process of its own: what this guards against is a crash that no exception tells of.
READERS = {
    "spec": "from marketplace.spec.posted import ProjectSpec; ProjectSpec.from_bytes(nested)",
    "batch": "from marketplace.updates.batch import unpack_batch; unpack_batch(nested)",
    "manifest": "from marketplace.updates.manifest import Manifest; Manifest.from_bytes(nested)",
    "submission": "from aggregator.intake import read_submission; read_submission(nested[:2000])",
    "deployment": "from pathlib import Path; from marketplace.chain.deployment import Deployment; "
    "path = Path(sys.argv[1]); path.write_bytes(nested); Deployment.load(path)",
    "keystore": "from pathlib import Path; from marketplace.chain.keystore import address_in; "
    "path = Path(sys.argv[1]); path.write_bytes(nested); address_in(path)",
}
BEFORE = """
import sys
import zk.curve  # whose library allows 100,000 calls within another
from marketplace.errors import FairshareError
nested = b'[' * 60_000
try:
    {read}
except FairshareError as error:
    print(error.reason)
"""


@pytest.mark.parametrize("name", READERS)
def test_nested_json_is_refused(name: str, tmp_path: object) -> None:
    code = BEFORE.format(read=READERS[name])
    done = subprocess.run(
        [sys.executable, "-c", code, f"{tmp_path}/file"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "it was read"
