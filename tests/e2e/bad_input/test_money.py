"""Accounts without funds, and calls that come too late or are not one's own to make."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from marketplace.chain.types import Status
from marketplace.errors import Reason
from marketplace.spec.rules import LEAST_WINDOW_S
from tests.e2e.bad_input.commands import POST, SERVE, TRAIN, Command, filled, name
from tests.e2e.bad_input.ground import Ground, Visitor, write_project
from tests.support.live_market import project_file

# Long enough for a public chain, which is told first.
PUBLIC_WINDOWS = {
    f"rounds.{window}_window": LEAST_WINDOW_S
    for window in ("join", "submit", "answer", "result", "challenge")
}
STAKE, BOND, REWARD = "0.1", "0.2", "1.05"  # the reward, and the bond for the reveal


@pytest.fixture
def pauper(ground: Ground, tmp_path: Path) -> Visitor:
    return Visitor(ground, tmp_path, "pauper")


@pytest.mark.parametrize(
    ("command", "needed"),
    [(POST, REWARD), (TRAIN, STAKE), (SERVE, BOND)],
    ids=["post", "trainer", "aggregator"],
)
def test_an_account_without_funds_hears_what_is_missing(
    pauper: Visitor, command: Command, needed: str
) -> None:
    missing = f"{float(needed) - 0.001:.3f}"
    pauper.refused(*filled(pauper, command), reason=Reason.NO_FUNDS, named=["0.001 coins", needed, missing])


@pytest.mark.parametrize("command", [TRAIN, SERVE], ids=name)
def test_a_stake_without_gas_for_joining_is_not_put_up(
    ground: Ground, tmp_path: Path, command: Command
) -> None:
    """Enough for the deposit and not for what must follow it."""
    amount = float(STAKE if command == TRAIN else BOND)
    ground.set_balance("spender", int(amount * 10**18) + 150_000 * 10**9)
    visitor = Visitor(ground, tmp_path, "spender")
    visitor.refused(*filled(visitor, command), reason=Reason.NO_FUNDS, named=["coins"])


def test_a_dry_run_of_a_post_needs_the_funds(pauper: Visitor) -> None:
    pauper.refused(*filled(pauper, POST), "--dry-run", "--json", reason=Reason.NO_FUNDS, named=[REWARD])


def test_nobody_joins_when_the_time_for_it_is_over(visitor: Visitor) -> None:
    late = visitor.ground.project("late", **{"rounds.join_window": 1})
    wait_until(visitor.ground, visitor.ground.owner.client.project(late).join_deadline)
    visitor.refused(*filled(visitor, TRAIN, late), reason=Reason.DEADLINE_PASSED, named=["joining"])
    visitor.refused(*filled(visitor, SERVE, late), reason=Reason.DEADLINE_PASSED, named=[])


def test_a_project_that_is_over_takes_nobody(visitor: Visitor) -> None:
    ground = visitor.ground
    over = ground.project("over")
    owner = ground.owner.client.market.functions
    if ground.owner.client.project(over).status is not Status.CANCELLED:
        ground.owner.sender.send("over", owner.cancel(over))
    for command in (TRAIN, SERVE):
        visitor.refused(
            *filled(visitor, command, over), reason=Reason.REFUSED, named=[f"project {over}", "cancelled"]
        )
    visitor.refused("trainer", "leave", str(over), reason=Reason.REFUSED, named=[f"project {over}"])


def test_what_belongs_to_others_is_refused(visitor: Visitor) -> None:
    project = str(visitor.ground.project("open"))
    visitor.refused("project", "cancel", project, reason=Reason.REFUSED, named=["cancel"])
    visitor.refused("trainer", "leave", project, reason=Reason.REFUSED, named=["leave", "not member"])


def test_nothing_to_collect_costs_nothing(visitor: Visitor) -> None:
    project = str(visitor.ground.project("open"))
    block = visitor.ground.owner.client.latest_block().number
    for arguments in (("project", "refund", project), ("trainer", "claim", project)):
        assert visitor.call(*arguments).status == 0
    assert visitor.ground.transactions_since(block) == 0


def test_an_attack_is_for_test_chains(ground: Ground, visitor: Visitor) -> None:
    from tests.support.lying_endpoint import lying_endpoint

    def lie(method: str, params: list[object], result: object) -> object:
        return hex(1) if method == "eth_chainId" else result

    with lying_endpoint(ground.rpc, lie) as rpc:
        for command, attack in ((TRAIN, "copy"), (SERVE, "withhold")):
            visitor.refused(
                *filled(visitor, command),
                "--attack",
                attack,
                rpc=rpc,
                reason=Reason.BAD_INPUT,
                named=["--attack"],
            )
        write_project(visitor.home / "project", project_file(**PUBLIC_WINDOWS))
        visitor.refused(
            *filled(visitor, POST),
            rpc=rpc,
            reason=Reason.REFUSED,
            named=["chain 1 ", "no SRS of the ceremony"],
        )


def wait_until(ground: Ground, timestamp: int) -> None:
    while ground.owner.client.latest_block().timestamp < timestamp:
        time.sleep(0.1)
