"""What the circuit itself computes, without keys: ezkl's witness of the compiled circuit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tests.differential.whole_rounds import Update
from zk import circuit, felts
from zk.backend import ezkl
from zk.shape import CircuitShape


class Circuits:
    """Compiles the circuits of any shapes, once each, below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def gram(self, shape: CircuitShape, rows: Sequence[Update | None]) -> tuple[int, ...]:
        """The upper triangle that the circuit publishes for these updates, signed."""
        inputs, witness = self._folder / "inputs", self._folder / "witness"
        entries = [[0] * shape.length if row is None else row.tolist() for row in rows]
        inputs.write_text(json.dumps({"input_data": [[float(entry) for entry in row] for row in entries]}))
        ezkl.gen_witness(str(inputs), str(self._compiled(shape)), str(witness))
        (numbers,) = json.loads(witness.read_text())["outputs"]
        return tuple(felts.decode(number) for number in numbers)

    def _compiled(self, shape: CircuitShape) -> Path:
        compiled = self._folder / f"{shape.slots}x{shape.length}"
        if not compiled.exists():
            circuit.write_source(shape, self._folder / "network", self._folder / "settings", compiled)
        return compiled
