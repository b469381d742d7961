"""Which of the keys on this machine is ours in a project: as a member, as its owner, or as one who only reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from marketplace.chain.client import MarketClient
from marketplace.chain.events import AggregatorJoined, TrainerJoined, fetch
from marketplace.chain.types import Address, Status
from marketplace.errors import FairshareError, Reason
from marketplace.node.keyring import KeptKey, KeyRing
from marketplace.node.members import joined_with
from marketplace.node.options import Settings
from marketplace.node.project import ProjectContext
from marketplace.node.session import Session, own_address, role_home
from marketplace.updates.sealing import EncryptionKey

ROLES = ("owner", "trainer", "aggregator")

_OVER = (Status.SETTLED, Status.CANCELLED, Status.HALTED)


def own_key(session: Session, project: int) -> EncryptionKey:
    """A member's key in a project: the one that it joined with, or else the one to join with.

    Of a project that is over any key will do where its own was destroyed: nothing is sealed to it any more. Raises
    NOT_FOUND where the key is missing from a project that is not, and what reads of the chain raise.
    """
    joined = joined_with(session.client, project, session.address)
    try:
        return KeyRing(session.home).of_project(project, joined)
    except FairshareError as error:
        over = session.client.project(project).status in _OVER
        if error.reason is not Reason.NOT_FOUND or not over:
            raise
        return EncryptionKey.generate()


def owner_context(session: Session, context: ProjectContext) -> ProjectContext:
    """The context with the owner's key, where models are sealed. NOT_FOUND where another directory has it."""
    if context.spec.sealing is None:
        return context
    key = KeyRing(session.home).find(context.spec.sealing.key)
    if key is None:
        raise FairshareError(
            Reason.NOT_FOUND,
            f"the key that project {context.project} was posted with is not in {session.home}",
            "use the state directory that the project was posted from",
        )
    return context.with_key(key)


def reader_context(settings: Settings, context: ProjectContext, file: Path | None) -> ProjectContext:
    """The context with the key in `file`, or one of this account's that a member of the project had, if there is one.

    Raises what `EncryptionKey.load` raises.
    """
    if context.spec.sealing is None:
        return context
    keys = reader_keys(settings, context.client, file)
    known = member_keys(context.client, context.project, context.spec.sealing.key)
    fallback = keys[0] if file is not None else None  # a key that was named is tried, and its failure told
    return context.with_key(next((key for key in keys if key.public in known), fallback))


def reader_keys(settings: Settings, client: MarketClient, file: Path | None) -> tuple[EncryptionKey, ...]:
    """The key in `file`, or all of this account's. Raises what `EncryptionKey.load` raises."""
    if file is not None:
        return (EncryptionKey.load(file),)
    return tuple(EncryptionKey.load(kept.path) for _, kept in kept_keys(settings, client))


def member_keys(client: MarketClient, project: int, owner_key: bytes) -> frozenset[bytes]:
    """The public keys of all who ever were members of a project, and its owner's."""
    keys = {owner_key}
    keys.update(event.encryption_key for event in fetch(client, [TrainerJoined], project))
    keys.update(event.encryption_key for event in fetch(client, [AggregatorJoined], project))
    return frozenset(keys)


def kept_keys(settings: Settings, client: MarketClient) -> Iterator[tuple[str, KeptKey]]:
    """This account's keys with the role they are of; none where no account is named."""
    account = _account(settings)
    if account is None:
        return
    for role in ROLES:
        for kept in KeyRing(role_home(settings, client, role, account)).kept():
            yield role, kept


def _account(settings: Settings) -> Address | None:
    try:
        return own_address(settings)
    except FairshareError as error:
        if error.reason not in (Reason.NOT_FOUND, Reason.BAD_INPUT):
            raise
        return None  # who only reads needs no keystore
