from __future__ import annotations

import functools
import sys
from pathlib import Path

from marketplace.chain.compile import project_root
from zk import curve, srs
from zk.felts import ROOT_OF_UNITY, TWO_ADICITY

sys.path.insert(0, str(project_root() / "tools"))
import public_srs

LOGROWS = 7


def test_the_public_srs_is_that_of_its_secret(tmp_path: Path) -> None:
    path = tmp_path / "public.srs"
    public_srs.write(path, LOGROWS)
    srs.check(path.read_bytes(), LOGROWS, "test")
    generator = curve.Point(1, 2)
    assert srs.tau(path) != srs.G2(0, 0, 0, 0)
    rows = [srs.lagrange_point(path, LOGROWS, row) for row in range(1 << LOGROWS)]
    root = pow(ROOT_OF_UNITY, 1 << (TWO_ADICITY - LOGROWS), public_srs.felts.FIELD)
    # The polynomials 1 and X, in the Lagrange basis, at the secret.
    assert functools.reduce(curve.add, rows) == generator
    moved = [curve.multiply(point, pow(root, row, public_srs.felts.FIELD)) for row, point in enumerate(rows)]
    assert functools.reduce(curve.add, moved) == curve.multiply(generator, public_srs.SECRET)


def test_the_public_srs_is_the_same_each_time(tmp_path: Path) -> None:
    for name in ("first", "second"):
        public_srs.write(tmp_path / name, LOGROWS)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
