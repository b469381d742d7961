"""An owner's node at work beside the trainers', on a market that is stepped by hand (`stepped_market`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from marketplace.chain.events import ReferenceSubmitted
from marketplace.chain.types import RoundResult
from marketplace.errors import FairshareError
from marketplace.learning.data import save_npz
from marketplace.node import logging
from marketplace.node.arrivals import positions
from marketplace.node.models import fetch_current
from marketplace.node.project import load_project
from marketplace.owner.checked import check_project
from marketplace.owner.node import OwnerNode, owner_node, secret_of
from marketplace.owner.post import post
from marketplace.owner.watch import RoundModel
from marketplace.protocol.field import to_felt
from marketplace.protocol.fixed_point import apply_updates
from marketplace.protocol.gram import Gram, gram
from marketplace.protocol.krum import Judgement, judge, mask
from marketplace.spec import ProjectFile
from marketplace.spec.template import template
from marketplace.storage.cid import digest_of, from_digest
from marketplace.updates.codec import pack_model
from marketplace.updates.envelope import OpenedUpdate, open_update
from tests.support.stepped_market import (
    FAULTS,
    OWNER,
    SLOTS,
    WINDOWS,
    Aggregator,
    Ground,
    Play,
    PollingClock,
    iris_part,
    play,
)
from zk import curve

NODE = 99  # the owner's node among a play's daemons


@dataclass
class ReferenceGround(Ground):
    """A market for projects with the reference rule."""

    def post(self, **changes: object) -> int:
        document = ProjectFile.from_toml(template("softmax")).model_dump(exclude_none=True)
        document["task"] |= {"features": 4, "classes": 3}
        document["cohort"] = {"slots": SLOTS, "faults": FAULTS}
        document["rounds"] = {"count": 2} | {f"{n}_window": s for n, s in WINDOWS.items()}
        document["settlement"] = {"mode": "on-demand"}
        document["training"]["epochs"] = 1
        document["evaluation"] = {"file": "evaluation.npz"}
        with self.session(OWNER) as session:
            folder = session.home / f"project-{session.client.project_count()}"
            folder.mkdir()
            for index, name in ((6, "evaluation"), (7, "validation")):
                save_npz(folder / f"{name}.npz", iris_part(index))
            path = folder / "project.toml"
            path.write_text(ProjectFile.model_validate(document, strict=False).to_toml(), encoding="utf8")
            return post(session, check_project(path), again=True, say=lambda _: None).project


@dataclass
class Game:
    """A play, and its owner's node."""

    play: Play
    models: list[RoundModel] = field(default_factory=list)

    @property
    def boss(self) -> Aggregator:
        return self.play.aggregators[0]

    @property
    def node(self) -> OwnerNode:
        return self.play.trainers[NODE]  # type: ignore[return-value]

    def start_node(self) -> None:
        """Starts the owner's node, or starts it again with nothing but its journal."""
        self.stop_node()
        ground, number = self.play.ground, self.play.project
        members = self.play.stack.enter_context(ExitStack())
        session = members.enter_context(ground.session(OWNER))
        context = load_project(session.client, session.store, number, session.cache)
        log, clock = logging.logger(), members.enter_context(PollingClock(session.client, poll_s=0.01))
        secret = secret_of(context, session.journal, None)
        assert secret is not None
        self.play._members[NODE] = members
        self.play.trainers[NODE] = owner_node(  # type: ignore[assignment]
            session, context, clock, secret, log, evaluation=iris_part(6), on_model=self.models.append
        )

    def stop_node(self) -> None:
        self.play.stop_trainer(NODE)

    def reference(self) -> OpenedUpdate | None:
        """The round's reference as the aggregator opens it; None where it is not there, or not served."""
        boss, context = self.boss, self.boss.context
        round_ = boss.state.round
        made = [event for event in self.play.events(ReferenceSubmitted) if event.round == round_]  # type: ignore[attr-defined]
        if not made:
            return None
        bound_to = context.update_context(round_, boss.state.owner)
        try:
            blob = context.store.fetch(from_digest(made[0].blob), max_bytes=10**6, timeout_s=1)  # type: ignore[attr-defined]
        except FairshareError:
            return None
        return open_update(blob, boss.key, bound_to, made[0].digest, context.length)  # type: ignore[attr-defined]

    def judged(self) -> tuple[Gram, Judgement]:
        """What follows from all that is served."""
        context, updates, made = self.boss.context, self.boss.opened(), self.reference()
        rows = [updates[s].update if s in updates else None for s in range(SLOTS)]
        matrix = gram([*rows, made.update if made else None])
        placed = positions(self.boss.arrivals(), SLOTS, 0, lambda *_: True)
        verdict = judge(context.rules, matrix, updates, placed, reference_present=made is not None)
        return matrix, verdict

    def result(self) -> RoundResult:
        """The result, and the new model on the shelf."""
        boss, context, state = self.boss, self.boss.context, self.boss.state
        updates, made = boss.opened(), self.reference()
        matrix, verdict = self.judged()
        model = fetch_current(context, state, boss.client.latest_block().number, 1)
        merged = apply_updates(model, [updates[slot].update for slot in verdict.merged])
        zero = context.committer.zero
        points = [updates[s].commitment if s in updates else zero for s in range(SLOTS)]
        points.append(made.commitment if made else zero)
        return RoundResult(
            round=state.round,
            cohort=0,
            merged=mask(verdict.merged),
            median_score_slot=verdict.median_score_slot,
            median_norm_slot=verdict.median_norm_slot,
            model=digest_of(context.store.add(pack_model(merged))),
            before=curve.x_bytes(state.model),
            neighbours=tuple(mask(near) for near in verdict.neighbours),
            gram=tuple(to_felt(entry) for entry in matrix.triangle),
            arrivals=boss.arrivals(),
            proof=b"".join(curve.to_bytes(point) for point in points),
        )


@contextmanager
def started(ground: ReferenceGround) -> Iterator[Game]:
    """A project in its first round, the owner's node not running yet."""
    with play(ground) as made:
        game = Game(made)
        made.start()
        yield game
