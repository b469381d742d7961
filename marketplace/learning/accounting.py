"""What training with noise costs in privacy: opacus' RDP accountant over what was done (docs/privacy.md).

RDP of the sampled Gaussian mechanism (Mironov, Talwar, Zhang, arXiv:1908.10530), to (epsilon, delta) by Theorem 21 of
Balle et al., arXiv:1905.09982. Neighbours are data sets of as many rows, one of which has a row that adds nothing where
the other has any (zero-out: Ponomareva et al., arXiv:2303.00654, 2.1.1): the number of rows is taken to be known.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from marketplace.errors import FairshareError, Reason
from marketplace.spec.sections import TrainingSection

if TYPE_CHECKING:
    from opacus.accountants import RDPAccountant

MISSING_HINT = "pip install 'fairshare[privacy]'"


class Spending(NamedTuple):
    """Steps of training, as opacus' accountants keep them."""

    noise_multiplier: float  # sigma: deviation of the noise on a sum of gradients, in clipped lengths
    sample_rate: float  # q: with which each row is in a step's batch
    steps: int


History = Sequence[Spending]


def round_of(rows: int, training: TrainingSection, noise_multiplier: float) -> Spending:
    """A round of training on `rows` rows: as many steps as without noise, each row in each with the rate that makes
    the batches of an epoch."""
    a_epoch = math.ceil(rows / training.batch_size)
    return Spending(noise_multiplier, 1.0 / a_epoch, a_epoch * training.epochs)


def with_spending(history: History, spending: Spending) -> tuple[Spending, ...]:
    """`history` and then `spending`; what is alike and follows one another is one entry."""
    if history and history[-1][:2] == spending[:2]:
        return (*history[:-1], history[-1]._replace(steps=history[-1].steps + spending.steps))
    return (*history, spending)


def epsilon(history: History, delta: float) -> float:
    """Epsilon of all of `history` at `delta`, as `RDPAccountant.get_epsilon` says; 0 for none of it.

    TOOL_MISSING where opacus is not installed.
    """
    orders = tuple(accountant().DEFAULT_ALPHAS)
    from opacus.accountants.analysis import rdp

    spent = [_of_a_step(one.noise_multiplier, one.sample_rate, orders) * one.steps for one in history]
    if not sum(one.steps for one in history):
        return 0.0
    found, _ = rdp.get_privacy_spent(orders=orders, rdp=sum(spent), delta=delta)
    return float(found)


def noise_for(budget: float, delta: float, a_round: Spending, rounds: int) -> float:
    """The noise multiplier with which `rounds` rounds like `a_round` stay within epsilon `budget`, by opacus' search.

    Up to 1 % of the budget is left. Raises BAD_INPUT where no noise is enough, TOOL_MISSING without opacus.
    """
    orders = accountant().DEFAULT_ALPHAS
    from opacus.accountants.analysis import rdp
    from opacus.accountants.utils import get_noise_multiplier

    least, _ = rdp.get_privacy_spent(  # of endless noise
        orders=orders, rdp=np.zeros(len(orders)), delta=delta
    )
    if budget <= 1.01 * least:  # opacus' search would take minutes to find out
        raise FairshareError(
            Reason.BAD_INPUT,
            f"no noise keeps {rounds} rounds within epsilon {budget:g} at delta {delta:g}",
            "give a larger epsilon or delta",
        )
    found = get_noise_multiplier(
        target_epsilon=budget,
        target_delta=delta,
        sample_rate=a_round.sample_rate,
        steps=a_round.steps * rounds,
        accountant="rdp",
        epsilon_tolerance=budget / 100,
    )
    return float(found)


def rounds_within(history: History, a_round: Spending, budget: float, delta: float, most: int) -> int:
    """How many rounds like `a_round` still fit into epsilon `budget` after `history`; `most` at most."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        more = a_round._replace(steps=a_round.steps * middle)
        if epsilon(with_spending(history, more), delta) <= budget:
            low = middle
        else:
            high = middle - 1
    return low


def noise_of_update(
    a_round: Spending, max_grad_norm: float, rows: int, learning_rate: float, momentum: float
) -> float:
    """Standard deviation of the noise in each parameter of a round's delta, where gradients do not answer to it.

    A step adds noise of deviation sigma * C / (q * rows) to the mean gradient; step s of T is in the delta
    learning_rate * (1 - momentum^(T - s + 1)) / (1 - momentum) times.
    """
    m, steps = momentum, a_round.steps
    gains = steps - 2 * m * (1 - m**steps) / (1 - m) + m**2 * (1 - m ** (2 * steps)) / (1 - m**2)
    of_a_step = a_round.noise_multiplier * max_grad_norm / (a_round.sample_rate * rows)
    return learning_rate * of_a_step * math.sqrt(gains) / (1 - m)


@lru_cache(maxsize=64)
def _of_a_step(noise_multiplier: float, sample_rate: float, orders: tuple[float, ...]) -> NDArray[np.float64]:
    """RDP of one step at these orders: it adds up over steps, and takes a tenth of a second to find."""
    from opacus.accountants.analysis import rdp

    found: NDArray[np.float64] = rdp.compute_rdp(
        q=sample_rate, noise_multiplier=noise_multiplier, steps=1, orders=list(orders)
    )
    return found


def accountant() -> RDPAccountant:
    """A new RDP accountant of opacus; TOOL_MISSING where opacus is not installed."""
    try:
        from opacus.accountants import RDPAccountant
    except ImportError as error:
        raise FairshareError(
            Reason.TOOL_MISSING, "training with differential privacy needs opacus", MISSING_HINT
        ) from error
    # Said of budgets at the ends of what RDP's orders resolve: epsilon is then larger than it had to be, and true.
    warnings.filterwarnings("ignore", message="Optimal order is the", category=UserWarning)
    return RDPAccountant()
