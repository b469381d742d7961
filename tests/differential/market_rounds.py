"""A whole round through the market, with a real proof: a project of one round, posted, joined and settled by hand."""

from __future__ import annotations

import tempfile
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import circuit_of, deploy_circuit
from marketplace.chain.compile import compile_source
from marketplace.chain.contracts import GRAM_VERIFIER, contract_at
from marketplace.chain.events import ResultPosted, TrainerStruck, fetch
from marketplace.chain.reverts import Revert, decode_revert
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NO_PERMIT, RoundResult, ScoreRule, address
from marketplace.devnet.anvil import public_account
from marketplace.node.journal import Journal
from marketplace.protocol.field import to_felt
from marketplace.protocol.krum import mask
from marketplace.spec.terms import SpecTerms
from marketplace.spec.terms import terms as terms_of
from marketplace.storage.cid import digest_of
from tests.differential.calls import call_all
from tests.differential.whole_rounds import WholeRound
from tests.support import market_run as run
from tests.support.market_run import Play, Stage
from zk import keys, prover, verifier
from zk.commit import Committer
from zk.curve import Point, x_bytes
from zk.prover import Proof
from zk.shape import CircuitShape

LENGTH = 8
TASK = {"features": LENGTH // 2 - 1, "classes": 2}
_FIRST_TRAINER = 2


class Market:
    """One market on the chain at `url`; circuits are registered as rounds need them."""

    def __init__(self, url: str, cache: Path) -> None:
        self._base = run.set_stage(url, cache, slots=6, length=LENGTH)
        self._stages = {self._base.files.shape: self._base}

    def stage(self, shape: CircuitShape) -> Stage:
        """The market with the circuit of `shape`."""
        if shape not in self._stages:
            self._stages[shape] = _with_circuit(self._base, shape)
        return self._stages[shape]


def proof_of(stage: Stage, whole: WholeRound) -> Proof:
    """A real proof of the round's updates."""
    return prover.prove(stage.files, whole.rows)


def moved_by(stage: Stage, whole: WholeRound, proof: Proof, model: Point) -> Point | Revert:
    """What GramVerifier answers to the proof of the round's statement, asked directly."""
    place = address(stage.deployment.gram_verifier)
    judgement = whole.round.judged()
    present = [slot for slot, row in enumerate(whole.rows) if row is not None]
    felts = [to_felt(entry) for entry in proof.gram]
    contract = contract_at(stage.client.web3, GRAM_VERIFIER, place)
    data = contract.encode_abi(
        "verify", [stage.circuit, mask(present), mask(judgement.merged), tuple(model), felts, proof.proof]
    )
    (answer,) = call_all(stage.url, [(place, bytes.fromhex(data[2:]))])
    if isinstance(answer, Revert):
        return answer
    return Point(int.from_bytes(answer[:32], "big"), int.from_bytes(answer[32:], "big"))


def play(stage: Stage, whole: WholeRound) -> Play:
    """A project with the round's rules, and everything submitted in the round's order; the window is closed."""
    playing = _post(stage, whole)
    rules = whole.round.rules
    run.join_as_aggregator(playing, public_account(1))
    for index in range(rules.slots):
        run.join(playing, public_account(_FIRST_TRAINER + index))
    run.start(playing)
    reference = whole.rows[rules.slots] if rules.reference else None
    if reference is not None:
        run.submit_reference(playing, reference)
    positions = whole.round.positions
    for slot in sorted(whole.round.submitted, key=lambda slot: positions[slot]):
        row = whole.rows[slot]
        assert row is not None
        run.submit(playing, slot, row)
    run.close_window(playing)
    return playing


def result_of(playing: Play, whole: WholeRound, proof: Proof) -> RoundResult:
    """What the round's aggregator posts."""
    judgement = whole.round.judged()
    return RoundResult(
        round=1,
        cohort=0,
        merged=mask(judgement.merged),
        median_score_slot=judgement.median_score_slot,
        median_norm_slot=judgement.median_norm_slot,
        model=digest_of(playing.spec.initial_model),
        before=x_bytes(playing.client.project(playing.project).model),
        neighbours=tuple(mask(near) for near in judgement.neighbours),
        gram=tuple(to_felt(entry) for entry in proof.gram),
        arrivals=run.arrived(playing),
        proof=proof.proof,
    )


def refusal(playing: Play, result: RoundResult) -> Revert | None:
    """How the market refuses the result, asked by `eth_call`; None where it takes it."""
    market = playing.client.market
    data = market.encode_abi("postResult", [playing.project, result.to_abi()])
    request: Any = {
        "from": playing.aggregators[0].address,
        "to": playing.client.address,
        "data": data,
        "gas": hex(25_000_000),
    }
    answer: Any = playing.client.web3.provider.make_request("eth_call", [request, "latest"])  # type: ignore[arg-type]
    if "error" not in answer:
        return None
    return decode_revert(bytes.fromhex(answer["error"]["data"][2:]))


def posted(playing: Play, result: RoundResult) -> tuple[ResultPosted, list[TrainerStruck]]:
    """Posts the result; what the chain says of it."""
    run.send(
        playing.client, playing.aggregators[0], playing.calls.postResult(playing.project, result.to_abi())
    )
    (event,) = fetch(playing.client, [ResultPosted], playing.project)
    return event, fetch(playing.client, [TrainerStruck], playing.project)


def _with_circuit(base: Stage, shape: CircuitShape) -> Stage:
    files = keys.build(shape, base.cache)
    with (
        tempfile.TemporaryDirectory() as folder,
        Journal(Path(folder) / "deployer.sqlite") as journal,
        TransactionSender(
            ChainClient(base.url), public_account(0), journal, lock_directory=Path(folder), poll_s=0.02
        ) as sender,
    ):
        compiled = compile_source(verifier.CONTRACT, verifier.source(files))
        digest = deploy_circuit(sender, address(base.deployment.gram_verifier), compiled, circuit_of(files))
    return replace(base, files=files, circuit=digest)


def _post(stage: Stage, whole: WholeRound) -> Play:
    """The spec's terms with the round's rules, some of which no spec would have."""
    spec = run.spec_for(
        stage,
        task=TASK,
        rounds={"count": 1},
        cohort={"faults": whole.round.rules.faults},
        scoring={"rule": "reference" if whole.round.rules.reference else "projection"},
    )
    cid = stage.store.add(spec.to_bytes())
    model = run.initial_model(spec.length)
    committer = Committer(stage.files)
    terms = _terms(terms_of(spec, digest_of(cid), committer.commit(model)), whole)
    owner = public_account(0)
    function = stage.client.market.functions.create(astuple(terms), NO_PERMIT.to_abi())
    run.send(stage.client, owner, function, value=terms.reward + terms.reveal_bond)
    project = stage.client.project_count()
    return Play(stage, project, spec, stage.client.terms(project), owner, [], [], model, committer)


def _terms(terms: SpecTerms, whole: WholeRound) -> SpecTerms:
    rules = whole.round.rules
    by_rule = ScoreRule(int(rules.score_rule))
    return replace(
        terms,
        max_norm_squared=rules.max_norm_squared,
        score_rule=ScoreRule.REFERENCE if rules.reference else by_rule,
        fallback_rule=by_rule,
        reference_share=whole.share,
        strike_factor=rules.strike_factor,
        duplicate_cosine=rules.duplicate_cosine,
    )
