"""Posts a project: circuit, files and spec on IPFS, and the reward into escrow.

Every step may be repeated: after a kill at any moment the same command goes on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from marketplace.chain import token as tokens
from marketplace.chain.events import ProjectCreated, decode_log
from marketplace.chain.permit import sign_permit
from marketplace.chain.sender import Receipt
from marketplace.chain.simulation import no_funds
from marketplace.chain.types import NATIVE_COIN, NO_PERMIT, Address, ScoreRule, Settlement, Terms, address
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import NODE
from marketplace.node.keyring import KeyRing
from marketplace.node.project import committer_of
from marketplace.node.session import Session
from marketplace.node.windows import require_meetable
from marketplace.owner import circuits
from marketplace.owner.checked import CheckedProject, ValidationSet
from marketplace.owner.task_files import task_files_of
from marketplace.spec import ChainSection, CircuitSection, ProjectSpec
from marketplace.spec.posted import MAX_SPEC_BYTES
from marketplace.spec.problems import bad_field
from marketplace.spec.terms import terms as terms_of
from marketplace.spec.validation import commitment
from marketplace.storage.cid import digest_of
from marketplace.storage.reasons import NO_PROJECT, Purpose, Why
from marketplace.storage.store import ContentStore
from marketplace.updates.codec import pack_model, packed_model_bytes
from zk import keys
from zk.curve import Point
from zk.files import CircuitFiles

EVALUATION = "evaluation"  # journal: path of the evaluation set, by project
VALIDATION = "validation"  # journal: path and salt of the validation set, by project
PERMIT_S = 3600  # how long a signed approval of the reward is good for
_DRAFT = Why(NO_PROJECT, 0, Purpose.DRAFT)
_SALT = "salt:"  # journal: by validation set; random, or its commitment could be guessed
_POSTED = "posted:"  # journal: by spec, the projects it was posted as

Say = Callable[[str], None]


@dataclass(frozen=True)
class Posted:
    """A project on the chain."""

    project: int
    spec: str  # CID
    circuit: str  # digest, 0x-hex
    transaction: str
    block: int
    already: bool  # whether an earlier call had posted it


def check_market(session: Session, checked: CheckedProject, srs_file: Path | None) -> None:
    """What can be known before anything is made: the chain's shortest windows, the market's longest, SRS, funds.

    Raises REFUSED, NOT_FOUND, NO_FUNDS, BAD_SPEC.
    """
    rounds = checked.file.rounds
    require_meetable(rounds, session.client.chain_id)
    longest = session.client.vault.unbonding_delay()
    for name in ("join_window", "submit_window", "answer_window", "result_window"):
        if getattr(rounds, name) > longest:
            raise bad_field(f"rounds.{name}", f"this market allows at most {longest} seconds")
    circuits.srs_for(session.client.chain_id, checked.shape, session.cache, srs_file)
    token, needed = _token(checked), checked.file.reward.amount + checked.file.stakes.reveal
    held = tokens.balance(session.client.web3, token, session.address)
    if held >= needed:
        return
    if tokens.is_native(token):
        raise no_funds(session.address, held, needed)
    raise FairshareError(
        Reason.NO_FUNDS,
        f"account {session.address} holds {held} of token {token}, reward and reveal bond are {needed}",
        f"send it at least {needed - held} more",
    )


def post(
    session: Session,
    checked: CheckedProject,
    *,
    srs_file: Path | None = None,
    again: bool = False,
    say: Say,
) -> Posted:
    """Posts the project and returns where it is.

    A project file that was posted is not posted twice, unless `again`. Raises what `check_market`, the circuit's
    making and the transactions raise.
    """
    srs = circuits.srs_for(session.client.chain_id, checked.shape, session.cache, srs_file)
    files = circuits.build(checked.shape, session.cache, srs, lambda phase: say(f"circuit: {phase}"))
    say("circuit: registering")
    digest = circuits.register(session.client, session.sender, files)
    say("committing to the initial model, publishing the spec")
    salt = None if checked.validation is None else _salt(session, checked.validation)
    spec, initial_model = _publish(session, checked, files, digest, salt)
    spec_cid = session.store.add(spec.to_bytes(), _DRAFT)
    record = _POSTED + spec_cid
    posted_as: list[int] = session.journal.get(NODE, NODE, record, [])
    number = len(posted_as) if again or not posted_as else len(posted_as) - 1
    depth = session.client.confirmations
    say("paying the reward into escrow" + (f", and waiting for {depth} blocks after it" if depth else ""))
    receipt = _create(session, _terms(spec, digest_of(spec_cid), initial_model), f"{spec_cid}:{number}")
    project = _project_in(receipt)
    keep_files(session.store, project, spec_cid, spec)
    already = project in posted_as
    if not already:
        with session.journal.atomic():
            session.journal.put(NODE, NODE, record, [*posted_as, project])
            if checked.evaluation is not None:
                session.journal.put(project, 0, EVALUATION, str(checked.evaluation.absolute()))
            if checked.validation is not None and salt is not None:
                kept = {"file": str(checked.validation.path.absolute()), "salt": salt.hex()}
                session.journal.put(project, 0, VALIDATION, kept)
    return Posted(
        project=project,
        spec=spec_cid,
        circuit="0x" + digest.hex(),
        transaction="0x" + receipt.transaction_hash.hex(),
        block=receipt.block_number,
        already=already,
    )


def keep_files(store: ContentStore, project: int, spec_cid: str, spec: ProjectSpec) -> None:
    """Keep what a project of ours was posted with, which was added before it had a number."""
    limits = keys.limits(spec.shape)
    for cid, max_bytes in (
        (spec_cid, MAX_SPEC_BYTES),
        (spec.circuit.vk, limits.vk),
        (spec.circuit.srs, limits.srs),
        (spec.initial_model, packed_model_bytes(spec.length)),
        *task_files_of(spec.task),
    ):
        store.keep(cid, max_bytes, Why(project, 0, Purpose.SPEC))


def _salt(session: Session, validation: ValidationSet) -> bytes:
    """The salt of a validation set's commitment, 32 bytes: drawn once, so that posting can be repeated."""
    name = _SALT + validation.digest.hex()
    kept: str | None = session.journal.get(NODE, NODE, name)
    if kept is None:
        kept = secrets.token_hex(32)
        session.journal.put(NODE, NODE, name, kept)
    return bytes.fromhex(kept)


def _owner_key(session: Session, checked: CheckedProject) -> bytes | None:
    """The public key that models are sealed to for the owner: the same where posting is repeated. None: not sealed."""
    if checked.file.project.visibility == "public":
        return None
    posting = hashlib.sha256(checked.file.to_toml().encode()).digest()
    return KeyRing(session.home).of_posting(posting).public


def _publish(
    session: Session, checked: CheckedProject, files: CircuitFiles, digest: bytes, salt: bytes | None
) -> tuple[ProjectSpec, Point]:
    """Adds what the spec names to the store; the spec and M_0, on the sketch path (root, J)."""
    store, client = session.store, session.client
    for content in checked.task_files:
        store.add(content, _DRAFT)
    spec = checked.file.post(
        circuit=CircuitSection(
            digest="0x" + digest.hex(),
            slots=files.shape.slots,
            length=files.shape.length,
            srs_kind=files.srs_kind,
            vk=store.add(files.vk.read_bytes(), _DRAFT),
            srs=store.add(files.srs.read_bytes(), _DRAFT),
        ),
        chain=ChainSection(chain_id=client.chain_id, market=client.address.lower()),
        initial_model=store.add(pack_model(checked.initial), _DRAFT),
        evaluation_sha256=checked.evaluation_sha256,
        validation=commitment(checked.validation.digest, salt) if checked.validation and salt else None,
        owner_key=_owner_key(session, checked),
        peers=tuple(store.addresses()),
    )
    return spec, committer_of(files, spec).commit(checked.initial)


def _create(session: Session, terms: Terms, name: str) -> Receipt:
    """Waits until it is final: before that a reorganisation may give the project another number."""
    client, sender = session.client, session.sender
    amount = terms.reward + terms.reveal_bond
    create = client.market.functions.create
    if tokens.is_native(terms.token):
        call = create(terms.to_abi(), NO_PERMIT.to_abi())
        return sender.send(f"create:{name}", call, value=amount, final=True)
    permit = NO_PERMIT
    if tokens.allowance(client.web3, terms.token, session.address, client.address) < amount:
        deadline = client.latest_block().timestamp + PERMIT_S
        signed = sign_permit(client.web3, terms.token, session.account, client.address, amount, deadline)
        if signed is None:
            approval = tokens.approve(client.web3, terms.token, client.address, amount)
            sender.send(f"approve:{name}", approval)
        else:
            permit = signed
    return sender.send(f"create:{name}", create(terms.to_abi(), permit.to_abi()), final=True)


def _terms(spec: ProjectSpec, spec_digest: bytes, initial_model: Point) -> Terms:
    stated = terms_of(spec, spec_digest, initial_model)
    fields = {field.name: getattr(stated, field.name) for field in dataclasses.fields(stated)}
    return Terms(
        **fields
        | {
            "token": address(stated.token),
            "settlement": Settlement(stated.settlement),
            "score_rule": ScoreRule(stated.score_rule),
            "fallback_rule": ScoreRule(stated.fallback_rule),
            "initial_model": initial_model,
        }
    )


def _token(checked: CheckedProject) -> Address:
    token = checked.file.reward.token
    return NATIVE_COIN if token == "native" else address(token)


def _project_in(receipt: Receipt) -> int:
    for log in receipt.logs:
        event = decode_log([ProjectCreated], log)
        if isinstance(event, ProjectCreated):
            return event.project
    raise FairshareError(Reason.INTEGRITY, "the market created no project", "check the market's address")
