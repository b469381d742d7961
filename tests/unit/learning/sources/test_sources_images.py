"""Folders of images: what is read, and what of it is refused."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from marketplace.errors import FairshareError, Reason
from marketplace.learning.data import Dataset
from marketplace.learning.sources import pictures
from marketplace.learning.sources.asked import Reading, Wanted
from marketplace.learning.sources.findings import Findings, Kind
from marketplace.learning.sources.image_folder import ImageFolder
from tests.support.data_files import (
    CLASSES,
    as_pictures,
    by_class,
    digits,
    image_bytes,
    pixels,
    read,
    refusal,
    same,
    write_images,
)

NAMES = tuple("abcdefghij")


@pytest.fixture(scope="module")
def data() -> Dataset:
    return by_class(digits(60))


@pytest.fixture
def folder(tmp_path: Path, data: Dataset) -> Path:
    return write_images(tmp_path / "images", data)


def only(folder: Path, kind: Kind) -> str:
    """What is said of the one thing that is wrong in the folder."""
    findings = read(folder).survey.findings
    assert list(findings.counts) == [kind], findings
    assert findings.counts[kind] == 1
    (finding,) = findings.first[kind]
    return f"{finding.where}: {finding.says}"


def test_folders_are_classes_by_number(folder: Path, data: Dataset) -> None:
    same(read(folder), as_pictures(data))
    (folder / ".DS_Store").write_bytes(b"litter")
    (folder / "3" / "Thumbs.db").write_bytes(b"litter")
    (folder / "LICENSE").write_text("beside the classes")
    same(read(folder), as_pictures(data))


def test_folders_are_classes_by_name(tmp_path: Path, data: Dataset) -> None:
    folder = write_images(tmp_path / "images", data, NAMES)
    loaded = read(folder)
    same(loaded, as_pictures(data))
    assert loaded.description.names == NAMES
    reverse = read(folder, classes=NAMES[::-1])
    np.testing.assert_array_equal(reverse.survey.counts, np.bincount(data.y, minlength=CLASSES)[::-1])
    assert "none of the project's 10 classes" in refusal(folder, classes=NAMES[1:])


def test_a_class_may_be_missing_where_names_are_numbers(tmp_path: Path, data: Dataset) -> None:
    some = data.rows(np.flatnonzero(data.y != 4))
    loaded = read(write_images(tmp_path / "images", some))
    same(loaded, as_pictures(some))
    assert "no row has label 4" in loaded.notes[0]


def test_a_missing_class_cannot_be_guessed_from_names(tmp_path: Path, data: Dataset) -> None:
    some = data.rows(np.flatnonzero(data.y != 4))
    folder = write_images(tmp_path / "images", some, NAMES)
    assert "none of the project's 10 classes" in refusal(folder)
    same(read(folder, classes=NAMES), as_pictures(some))


@pytest.mark.parametrize("name", ["10", "-1", "03"])
def test_folders_that_number_no_class_or_one_twice(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    assert "do not number classes from 0 to 9" in refusal(folder)


@pytest.mark.parametrize("format", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_every_format_is_read(tmp_path: Path, data: Dataset, format: str) -> None:
    folder = tmp_path / "images" / "0"
    folder.mkdir(parents=True)
    (folder / f"a.{format.lower()}").write_bytes(image_bytes(pixels(data.X[0]), format))
    (row,) = read(folder.parent).dataset.X  # type: ignore[union-attr]
    atol = {"JPEG": 0.1, "WEBP": 0.25}.get(format, 0)
    np.testing.assert_allclose(row, as_pictures(data).X[0], atol=atol)


def test_other_sizes_and_colours_are_brought_to_the_projects(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "0"
    folder.mkdir(parents=True)
    Image.new("RGB", (40, 20), (255, 255, 255)).save(folder / "a.png")
    loaded = read(folder.parent)
    np.testing.assert_array_equal(loaded.dataset.X, np.ones((1, 64), dtype=np.float32))  # type: ignore[union-attr]
    assert "1 images were resized to 8 x 8" in loaded.notes


def test_a_frame_follows_from_the_features(tmp_path: Path) -> None:
    def frame(features: int, **how: object) -> tuple[int, int, str]:
        made = pictures.frame_of(Wanted(features, 2), Reading(**how), tmp_path)  # type: ignore[arg-type]
        return made.width, made.height, made.mode

    assert frame(784) == (28, 28, "grey")
    assert frame(3 * 32 * 32) == (32, 32, "rgb")
    assert frame(600, image_size=(20, 10)) == (20, 10, "rgb")
    for features, how in ((783, {}), (784, {"image_mode": "rgb"}), (784, {"image_size": (28, 27)})):
        with pytest.raises(FairshareError) as caught:
            frame(features, **how)  # type: ignore[arg-type]
        assert caught.value.reason is Reason.BAD_DATA


def test_colours_of_a_pixel_stand_together() -> None:
    image = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    row, resized = pictures.decode(image_bytes(image), pictures.Frame(3, 2, "rgb"))
    np.testing.assert_array_equal(row, np.arange(18, dtype=np.float32) / np.float32(255))
    assert not resized


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    outside.write_bytes(image_bytes(np.zeros((8, 8), dtype=np.uint8)))
    (folder / "3" / "link.png").symlink_to(outside)
    assert "link.png: it leads to" in only(folder, Kind.LINK)
    (folder / "3" / "link.png").unlink()
    (folder / "5").rename(tmp_path / "elsewhere")
    (folder / "5").symlink_to(tmp_path / "elsewhere")
    assert "5: it is a symbolic link" in refusal(folder)


def test_what_is_no_image_is_named(folder: Path) -> None:
    (folder / "3" / "notes.txt").write_text("mine")
    assert "notes.txt: its name ends in none of" in only(folder, Kind.STRAY)
    (folder / "3" / "notes.txt").unlink()
    os.mkfifo(folder / "3" / "pipe.png")
    assert "pipe.png: it is no file" in only(folder, Kind.STRAY)
    (folder / "3" / "pipe.png").unlink()
    (folder / "3" / "below.png").mkdir()
    assert "below.png: it is no file" in only(folder, Kind.STRAY)


def bomb(width: int, height: int) -> bytes:
    """A small PNG that unpacks to so many white pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    rows = (
        b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(min(height, 64)))
        + packer.flush()
    )
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(8_000, 8_000), (12_000, 12_000), (50_000, 50_000)])
def test_a_decompression_bomb_is_refused_unopened(folder: Path, size: tuple[int, int]) -> None:
    (folder / "3" / "bomb.png").write_bytes(bomb(*size))
    assert "bomb.png: it unpacks to" in only(folder, Kind.IMAGE_SIZE)


def test_broken_images_are_named(folder: Path, data: Dataset) -> None:
    path = folder / "3" / "broken.png"
    whole = image_bytes(pixels(data.X[0]))
    for content in (
        b"",
        b"rubbish",
        whole[:40],
        whole[: len(whole) * 2 // 3],
        b"II*\0" + bytes(100),
        b"%PDF-1.4",
    ):
        path.write_bytes(content)
        assert "broken.png: " in only(folder, Kind.IMAGE)


def test_a_changed_byte_of_an_image_gives_an_error_or_pixels() -> None:
    generator = np.random.default_rng(0)
    picture = generator.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    frame = pictures.Frame(8, 8, "rgb")
    for format in pictures.FORMATS:
        whole = image_bytes(picture, format)
        for place in generator.integers(0, len(whole), 150).tolist():
            content = bytearray(whole)
            content[place] ^= 1 << int(generator.integers(8))
            with contextlib.suppress(pictures.PictureError):
                assert pictures.decode(bytes(content), frame)[0].shape == (192,)


def test_animations_and_deep_colours_are_refused(folder: Path) -> None:
    path = folder / "3" / "odd.gif"
    frames = [Image.new("L", (8, 8), shade) for shade in (0, 99)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert "animation" in only(folder, Kind.IMAGE)
    path.unlink()
    deep = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), dtype=np.uint16)).save(deep, "PNG")
    (folder / "3" / "deep.png").write_bytes(deep.getvalue())
    assert "more than 8 bits" in only(folder, Kind.IMAGE)


def test_too_many_files_are_refused_before_any_is_opened(folder: Path) -> None:
    source = ImageFolder(folder, Wanted(64, CLASSES), Reading(), max_files=20)
    with pytest.raises(FairshareError) as caught:
        list(source.batches(Findings()))
    assert caught.value.reason is Reason.TOO_LARGE
    assert "over 20 files" in caught.value.message
