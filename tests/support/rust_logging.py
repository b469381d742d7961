"""Stops what ezkl's Rust code logs in this process. Linux only: it looks a static up in the library's symbol table.

A prover that meets a value outside its lookup table logs that from one of its worker threads. The logger is Python's
(pyo3-log), so that thread waits for Python's lock, which `ezkl.prove` holds until its threads are done: both wait for
ever. Nothing that Python can say beforehand changes that, so the Rust `log` crate's own level is set to off.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

LEVEL = b"3log20MAX_LOG_LEVEL_FILTER"  # mangled: log::MAX_LOG_LEVEL_FILTER
OFF, DEBUG = 0, 4
SYMBOL_TABLE = 2  # section type


def silence() -> None:
    """Nothing is logged from now on. AssertionError where the library is not as expected."""
    library = Path(sys.modules["ezkl.ezkl"].__file__ or "").resolve()
    (offset,) = (value for name, value in _symbols(library.read_bytes()) if LEVEL in name)
    level = ctypes.c_size_t.from_address(_loaded_at(library) + offset)
    assert level.value == DEBUG, f"this is no log level as pyo3-log sets it: {level.value}"
    level.value = OFF


def _loaded_at(library: Path) -> int:
    lines = Path("/proc/self/maps").read_text().splitlines()
    return min(int(line.split("-")[0], 16) for line in lines if line.endswith(f" {library}"))


def _symbols(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Names and values in the symbol table of a 64-bit ELF file."""
    (start,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQII", data, start + i * size) for i in range(count)]
    for _, kind, _, _, at, length, names, _ in sections:
        if kind == SYMBOL_TABLE:
            text = sections[names][4]
            for entry in range(at, at + length, 24):
                name, value = struct.unpack_from("<I4xQ", data, entry)
                yield data[text + name : data.index(b"\0", text + name)], value
