"""Results and answers forged from true ones: real contracts with a real verifier refuse each, and so does the audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from marketplace.audit.history import History, read_history
from marketplace.chain.events import ResultPosted
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.storage.cid import digest_of
from marketplace.updates.codec import pack_model
from tests.support import forged_history
from tests.support.false_circuits import false_circuits, other_srs, project_with
from tests.support.forged_answers import forged_answers, true_answers
from tests.support.forgeries import PREFIX, REJECTED, Forgery, forged_results
from tests.support.forgery_scene import Scene, post_result, refusal, set_scene

RESULTS, ANSWERS = 450, 45  # at least so many are in the tables


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Anvil(accounts=20) as chain:
        yield set_scene(chain.url)


def test_true_results_and_answers_are_taken(scene: Scene) -> None:
    """Else it would mean little that the others are refused."""
    for round_ in (scene.here, scene.other, scene.present, scene.seated, scene.twin):
        assert refusal(round_.play, post_result(round_.play, round_.result)) is None
    for name, play, data in true_answers(scene):
        assert refusal(play, data) is None, name


def test_a_true_proof_is_true_wherever_its_statement_is(scene: Scene) -> None:
    """Another proof of the same statement, and the same commitments in a project of other trainers: no forgeries.

    The proof speaks of commitments. Whose they are is the digests' to say, which hold the trainers' addresses.
    """
    here, twin = scene.here, scene.twin
    again = replace(here.result, proof=scene.again.proof)
    assert scene.again.proof != here.result.proof
    assert refusal(here.play, post_result(here.play, again)) is None
    borrowed = replace(twin.result, proof=here.result.proof)
    assert refusal(twin.play, post_result(twin.play, borrowed)) is None


def test_what_nobody_reads_changes_nothing(scene: Scene) -> None:
    """A digest more than arrived, and bytes behind the call: the result is the same."""
    play, true = scene.here.play, scene.here.result
    said = true.arrivals
    spare = replace(true, arrivals=replace(said, digests=(*said.digests, bytes(32))))
    assert refusal(play, post_result(play, spare)) is None
    assert refusal(play, post_result(play, true) + bytes(32)) is None


def test_the_table_of_results_is_as_long_as_it_says(scene: Scene) -> None:
    table = forged_results(scene)
    assert len({forgery.name for forgery in table}) == len(table) >= RESULTS
    assert all(forgery.result != scene.here.result or forgery.project is not None for forgery in table)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.deep), 2])
def test_every_forged_result_is_refused(scene: Scene, step: int) -> None:
    play, seen = scene.here.play, Counter[str]()
    for forgery in forged_results(scene)[::step]:
        answer = refusal(play, post_result(play, forgery.result, forgery.project))
        assert answer is not None, f"ACCEPTED: {forgery.name}"
        assert answer.name in forgery.errors, (forgery.name, answer)
        seen[answer.name] += 1
    assert seen.total() * step >= RESULTS
    print(f"{seen.total()} forged results refused: {dict(seen)}")


def test_every_forged_answer_is_refused(scene: Scene) -> None:
    table = forged_answers(scene)
    assert len({forgery.name for forgery in table}) == len({forgery.data for forgery in table}) >= ANSWERS
    for forgery in table:
        answer = refusal(forgery.play, forgery.data)
        assert answer is not None, f"ACCEPTED: {forgery.name}"
        assert answer.name in forgery.errors, (forgery.name, answer)


def test_the_true_result_is_taken_from_its_aggregator_only(scene: Scene) -> None:
    play = scene.here.play
    for account in (play.owner, play.trainers[0], public_account(19)):
        answer = refusal(play, post_result(play, scene.here.result), account)
        assert answer is not None
        assert answer.name == "NotCurrentAggregator"


# What an auditor is shown. By default a few of each family; `deep`: all, or as many as take minutes, not hours.

every = pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.deep), 67], ids=lambda step: f"one in {step}"
)


@pytest.fixture
def history(scene: Scene) -> Iterator[History]:
    """Of `here` with its true result, of which the audit holds."""
    play = scene.here.play
    with forged_history.posted(play, scene.here.result, bribed=False):
        assert forged_history.first_failure(play) is None
        read = read_history(play.client, play.project)
        assert forged_history.first_doubt(play, read) == ""
        yield read


@pytest.mark.timeout(1800)
@every
def test_no_forged_result_passes_the_audit(scene: Scene, history: History, step: int) -> None:
    """As if the result's transaction had carried it, and nobody had looked at the transaction itself."""
    play = scene.here.play
    for forgery in forged_results(scene)[::step]:
        calldata = post_result(play, forgery.result, forgery.project)
        found = forged_history.first_doubt(play, forged_history.with_result(history, calldata))
        assert found, f"ACCEPTED: {forgery.name}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("step", [pytest.param(12, marks=pytest.mark.deep), 200])
def test_no_forged_result_passes_a_whole_audit_of_a_lying_endpoint(
    scene: Scene, history: History, step: int
) -> None:
    play = scene.here.play
    (event,) = history.of(ResultPosted)
    for forgery in forged_results(scene)[::step]:
        calldata = post_result(play, forgery.result, forgery.project)
        with forged_history.serving(play, event.transaction_hash, calldata) as client:
            failure = forged_history.first_failure(play, client)
        assert failure is not None, f"ACCEPTED: {forgery.name}"
        assert failure.ok is False, (forgery.name, failure)


def left_to_the_proof(scene: Scene) -> Sequence[Forgery]:
    """Forgeries that nothing but the verifier stands against: the commitments are the true ones, the claims fit."""
    true = scene.here.result.proof
    return [
        forgery
        for forgery in forged_results(scene)
        if forgery.errors == REJECTED
        and forgery.result.proof[:PREFIX] == true[:PREFIX]
        and len(forgery.result.proof) == len(true)
    ]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("step", [pytest.param(3, marks=pytest.mark.deep), 150])
def test_what_a_bribed_verifier_let_pass_is_found_by_the_audit(scene: Scene, step: int) -> None:
    """The market took it, and every event, balance and record follows from it: the audit verifies for itself."""
    play = scene.here.play
    for forgery in left_to_the_proof(scene)[::step]:
        with forged_history.posted(play, forgery.result, bribed=True):
            failure = forged_history.first_failure(play)
        assert failure is not None, f"ACCEPTED: {forgery.name}"
        assert (failure.name, failure.ok) == ("round 1: proof", False), (forgery.name, failure)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.deep), 4])
def test_a_model_that_is_not_the_commitments_is_found_by_the_audit(scene: Scene, step: int) -> None:
    """The contract cannot see it: it takes the digest, and whoever looks at the file can challenge the model."""
    play, true = scene.here.play, scene.here.result
    store = play.stage.store
    before = play.model
    off = before.copy()
    off[0] += 1
    files = {
        "one number off": pack_model(off),
        "the model before": pack_model(before),
        "zeros": pack_model(np.zeros_like(before)),
        "a number less": pack_model(before[:-1]),
        "the spec": play.spec.to_bytes(),
        "nothing": b"",
    }
    for name, content in list(files.items())[::step]:
        digest = digest_of(store.add(content))
        assert digest != true.model
        with forged_history.posted(play, replace(true, model=digest), bribed=False):
            failure = forged_history.first_failure(play)
        assert failure is not None, f"ACCEPTED: {name}"
        assert (failure.name, failure.ok) == ("model so far", False), (name, failure)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.deep), 7])
def test_no_forged_answer_to_a_demand_passes_the_audit(scene: Scene, step: int) -> None:
    play = scene.doubted
    (_, _, answer), *_ = true_answers(scene)
    with forged_history.answered(play, answer):
        read = read_history(play.client, play.project)
        assert forged_history.first_doubt(play, read) == ""
        answers = [
            forged
            for forged in forged_answers(scene)
            if forged.play is play and forged.data[:4] == answer[:4]
        ]
        for forged in answers[::step]:
            found = forged_history.first_doubt(play, forged_history.with_proof(read, forged.data))
            assert found.startswith("round 1: proof"), f"ACCEPTED: {forged.name}"


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.deep), 6])
def test_a_circuit_that_is_not_the_specs_is_found_by_the_audit(scene: Scene, step: int) -> None:
    """An owner's own verifier would take anything: nobody who looks joins its project."""
    stage = scene.stage
    for name, code, circuit in list(false_circuits(stage, other_srs(stage)))[::step]:
        play = project_with(stage, code, circuit)
        failure = forged_history.first_failure(play)
        assert failure is not None, f"ACCEPTED: {name}"
        assert (failure.name, failure.ok) in {("circuit", False), ("circuit files", False)}, (name, failure)
