"""Results and answers forged from true ones, posted to real contracts with a real verifier: every one is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

from marketplace.devnet.anvil import Anvil, public_account
from tests.support.forged_answers import forged_answers, true_answers
from tests.support.forgeries import forged_results
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


def test_every_forged_result_is_refused(scene: Scene) -> None:
    play, seen, table = scene.here.play, Counter[str](), forged_results(scene)
    assert len({forgery.name for forgery in table}) == len(table) >= RESULTS
    assert all(forgery.result != scene.here.result or forgery.project is not None for forgery in table)
    for forgery in table:
        answer = refusal(play, post_result(play, forgery.result, forgery.project))
        assert answer is not None, f"ACCEPTED: {forgery.name}"
        assert answer.name in forgery.errors, (forgery.name, answer)
        seen[answer.name] += 1
    print(sum(seen.values()), dict(seen))


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
