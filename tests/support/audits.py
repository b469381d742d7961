"""The audit of a live market's project, as an auditor with a storage node of its own runs it."""

from __future__ import annotations

from marketplace.audit import audit
from tests.support.live_market import LiveMarket


def assert_audit_holds(market: LiveMarket, project: int) -> None:
    """Fails naming the first check that does not hold or could not be made."""
    report = audit(market.owner.client, market.owner.store, project, market.owner.cache)
    assert report.ok, report.first_failure
    assert all(check.ok for check in report.checks), [check for check in report.checks if not check.ok]
