"""What `fairshare trainer check` finds: the data, a trial round, what it may earn."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marketplace.chain.events import Event, ResultPosted, RoundUndone, fetch
from marketplace.chain.types import Project
from marketplace.errors import FairshareError, Reason
from marketplace.learning.engine.options import PLAIN, Engine
from marketplace.learning.sources.findings import FIX, MEANING
from marketplace.learning.sources.loading import Loaded
from marketplace.node.models import ModelReference, fetch_current, fetch_reference, last_standing
from marketplace.node.outcomes import posted_result
from marketplace.node.peers import PeerBook
from marketplace.node.project import ProjectContext
from marketplace.protocol.krum import members
from marketplace.storage.cid import from_digest
from trainer_node.past_round import PastRound, past_round
from trainer_node.prospects import Prospects, prospects
from trainer_node.trial import Trial, agreement_at, try_round
from zk.curve import Point

MODEL_S = 15.0  # for an earlier model, which need not be there any more


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
                for name in ("pot", "equal_amount", "amount", "stake", "strike_cost")
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


def check_data(
    context: ProjectContext, peers: PeerBook, loaded: Loaded, seed: int, device: str, engine: Engine = PLAIN
) -> DataCheck:
    """Tries sound data on the project's current model. Raises UNAVAILABLE, INTEGRITY where that cannot be had."""
    if not loaded.survey.is_sound or loaded.dataset is None:
        return DataCheck(context.project, loaded, None, None)
    block = context.client.latest_block().number
    state = context.client.project(context.project, block=block)
    _connect(peers, state)
    trial = try_round(
        context.spec,
        context.task,
        context.weights(fetch_current(context, state, block)),
        loaded.dataset,
        seed,
        device,
        engine,
    )
    agreement, past = trial.agreement, None
    last = _last_result(context, block)
    if last is not None:
        model, past = last
        agreement = agreement_at(
            context.spec, context.task, context.weights(model), loaded.dataset, seed, device, engine
        )
    pay = prospects(context.terms, agreement, len(loaded.dataset), past)
    return DataCheck(context.project, loaded, trial, pay)


def _connect(peers: PeerBook, state: Project) -> None:
    peers.connect_to_owner()
    for index in range(state.aggregator_count):
        peers.connect_to(index)


def _last_result(context: ProjectContext, block: int) -> tuple[NDArray[np.int32], PastRound] | None:
    """The last result that changed the model and stands, with the model, int32[d], that its round began with.

    None where there is none, its transaction says another, nobody serves that model any more, or it is sealed.
    """
    client, number = context.client, context.project
    events: list[Event] = fetch(client, [ResultPosted, RoundUndone], number, to_block=block)
    last = last_standing(events)
    if last is None:
        return None
    earlier = [e for e in events if isinstance(e, (ResultPosted, RoundUndone)) and e.round < last.round]
    before = last_standing(earlier)
    try:
        result = posted_result(client, number, last)
        model = fetch_reference(context, _reference(context, before), MODEL_S)
    except FairshareError as error:
        if error.reason not in (Reason.INTEGRITY, Reason.UNAVAILABLE, Reason.NOT_FOUND):
            raise
        return None
    return model, past_round(context.rules, result.gram, members(last.present), last.round)


def _reference(context: ProjectContext, result: ResultPosted | None) -> ModelReference:
    """The model that a result made; the initial one for None."""
    if result is None:
        return ModelReference(0, context.spec.initial_model, context.terms.initial_model)
    return ModelReference(result.round, from_digest(result.model), Point(result.x, result.y))
