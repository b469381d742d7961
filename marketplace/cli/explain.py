"""`fairshare trainer explain ID`: why was I paid this."""

from typing import TYPE_CHECKING, Annotated

import typer

from marketplace.node import console
from marketplace.node.options import ProjectId, Settings, with_settings

if TYPE_CHECKING:
    from marketplace.audit.explain import Explanation

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
    from marketplace.chain import keystore
    from marketplace.chain.types import address
    from marketplace.errors import FairshareError, Reason
    from marketplace.node.session import connect

    try:
        who = keystore.address_in(settings.keystore) if trainer is None else address(trainer)
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
    console.result(document, "\n\n".join(map(_words, explained)) or "no round has ended yet")


def _words(explanation: "Explanation") -> str:
    """One round for people: numbers as they were used, and where to check them."""
    lines = [f"round {explanation.round}: paid {explanation.paid}: {explanation.why}"]
    if explanation.submission is not None:
        at = explanation.submission.at
        lines.append(f"  submitted   {explanation.submission.update_cid} (transaction {at.transaction})")
    if explanation.scores is not None:
        scores = explanation.scores
        lines += [
            f"  G row       {' '.join(map(str, scores.gram_row))}",
            f"  krum score  {scores.krum_score}; all: {' '.join(map(str, scores.krum_scores))}",
            f"  merged      slots {' '.join(map(str, scores.merged_slots))}",
        ]
    if explanation.pay is not None:
        pay = explanation.pay
        lines += [
            f"  share       {pay.contribution} of {pay.total_contribution} = {pay.share / 1_000_000:.2%}",
            f"  amount      {pay.amount} of {pay.pot} (transaction {pay.at.transaction}, block {pay.at.block})",
        ]
    if explanation.struck:
        lines.append(f"  struck      {explanation.slashed} of the stake")
    return "\n".join(lines)
