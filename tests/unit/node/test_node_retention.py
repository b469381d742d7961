"""For how long blobs are kept: by what is final of their project."""

import pytest

from marketplace.node.retention import Standing, ends
from marketplace.storage.reasons import Purpose, Why

NOW, KEEP = 1000, 50
RUNNING = Standing(over=False, outcome=3, last_model=0)
OVER = Standing(over=True, outcome=4, last_model=4)


def ended(why, standing, *, of_owner=False):
    found = list(ends([("cid", why)], standing, NOW, KEEP, of_owner=of_owner))
    return found[0][2] if found else None


@pytest.mark.parametrize("purpose", [purpose for purpose in Purpose if purpose is not Purpose.PREVIEW])
def test_nothing_that_was_published_ends_while_a_project_runs(purpose):
    for round_ in range(5):
        assert ended(Why(1, round_, purpose), RUNNING) is None


def test_a_preview_ends_once_its_round_can_no_longer_change():
    assert [ended(Why(1, round_, Purpose.PREVIEW), RUNNING) for round_ in (2, 3, 4)] == [NOW, None, None]
    assert ended(Why(1, 4, Purpose.PREVIEW), OVER) == NOW


def test_what_audits_need_outlives_the_project_by_the_days_that_are_asked_for():
    for purpose in (Purpose.SPEC, Purpose.MODEL, Purpose.UPDATE, Purpose.BATCH, Purpose.VALIDATION):
        assert ended(Why(1, 4, purpose), OVER) == NOW + KEEP


def test_the_owner_keeps_what_it_paid_for():
    kept = {
        (purpose, round_): ended(Why(1, round_, purpose), OVER, of_owner=True)
        for purpose, round_ in [
            (Purpose.SPEC, 0),
            (Purpose.MODEL, 4),
            (Purpose.MODEL, 3),
            (Purpose.UPDATE, 4),
        ]
    }
    assert kept == {
        (Purpose.SPEC, 0): None,
        (Purpose.MODEL, 4): None,
        (Purpose.MODEL, 3): NOW + KEEP,
        (Purpose.UPDATE, 4): NOW + KEEP,
    }
