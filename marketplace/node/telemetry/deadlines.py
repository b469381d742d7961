"""Which deadlines a project has ahead of it."""

from __future__ import annotations

from marketplace.chain.types import Project, Status


def deadlines(project: Project, now: int) -> dict[str, int]:
    """Seconds until each deadline that is ahead of `now`, a block's timestamp, by name."""
    match project.status:
        case Status.OPEN:
            named = {"join": project.join_deadline}
        case Status.ACTIVE:
            named = {
                "submit": project.submit_deadline,
                "answer": project.answer_deadline,
                "result": project.result_deadline,
                "challenge": project.challenge_deadline,
            }
        case Status.CLOSING:
            named = {"challenge": project.challenge_deadline}
        case _:
            named = {}
    return {name: deadline - now for name, deadline in named.items() if deadline > now}
