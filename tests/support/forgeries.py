"""The forged results: each true but for what its name says. Nothing here asks a chain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from eth_utils.crypto import keccak

from marketplace.chain.types import Arrivals, RoundResult
from marketplace.protocol.field import FIELD_MODULUS
from marketplace.protocol.krum import FarPair
from tests.support.forgery_scene import ABSENT, INPUTS, Scene, commitment, felts_of, judged_anew
from zk.curve import BASE_FIELD, SIZE, Point, add, from_bytes, is_on_curve, to_bytes
from zk.felts import unsigned

WORD = 32
PREFIX = SIZE * INPUTS
_SECP256K1 = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ORDER = (0, 1, 3, 2, 5)  # in which here's updates arrived

FAR = frozenset({"FarPair"})
CLAIMS = FAR | {"WrongNeighbours", "WrongMerged", "WrongMedianScore", "WrongMedianNorm"}
REJECTED = frozenset({"ProofRejected"})
DIGEST = frozenset({"DigestMismatch"})
ARRIVALS = frozenset({"WrongArrivals"})
LENGTH = frozenset({"WrongInputLength"})


@dataclass(frozen=True)
class Forgery:
    """A result that differs from the true one of `scene.here`, and the errors that the contracts may refuse it with.

    `project`: that it is posted to, None: the one it was forged from.
    """

    name: str
    result: RoundResult
    errors: frozenset[str]
    project: int | None = None


def forged_results(scene: Scene) -> list[Forgery]:
    """The whole table. What two families make alike is in it once."""
    found: dict[tuple[RoundResult, int | None], Forgery] = {}
    for family in (
        _numbers_judged,
        _numbers,
        _commitments,
        _points,
        _scalars,
        _lengths,
        _mixed,
        _claims,
        _places,
        _arrivals,
    ):
        for forgery in family(scene):
            found.setdefault((forgery.result, forgery.project), forgery)
    return list(found.values())


def with_numbers(scene: Scene, felts: tuple[int, ...]) -> RoundResult:
    """The true result with other public numbers, and every claim that follows from those."""
    play, true = scene.here.play, scene.here.result
    positions = dict(zip(_ORDER, range(1, INPUTS), strict=True))
    return judged_anew(play, true, felts, sorted(_ORDER), [positions.get(slot, 0) for slot in range(INPUTS)])


def _cells() -> list[tuple[int, int]]:
    return [(i, j) for i in range(INPUTS) for j in range(i, INPUTS)]


def _numbers(scene: Scene) -> Iterator[Forgery]:
    """Public numbers altered, the claims left as they were."""
    felts = scene.here.result.gram
    for index, (i, j) in enumerate(_cells()):
        yield _with_gram(scene, f"G_{i}{j} + 1", index, (felts[index] + 1) % FIELD_MODULUS, CLAIMS | REJECTED)
        beyond = CLAIMS | {"NotAFieldElement"}
        yield _with_gram(
            scene, f"G_{i}{j} + the field's modulus", index, felts[index] + FIELD_MODULUS, beyond
        )
    true = scene.here.result
    errors = CLAIMS | REJECTED
    yield Forgery("G of the other project", replace(true, gram=scene.other.result.gram), errors)
    yield Forgery("G transposed: columns for rows", replace(true, gram=_by_columns(felts)), errors)
    yield Forgery("G reversed", replace(true, gram=felts[::-1]), errors)
    yield Forgery("G without its last number", replace(true, gram=felts[:-1]), frozenset({"WrongLength"}))
    yield Forgery("G and a number more", replace(true, gram=(*felts, 0)), frozenset({"WrongLength"}))
    yield Forgery("no G", replace(true, gram=()), frozenset({"WrongLength"}))


def _numbers_judged(scene: Scene) -> Iterator[Forgery]:
    """Public numbers altered, and every claim made to fit: nothing but the proof stands against it."""
    felts = scene.here.result.gram
    for index, (i, j) in enumerate(_cells()):
        for name, value in (("+ 1", felts[index] + 1), ("- 1", felts[index] - 1), ("negated", -felts[index])):
            if value % FIELD_MODULUS != felts[index]:
                changed = (*felts[:index], value % FIELD_MODULUS, *felts[index + 1 :])
                yield _judged_anew(scene, f"G_{i}{j} {name}", changed)
    norms = [index for index, (i, j) in enumerate(_cells()) if i == j and i != ABSENT]
    shared = tuple(felts[norms[0]] if index in norms else felt for index, felt in enumerate(felts))
    yield _judged_anew(scene, "all norms alike", shared)
    yield _judged_anew(scene, "no update but zeros", (0,) * len(felts))
    yield _judged_anew(scene, "G of the other project", scene.other.result.gram)
    rich = tuple(
        (1, 2, 4)[cell.count(0)] * felt % FIELD_MODULUS for cell, felt in zip(_cells(), felts, strict=True)
    )
    yield _judged_anew(scene, "slot 0 made longer", rich)


def _judged_anew(scene: Scene, name: str, felts: tuple[int, ...]) -> Forgery:
    """Numbers that no vectors can have give no judgement: whatever is claimed of them is refused."""
    try:
        return Forgery(f"{name}, judged anew", with_numbers(scene, felts), REJECTED)
    except FarPair:
        return Forgery(f"{name}, a far pair", replace(scene.here.result, gram=felts), FAR)


def _commitments(scene: Scene) -> Iterator[Forgery]:
    """The points that a proof begins with."""
    true = scene.here.result
    points = [from_bytes(true.proof[SIZE * slot : SIZE * (slot + 1)]) for slot in range(INPUTS)]
    others = [commitment(scene.stage, row) if row is not None else points[0] for row in scene.other.rows]
    for slot, (x, y) in enumerate(points):
        errors = frozenset({"CommitmentMismatch"}) if slot == ABSENT else DIGEST
        alterations = {
            "negated": Point(x, BASE_FIELD - y),
            "the next slot's": points[(slot + 1) % INPUTS],
            "of another update": others[slot],
            "moved by the generator": add(points[slot], Point(1, 2)),
            "the point at infinity": Point(0, 0),
            "off the curve": Point(x, y + 1),
            "x + the base field's modulus": Point(x + BASE_FIELD, y),
        }
        if slot != ABSENT:
            alterations["C_0, as if absent"] = scene.stage.files.zero
        for name, point in alterations.items():
            yield Forgery(
                f"C_{slot} {name}", replace(true, proof=_with_point(true.proof, slot, point)), errors
            )
        after = (slot + 1) % INPUTS
        exchanged = _with_point(_with_point(true.proof, slot, points[after]), after, points[slot])
        errors = frozenset({"DigestMismatch", "CommitmentMismatch"})
        yield Forgery(f"C_{slot} and the next exchanged", replace(true, proof=exchanged), errors)


def _points(scene: Scene) -> Iterator[Forgery]:
    """The proof's own points: columns, grand products, quotient, openings."""
    true = scene.here.result
    places = _places_of_points(true.proof)
    for number, place in enumerate(places):
        x, y = from_bytes(true.proof[place : place + SIZE])
        following = true.proof[places[(number + 1) % len(places)] :][:SIZE]
        for name, data in {
            "negated": to_bytes(Point(x, (BASE_FIELD - y) % BASE_FIELD)),
            "moved by the generator": to_bytes(add(Point(x, y), Point(1, 2))),
            "the point at infinity": bytes(SIZE),
            "replaced by the next": following,
            "y + the base field's modulus": _word(x) + _word(y + BASE_FIELD),
        }.items():
            yield _with_bytes(scene, f"point {number} {name}", place, data)
    first, last = places[0], places[-1]
    yield _with_bytes(scene, "the last point is the generator", last, to_bytes(Point(1, 2)))
    x, y = from_bytes(true.proof[first : first + SIZE])
    packed = _word(x | (y & 1) << 255) + bytes(WORD)
    yield _with_bytes(scene, "the first point compressed", first, packed)
    everything = true.proof
    for place in places:
        x, y = from_bytes(everything[place : place + SIZE])
        negated = to_bytes(Point(x, (BASE_FIELD - y) % BASE_FIELD))
        everything = everything[:place] + negated + everything[place + SIZE :]
    yield Forgery("every point negated", replace(true, proof=everything), REJECTED)
    opening = true.proof
    for place in places[-2:]:
        x, y = from_bytes(opening[place : place + SIZE])
        opening = opening[:place] + to_bytes(Point(x, BASE_FIELD - y)) + opening[place + SIZE :]
    yield Forgery("both opening points negated", replace(true, proof=opening), REJECTED)


def _scalars(scene: Scene) -> Iterator[Forgery]:
    """The proof's evaluations."""
    proof = scene.here.result.proof
    places = _places_of_points(proof)
    first = next(b for a, b in pairwise(places) if b - a != SIZE)
    begin = places[places.index(first) - 1] + SIZE
    for number, place in enumerate(range(begin, places[-2], WORD)):
        value = int.from_bytes(proof[place : place + WORD], "big")
        yield _with_bytes(scene, f"evaluation {number} + 1", place, _word((value + 1) % FIELD_MODULUS))
        yield _with_bytes(
            scene, f"evaluation {number} + the field's modulus", place, _word(value + FIELD_MODULUS)
        )
    little = b"".join(proof[at : at + WORD][::-1] for at in range(begin, places[-2], WORD))
    yield _with_bytes(scene, "evaluations written little-endian", begin, little)
    yield _with_bytes(scene, "no evaluation but zeros", begin, bytes(places[-2] - begin))


def _lengths(scene: Scene) -> Iterator[Forgery]:
    true = scene.here.result
    proof = true.proof
    short = frozenset({"Undecodable"})  # no error of ours: the points are not there to be read
    for name, data, errors in (
        ("a byte trailing", proof + b"\0", LENGTH),
        ("a word trailing", proof + bytes(WORD), LENGTH),
        ("a point trailing", proof + proof[:SIZE], LENGTH),
        ("a second proof trailing", proof + scene.again.proof, LENGTH),
        ("a word in front", bytes(WORD) + proof, DIGEST),
        ("a byte less", proof[:-1], LENGTH),
        ("a point less", proof[:-SIZE], LENGTH),
        ("the first evaluation left out", _without_one(proof), LENGTH),
        ("commitments only", proof[:PREFIX], LENGTH),
        ("five commitments", proof[: PREFIX - SIZE], short),
        ("none", b"", short),
        ("zeros", bytes(len(proof)), DIGEST),
        ("commitments and zeros", proof[:PREFIX] + bytes(len(proof) - PREFIX), REJECTED),
    ):
        yield Forgery(f"proof: {name}", replace(true, proof=data), errors)


def _mixed(scene: Scene) -> Iterator[Forgery]:
    """True proofs, or parts of them, in the wrong place."""
    true, again = scene.here.result, scene.again.proof
    proof = true.proof
    places = _places_of_points(proof)
    half = places[len(places) // 2]
    for name, data in (
        ("its first half", again[:half] + proof[half:]),
        ("its second half", proof[:half] + again[half:]),
        ("its last point", proof[:-SIZE] + again[-SIZE:]),
        ("its opening points", proof[: -2 * SIZE] + again[-2 * SIZE :]),
        ("all but its opening points", again[: -2 * SIZE] + proof[-2 * SIZE :]),
    ):
        yield Forgery(f"another proof of the same: {name}", replace(true, proof=data), REJECTED)
    for name, other in (
        ("another SRS", scene.foreign.proof),
        ("the other project", scene.other.result.proof),
        ("other slots present", scene.present.result.proof),
        ("other seats", scene.seated.result.proof),
    ):
        errors = frozenset({"DigestMismatch", "CommitmentMismatch"})
        yield Forgery(f"the proof of {name}", replace(true, proof=other), errors)
        spliced = proof[:PREFIX] + other[PREFIX:]
        yield Forgery(f"the proof of {name} behind the commitments", replace(true, proof=spliced), REJECTED)
    shorter = scene.shorter
    assert shorter.proof[:PREFIX] == proof[:PREFIX]
    assert felts_of(shorter) == true.gram
    same = REJECTED if len(shorter.proof) == len(proof) else LENGTH
    yield Forgery("the same statement, proved by another circuit", replace(true, proof=shorter.proof), same)
    longer = tuple(unsigned(number) for number in scene.longer.instances)
    assert longer[:-1] == true.gram
    for name, felts, errors in (
        ("with it", longer, frozenset({"WrongLength"})),
        ("without it", true.gram, REJECTED),
    ):
        result = replace(true, gram=felts, proof=scene.longer.proof)
        yield Forgery(f"a proof of a number more, {name}", result, errors)
    for name, round_ in (("other", scene.other), ("present", scene.present), ("seated", scene.seated)):
        alien = replace(round_.result, arrivals=true.arrivals)
        yield Forgery(f"the result of `{name}` with here's arrivals", alien, CLAIMS | DIGEST)
        yield Forgery(f"the result of `{name}`", round_.result, ARRIVALS)
        project = round_.play.project
        yield Forgery(f"here's result posted to `{name}`", true, ARRIVALS, project)
        fitted = replace(true, arrivals=round_.result.arrivals)
        errors = CLAIMS | {"DigestMismatch"}
        yield Forgery(f"here's result posted to `{name}` with its arrivals", fitted, errors, project)


def _claims(scene: Scene) -> Iterator[Forgery]:
    """What the aggregator says of a true G."""
    true = scene.here.result
    merged = frozenset({"WrongMerged"})
    for slot in range(INPUTS):
        flipped = true.merged ^ 1 << slot
        yield Forgery(f"merged: slot {slot} flipped", replace(true, merged=flipped), merged)
        near = list(true.neighbours)
        near[slot] ^= 1 << (slot + 1) % INPUTS
        wrong = frozenset({"WrongNeighbours"})
        yield Forgery(f"neighbours of slot {slot}: one flipped", replace(true, neighbours=tuple(near)), wrong)
        near[slot] = 1 << slot
        yield Forgery(f"neighbours of slot {slot}: itself", replace(true, neighbours=tuple(near)), wrong)
    for name, bits in (
        ("nobody", 0),
        ("everybody", 0b101111),
        ("beyond the slots", true.merged | 1 << INPUTS),
    ):
        yield Forgery(f"merged: {name}", replace(true, merged=bits), merged)
    for slot in (ABSENT, INPUTS, 255):
        score, norm = frozenset({"WrongMedianScore"}), frozenset({"WrongMedianNorm"})
        yield Forgery(f"median score: slot {slot}", replace(true, median_score_slot=slot), score)
        yield Forgery(f"median norm: slot {slot}", replace(true, median_norm_slot=slot), norm)
    for name, before in (("none", bytes(32)), ("the new one", true.model), ("another", true.before[::-1])):
        yield Forgery(f"made on {name}", replace(true, before=before), frozenset({"WrongModel"}))
    length = frozenset({"WrongLength"})
    yield Forgery("neighbours of five slots", replace(true, neighbours=true.neighbours[:-1]), length)
    yield Forgery("neighbours of seven slots", replace(true, neighbours=(*true.neighbours, 0)), length)


def _places(scene: Scene) -> Iterator[Forgery]:
    """Another round, cohort or project."""
    true = scene.here.result
    for round_ in (0, 2, 65535):
        yield Forgery(f"round {round_}", replace(true, round=round_), frozenset({"WrongRound"}))
    for cohort in (1, 2, 255):
        yield Forgery(f"cohort {cohort}", replace(true, cohort=cohort), frozenset({"WrongCohort"}))
    for project in (0, 10**6, 2**256 - 1):
        yield Forgery(f"project {project}", true, frozenset({"WrongStatus"}), project)
    late = frozenset(
        {"WrongRound", "WrongStatus", "ChallengeOpen", "WrongArrivals", "TooEarly", "CommitmentMismatch"}
    )
    yield Forgery("a project on demand", true, late, scene.doubted.project)
    yield Forgery("a project whose model is challenged", true, late, scene.shown.project)
    yield Forgery("a project in its complaints", true, late, scene.withheld.project)


def _arrivals(scene: Scene) -> Iterator[Forgery]:
    """Who came, when, and with what."""
    true = scene.here.result
    said = true.arrivals
    wrong = ARRIVALS | {"Panic", "InvalidLength"}
    order, digests, batch, signatures = said.order, said.digests, said.batch, said.signatures
    zero = bytes(WORD)
    forged: dict[str, Arrivals] = {
        "nothing came": Arrivals(b"", (), (), ()),
        "the last one left out": replace(said, order=order[:-1], digests=digests[:-1]),
        "the first one left out": replace(said, order=order[1:]),
        "one twice": replace(said, order=order + order[-1:], digests=(*digests, digests[-1])),
        "the absent one came": replace(said, order=order + bytes([ABSENT]), digests=(*digests, digests[0])),
        "two exchanged": replace(said, order=order[:1] + order[2:3] + order[1:2] + order[3:]),
        "two exchanged with their digests": replace(
            said,
            order=order[:1] + order[2:3] + order[1:2] + order[3:],
            digests=(digests[1], digests[0], *digests[2:]),
        ),
        "the batch last": replace(said, order=order[1:] + order[:1]),
        "the batch twice": replace(said, order=order + b"\xff"),
        "a slot beyond": replace(said, order=order[:-1] + bytes([INPUTS])),
        "digests exchanged": replace(said, digests=(digests[1], digests[0], *digests[2:])),
        "digests short of one": replace(said, digests=digests[:-1]),
        "batch left out by who posted it": replace(said, batch=(), signatures=()),
        "batch short of one": replace(said, batch=batch[:1], signatures=signatures[:1]),
        "batch and one more": replace(
            said, batch=(*batch, batch[0]), signatures=(*signatures, signatures[0])
        ),
        "batch exchanged": replace(said, batch=batch[::-1], signatures=signatures[::-1]),
        "batch digests exchanged": replace(said, batch=batch[::-1]),
        "batch signatures exchanged": replace(said, signatures=signatures[::-1]),
        "batch of the other project": replace(
            said, batch=scene.other.result.arrivals.batch, signatures=scene.other.result.arrivals.signatures
        ),
        "a signature's other half": replace(said, signatures=(_malleable(signatures[0]), *signatures[1:])),
        "a signature and a byte": replace(said, signatures=(signatures[0] + b"\0", *signatures[1:])),
        "no signatures": replace(said, signatures=(b"", b"")),
        "signatures short of one": replace(said, signatures=signatures[:1]),
    }
    for index in range(len(digests)):
        replaced = (*digests[:index], keccak(digests[index]), *digests[index + 1 :])
        forged[f"digest {index} of something else"] = replace(said, digests=replaced)
        forged[f"digest {index} zero"] = replace(
            said, digests=(*digests[:index], zero, *digests[index + 1 :])
        )
    for index in range(len(batch)):
        replaced = (*batch[:index], keccak(batch[index]), *batch[index + 1 :])
        forged[f"batch entry {index} of something else"] = replace(said, batch=replaced)
    for name, arrivals in forged.items():
        yield Forgery(f"arrivals: {name}", replace(true, arrivals=arrivals), wrong)


def _with_gram(scene: Scene, name: str, index: int, felt: int, errors: frozenset[str]) -> Forgery:
    true = scene.here.result
    return Forgery(name, replace(true, gram=(*true.gram[:index], felt, *true.gram[index + 1 :])), errors)


def _with_bytes(scene: Scene, name: str, place: int, data: bytes) -> Forgery:
    true = scene.here.result
    proof = true.proof[:place] + data + true.proof[place + len(data) :]
    return Forgery(name, replace(true, proof=proof), REJECTED)


def _with_point(proof: bytes, slot: int, point: Point) -> bytes:
    return proof[: SIZE * slot] + b"".join(map(_word, point)) + proof[SIZE * (slot + 1) :]


def _word(number: int) -> bytes:
    return number.to_bytes(WORD, "big")


def _by_columns(felts: tuple[int, ...]) -> tuple[int, ...]:
    at = dict(zip(_cells(), felts, strict=True))
    return tuple(at[i, j] for j in range(INPUTS) for i in range(j + 1))


def _places_of_points(proof: bytes) -> list[int]:
    """Where the proof's points are, behind the commitments: a run of them, evaluations, and the last two."""
    places, at = [], PREFIX
    while _is_point(proof[at : at + SIZE]):
        places.append(at)
        at += SIZE
    return [*places, len(proof) - 2 * SIZE, len(proof) - SIZE]


def _is_point(data: bytes) -> bool:
    point = Point(int.from_bytes(data[:WORD], "big"), int.from_bytes(data[WORD:], "big"))
    return point != (0, 0) and is_on_curve(point)


def _without_one(proof: bytes) -> bytes:
    places = _places_of_points(proof)
    end = places[-3] + SIZE
    return proof[:end] + proof[end + WORD :]


def _malleable(signature: bytes) -> bytes:
    """The other signature of the same text by the same key: s negated, the recovery bit flipped."""
    s = _SECP256K1 - int.from_bytes(signature[WORD : 2 * WORD], "big")
    return signature[:WORD] + _word(s) + bytes([27 + 28 - signature[-1]])
