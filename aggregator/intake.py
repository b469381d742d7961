"""Taking signed submissions for batches: checked, written down, answered with a signed receipt."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Set
from typing import Any

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError

from aggregator.kept import Kept
from marketplace.chain.signer import AnySigner, as_signer
from marketplace.chain.submission import submission_hash
from marketplace.chain.types import Address, address
from marketplace.errors import FairshareError, Reason
from marketplace.node.hand_over import SignedSubmission
from marketplace.node.journal import Journal
from marketplace.node.previews import Market, Preview
from marketplace.node.seats import Seat
from marketplace.node.signatures import SIGNATURE_BYTES, signer_of
from marketplace.updates.batch import Batch, BatchEntry

HANDED = "handed-over"
MAX_BODY_BYTES = 2048

_FIELDS = {"project": int, "round": int, "trainer": str, "digest": str, "blob": str, "signature": str}
_BYTES = {"trainer": 20, "digest": 32, "blob": 32, "signature": SIGNATURE_BYTES}
_MOST_PROJECT, _MOST_ROUND = 2**63 - 1, 65_535


def read_submission(body: bytes) -> SignedSubmission:
    """The submission in a request's body, which comes from anyone; BAD_INPUT, TOO_LARGE."""
    if len(body) > MAX_BODY_BYTES:
        raise FairshareError(Reason.TOO_LARGE, f"a submission has at most {MAX_BODY_BYTES} bytes")
    try:
        document = json.loads(body.decode("ascii"))
        if not isinstance(document, dict) or set(document) != set(_FIELDS):
            raise ValueError(f"its fields are {', '.join(_FIELDS)}")
        for name, kind in _FIELDS.items():
            if type(document[name]) is not kind:
                raise ValueError(f"{name} is not {'a number' if kind is int else 'a text'}")
        project, round_ = document["project"], document["round"]
        if not (0 < project <= _MOST_PROJECT and 0 < round_ <= _MOST_ROUND):
            raise ValueError("project or round is out of range")
        sizes = _BYTES.items()
        trainer, digest, blob, signature = (_hex(name, document[name], size) for name, size in sizes)
    except (ValueError, RecursionError) as error:
        raise FairshareError(Reason.BAD_INPUT, f"not a submission: {error}") from error
    return SignedSubmission(project, round_, address("0x" + trainer.hex()), digest, blob, signature)


class Desk:
    """Takes one project's submissions for the round that is open. Threads may share it."""

    def __init__(self, market: Market, project: int, journal: Journal, account: AnySigner) -> None:
        self._market = market
        self._project = project
        self._journal = journal
        self._account = account
        self._lock = threading.Lock()
        self._round: int | None = None
        self._seats: Mapping[str, Seat] = {}
        self._closed: set[int] = set()
        self._preview: tuple[int, bytes] | None = None

    def announce(self, preview: Preview) -> None:
        """Show the model that a round will have merged, in place of what was shown before."""
        self._preview = (preview.round, preview.sign(self._market, self._account))

    def preview(self, round_: int) -> bytes | None:
        """What is shown of a round."""
        shown = self._preview
        return shown[1] if shown is not None and shown[0] == round_ else None

    @property
    def round(self) -> int | None:
        """The round that submissions are taken for; None while closed."""
        return self._round

    def open(self, round_: int, seats: Mapping[str, Seat], closed: Set[int]) -> None:
        """Take submissions for a round from those who have `seats` in it, but for cohorts `closed`."""
        with self._lock:
            self._round, self._seats, self._closed = round_, dict(seats), set(closed)

    def close(self) -> None:
        """Take no more."""
        with self._lock:
            self._round, self._seats = None, {}

    def take(self, submission: SignedSubmission) -> dict[str, Any]:
        """The receipt of a submission, which is written down by then; given again for the same one.

        Raises REFUSED while nothing is taken for that round, NOT_FOUND for one without a seat, INTEGRITY for what
        the trainer did not sign.
        """
        with self._lock:
            if submission.round != self._round:
                raise FairshareError(
                    Reason.REFUSED, f"no batch is made for round {submission.round} now", "submit on chain"
                )
            seat = self._seats.get(submission.trainer)
            if seat is None:
                raise FairshareError(Reason.NOT_FOUND, f"{submission.trainer} has no seat in this round")
            hashed = submission_hash(
                self._market.chain_id,
                self._market.address,
                submission.project,
                submission.round,
                submission.digest,
            )
            if not any(submission.digest) or signer_of(hashed, submission.signature) != submission.trainer:
                raise FairshareError(Reason.INTEGRITY, "the signature is not the trainer's, of this digest")
            self._keep(submission, seat)
        return self._receipt(submission)

    def is_complete(self, cohort: int) -> bool:
        """Whether everybody seated in a cohort has handed over."""
        with self._lock:
            slots = {seat.slot for seat in self._seats.values() if seat.cohort == cohort}
            return slots == {entry.slot for entry in self._entries(cohort)}

    def cut(self, cohort: int) -> Batch | None:
        """Close a cohort, and write down the batch of what was handed over; None where nothing was."""
        with self._lock:
            entries = self._entries(cohort)
            if not entries or self._round is None:
                return None
            batch = Batch(entries)
            Kept(self._journal, self._project, self._round).keep_batch(cohort, batch)
            self._closed.add(cohort)
            return batch

    def _keep(self, submission: SignedSubmission, seat: Seat) -> None:
        name = f"{HANDED}:{seat.cohort}:{seat.slot}"
        record = [submission.digest.hex(), submission.blob.hex(), submission.signature.hex()]
        held = self._journal.get(self._project, submission.round, name)
        if held == record:
            return
        if held is not None:
            raise FairshareError(Reason.REFUSED, "another submission was handed over for this seat")
        if seat.cohort in self._closed:
            raise FairshareError(Reason.REFUSED, "the batch is posted", "submit on chain")
        self._journal.put(self._project, submission.round, name, record)

    def _entries(self, cohort: int) -> tuple[BatchEntry, ...]:
        if self._round is None:
            return ()
        slots = sorted(seat.slot for seat in self._seats.values() if seat.cohort == cohort)
        records = (
            (slot, self._journal.get(self._project, self._round, f"{HANDED}:{cohort}:{slot}"))
            for slot in slots
        )
        return tuple(
            BatchEntry(slot, *(bytes.fromhex(part) for part in record))
            for slot, record in records
            if record is not None
        )

    def _receipt(self, submission: SignedSubmission) -> dict[str, Any]:
        """What was taken, and our account's signature (EIP-191) of its canonical JSON."""
        stated: dict[str, Any] = {
            **submission.to_json(),
            "market": self._market.address,
            "chain_id": self._market.chain_id,
        }
        signature = as_signer(self._account).sign_text(_canonical(stated))
        return {
            **stated,
            "aggregator": self._account.address,
            "receipt_signature": "0x" + signature.hex(),
        }


class Intake:
    """The desks of all projects that this node serves."""

    def __init__(self, market: Market, journal: Journal, account: AnySigner) -> None:
        self._market = market
        self._journal = journal
        self._account = account
        self._desks: dict[int, Desk] = {}

    def desk(self, project: int) -> Desk:
        """The project's desk."""
        return self._desks.setdefault(project, Desk(self._market, project, self._journal, self._account))

    def take(self, submission: SignedSubmission) -> dict[str, Any]:
        """As `Desk.take`; NOT_FOUND for a project that is not served."""
        desk = self._desks.get(submission.project)
        if desk is None:
            raise FairshareError(Reason.NOT_FOUND, f"project {submission.project} is not served here")
        return desk.take(submission)

    def preview(self, project: int, round_: int) -> bytes | None:
        """As `Desk.preview`; None for a project that is not served."""
        desk = self._desks.get(project)
        return None if desk is None else desk.preview(round_)


def signer_of_receipt(receipt: Mapping[str, Any]) -> Address:
    """Who signed a receipt: to be compared with the aggregator on chain. INTEGRITY for what is no receipt."""
    stated = {
        name: value for name, value in receipt.items() if name not in ("aggregator", "receipt_signature")
    }
    try:
        message = encode_defunct(text=_canonical(stated))
        signature = bytes.fromhex(receipt["receipt_signature"][2:])
        if len(signature) != SIGNATURE_BYTES:
            raise ValueError("no signature")
        return address(Account.recover_message(message, signature=signature))
    except (ValueError, TypeError, KeyError, BadSignature, ValidationError) as error:
        raise FairshareError(Reason.INTEGRITY, "not a signed receipt") from error


def _canonical(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def _hex(name: str, text: str, size: int) -> bytes:
    if not text.startswith("0x") or len(text) != 2 + 2 * size:
        raise ValueError(f"{name} is not {size} bytes as 0x-hex")
    return bytes.fromhex(text[2:])
