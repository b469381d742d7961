"""Submissions that are handed over: what is taken, what is refused, and the receipt."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount
from hypothesis import given
from hypothesis import strategies as st

from aggregator.intake import MAX_BODY_BYTES, Desk, Intake, read_submission, signer_of_receipt
from aggregator.listening import listening
from marketplace.chain.submission import sign_submission
from marketplace.chain.types import address
from marketplace.errors import FairshareError, Reason
from marketplace.node.connections import Limits, peer_of
from marketplace.node.hand_over import SignedSubmission, hand_over
from marketplace.node.journal import Journal
from marketplace.node.previews import Market
from marketplace.node.seats import Seat

MARKET = Market(31337, address("0x" + "5f" * 20))
BOSS: LocalAccount = Account.from_key(b"\x09" * 32)
TRAINERS: list[LocalAccount] = [Account.from_key(bytes([i + 1]) * 32) for i in range(3)]
PROJECT, ROUND = 7, 2
SEATS = {str(trainer.address): Seat(slot, 0, slot) for slot, trainer in enumerate(TRAINERS)}


def signed(by: int, digest: bytes = b"\x01" * 32, **changes: Any) -> SignedSubmission:
    account = TRAINERS[by]
    signature = sign_submission(account, MARKET.chain_id, MARKET.address, PROJECT, ROUND, digest)
    fields = {
        "project": PROJECT,
        "round": ROUND,
        "trainer": address(account.address),
        "digest": digest,
        "blob": b"\x02" * 32,
        "signature": signature,
    }
    return SignedSubmission(**{**fields, **changes})


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "journal.sqlite") as made:
        yield made


@pytest.fixture
def desk(journal: Journal) -> Desk:
    made = Desk(MARKET, PROJECT, journal, BOSS)
    made.open(ROUND, SEATS, set())
    return made


def refused(desk: Desk, submission: SignedSubmission) -> Reason:
    with pytest.raises(FairshareError) as caught:
        desk.take(submission)
    return caught.value.reason


def test_a_receipt_is_signed_and_given_again(desk: Desk) -> None:
    receipt = desk.take(signed(0))
    assert signer_of_receipt(receipt) == BOSS.address
    assert desk.take(signed(0)) == receipt
    assert signer_of_receipt({**receipt, "digest": "0x" + "00" * 32}) != BOSS.address
    with pytest.raises(FairshareError):
        signer_of_receipt({"receipt_signature": "0x00"})


def test_only_what_a_seated_trainer_signed_is_taken(desk: Desk) -> None:
    stranger = address(Account.from_key(b"\x77" * 32).address)
    assert refused(desk, signed(0, trainer=stranger)) is Reason.NOT_FOUND
    assert refused(desk, signed(0, signature=signed(1).signature)) is Reason.INTEGRITY
    assert refused(desk, signed(0, signature=signed(0, b"\x03" * 32).signature)) is Reason.INTEGRITY
    assert refused(desk, signed(0, b"\x00" * 32)) is Reason.INTEGRITY
    assert refused(desk, signed(0, round=ROUND + 1)) is Reason.REFUSED
    assert desk.cut(0) is None


def test_the_first_submission_of_a_seat_counts(desk: Desk) -> None:
    desk.take(signed(0))
    assert refused(desk, signed(0, b"\x05" * 32)) is Reason.REFUSED
    batch = desk.cut(0)
    assert batch is not None
    assert batch.digests == (b"\x01" * 32,)


def test_a_batch_holds_what_was_taken_and_nothing_comes_after(desk: Desk, journal: Journal) -> None:
    for trainer in (2, 0):
        desk.take(signed(trainer))
    assert not desk.is_complete(0)
    restarted = Desk(MARKET, PROJECT, journal, BOSS)
    restarted.open(ROUND, SEATS, set())
    batch = restarted.cut(0)
    assert batch is not None
    assert batch.slots == 0b101
    assert refused(restarted, signed(1)) is Reason.REFUSED
    assert restarted.take(signed(2))  # still has its receipt
    restarted.close()
    assert refused(restarted, signed(2)) is Reason.REFUSED


def test_a_cohort_is_complete_with_its_last_seat(desk: Desk) -> None:
    for trainer in range(3):
        assert not desk.is_complete(0)
        desk.take(signed(trainer))
    assert desk.is_complete(0)


def test_a_request_is_read_back(desk: Desk) -> None:
    submission = signed(1)
    assert read_submission(json.dumps(submission.to_json()).encode()) == submission


@given(st.binary(max_size=300))
def test_arbitrary_requests_are_refused(body: bytes) -> None:
    with pytest.raises(FairshareError) as caught:
        read_submission(body)
    assert caught.value.reason is Reason.BAD_INPUT


@pytest.mark.parametrize(
    "changes",
    [
        {"project": 0},
        {"project": 2**63},
        {"project": True},
        {"round": 65_536},
        {"round": "2"},
        {"digest": "0x" + "00" * 31},
        {"digest": "00" * 33},
        {"trainer": None},
        {"signature": "0x" + "zz" * 65},
        {"signature": "0x" + "00" * 64},
        {"more": 1},
    ],
)
def test_malformed_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FairshareError) as caught:
        read_submission(json.dumps({**signed(0).to_json(), **changes}).encode())
    assert caught.value.reason is Reason.BAD_INPUT


def test_over_http(journal: Journal) -> None:
    intake = Intake(MARKET, journal, BOSS)
    intake.desk(PROJECT).open(ROUND, SEATS, set())
    with listening(intake, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        receipt = json.loads(hand_over(url, signed(0), chain_id=31337))
        assert signer_of_receipt(receipt) == BOSS.address
        with pytest.raises(FairshareError) as caught:
            hand_over(url, signed(0, project=8), chain_id=31337)
        assert "404" in caught.value.message
        for body, status in ((b"{}", 400), (b"x" * (MAX_BODY_BYTES + 1), 413)):
            answer = httpx.post(f"{url}/submissions", content=body, trust_env=False)
            assert answer.status_code == status
            assert answer.json()["error"]["code"]
        assert httpx.get(f"{url}/submissions", trust_env=False).status_code == 405
        assert httpx.get(f"{url}/docs", trust_env=False).status_code == 404
        with pytest.raises(FairshareError), listening(intake, "127.0.0.1", port):
            pass


HEAD = b"POST /submissions HTTP/1.1\r\nhost: x\r\n"
NEIGHBOUR = "127.0.0.2"  # another peer's address
PATIENCE_S = 60.0  # far above all limits here: only a connection that is never cut off takes it


def connected(port: int, sent: bytes, peer: str = "127.0.0.1") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S, source_address=(peer, 0))
    made.sendall(sent)
    return made


def is_cut_off(connection: socket.socket) -> bool:
    """Waits for the end of a connection: True where it comes without an answer."""
    with connection:
        try:
            return connection.recv(4096) == b""
        except ConnectionResetError:
            return True


def served(port: int, by: int, peer: str) -> bool:
    with httpx.Client(transport=httpx.HTTPTransport(local_address=peer), trust_env=False) as client:
        answer = client.post(f"http://127.0.0.1:{port}/submissions", json=signed(by).to_json())
    return bool(answer.json()["receipt"])


@pytest.fixture
def intake(journal: Journal) -> Intake:
    made = Intake(MARKET, journal, BOSS)
    made.desk(PROJECT).open(ROUND, SEATS, set())
    return made


def test_slow_clients_are_cut_off_and_others_served_meanwhile(intake: Intake) -> None:
    slow = (b"", HEAD, HEAD + b"content-length: 500\r\n\r\n{", HEAD + b"connection: upgrade\r\n")
    with listening(intake, "127.0.0.1", 0, Limits(of_a_peer=len(slow), request_s=3.0)) as port:
        held = [connected(port, sent) for sent in slow]
        assert is_cut_off(connected(port, b""))  # one more than a peer may have
        assert served(port, 0, NEIGHBOUR)
        assert all(is_cut_off(connection) for connection in held)
        assert served(port, 1, "127.0.0.1")  # their places are free again


def test_a_client_that_drips_is_cut_off_too(intake: Intake) -> None:
    with listening(intake, "127.0.0.1", 0, Limits(request_s=1.0)) as port:
        dripping = connected(port, HEAD + b"x-long: ")
        dripping.settimeout(0.05)
        for _ in range(int(PATIENCE_S / 0.05)):
            try:
                dripping.sendall(b"x")
                if dripping.recv(1) == b"":
                    break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        else:
            raise AssertionError("it was not cut off")
        dripping.close()


def test_where_all_places_are_taken_the_oldest_makes_room(intake: Intake) -> None:
    with listening(intake, "127.0.0.1", 0, Limits(connections=2, request_s=PATIENCE_S)) as port:
        first, second = (connected(port, HEAD) for _ in range(2))
        assert served(port, 0, NEIGHBOUR)
        assert is_cut_off(first)
        second.sendall(b"content-length: 2\r\n\r\n{}")
        assert not is_cut_off(second)


def test_a_peer_is_an_address_or_a_subscribers_network() -> None:
    assert peer_of("192.0.2.1") == peer_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert peer_of("2001:db8::1") == peer_of("2001:db8::ff:1") != peer_of("2001:db8:0:1::1")
    assert peer_of("") == ""
