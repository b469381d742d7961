"""What the API says, against the chain."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from marketplace.chain import events as e
from marketplace.node.project import rules_of
from marketplace.protocol.digests import update_digest
from marketplace.protocol.gram import Gram
from marketplace.protocol.krum import judge
from marketplace.storage.cid import from_digest
from tests.support.stepped_market import SLOTS, trainer_address
from tests.support.told_market import SILENT, STRUCK, Told


def get(api: TestClient, path: str) -> dict[str, Any]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


PATHS = (
    "/health",
    "/chain",
    "/projects",
    "/projects/1",
    "/projects/2",
    "/projects/1/trainers",
    "/projects/2/trainers",
    "/projects/1/rounds",
    "/projects/2/rounds",
    "/projects/1/rounds/2",
    "/projects/1/rounds/3",
    "/projects/1/payouts",
    "/projects/2/payouts",
    "/projects/1/accounts",
    "/trainers/0x" + "00" * 20,
    "/aggregators/0x" + "ff" * 20,
)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_names_its_block(api: TestClient, told: Told, path: str) -> None:
    assert get(api, path)["block_number"] == told.client.latest_block().number


def test_every_path_is_described(api: TestClient) -> None:
    document = get_openapi(api)
    routes = [route for route in api.app.routes if isinstance(route, APIRoute)]  # type: ignore[attr-defined]
    assert {route.path for route in routes} <= set(document["paths"])
    for path, methods in document["paths"].items():
        assert set(methods) == {"get"}, path
        answers = methods["get"]["responses"]
        assert "$ref" in answers["200"]["content"]["application/json"]["schema"], path
        assert "application/problem+json" in answers["default"]["content"], path
        assert methods["get"]["description"], path


def get_openapi(api: TestClient) -> dict[str, Any]:
    return get(api, "/openapi.json")


def test_projects(api: TestClient, told: Told) -> None:
    page = get(api, "/projects")
    assert (page["total"], [p["status"] for p in page["projects"]]) == (2, ["settled", "open"])
    assert [p["project"] for p in get(api, "/projects?offset=1&limit=1")["projects"]] == [2]
    assert get(api, "/projects?offset=7")["projects"] == []
    shown = get(api, "/projects/2")
    assert (shown["trainer_count"], len(shown["aggregators"]), shown["seed"]) == (5, 1, None)
    assert shown["escrow"] == shown["terms"]["reward"]
    assert shown["terms"]["spec"] == from_digest(told.client.terms(2).spec)
    assert (shown["terms"]["settlement"], shown["terms"]["score_rule"]) == ("on-demand", "projection")
    assert (shown["terms"]["validation"], shown["challenge"]) == (None, None)


def test_trainers_by_number(api: TestClient, told: Told) -> None:
    page = get(api, "/projects/1/trainers?offset=4&limit=2")
    assert (page["total"], [t["number"] for t in page["trainers"]]) == (SLOTS, [4, 5])
    assert [t["trainer"] for t in page["trainers"]] == list(told.client.trainers(1))[4:]
    assert page["trainers"][0]["earned"] == "0"
    assert get(api, "/projects/2/trainers")["total"] == 5


def test_a_round_shows_what_the_chain_has(api: TestClient, told: Told) -> None:
    for number in (1, 2):
        shown = get(api, f"/projects/1/rounds/{number}")
        (posted,) = e.fetch(told.client, [e.ResultPosted], 1, number)
        (cohort,) = shown["cohorts"]
        assert (shown["outcome"], cohort["outcome"]) == ("posted", "posted")
        assert [slot["paid"] for slot in cohort["slots"]] == [str(amount) for amount in posted.amounts]
        assert len(cohort["gram"]) == SLOTS * (SLOTS + 1) // 2
        assert cohort["model"] == from_digest(posted.model)
        assert cohort["result_transaction"] == "0x" + posted.transaction_hash.hex()
        assert 999_990 < sum(slot["share"] for slot in cohort["slots"]) <= 10**6
        assert sorted(slot["position"] for slot in cohort["slots"]) == list(range(1, SLOTS + 1))
        silent, others = cohort["slots"][SILENT], cohort["slots"][:SILENT]
        assert (silent["complained"], silent["withheld"], silent["present"]) == (True, True, False)
        assert (silent["commitment"], silent["krum_score"]) == (None, None)
        for slot in others:
            digest = update_digest(*(int(slot["commitment"][c]) for c in "xy"), slot["trainer"])
            assert slot["digest"] == "0x" + digest.hex()
            assert int(slot["krum_score"]) > 0
    late = get(api, "/projects/1/rounds/2")["timeouts"]
    assert [found["aggregator"] for found in late] == [told.client.aggregators(1)[0].holder]


def test_krum_scores_are_those_of_the_rules(api: TestClient, told: Told) -> None:
    (cohort,) = get(api, "/projects/1/rounds/1")["cohorts"]
    gram = Gram(SLOTS, tuple(map(int, cohort["gram"])))
    present = [slot["slot"] for slot in cohort["slots"] if slot["present"]]
    positions = [slot["position"] for slot in cohort["slots"]]
    verdict = judge(rules_of(told.client.terms(1)), gram, present, positions)
    assert [int(slot["krum_score"] or 0) for slot in cohort["slots"]] == list(verdict.scores)
    assert [slot["slot"] for slot in cohort["slots"] if slot["struck"]] == list(verdict.struck) == [STRUCK]


def test_rounds_in_a_list(api: TestClient) -> None:
    page = get(api, "/projects/1/rounds")
    assert [round_["outcome"] for round_ in page["rounds"]] == ["posted", "posted", "skipped"]
    assert page["rounds"][0]["withheld"] == [SILENT]
    assert page["rounds"][0]["struck"] == [STRUCK]
    assert len(page["rounds"][0]["merged"]) == 4
    assert page["rounds"][2]["models"] == []
    assert get(api, "/projects/2/rounds")["rounds"] == []


def test_payouts_conserve(api: TestClient) -> None:
    shown = get(api, "/projects/1/payouts?limit=5")
    assert len(shown["payments"]) == 5
    names = ("reward", "struck", "bonds_lost", "paid", "fees", "refund", "held")
    amount = {name: int(shown[name]) for name in names}
    assert amount["bonds_lost"] > 0
    assert (
        amount["reward"] + amount["struck"] + amount["bonds_lost"]
        == amount["paid"] + amount["fees"] + amount["refund"] + amount["held"]
    )
    everything = get(api, "/projects/1/payouts")
    assert everything["total"] == len(everything["payments"])


def test_accounts_are_the_contracts(api: TestClient, told: Told) -> None:
    page = get(api, "/projects/1/accounts")
    assert page["total"] == len(page["accounts"]) == 1 + 2 + SLOTS
    for account in page["accounts"]:
        member = told.client.membership(1, account["account"])
        assert (account["claimed"], account["locked"]) == (str(member.claimed), str(member.locked))
        assert account["claimable"] == str(told.client.claimable(1, account["account"]))


def test_reputation(api: TestClient, told: Told) -> None:
    struck = get(api, f"/trainers/{trainer_address(STRUCK).lower()}")
    assert (struck["account"], struck["faults"]) == (trainer_address(STRUCK), 0), "nothing was proved"
    earned = get(api, f"/trainers/{trainer_address(3)}")
    assert (earned["projects"], earned["faults"]) == (1, 0)
    assert int(earned["score"]) > 0
    late = get(api, f"/aggregators/{told.client.aggregators(1)[0].holder}")
    assert late["faults"] == 1


def test_the_audit(api: TestClient) -> None:
    shown = get(api, "/projects/1/audit")
    assert shown["ok"] is True, shown["first"]
    assert shown["first"] is None
    assert get(api, "/projects/1/audit") == shown


def test_health_tells_of_the_storage(api: TestClient) -> None:
    health = get(api, "/health")
    assert (health["status"], health["chain"], health["storage"]) == ("ok", True, True)
