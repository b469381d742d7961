"""The body of an HTTP answer as it arrives: requests' own ways wait for whole chunks, whose size the server chooses."""

from __future__ import annotations

from collections.abc import Iterator

import requests
import urllib3

_PIECE = 1 << 16  # bytes, packed or unpacked


def pieces(response: requests.Response) -> Iterator[bytes]:
    """What has come, unpacked, at most 64 KiB at a time. Raises requests' ConnectionError where it breaks off."""
    try:
        yield from unpacked(response.raw)
    except urllib3.exceptions.HTTPError as error:
        raise requests.exceptions.ConnectionError(error) from error


def unpacked(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """As `pieces`, for an answer that urllib3 has not read ahead. Raises urllib3's HTTPError where it breaks off."""
    while piece := response.read1(_PIECE, decode_content=True):
        yield piece
