"""Rounds with real proofs through GramVerifier and TrainingMarket: what the chain makes of them is what Python says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from marketplace.chain.reverts import Revert
from marketplace.devnet.anvil import Anvil
from marketplace.protocol import shares
from marketplace.protocol.krum import mask
from tests.differential import market_rounds
from tests.differential.market_rounds import LENGTH, Market
from tests.differential.whole_rounds import KINDS, whole_round
from tests.support import market_run as run
from tests.support.circuits import circuit_cache
from zk.commit import Committer
from zk.curve import moved


@pytest.fixture(scope="module")
def market() -> Iterator[Market]:
    with Anvil(accounts=20) as anvil:
        yield Market(anvil.url, circuit_cache())


@pytest.fixture(scope="module")
def ends() -> Iterator[Counter[str]]:
    counted: Counter[str] = Counter()
    yield counted
    print("\n".join(f"{number:6} {end}" for end, number in sorted(counted.items())))


def assert_alike(market: Market, seed: int, ends: Counter[str]) -> None:
    """One proof; judged by the verifier directly, and paid by the market."""
    whole = whole_round(seed, LENGTH)
    rules, judgement = whole.round.rules, whole.round.judged()
    stage = market.stage(whole.shape)
    proof = market_rounds.proof_of(stage, whole)
    assert proof.gram == whole.round.gram.triangle
    ends["proofs"] += 1
    playing = market_rounds.play(stage, whole)
    before = playing.client.project(playing.project).model
    points = [stage.files.zero if row is None else Committer(stage.files).commit(row) for row in whole.rows]
    after = moved(before, [points[slot] for slot in judgement.merged], stage.files.zero)
    assert market_rounds.moved_by(stage, whole, proof, before) == after
    ends["verified by GramVerifier"] += 1

    result = market_rounds.result_of(playing, whole, proof)
    if len(whole.round.submitted) < rules.quorum:
        expected = Revert("QuorumMissed", {"updates": len(whole.round.submitted), "quorum": rules.quorum})
        assert market_rounds.refusal(playing, result) == expected
        ends["submitted by fewer than the quorum: refused"] += 1
        return
    event, struck = market_rounds.posted(playing, result)
    terms = playing.terms
    trainers = [run.address_of(account) for account in playing.trainers]
    loss = shares.strike_loss(terms.trainer_stake, terms.trainer_stake, terms.strike_slash)
    assert [(strike.trainer, strike.slashed) for strike in struck] == [
        (trainers[slot], loss) for slot in judgement.struck
    ]
    budget = shares.round_budget(terms.reward, terms.rounds, 1, terms.aggregator_fee)
    pot = budget + loss * len(judgement.struck)
    assert event.amounts == shares.amounts(judgement, pot, terms.reference_share)
    assert (event.merged, event.struck) == (mask(judgement.merged), mask(judgement.struck))
    assert (event.x, event.y) == playing.client.project(playing.project).model == after
    accounts = playing.client.trainer_accounts(playing.project)
    assert tuple(account.earned for account in accounts) == event.amounts
    ends["settled by TrainingMarket"] += 1
    ends["settled without a quorum within the norm"] += not judgement.merged
    ends["settled with strikes"] += bool(judgement.struck)
    ends["settled by a reference"] += judgement.by_reference
    ends["settled with absences"] += len(whole.round.submitted) < rules.slots
    ends[f"K = {rules.slots}"] += 1


@pytest.mark.parametrize(
    "seed", [5, 8]
)  # a reference; strikes; both have 6 inputs, as test_payment's circuit
def test_a_proved_round_is_alike_three_times(market: Market, ends: Counter[str], seed: int) -> None:
    assert_alike(market, seed, ends)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(len(KINDS)))
def test_a_proved_round_of_every_kind_of_cohort_is_alike_three_times(
    market: Market, ends: Counter[str], seed: int
) -> None:
    """One by one: a run that was cut off goes on with `-k` and the seeds that are left."""
    assert_alike(market, seed, ends)
