"""The values of chunks' sketches at a point: they add up to the sketch's, which its commitment opens to."""

from __future__ import annotations

import numpy as np

from marketplace.protocol.sketch import Sketcher
from marketplace.updates.sketch_values import chunk_values
from zk.felts import FIELD
from zk.files import CircuitFiles
from zk.opening import open_value, value_at

WIDTH, CHUNK, CHUNKS = 256, 512, 7
Z = 0x1234567890ABCDEF << 180
rng = np.random.default_rng(9)
OLD = rng.integers(-(2**31), 2**31, CHUNK * CHUNKS)
NEW = rng.integers(-(2**31), 2**31, CHUNK * CHUNKS)


def test_values_are_those_of_each_chunks_sketch_and_add_up(files: CircuitFiles) -> None:
    sketcher = Sketcher(bytes(range(32)), WIDTH)
    for vector in (NEW.astype(np.int32), NEW - OLD, (NEW >> 16).astype(np.int16)):
        values = chunk_values(sketcher, vector, CHUNK, files.logrows, Z)
        for j, chunk in enumerate(vector.reshape(CHUNKS, CHUNK)):
            assert values[j] == value_at(sketcher.sketch(chunk, 2 * j), files.logrows, Z)
        at_z, _ = open_value(files, sketcher.sketch(vector), Z)
        assert sum(values) % FIELD == at_z


def test_the_values_of_a_move_are_the_models_apart(files: CircuitFiles) -> None:
    sketcher = Sketcher(bytes(range(32)), WIDTH)
    before, after, moved = (
        chunk_values(sketcher, vector, CHUNK, files.logrows, Z) for vector in (OLD, NEW, NEW - OLD)
    )
    assert moved == [(b - a) % FIELD for a, b in zip(before, after, strict=True)]
