"""The sketch path in a project file and in a posted spec: what is chosen, what follows from it, what is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.chain.client import MarketClient
from marketplace.chain.types import LeafPath, SketchEvidence, SketchFacts
from marketplace.errors import FairshareError, Reason
from marketplace.learning.tasks import task_of
from marketplace.protocol.chunk_tree import depth_of
from marketplace.spec import (
    ChainSection,
    CircuitSection,
    ProjectFile,
    ProjectSpec,
    cutting,
    rules,
    template,
    terms,
)
from marketplace.spec.cutting import check_cut, cut, norm_factor, sketch_shape
from marketplace.spec.rules import least_max_norm_squared
from marketplace.spec.sections import MAX_CHUNKS, MAX_WIDTH, MIN_WIDTH, SketchSection
from zk.curve import Point
from zk.prover import SKETCH_LIMIT
from zk.shape import MAX_ELEMENTS, CircuitShape, layout_of

CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
TRANSACTION = 131_072  # bytes that usual nodes take


def file(kind: str = "cnn", task: dict[str, Any] | None = None, **arithmetic: object) -> ProjectFile:
    """A template's project with other options of its task and another [arithmetic]; None leaves a field out."""
    document = ProjectFile.from_toml(template(kind)).model_dump(mode="json", exclude_none=True)
    document["task"] |= task or {}
    document["arithmetic"] |= arithmetic
    lines = []
    for name, fields in document.items():
        stated = [f"{key} = {json.dumps(value)}" for key, value in fields.items() if value is not None]
        lines += [f"[{name}]", *stated]
    return ProjectFile.from_toml("\n".join(lines))


def refusal(**changes: Any) -> FairshareError:
    with pytest.raises(FairshareError) as caught:
        file(**changes)
    assert "\n" not in str(caught.value)
    assert caught.value.hint
    return caught.value


def posted(made: ProjectFile) -> ProjectSpec:
    return made.post(
        circuit=CircuitSection(
            digest="0x" + "ab" * 32,
            slots=made.inputs,
            length=made.shape.length,
            srs_kind="test",
            vk=CID,
            srs=CID,
        ),
        chain=ChainSection(chain_id=31337, market="0x" + "12" * 20),
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
    )


@pytest.fixture(scope="module")
def spec() -> ProjectSpec:
    return posted(file())


def test_a_million_parameters_go_by_sketches_of_a_thousand(spec: ProjectSpec) -> None:
    made = file()
    assert (made.path, made.length) == ("sketch", 1_025_866)
    assert made.shape == CircuitShape(11, 1024)
    assert made.sketch == SketchSection(chunk_length=4096, chunks=251)
    assert made.vector_length == 251 * 4096
    assert ProjectFile.from_toml(made.to_toml()) == made
    assert (spec.is_sketched, spec.circuit.length, spec.length) == (True, 1024, 251 * 4096)
    assert spec.shape == made.shape
    assert task_of(spec).length == 1_025_866
    assert ProjectSpec.from_bytes(spec.to_bytes()) == spec
    document = json.loads(spec.to_bytes())
    assert document["version"] == 4
    assert document["arithmetic"]["path"] == "sketch"
    assert document["sketch"] == {"chunk_length": 4096, "chunks": 251}
    result = terms(spec, b"\x07" * 32, (1, 251))
    assert (result.chunks, result.chunk_length) == (251, 4096)


def test_the_exact_path_says_that_it_is(spec: ProjectSpec) -> None:
    exact = posted(file("softmax"))
    document = json.loads(exact.to_bytes())
    assert (document["arithmetic"]["path"], document["sketch"]) == ("exact", None)
    assert (exact.is_sketched, exact.length) == (False, exact.circuit.length)
    result = terms(exact, b"\x07" * 32, (1, 2))
    assert (result.chunks, result.chunk_length) == (0, 0)


@pytest.mark.parametrize(
    ("features", "path"),
    [
        (64, "exact"),
        (908, "exact"),
        (909, "sketch"),
        (20_000, "sketch"),
    ],  # 11 inputs of 9,090 numbers are the most
)
def test_auto_takes_the_exact_path_as_long_as_it_is_there(features: int, path: str) -> None:
    made = file("softmax", {"features": features}, path="auto")
    assert made.path == path
    assert posted(made).is_sketched == (path == "sketch")


def test_auto_heeds_what_a_transaction_holds() -> None:
    for parameters, path in ((rules.MAX_LENGTH // 2, "exact"), (33_000, "sketch")):
        assert cutting.chosen_path("auto", 3, parameters, "disputed") == path
    assert CircuitShape(3, 33_000)  # so it was not the circuit


def test_a_small_model_may_be_sketched() -> None:
    made = file("softmax", path="sketch", width=256, chunk_length=512)
    assert made.sketch == SketchSection(chunk_length=512, chunks=2)
    assert posted(made).length == 1024


def test_the_usual_chunk_shrinks_to_the_circuit() -> None:
    shape = sketch_shape(4, 256)
    room = layout_of(shape).usable_rows
    assert room < 4096
    section = cut(shape, 100_000, None)
    assert section.chunk_length == room // 256 * 256
    assert section.length - 100_000 in range(section.chunk_length)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"path": "sketchy"}, "path"),
        ({"width": 1000}, "width"),
        ({"width": 128}, "width"),
        ({"width": 16_384}, "width"),
        ({"width": 1024.0}, "width"),
        ({"chunk_length": 4095}, "chunk_length"),
        ({"chunk_length": 512}, "chunk_length"),
        ({"chunk_length": 0}, "chunk_length"),
        ({"chunk_length": 4096, "width": 256}, "chunk_length"),  # that circuit's rows are not as many
        ({"chunk_length": 2**20}, "chunk_length"),
        ({"range": "proven"}, "range"),
        ({"range": "proven", "path": "sketch"}, "range"),
        ({"path": "exact"}, "width"),
        ({"path": "exact", "width": None, "chunk_length": 4096}, "chunk_length"),
        ({"max_norm_squared": 10**6}, "max_norm_squared"),
        ({"scale_bits": 18}, "scale_bits"),
    ],
)
def test_a_wrong_choice_is_named(changes: dict[str, Any], field: str) -> None:
    error = refusal(**changes)
    assert error.reason is Reason.BAD_SPEC
    assert error.message.startswith(f"arithmetic.{field}: ")


def test_a_width_that_no_circuit_has_room_for_is_refused() -> None:
    with pytest.raises(FairshareError) as caught:
        sketch_shape(16, 8192)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith("arithmetic.width: ")


def test_beyond_the_sketch_path_says_the_limit() -> None:
    error = refusal(kind="softmax", task={"features": 999_999, "classes": 17}, path="sketch")
    assert error.reason is Reason.TOO_LARGE
    assert str(cutting.MAX_SKETCHED) in error.message


def test_the_exact_path_s_limits_name_the_other_one() -> None:
    error = refusal(path="exact", width=None)
    assert error.reason is Reason.TOO_LARGE
    assert "sketch" in error.hint


def test_ten_million_parameters_have_a_cut_and_too_many_chunks_have_none() -> None:
    shape = CircuitShape(11, 1024)
    assert cut(shape, 10_000_000, None) == SketchSection(chunk_length=4096, chunks=2442)
    for parameters, length in ((10_000_000, 1024), (cutting.MAX_SKETCHED, 4096), (4096 * 2851 + 1, 4096)):
        with pytest.raises(FairshareError) as caught:
            cut(shape, parameters, length)
        assert caught.value.message.startswith("arithmetic.chunk_length: ")
    assert cut(shape, 4096 * 2851, 4096).chunks == 2851


def no_cut(inputs: int, width: int, parameters: int, length: int | None = None) -> str:
    """The hint where it is refused."""
    with pytest.raises(FairshareError) as caught:
        cut(sketch_shape(inputs, width), parameters, length)
    return caught.value.hint


@pytest.mark.parametrize(
    ("inputs", "width", "parameters", "length"),
    [(3, 1024, 10_000_000, None), (6, 1024, 10_000_000, 2048), (3, 256, 12_000_000, None)],
)
def test_where_no_chunk_has_room_another_width_has(
    inputs: int, width: int, parameters: int, length: int | None
) -> None:
    hint = no_cut(inputs, width, parameters, length)
    told = re.fullmatch(r"use at most (\d+) parameters, or a width of (\d+)", hint)
    assert told is not None, hint
    most, other = map(int, told.groups())
    assert width < other
    narrow, wide = sketch_shape(inputs, width), sketch_shape(inputs, other)
    lengths = range(width, 15_361, width)
    assert any(is_cut(narrow, most, length) for length in lengths)
    assert not any(is_cut(narrow, most + 1, length) for length in lengths)
    assert any(is_cut(wide, parameters, length) for length in range(other, 15_361, other))


def is_cut(shape: CircuitShape, parameters: int, length: int) -> bool:
    try:
        cut(shape, parameters, length)
    except FairshareError:
        return False
    return True


@pytest.mark.parametrize(
    ("parameters", "length"), [(10_000_000, 1024), (4096 * 2851 + 1, 4096), (2_000_000, 256)]
)
def test_the_chunk_length_that_is_named_is_taken(parameters: int, length: int) -> None:
    width = 1024 if length % 1024 == 0 else 256
    told = re.fullmatch(r"use a chunk length of (\d+)", no_cut(11, width, parameters, length))
    assert told is not None
    assert is_cut(sketch_shape(11, width), parameters, int(told[1]))


def test_where_no_width_helps_only_fewer_parameters_do() -> None:
    assert no_cut(16, 1024, cutting.MAX_SKETCHED) == "use at most 14966784 parameters"


@pytest.mark.parametrize(("chunks", "chunk_length"), [(2851, 4096), (1826, 8192), (34, 15_360)])
def test_what_refutes_a_sum_fits_a_transaction(chunks: int, chunk_length: int) -> None:
    section = SketchSection(chunk_length=chunk_length, chunks=chunks)
    with pytest.raises(FairshareError):
        check_cut(CircuitShape(11, 1024), section.model_copy(update={"chunks": chunks + 2}))
    check_cut(CircuitShape(11, 1024), section)
    leaf = LeafPath(Point(1, 2), bytes(32), (bytes(32),) * depth_of(chunks))
    packed = bytes(range(1, 5)) * chunk_length
    call = MarketClient("http://127.0.0.1:1", "0x" + "12" * 20).market.functions.refuteSketch(
        1,
        SketchFacts(1, 0, 255, bytes(32), Point(1, 2), bytes(32), bytes(32)).to_abi(),
        chunks - 1,
        [2**253] * chunks,
        SketchEvidence(leaf, packed, leaf, packed).to_abi(),
    )
    stated = {"gas": 10**7, "gasPrice": 1, "nonce": 0, "chainId": 1, "value": 0}
    data = call.build_transaction(stated)["data"]  # type: ignore[arg-type]
    assert len(data) // 2 + 200 < TRANSACTION  # 200: signature, fees, addresses


def test_sketches_stay_far_within_what_a_proof_takes() -> None:
    assert 2**15 * -(-cutting.MAX_SKETCHED // MIN_WIDTH) < SKETCH_LIMIT


Edit = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda d: d.pop("sketch"), ""),  # not canonical
        (lambda d: d["arithmetic"].pop("path"), "sketch: "),
        (lambda d: d.update(sketch=None), "sketch: "),
        (lambda d: d["arithmetic"].update(path="exact"), "sketch: "),
        (lambda d: d["arithmetic"].update(path="auto"), "arithmetic.path: "),
        (lambda d: d["arithmetic"].update(width=1024), "arithmetic.width: "),
        (lambda d: d["arithmetic"].update(range="proven"), "arithmetic.range: "),
        (lambda d: d["circuit"].update(length=1000), "circuit.length: "),
        (lambda d: d["circuit"].update(length=128), "circuit.length: "),
        (lambda d: d["circuit"].update(length=256), "sketch.chunk_length: "),  # fewer rows than a chunk
        (lambda d: d["sketch"].update(chunk_length=4608), "sketch.chunk_length: "),
        (lambda d: d["sketch"].update(chunk_length=0), "sketch.chunk_length: "),
        (lambda d: d["sketch"].update(chunk_length=-4096), "sketch.chunk_length: "),
        (lambda d: d["sketch"].update(chunk_length=15_361), "sketch.chunk_length: "),
        (lambda d: d["sketch"].update(chunk_length=True), "sketch.chunk_length: "),
        (lambda d: d["sketch"].update(chunks=0), "sketch.chunks: "),
        (lambda d: d["sketch"].update(chunks=MAX_CHUNKS + 1), "sketch.chunks: "),
        (lambda d: d["sketch"].update(chunks=3000), "sketch.chunk_length: "),  # no transaction refutes that
        (lambda d: d["sketch"].update(chunks="251"), "sketch.chunks: "),
        (lambda d: d["sketch"].update(width=1024), "sketch.width: "),
        (lambda d: d["sketch"].pop("chunks"), "sketch.chunks: "),
        (lambda d: d.update(sketch=[4096, 251]), "sketch: "),
        (lambda d: d["arithmetic"].update(max_norm_squared=10**6), "arithmetic.max_norm_squared: "),
    ],
)
def test_a_strangers_contradiction_is_named(spec: ProjectSpec, edit: Edit, field: str) -> None:
    document = json.loads(spec.to_bytes())
    edit(document)
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(FairshareError) as caught:
        ProjectSpec.from_bytes(data)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith(field)


def test_a_sketch_section_has_no_place_on_the_exact_path() -> None:
    document = json.loads(posted(file("softmax")).to_bytes())
    document["sketch"] = {"chunk_length": 4096, "chunks": 1}
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(FairshareError, match="sketch"):
        ProjectSpec.from_bytes(data)


@pytest.mark.parametrize("chunks", [1, 250, 252, 400])
def test_the_chunks_are_those_that_the_parameters_fill(spec: ProjectSpec, chunks: int) -> None:
    document = json.loads(spec.to_bytes())
    document["sketch"]["chunks"] = chunks
    document["arithmetic"]["max_norm_squared"] = 2**40
    data = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    other = ProjectSpec.from_bytes(data)  # the task alone knows d
    with pytest.raises(FairshareError) as caught:
        task_of(other)
    assert caught.value.reason is Reason.BAD_SPEC
    assert caught.value.message.startswith("sketch.chunks: " if chunks != 1 and chunks != 250 else "task: ")


def test_posting_takes_the_circuit_of_the_sketches_alone() -> None:
    made = file()
    circuit = CircuitSection(digest="0x" + "ab" * 32, slots=11, length=2048, srs_kind="test", vk=CID, srs=CID)
    with pytest.raises(FairshareError) as caught:
        made.post(
            circuit=circuit,
            chain=ChainSection(chain_id=31337, market="0x" + "12" * 20),
            initial_model=CID,
            evaluation_sha256="cd" * 32,
            validation="0x" + "ef" * 32,
        )
    assert caught.value.message.startswith("circuit.length: ")


def test_the_model_must_stay_in_range_though_norms_say_little() -> None:
    # a sketch's norm is its update's only about: what bounds an entry of a model is int16
    made = file(scale_bits=1)
    assert math.isqrt(made.max_norm_squared) < 2**15
    rounds = made.rounds.model_copy(update={"count": (2**30) // (8 * 32_767)})
    rules.check_arithmetic(
        made.model_copy(update={"rounds": rounds}), 1, made.max_norm_squared, made.vector_length, 1024
    )
    rounds = made.rounds.model_copy(update={"count": (2**30) // (8 * 32_767) + 1})
    with pytest.raises(FairshareError) as caught:
        rules.check_arithmetic(
            made.model_copy(update={"rounds": rounds}), 1, made.max_norm_squared, made.vector_length, 1024
        )
    assert caught.value.message.startswith("rounds.count: ")


def test_the_norm_bound_has_room_for_the_sketch() -> None:
    for width in (MIN_WIDTH, 1024, MAX_WIDTH):
        plain = least_max_norm_squared(40.0, 15, 8, 1_000_000)
        assert least_max_norm_squared(40.0, 15, 8, 1_000_000, width) / plain == pytest.approx(
            norm_factor(width)
        )
    assert norm_factor(1024) == pytest.approx(1 + 8 * 0.0442, abs=1e-3)
    with pytest.raises(FairshareError, match="max_norm_squared"):
        rules.check_arithmetic(file(), 15, plain, 251 * 4096, 1024)


@given(st.integers(1, 40_000), st.integers(3, 16), st.sampled_from([256, 512, 1024, 2048, 4096]))
def test_every_cut_that_is_made_is_one_that_is_taken(parameters: int, inputs: int, width: int) -> None:
    inputs = min(inputs, MAX_ELEMENTS // width)
    shape = sketch_shape(inputs, width)
    section = cut(shape, parameters, None)
    check_cut(shape, section)
    assert section.length >= parameters > section.length - section.chunk_length
    assert section.chunk_length % width == 0
    assert section.chunk_length <= layout_of(shape).usable_rows
