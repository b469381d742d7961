"""Differential privacy as a trainer chose it, within what the owner asks for: what noise, and what it may cost."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from marketplace.errors import FairshareError, Reason
from marketplace.learning.accounting import Spending, epsilon, noise_for, noise_of_update, round_of
from marketplace.learning.private import Noise
from marketplace.spec import ProjectSpec
from marketplace.spec.sections import PrivacySection, TrainingSection

DEFAULT_DELTA = 1e-5
DEFAULT_MAX_GRAD_NORM = 1.0


@dataclass(frozen=True)
class Choice:
    """The --dp-* options; None where one is not given."""

    epsilon: float | None = None
    delta: float | None = None
    max_grad_norm: float | None = None
    noise_multiplier: float | None = None

    def over(self, earlier: Choice | None) -> Choice:
        """This choice, and where it says nothing an earlier one."""
        if earlier is None:
            return self
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return replace(earlier, **given)


@dataclass(frozen=True)
class Policy:
    """What a trainer holds itself to in a project: at most (epsilon, delta) over all of its rounds."""

    epsilon: float
    delta: float
    noise: Noise
    a_round: Spending

    @property
    def epsilon_of_a_round(self) -> float:
        """Of one round by itself."""
        return epsilon([self.a_round], self.delta)

    def epsilon_of(self, rounds: int) -> float:
        """Of so many rounds, if none has to be done again."""
        return epsilon([self.a_round._replace(steps=self.a_round.steps * rounds)], self.delta)

    def to_json(self) -> dict[str, Any]:
        """For the journal, the log and --json."""
        return {
            "epsilon_budget": self.epsilon,
            "delta": self.delta,
            "max_grad_norm": self.noise.max_grad_norm,
            "noise_multiplier": self.noise.multiplier,
            "sample_rate": self.a_round.sample_rate,
            "steps_of_a_round": self.a_round.steps,
        }


def policy_of(
    demanded: PrivacySection | None,
    chosen: Choice,
    training: TrainingSection,
    rounds: int,
    rows: int,
) -> Policy | None:
    """The policy of a trainer with `rows` rows in a project of `rounds` rounds; None: it trains without noise.

    What is not chosen is as `demanded` by the owner. Without a noise multiplier it is the one with which the budget
    lasts for all rounds. Raises BAD_INPUT for a choice weaker than what the owner demands, or that promises nothing;
    TOOL_MISSING without opacus.
    """
    if demanded is None and chosen == Choice():
        return None
    owners = Choice() if demanded is None else Choice(**demanded.model_dump())
    said = chosen.over(owners)
    if said.epsilon is None:
        raise FairshareError(Reason.BAD_INPUT, "no privacy budget is given", "give it with --dp-epsilon")
    delta = DEFAULT_DELTA if said.delta is None else said.delta
    norm = DEFAULT_MAX_GRAD_NORM if said.max_grad_norm is None else said.max_grad_norm
    sigma = said.noise_multiplier
    _check(demanded, said.epsilon, delta, sigma, rows)
    if sigma is None:
        sigma = noise_for(said.epsilon, delta, round_of(rows, training, 1.0), rounds)
    return Policy(said.epsilon, delta, Noise(sigma, norm), round_of(rows, training, sigma))


def foreseen(policy: Policy, spec: ProjectSpec, rows: int, length: int) -> dict[str, Any]:
    """What a policy means, for somebody who has not joined yet. `length`: d."""
    training, rounds = spec.training, spec.rounds.count
    of_one = noise_of_update(
        policy.a_round, policy.noise.max_grad_norm, rows, training.learning_rate, training.momentum
    )
    return policy.to_json() | {
        "asked_for_by_owner": spec.privacy is not None,
        "epsilon_of_a_round": policy.epsilon_of_a_round,
        "epsilon_of_all_rounds": policy.epsilon_of(rounds),
        "noise_in_an_update": of_one * length**0.5,  # Euclidean length, beside training.clip_norm
        "clip_norm": training.clip_norm,
    }


def caution(spec: ProjectSpec, strike_cost: int) -> str | None:
    """What a trainer should know that adds noise nobody asked for; None where the owner did.

    `strike_cost`: as `prospects.strike_cost` has it.
    """
    if spec.privacy is not None:
        return None
    return (
        "the owner asks for no noise: among updates without it yours will look like an attacker's, and is "
        f"likely to {'cost your stake' if strike_cost else 'be left out'} (docs/privacy.md)"
    )


def _check(
    demanded: PrivacySection | None, budget: float, delta: float, sigma: float | None, rows: int
) -> None:
    if delta >= 1 / rows:
        raise FairshareError(
            Reason.BAD_INPUT,
            f"delta {delta:g} promises nothing for {rows} rows: one of them could be published whole",
            f"use a --dp-delta well below {1 / rows:.2g}",
        )
    if demanded is None:
        return
    weaker = [
        f"{name} {ours:g} where the owner asks for {most:g} at most"
        for name, ours, most in (("epsilon", budget, demanded.epsilon), ("delta", delta, demanded.delta))
        if ours > most
    ]
    least = demanded.noise_multiplier
    if least is not None and sigma is not None and sigma < least:
        weaker.append(f"a noise multiplier of {sigma:g} where the owner asks for {least:g} at least")
    if weaker:
        raise FairshareError(
            Reason.BAD_INPUT, f"less privacy than the project's: {'; '.join(weaker)}", "leave the option out"
        )
