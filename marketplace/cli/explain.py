"""`fairshare trainer explain ID`: why was I paid this."""

from typing import TYPE_CHECKING, Annotated

import typer

from marketplace.node import console
from marketplace.node.options import ProjectId, Settings, with_settings

if TYPE_CHECKING:
    from marketplace.audit.explain import Explanation, PayShown
    from marketplace.audit.explain_sketch import DisputeShown, SketchShown

Round = Annotated[int | None, typer.Option("--round", min=1, help="One round; default: all that ended.")]
Trainer = Annotated[
    str | None, typer.Option("--trainer", metavar="0x..", help="Another trainer than your keystore's.")
]


@with_settings
def explain(settings: Settings, project: ProjectId, round: Round = None, trainer: Trainer = None) -> None:
    """Explain a payment: G, scores, mask, share and amount, each with the transaction that shows it."""
    from marketplace.audit.explain import explain as explain_one
    from marketplace.audit.explain import explain_round
    from marketplace.audit.history import read_history
    from marketplace.audit.replay import replay
    from marketplace.audit.rounds import Outcome
    from marketplace.chain.types import address
    from marketplace.errors import FairshareError, Reason
    from marketplace.node.session import connect, own_address

    try:
        who = own_address(settings) if trainer is None else address(trainer)
    except ValueError as error:
        raise FairshareError(
            Reason.BAD_INPUT, f"{trainer!r} is no address", "give 0x and 40 hex digits"
        ) from error
    client = connect(settings)
    with console.working(f"reading the history of project {project}"):
        history = read_history(client, project)
        ended = [round_ for round_ in replay(history).rounds if round_.outcome is not Outcome.OPEN]
    if round is None:
        explained = [explain_round(history, round_, who) for round_ in ended]
    else:
        explained = [explain_one(history, who, round)]
    document = {
        "project": project,
        "trainer": str(who),
        "rounds": [explanation.to_dict() for explanation in explained],
    }
    console.result(document, "\n\n".join(map(words, explained)) or "no round has ended yet")


def words(explanation: "Explanation") -> str:
    """One round for people: numbers as they were used, and where to check them."""
    lines = [f"round {explanation.round}: paid {explanation.paid}: {explanation.why}"]
    if explanation.slot is not None:
        lines.append(
            f"  seat        cohort {explanation.cohort}, slot {explanation.slot} (trainer {explanation.number})"
        )
    if explanation.submission is not None:
        submission = explanation.submission
        position = f"position {submission.position}" if submission.position else "position not known"
        lines.append(
            f"  submitted   {submission.update_cid}, {position} (transaction {submission.at.transaction})"
        )
    if explanation.sketch is not None and explanation.sketch.root is not None:
        lines += _made_from(explanation.sketch)
    lines += [_asked(dispute) for dispute in explanation.disputes]
    if explanation.scores is not None:
        scores = explanation.scores
        lines += [
            f"  G row       {' '.join(map(str, scores.gram_row))}",
            f"  norm        {scores.norm}; median {scores.median_norm}",
            f"  krum score  {scores.krum_score}; all: {' '.join(map(str, scores.krum_scores))}",
            f"  merged      slots {' '.join(map(str, scores.merged_slots))}",
        ]
    if explanation.pay is not None:
        lines += _sum(explanation.pay)
    if explanation.struck:
        lines.append(f"  struck      {explanation.slashed} of the stake")
    if explanation.withheld:
        lines.append(f"  withheld    {explanation.withheld} of the stake, for an update that was not shown")
    return "\n".join(lines)


def _made_from(sketch: "SketchShown") -> list[str]:
    """What G's row is made from on the sketch path."""
    return [
        f"  update      {sketch.chunks} chunks of {sketch.chunk_length} numbers, root {sketch.root}",
        f"  sketch      {sketch.width} numbers, drawn by the round's seed {sketch.seed}",
    ]


def _asked(dispute: "DisputeShown") -> str:
    about = "the sum of the merged sketches" if dispute.cohort is None else f"cohort {dispute.cohort}"
    if dispute.slot is not None:
        about += f", the sketch of slot {dispute.slot}"
    if dispute.chunk is not None:
        about += f", chunk {dispute.chunk} of the new model"
    return f"  question    {about}: {dispute.outcome} (transaction {dispute.at.transaction})"


def _sum(pay: "PayShown") -> list[str]:
    """The amount as a sum that can be done by hand; // rounds down, and a part whose total is 0 is nothing."""
    parts = [
        f"{pot} * {own} // {total}" if total else "0"
        for pot, own, total in (
            (pay.pot - pay.reference_pot, pay.contribution, pay.total_contribution),
            (pay.reference_pot, pay.reference_contribution, pay.total_reference_contribution),
        )
    ]
    return [
        f"  pot         {pay.pot} = {pay.budget} budget + {pay.from_timeouts} time-outs + {pay.from_strikes} strikes",
        f"  by rule     {pay.contribution} of {pay.total_contribution}, of a pot of {pay.pot - pay.reference_pot}",
        f"  reference   {pay.reference_contribution} of {pay.total_reference_contribution}, "
        f"of a pot of {pay.reference_pot}",
        f"  amount      {pay.amount} = {parts[0]} + {parts[1]}: {pay.share / 1_000_000:.2%} of the pot "
        f"(transaction {pay.at.transaction}, block {pay.at.block})",
    ]
