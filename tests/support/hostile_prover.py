"""ezkl's prover and verifier fed with many witnesses and proofs, in one process of their own: `python -m` this module.

stdin: one JSON object {"files": {..}, "witnesses": [..], "proofs": [..]}; stdout: {"witnesses": [..],
"proofs": [..]}. A panic of ezkl's is an answer as any other. Its prover would hang at a value outside its lookup table
(rust_logging.py): on Linux, it does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketplace.chain.compile import project_root
from tests.support import rust_logging
from zk import keys
from zk.backend import ezkl
from zk.curve import SIZE
from zk.files import CircuitFiles

Document = dict[str, Any]


@dataclass(frozen=True)
class Proved:
    """What came of a witness. `proof` is empty where the prover refused; `holds`: ezkl's verifier takes the proof.

    `mocked`: ezkl's mock prover finds the constraints satisfied. `instances`: the public numbers, ezkl's encoding.
    """

    proof: bytes
    instances: tuple[str, ...]
    holds: bool
    mocked: bool

    def commitments(self, slots: int) -> bytes:
        return self.proof[: SIZE * slots]


def witness_of(files: CircuitFiles, rows: Sequence[Sequence[int]]) -> Document:
    """ezkl's own witness of some updates."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, witness = Path(folder) / "inputs", Path(folder) / "witness"
        inputs.write_text(json.dumps({"input_data": [[float(entry) for entry in row] for row in rows]}))
        ezkl.gen_witness(
            str(inputs), str(files.compiled), str(witness), vk_path=str(files.vk), srs_path=str(files.srs)
        )
        document: Document = json.loads(witness.read_text())
        return document


def proofs_of(files: CircuitFiles, witnesses: Sequence[Document]) -> list[Proved]:
    """What ezkl's prover makes of each witness, and its verifier of that."""
    return [
        Proved(bytes.fromhex(answer["proof"]), tuple(answer["instances"]), answer["holds"], answer["mocked"])
        for answer in _ask(files, witnesses=list(witnesses))["witnesses"]
    ]


def verdicts(files: CircuitFiles, proofs: Sequence[tuple[bytes, Sequence[str]]]) -> list[bool]:
    """Whether ezkl's verifier takes each proof for these public numbers (hex, as ezkl writes them)."""
    asked = [[proof.hex(), list(instances)] for proof, instances in proofs]
    answers: list[bool] = _ask(files, proofs=asked)["proofs"]
    return answers


def _ask(files: CircuitFiles, **asked: Any) -> Document:
    paths = {name: str(getattr(files, name)) for name in ("settings", "compiled", "vk", "srs")}
    paths["pk"] = str(keys.proving_key(files))
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=json.dumps({"files": paths, "witnesses": [], "proofs": []} | asked),
        capture_output=True,
        text=True,
        cwd=project_root(),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: Document = json.loads(done.stdout)
    return answers


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what ezkl prints is no answer
    request = json.loads(sys.stdin.read())
    if sys.platform == "linux":
        rust_logging.silence()
    with tempfile.TemporaryDirectory() as folder:
        prover = _Prover(Path(folder), request["files"])
        answers.write(
            json.dumps(
                {
                    "witnesses": [prover.prove(witness) for witness in request["witnesses"]],
                    "proofs": [
                        prover.check(bytes.fromhex(p), instances) for p, instances in request["proofs"]
                    ],
                }
            )
        )
    answers.flush()
    os._exit(0)  # ezkl's threads can abort Python's shutdown


class _Prover:
    def __init__(self, folder: Path, files: dict[str, str]) -> None:
        self._witness, self._proof, self._files = folder / "witness", folder / "proof", files

    def prove(self, witness: Document) -> Document:
        files, proof = self._files, self._proof
        self._witness.write_text(json.dumps(witness))
        proof.unlink(missing_ok=True)
        mocked = _accepts(lambda: ezkl.mock(str(self._witness), files["compiled"]))
        made = _accepts(
            lambda: ezkl.prove(str(self._witness), files["compiled"], files["pk"], str(proof), files["srs"])
        )
        if not made or not proof.exists():
            return {"proof": "", "instances": [], "holds": False, "mocked": mocked}
        document = json.loads(proof.read_text())
        return {
            "proof": bytes(document["proof"]).hex(),
            "instances": document["instances"][0],
            "holds": self._verify(),
            "mocked": mocked,
        }

    def check(self, proof: bytes, instances: list[str]) -> bool:
        document = {
            "protocol": None,
            "instances": [instances],
            "proof": list(proof),
            "hex_proof": "0x" + proof.hex(),
            "split": None,
            "pretty_public_inputs": None,
            "timestamp": None,
            "version": None,
        }
        self._proof.write_text(json.dumps(document))
        return self._verify()

    def _verify(self) -> bool:
        files = self._files
        return _accepts(lambda: ezkl.verify(str(self._proof), files["settings"], files["vk"], files["srs"]))


def _accepts(call: Callable[[], object]) -> bool:
    """Whether ezkl says yes; that it raises, or panics, is a no."""
    try:
        return bool(call())
    except BaseException as error:
        if isinstance(error, RuntimeError) or type(error).__name__ == "PanicException":
            return False
        raise


if __name__ == "__main__":
    _main()
