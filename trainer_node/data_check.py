"""What `fairshare trainer check` finds: the data, a trial round, what it may earn."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import Event, ResultPosted, RoundUndone, fetch
from marketplace.errors import FairshareError, Reason
from marketplace.learning.sources.findings import FIX, MEANING
from marketplace.learning.sources.loading import Loaded
from marketplace.node.models import fetch_current, last_standing
from marketplace.node.outcomes import posted_result
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.protocol.krum import members
from trainer_node.prospects import PastRound, Prospects, past_round, prospects
from trainer_node.trial import Trial, try_round


@dataclass(frozen=True)
class DataCheck:
    """All that was found. `trial`, `pay`: None where the data is not sound."""

    project: int
    loaded: Loaded
    trial: Trial | None
    pay: Prospects | None

    @property
    def is_sound(self) -> bool:
        """Whether a trainer can join with this data."""
        return self.loaded.survey.is_sound

    def to_dict(self) -> dict[str, Any]:
        """For JSON; amounts as decimal strings."""
        survey, description = self.loaded.survey, self.loaded.description
        pay = None if self.pay is None else asdict(self.pay)
        if pay is not None:
            pay |= {
                name: None if pay[name] is None else str(pay[name])
                for name in ("pot", "equal_amount", "amount")
            }
        return {
            "project": self.project,
            "ok": self.is_sound,
            "data": asdict(description) | {"features": len(description.features)},
            "rows": survey.rows,
            "classes": survey.counts.tolist(),
            "lowest": survey.lowest if math.isfinite(survey.lowest) else None,
            "highest": survey.highest if math.isfinite(survey.highest) else None,
            "notes": list(self.loaded.notes),
            "problems": [
                {
                    "kind": str(kind),
                    "count": count,
                    "means": MEANING[kind],
                    "fix": FIX[kind],
                    "first": [asdict(finding) for finding in survey.findings.first.get(kind, ())],
                }
                for kind, count in survey.findings.counts.items()
            ],
            "trial": None if self.trial is None else asdict(self.trial),
            "pay": pay,
        }


def check_data(context: ProjectContext, peers: PeerBook, loaded: Loaded, seed: int, device: str) -> DataCheck:
    """Tries sound data on the project's current model. Raises UNAVAILABLE, INTEGRITY where that cannot be had."""
    if not loaded.survey.is_sound or loaded.dataset is None:
        return DataCheck(context.project, loaded, None, None)
    block = context.client.latest_block().number
    weights = context.weights(_current_model(context, peers, block))
    trial = try_round(context.spec, context.task, weights, loaded.dataset, seed, device)
    past = _past_round(context, block)
    return DataCheck(
        context.project, loaded, trial, prospects(context.terms, trial.agreement, trial.norm, past)
    )


def _current_model(context: ProjectContext, peers: PeerBook, block: int) -> NDArray[np.int32]:
    state = context.client.project(context.project, block=block)
    peers.connect_to_owner()
    for index in range(state.aggregator_count):
        peers.connect_to(index)
    return fetch_current(context, state, block)


def _past_round(context: ProjectContext, block: int) -> PastRound | None:
    """The last result that changed the model and stands; None where there is none, or its transaction says another."""
    client, number = context.client, context.project
    events: list[Event] = fetch(client, [ResultPosted, RoundUndone], number, to_block=block)
    last = last_standing(events)
    if last is None:
        return None
    try:
        result = posted_result(client, number, last)
    except FairshareError as error:
        if error.reason is not Reason.INTEGRITY:
            raise
        return None  # posted through another contract: what it said cannot be read here
    return past_round(context.rules, result.gram, members(last.present), last.round)
