"""`fairshare challenge`: doubt the last round's results, with a deposit."""

from enum import StrEnum
from typing import Annotated

import typer

from marketplace.errors import FairshareError, Reason
from marketplace.node import console
from marketplace.node.options import ProjectId, Settings, with_settings

app = typer.Typer()

CHALLENGER = "challenger"


class Doubt(StrEnum):
    """What is challenged."""

    MODEL = "model"
    PROOF = "proof"


@app.command()
@with_settings
def challenge(
    settings: Settings,
    project: ProjectId,
    doubt: Annotated[Doubt, typer.Argument(metavar="model|proof", help="What you doubt.")],
    cohort: Annotated[int, typer.Option("--cohort", min=0, max=14, help="Whose proof; of a proof only.")] = 0,
) -> None:
    """Demand the last round's model, or the proof of a cohort's result; your deposit is lost if it comes.

    `model`: it cannot be fetched, or is not what the chain holds. `proof`: for projects that settle on demand. If no
    answer comes in time the round is undone, its aggregator loses its bond, and you get your deposit twice.
    """
    from marketplace.chain.types import ChallengeKind
    from marketplace.node.outcomes import outcomes
    from marketplace.node.session import open_session
    from marketplace.node.stake import ensure_free_stake

    with open_session(settings, CHALLENGER) as session:
        client, terms = session.client, session.client.terms(project)
        found = outcomes(client, project)
        if not found:
            raise FairshareError(
                Reason.REFUSED, f"project {project} has no result that could be challenged", "wait for one"
            )
        kind = ChallengeKind[doubt.name]
        intent = f"challenge:{project}:{found[-1].round}:{doubt}:{cohort}"
        ensure_free_stake(
            client, session.sender, terms.token, terms.complaint_deposit, "challenge", f"{intent}:stake"
        )
        call = client.market.functions.challenge(
            project, int(kind), cohort, [outcome.to_abi() for outcome in found]
        )
        session.sender.send(intent, call)
        deadline = client.challenge(project).deadline
    document = {
        "project": project,
        "round": found[-1].round,
        "kind": str(doubt),
        "deposit": str(terms.complaint_deposit),
        "deadline": deadline,
    }
    console.result(document, console.lines(document))
