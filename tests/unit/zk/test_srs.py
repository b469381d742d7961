"""An SRS is checked by pairing before it is used, and only a ceremony's hash makes it fit for money."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from py_ecc.fields import bn128_FQ2 as FQ2

from marketplace.chain.srs_rule import require_srs
from marketplace.errors import FairshareError, Reason
from marketplace.owner.circuits import srs_for
from tests.unit.zk.srs_files import TAU, lagrange, powers, sound_srs, srs_bytes, twisted, written
from zk import batch, ceremony, keys, pairing, srs
from zk.batch import Affine
from zk.curve import BASE_FIELD, INFINITY, Point, add, multiply
from zk.felts import FIELD
from zk.shape import CircuitShape

LOGROWS, ROWS = 3, 8
PUBLIC, LOCAL = 1, 31337
OTHER = TAU + 1

Parts = dict[str, list[Affine]]


@functools.cache
def _parts() -> tuple[tuple[Affine, ...], tuple[Affine, ...], tuple[Affine, ...]]:
    root = pairing.root_of_unity(LOGROWS)
    return (
        tuple(powers(TAU, ROWS)),
        tuple(lagrange(TAU, ROWS, root)),
        tuple(powers(OTHER, ROWS)),
    )


def sound() -> Parts:
    monomial, by_rows, _ = _parts()
    return {"powers": list(monomial), "lagrange": list(by_rows)}


def one_wrong_power(parts: Parts) -> None:
    parts["powers"][5] = batch.sums([parts["powers"][5]], [pairing.GENERATOR])[0]


def last_power_wrong(parts: Parts) -> None:
    parts["powers"][-1] = parts["powers"][-2]


def swapped_powers(parts: Parts) -> None:
    row = parts["powers"]
    row[2], row[3] = row[3], row[2]


def another_tau_from_the_middle(parts: Parts) -> None:
    parts["powers"][ROWS // 2 :] = _parts()[2][ROWS // 2 :]


def one_wrong_lagrange_point(parts: Parts) -> None:
    parts["lagrange"][1] = pairing.GENERATOR


def swapped_lagrange_points(parts: Parts) -> None:
    row = parts["lagrange"]
    row[0], row[ROWS - 1] = row[ROWS - 1], row[0]


def lagrange_points_of_another_tau(parts: Parts) -> None:
    parts["lagrange"] = lagrange(OTHER, ROWS, pairing.root_of_unity(LOGROWS))


def lagrange_points_over_another_root(parts: Parts) -> None:
    parts["lagrange"] = lagrange(TAU, ROWS, pow(pairing.root_of_unity(LOGROWS), -1, FIELD))


def another_generator(parts: Parts) -> None:
    parts["powers"] = batch.scaled(parts["powers"], [7] * ROWS)
    parts["lagrange"] = batch.scaled(parts["lagrange"], [7] * ROWS)


def off_the_curve(parts: Parts) -> None:
    parts["powers"][3] = (1, 3)


def at_infinity(parts: Parts) -> None:
    parts["lagrange"][3] = None


FORGERIES: list[tuple[Callable[[Parts], None], str]] = [
    (one_wrong_power, "not the powers"),
    (last_power_wrong, "not the powers"),
    (swapped_powers, "not the powers"),
    (another_tau_from_the_middle, "not the powers"),
    (one_wrong_lagrange_point, "Lagrange"),
    (swapped_lagrange_points, "Lagrange"),
    (lagrange_points_of_another_tau, "Lagrange"),
    (lagrange_points_over_another_root, "Lagrange"),
    (another_generator, "generators"),
    (off_the_curve, "point 3 is not on the curve"),
    (at_infinity, "point 3 is not on the curve"),
]


def refused(path: Path, words: str) -> None:
    with pytest.raises(FairshareError, match=words) as caught:
        pairing.check_srs(path, LOGROWS)
    assert caught.value.reason is Reason.INTEGRITY


def test_a_sound_srs_passes(tmp_path: Path) -> None:
    parts = sound()
    path = written(tmp_path / "s.srs", srs_bytes(LOGROWS, parts["powers"], parts["lagrange"], twisted(TAU)))
    steps: list[str] = []
    pairing.check_srs(path, LOGROWS, steps.append)
    assert steps == ["points", "powers", "lagrange"]
    assert path.read_bytes() == sound_srs(LOGROWS)
    assert path.stat().st_size == srs.size(LOGROWS)


@pytest.mark.parametrize(("forge", "words"), FORGERIES, ids=lambda value: getattr(value, "__name__", ""))
def test_one_thing_wrong_is_found(tmp_path: Path, forge: Callable[[Parts], None], words: str) -> None:
    parts = sound()
    forge(parts)
    refused(
        written(tmp_path / "s.srs", srs_bytes(LOGROWS, parts["powers"], parts["lagrange"], twisted(TAU))),
        words,
    )


def test_points_of_g2_are_checked(tmp_path: Path) -> None:
    parts = sound()
    make = functools.partial(srs_bytes, LOGROWS, parts["powers"], parts["lagrange"])
    refused(written(tmp_path / "s.srs", make(twisted(OTHER))), "not the powers")
    refused(written(tmp_path / "s.srs", make(twisted(TAU), twisted(2))), "generators")
    refused(written(tmp_path / "s.srs", make((0, 0, 0, 0))), "no point of the group")
    refused(written(tmp_path / "s.srs", make((1, 2, 3, 4))), "no point of the group")
    refused(written(tmp_path / "s.srs", make(outside_the_subgroup())), "no point of the group")


def outside_the_subgroup() -> tuple[int, int, int, int]:
    """A point of the twist y^2 = x^3 + 3 / (9 + i) that its group of order r does not hold: nearly all are such."""
    b = FQ2([3, 0]) / FQ2([9, 1])
    for real in range(1, 100):
        x = FQ2([real, 0])
        square = x * x * x + b
        root = square_root(square)
        if root is not None:
            return int(real), 0, int(root.coeffs[0]), int(root.coeffs[1])
    raise AssertionError("no point found")


def square_root(value: FQ2) -> FQ2 | None:
    """In F_p^2 with p = 3 mod 4 (Adj and Rodriguez-Henriquez, algorithm 9)."""
    a1 = value ** ((BASE_FIELD - 3) // 4)
    alpha, x = a1 * a1 * value, a1 * value
    root = FQ2([0, 1]) * x if alpha == FQ2([-1, 0]) else (FQ2.one() + alpha) ** ((BASE_FIELD - 1) // 2) * x
    return root if root * root == value else None


@pytest.mark.parametrize("damage", ["cut", "longer", "unreduced"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    good = sound_srs(LOGROWS)
    data = {"cut": good[:-1], "longer": good + b"\0", "unreduced": good[:68] + b"\xff" * 32 + good[100:]}[
        damage
    ]
    refused(written(tmp_path / "s.srs", data), "SRS|field")


def test_sums_of_points_are_those_of_the_curve() -> None:
    random = Random(3)
    generator = Point(1, 2)
    numbers = [random.randrange(FIELD) for _ in range(30)] + [0, 1, 1, FIELD - 1]
    points = batch.scaled([pairing.GENERATOR] * len(numbers), numbers)
    assert [Point(*p) if p else INFINITY for p in points] == [multiply(generator, n) for n in numbers]
    scalars = [random.randrange(1 << 128) for _ in numbers]
    total = functools.reduce(
        add, (multiply(generator, n * s % FIELD) for n, s in zip(numbers, scalars, strict=True))
    )
    assert batch.combination(points, scalars, 128) == tuple(total)
    opposite = batch.sums([points[-1], points[-1], None], [points[-2], points[-1], None])
    assert opposite == [None, tuple(multiply(generator, FIELD - 2)), None]


def test_lagrange_points_follow_from_the_powers() -> None:
    parts = sound()
    assert batch.lagrange_points(parts["powers"], pairing.root_of_unity(LOGROWS)) == parts["lagrange"]


def test_only_the_ceremonys_hash_makes_it_the_ceremonys() -> None:
    data = sound_srs(7)
    assert srs.kind_of(data, 7) == "test"
    with pytest.raises(FairshareError, match="ceremony"):
        srs.check(data, 7, "ceremony")


def test_a_test_srs_is_for_local_chains() -> None:
    for chain_id in (31337, 1337):
        require_srs("test", chain_id)
    for chain_id in (1, 5, 10, 11155111, 31338, 1336):
        require_srs("ceremony", chain_id)
        with pytest.raises(FairshareError, match="test SRS") as caught:
            require_srs("test", chain_id)
        assert caught.value.reason is Reason.REFUSED


def test_an_owner_posts_with_the_ceremonys_srs_or_locally(tmp_path: Path) -> None:
    shape = CircuitShape(3, 4)
    own = written(tmp_path / "own.srs", sound_srs(7))
    assert srs_for(LOCAL, shape, tmp_path, None) is None
    assert srs_for(LOCAL, shape, tmp_path, own) == own
    for given in (None, own):
        with pytest.raises(FairshareError) as caught:
            srs_for(PUBLIC, shape, tmp_path, given)
        assert caught.value.reason is Reason.REFUSED
    with pytest.raises(FairshareError) as caught:
        srs_for(LOCAL, shape, tmp_path, tmp_path / "none.srs")
    assert caught.value.reason is Reason.NOT_FOUND
    # Under the name that an imported one has: the name alone is worth nothing.
    (tmp_path / "srs").mkdir()
    written(tmp_path / "srs" / "ceremony-k7.srs", sound_srs(7))
    assert ceremony.installed(tmp_path, 7) is not None
    with pytest.raises(FairshareError, match="test SRS"):
        srs_for(PUBLIC, shape, tmp_path, None)


def test_keys_are_made_on_a_given_srs_once_it_is_checked(tmp_path: Path) -> None:
    shape, steps = CircuitShape(3, 4), list[str]()
    given = written(tmp_path / "given.srs", sound_srs(7))
    files = keys.build(shape, tmp_path, srs_file=given, on_progress=steps.append)
    assert files.srs_kind == "test"
    assert files.srs.read_bytes() == given.read_bytes()
    assert steps[:3] == ["points", "powers", "lagrange"]
    assert keys.build(shape, tmp_path) != files  # on this machine's own
    assert keys.build(shape, tmp_path, srs_file=given) == files
    bad = bytearray(sound_srs(7))
    bad[-128:] = sound_srs(3, OTHER)[-128:]
    with pytest.raises(FairshareError, match="not the powers"):
        keys.build(shape, tmp_path, srs_file=written(tmp_path / "bad.srs", bytes(bad)))
    with pytest.raises(FairshareError) as caught:
        keys.build(shape, tmp_path, srs_file=tmp_path / "none.srs")
    assert caught.value.reason is Reason.NOT_FOUND
