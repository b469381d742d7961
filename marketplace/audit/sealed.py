"""Models that are sealed to a project's members: to whom, which anybody can check, and what they are, with a key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from marketplace.audit.models import vector_of
from marketplace.audit.report import failed, unchecked
from marketplace.audit.rounds import CohortReplay, RoundReplay
from marketplace.audit.run import Run
from marketplace.errors import FairshareError, Reason
from marketplace.node.members import keys_of, recipients
from marketplace.spec.posted import ProjectSpec
from marketplace.storage.cid import from_digest
from marketplace.updates.sealed_model import ModelContext, most_sealed_bytes, open_model, recipients_of

NO_KEY = "not checkable without a member's key: the model is sealed to the project's members"


def check_recipients(run: Run, round_: RoundReplay, cohort: CohortReplay) -> str:
    """A result's model has an envelope for each member as of the round's opening, for the owner, and for nobody else.

    Whether each envelope opens, its holder alone can say.
    """
    opened, spec = round_.opened.block_number, run.need_spec()
    then = [event for event in run.history.events if event.block_number <= opened]
    due = set(recipients(keys_of(then).values(), _owner_key(spec)))
    found = set(recipients_of(_blob(run, cohort)))
    if found - due:
        raise failed(
            f"the model is sealed to {len(found - due)} keys of nobody who was a member in block {opened}"
        )
    if due - found:
        raise failed(f"the model is not sealed to {len(due - found)} who were members in block {opened}")
    return f"the model is sealed to the {len(due)} keys of members and owner as of block {opened}, and to no other"


def check_model(run: Run, round_: RoundReplay, cohort: CohortReplay) -> str:
    """As `models.check_model`, with a key of the run; UNAVAILABLE where it has none that opens it."""
    if run.need_committer().commit(load_model(run, round_, cohort)) != cohort.model:
        raise failed(f"the sealed model {_cid(cohort)} is not the one behind the commitment on chain")
    return f"the sealed model {_cid(cohort)} opens, and is the one behind the commitment on chain"


def load_model(run: Run, round_: RoundReplay, cohort: CohortReplay) -> NDArray[np.int32]:
    """A result's model as it is, int32 [length]: opened, or as an answer to a challenge put it on chain."""
    try:
        return _opened(run, round_, cohort)
    except FairshareError as error:
        if error.reason is not Reason.UNAVAILABLE or round_.model_answer is None:
            raise
    if cohort is not round_.model_result:
        raise unchecked(NO_KEY)  # the answer shows what the whole round made
    return vector_of(round_.model_answer.packed, "<i4", run.need_length())


def _opened(run: Run, round_: RoundReplay, cohort: CohortReplay) -> NDArray[np.int32]:
    if not run.keys:
        raise unchecked(NO_KEY)
    blob = _blob(run, cohort)
    sealed_to = recipients_of(blob)
    key = next((key for key in run.keys if key.public in sealed_to), None)
    if key is None:
        raise unchecked(f"not checkable with this key: round {round_.number}'s model is not sealed to it")
    bound_to = ModelContext(run.history.chain_id, run.history.market, run.history.project, round_.number)
    return open_model(blob, key, bound_to, run.need_length())


def _blob(run: Run, cohort: CohortReplay) -> bytes:
    limit = most_sealed_bytes(run.need_length())
    return run.store.fetch(_cid(cohort), max_bytes=limit, timeout_s=run.timeout_s)


def _cid(cohort: CohortReplay) -> str:
    if cohort.posted is None:
        raise unchecked("there is no result")
    return from_digest(cohort.posted.model)


def _owner_key(spec: ProjectSpec) -> bytes:
    if spec.sealing is None:
        raise unchecked("the spec names no key of the owner")
    return spec.sealing.key
