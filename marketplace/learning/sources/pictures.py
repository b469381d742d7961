"""One image, from bytes that may be hostile to a row of X.

Rows of pixels from the top, each from the left, scaled to 0..1; of RGB the three numbers of a pixel stand together.
"""

from __future__ import annotations

import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from marketplace.learning.sources.asked import ImageMode, Reading, Wanted
from marketplace.learning.sources.findings import Kind
from marketplace.learning.sources.source import bad, one_line

MAX_BYTES = 64 << 20  # of a file
MAX_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")

_CHANNELS: dict[ImageMode, int] = {"grey": 1, "rgb": 3}
_PILLOW: dict[ImageMode, str] = {"grey": "L", "rgb": "RGB"}
# What Pillow's decoders raise for files that are broken in one way or another.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, AttributeError),
    *(OverflowError, AssertionError, NotImplementedError, MemoryError, struct.error, zlib.error),
)


class PictureError(Exception):
    """An image that gives no row."""

    def __init__(self, kind: Kind, says: str) -> None:
        super().__init__(says)
        self.kind = kind
        self.says = says


@dataclass(frozen=True)
class Frame:
    """What every image is brought to."""

    width: int
    height: int
    mode: ImageMode

    @property
    def words(self) -> str:
        """For people."""
        return f"{self.width} x {self.height} pixels, {self.mode}"


def frame_of(wanted: Wanted, reading: Reading, path: Path) -> Frame:
    """The frame whose numbers are the project's features: as the user says, else square, grey before RGB.

    Raises BAD_DATA where there is none.
    """
    modes: tuple[ImageMode, ...] = (reading.image_mode,) if reading.image_mode else ("grey", "rgb")
    for mode in modes:
        if reading.image_size is not None:
            width, height = reading.image_size
        else:
            width = height = math.isqrt(wanted.features // _CHANNELS[mode])
        if width * height * _CHANNELS[mode] == wanted.features:
            return Frame(width, height, mode)
    raise bad(
        path,
        f"no such image has the project's {wanted.features} numbers",
        "give --image-size WIDTHxHEIGHT and --image-mode grey or rgb so that their product fits",
    )


def decode(data: bytes, frame: Frame) -> tuple[NDArray[np.float32], bool]:
    """An image file's pixels, float32 [features] in 0..1, and whether it had to be resized. Raises PictureError."""
    if len(data) > MAX_BYTES:
        raise PictureError(Kind.IMAGE_SIZE, f"it has over {MAX_BYTES >> 20} MiB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
                return _pixels(opened, frame)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise PictureError(Kind.IMAGE_SIZE, f"it unpacks to over {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise PictureError(Kind.IMAGE, f"it is none of {', '.join(FORMATS)}") from error
    except _BROKEN as error:
        raise PictureError(Kind.IMAGE, one_line(str(error) or type(error).__name__, 120)) from error


def _pixels(opened: Image.Image, frame: Frame) -> tuple[NDArray[np.float32], bool]:
    width, height = opened.size
    if width * height > MAX_PIXELS:  # known from the header, before anything is unpacked
        raise PictureError(Kind.IMAGE_SIZE, f"it unpacks to {width} x {height} pixels")
    if getattr(opened, "n_frames", 1) > 1:
        raise PictureError(Kind.IMAGE, "it is an animation")
    if opened.mode[0] in "IF":
        raise PictureError(Kind.IMAGE, "it has more than 8 bits for a colour")
    image = ImageOps.exif_transpose(opened).convert(_PILLOW[frame.mode])
    resized = image.size != (frame.width, frame.height)
    if resized:
        image = image.resize((frame.width, frame.height), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32).reshape(-1) / np.float32(255), resized
