"""Circuits that an owner registers for a project whose spec names the true one's files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from marketplace.chain.artifacts import Artifact
from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.compile import compile_source
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Circuit, address
from marketplace.devnet.anvil import public_account
from marketplace.node.journal import Journal
from tests.support import market_run as run
from tests.support.forgery_scene import LENGTH
from tests.support.market_run import Play, Stage
from zk import keys, verifier
from zk.curve import Point
from zk.files import CircuitFiles

ACCEPTS_ALL = bytes.fromhex("60015f5260205ff3")  # returns true, whatever it is asked


def false_circuits(stage: Stage, foreign: CircuitFiles) -> Iterator[tuple[str, Artifact, Circuit]]:
    """By name, the verifier and what it is registered as. `foreign`: the same shape with another SRS."""
    code, true = _verifier(stage.files), circuit_of(stage.files)
    init = b"\x67" + ACCEPTS_ALL + bytes.fromhex("5f5260086018f3")  # returns these eight bytes as its code
    anything = replace(code, name="AcceptsAll", bytecode=init.hex(), deployed_bytecode=ACCEPTS_ALL.hex())
    yield "a verifier that takes anything", anything, true
    yield "another SRS's keys", _verifier(foreign), true
    yield "another SRS's keys and [tau]G2", _verifier(foreign), circuit_of(foreign)
    yield "another [tau]G2", code, replace(true, tau=foreign.tau)
    yield "another C_0", code, replace(true, zero=Point(1, 2))
    yield "fewer numbers", code, replace(true, length=LENGTH - 1)
    yield "more rows", code, replace(true, logrows=true.logrows + 1)
    yield "a longer proof", code, replace(true, proof_length=true.proof_length + 32)


def project_with(stage: Stage, code: Artifact, circuit: Circuit) -> Play:
    """Registers the circuit, and posts a project whose terms and spec have its digest."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "deployer.sqlite") as journal,
        TransactionSender(
            ChainClient(stage.url), public_account(0), journal, lock_directory=Path(folder), poll_s=0.02
        ) as sender,
    ):
        digest = deploy_circuit(sender, address(stage.deployment.gram_verifier), code, circuit)
    task = {"features": LENGTH // 2 - 1, "classes": 2}
    elsewhere = replace(stage, circuit=digest)
    return run.post(elsewhere, public_account(0), run.spec_for(elsewhere, task=task))


def other_srs(stage: Stage) -> CircuitFiles:
    """The circuit of the stage's shape with another SRS."""
    return keys.build(stage.files.shape, stage.cache.with_name("test-circuits-of-another-srs"))


def _verifier(files: CircuitFiles) -> Artifact:
    return compile_source(verifier.CONTRACT, verifier.source(files))
