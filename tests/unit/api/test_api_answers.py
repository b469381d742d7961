"""What the API says, against the chain."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute
from starlette.testclient import TestClient

from marketplace.chain import events as e
from marketplace.chain.types import NATIVE_COIN
from marketplace.storage.cid import from_digest
from tests.support.market_run import SLOTS, Play, address_of


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
    "/projects/1/rounds",
    "/projects/2/rounds",
    "/projects/1/rounds/4",
    "/projects/1/payouts",
    "/projects/2/payouts",
    "/trainers/0x" + "00" * 20,
    "/aggregators/0x" + "ff" * 20,
)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_names_its_block(api: TestClient, begun: Play, path: str) -> None:
    assert get(api, path)["block_number"] == begun.client.latest_block().number


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


def test_projects(api: TestClient, settled: Play, begun: Play) -> None:
    page = get(api, "/projects")
    assert (page["total"], [p["status"] for p in page["projects"]]) == (2, ["settled", "open"])
    assert [p["project"] for p in get(api, "/projects?offset=1&limit=1")["projects"]] == [2]
    assert get(api, "/projects?offset=7")["projects"] == []
    shown = get(api, "/projects/2")
    assert shown["trainers"] == [account.address for account in begun.trainers] + [None]
    assert shown["escrow"] == shown["terms"]["reward"] == str(begun.terms.reward)
    assert shown["terms"]["spec"] == begun.blobs["spec"]


def test_a_round_shows_what_the_chain_paid(api: TestClient, settled: Play) -> None:
    paid = e.fetch(settled.client, [e.TrainerPaid], settled.project)
    for number in (1, 2, 3, 4, 5):
        shown = get(api, f"/projects/1/rounds/{number}")
        assert shown["violations"] == []
        for slot in shown["slots"]:
            due = [p.amount for p in paid if (p.round, p.trainer) == (number, slot["trainer"])]
            assert slot["paid"] == str(sum(due))
        if shown["outcome"] == "proved":
            assert len(shown["gram"]) == SLOTS * (SLOTS + 1) // 2
            assert sum(slot["share"] or 0 for slot in shown["slots"]) <= 10**6
            posted = next(p for p in e.fetch(settled.client, [e.ResultPosted], 1) if p.round == number)
            assert shown["proof_transaction"] == "0x" + posted.transaction_hash.hex()
            assert shown["model_cid"] == from_digest(posted.model)
    fourth = get(api, "/projects/1/rounds/4")
    assert [late["aggregator"] for late in fourth["timeouts"]] == [settled.aggregators[0].address]
    assert int(fourth["pot"]) == int(fourth["budget"]) + settled.terms.aggregator_bond


def test_rounds_in_a_list(api: TestClient, settled: Play) -> None:
    page = get(api, "/projects/1/rounds")
    outcomes = ["proved", "proved", "skipped", "proved", "proved"]
    assert [round_["outcome"] for round_ in page["rounds"]] == outcomes
    assert page["rounds"][1]["omitted"] == [4]
    assert page["rounds"][0]["struck"] == [5]
    assert get(api, "/projects/2/rounds")["rounds"] == []


def test_payouts_conserve(api: TestClient, settled: Play) -> None:
    shown = get(api, "/projects/1/payouts?limit=5")
    assert len(shown["payments"]) == 5
    amount = {name: int(shown[name]) for name in ("reward", "slashed", "paid", "fees", "refund", "held")}
    assert (
        amount["reward"] + amount["slashed"]
        == amount["paid"] + amount["fees"] + amount["refund"] + amount["held"]
    )
    everything = get(api, "/projects/1/payouts")
    assert everything["total"] == len(everything["payments"])
    assert sum(int(p["amount"]) for p in everything["payments"]) == sum(
        amount[name] for name in ("paid", "fees", "refund")
    )
    for account in everything["accounts"]:
        credit = settled.client.credit_of(NATIVE_COIN, account["account"])
        assert account["claimable"] == str(credit)


def test_reputation(api: TestClient, settled: Play) -> None:
    struck = get(api, f"/trainers/{address_of(settled.trainers[5]).lower()}")
    assert (struck["trainer"], struck["faults"]) == (settled.trainers[5].address, 1)
    late = get(api, f"/aggregators/{settled.aggregators[0].address}")
    assert (late["rounds"], late["faults"]) == (2, 1)


def test_the_audit(api: TestClient, settled: Play) -> None:
    shown = get(api, "/projects/1/audit")
    assert shown["ok"] is True
    assert shown["first"] is None
    assert {check["ok"] for check in shown["checks"]} == {True}
    assert get(api, "/projects/1/audit") == shown


def test_health_tells_of_the_storage(api: TestClient) -> None:
    health = get(api, "/health")
    assert (health["status"], health["chain"], health["storage"]) == ("ok", True, True)
