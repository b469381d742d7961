"""How the user says that data are to be read."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.asked import Reading
from trainer_node.data_options import reading_of

DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("label_column", "columns", "classes", "part", "delimiter", "image_size", "image_mode")),
    "header": True,
    "divide": 1.0,
    "tolerate": 0,
}


def test_without_options_everything_follows_from_the_data() -> None:
    assert reading_of(DEFAULTS) == Reading()


def test_every_option_is_taken() -> None:
    given = {
        "label_column": "what",
        "columns": "a, b,c",
        "classes": "cat,dog",
        "part": "test",
        "delimiter": r"\t",
        "header": False,
        "image_size": "32x24",
        "image_mode": "rgb",
        "divide": 255.0,
        "tolerate": 3,
    }
    assert reading_of(given) == Reading(
        label="what",
        columns=("a", "b", "c"),
        classes=("cat", "dog"),
        part="test",
        delimiter="\t",
        header=False,
        image_size=(32, 24),
        image_mode="rgb",
        divide=255.0,
        tolerate=3,
    )


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("columns", "a,,b", "--columns"),
        ("columns", "a,a", "--columns"),
        ("classes", "", "--classes"),
        ("delimiter", "", "--delimiter"),
        ("delimiter", ",,", "--delimiter"),
        ("delimiter", '"', "--delimiter"),
        ("delimiter", "→", "--delimiter"),
        ("image_size", "28", "--image-size"),
        ("image_size", "0x28", "--image-size"),
        ("image_size", "99999x1", "--image-size"),
        ("image_size", "28x28x3", "--image-size"),
        ("image_mode", "cmyk", "--image-mode"),
        ("divide", 0.0, "--divide"),
        ("divide", -1.0, "--divide"),
        ("divide", float("nan"), "--divide"),
        ("divide", float("inf"), "--divide"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_flag(name: str, value: object, flag: str) -> None:
    with pytest.raises(FairshareError) as caught:
        reading_of({**DEFAULTS, name: value})
    assert caught.value.reason is Reason.BAD_INPUT
    assert caught.value.message.startswith(f"{flag}: ")
