"""What noise a trainer takes, from its own options and the owner's section."""

from __future__ import annotations

import pytest
from opacus.accountants import RDPAccountant

from marketplace.errors import FairshareError, Reason
from marketplace.learning.accounting import noise_of_update
from marketplace.spec import ChainSection, CircuitSection, ProjectFile, ProjectSpec, template
from marketplace.spec.sections import PrivacySection
from trainer_node.privacy import Choice, Policy, caution, foreseen, policy_of

PROJECT = ProjectFile.from_toml(template("softmax"))
TRAINING = PROJECT.training
CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
ROUNDS, ROWS = 5, 144
OWNERS = PrivacySection(epsilon=8.0, delta=1e-5)


def policy(owners: PrivacySection | None, **chosen: float) -> Policy:
    found = policy_of(owners, Choice(**chosen), TRAINING, ROUNDS, ROWS)
    assert found is not None
    return found


def posted(file: ProjectFile) -> ProjectSpec:
    shape = file.shape
    circuit = CircuitSection(
        digest="0x" + "ab" * 32, slots=shape.slots, length=shape.length, srs_kind="test", vk=CID, srs=CID
    )
    return file.post(
        circuit=circuit,
        chain=ChainSection(chain_id=31337, market="0x" + "12" * 20),
        initial_model=CID,
        evaluation_sha256="cd" * 32,
        validation="0x" + "ef" * 32,
    )


def accountants(policy: Policy, rounds: int) -> float:
    made = RDPAccountant()
    sigma, rate, steps = policy.a_round
    made.history = [(sigma, rate, steps * rounds)]
    return float(made.get_epsilon(policy.delta))


def test_nobody_asks_nobody_adds_noise() -> None:
    assert policy_of(None, Choice(), TRAINING, ROUNDS, ROWS) is None


def test_what_the_owner_asks_for_lasts_for_all_rounds() -> None:
    found = policy(OWNERS)
    assert (found.epsilon, found.delta, found.noise.max_grad_norm) == (8.0, 1e-5, 1.0)
    assert 7.84 < accountants(found, ROUNDS) <= 8.0
    assert accountants(found, ROUNDS + 1) > 8.0


def test_a_trainer_may_choose_by_itself() -> None:
    found = policy(None, epsilon=2.0)
    assert (found.epsilon, found.delta, found.noise.max_grad_norm) == (2.0, 1e-5, 1.0)
    assert accountants(found, ROUNDS) <= 2.0
    found = policy(None, epsilon=2.0, delta=1e-4, max_grad_norm=0.3, noise_multiplier=4.0)
    assert (found.delta, found.noise.max_grad_norm, found.noise.multiplier) == (1e-4, 0.3, 4.0)


def test_a_trainer_may_ask_more_of_itself_than_the_owner_does() -> None:
    found = policy(OWNERS, epsilon=3.0)
    assert (found.epsilon, found.delta) == (3.0, 1e-5)
    assert found.noise.multiplier > policy(OWNERS).noise.multiplier


@pytest.mark.parametrize(
    ("owners", "chosen", "said"),
    [
        (OWNERS, {"epsilon": 8.1}, "epsilon 8.1 where the owner asks for 8 at most"),
        (OWNERS, {"delta": 1e-4}, "delta 0.0001"),
        (
            PrivacySection(epsilon=8.0, delta=1e-5, noise_multiplier=1.0),
            {"noise_multiplier": 0.9},
            "0.9 where the owner asks for 1 at least",
        ),
        (None, {"epsilon": 1.0, "delta": 1 / ROWS}, "promises nothing for 144 rows"),
        (None, {"noise_multiplier": 1.0}, "no privacy budget"),
        (None, {"epsilon": 1e-3}, "no noise keeps"),
    ],
)
def test_less_than_that_is_refused(
    owners: PrivacySection | None, chosen: dict[str, float], said: str
) -> None:
    with pytest.raises(FairshareError) as caught:
        policy(owners, **chosen)
    assert caught.value.reason is Reason.BAD_INPUT
    assert said in caught.value.message
    assert caught.value.hint


def test_a_choice_goes_on_where_nothing_new_is_chosen() -> None:
    earlier = Choice(epsilon=3.0, noise_multiplier=1.5)
    assert Choice().over(earlier) == earlier
    assert Choice(epsilon=4.0).over(earlier) == Choice(epsilon=4.0, noise_multiplier=1.5)
    assert Choice(delta=1e-6).over(None) == Choice(delta=1e-6)


def test_what_is_said_before_joining() -> None:
    found = policy(OWNERS)
    said = foreseen(found, posted(PROJECT), ROWS, 650)
    assert not said["asked_for_by_owner"]
    assert said["epsilon_budget"] == 8.0
    assert said["epsilon_of_a_round"] == pytest.approx(accountants(found, 1))
    assert said["epsilon_of_all_rounds"] == pytest.approx(accountants(found, ROUNDS))
    each = noise_of_update(found.a_round, 1.0, ROWS, TRAINING.learning_rate, TRAINING.momentum)
    assert said["noise_in_an_update"] == pytest.approx(each * 650**0.5)
    assert said["clip_norm"] == TRAINING.clip_norm


def test_who_adds_noise_unasked_is_warned() -> None:
    """A trainer with noise among others without was struck in every round: benchmarks/privacy.py."""
    assert "cost your stake" in (caution(posted(PROJECT), strike_cost=200) or "")
    assert "be left out" in (caution(posted(PROJECT), strike_cost=0) or "")
    assert caution(posted(PROJECT.model_copy(update={"privacy": OWNERS})), strike_cost=200) is None
