"""Which encryption key a node takes in a project: that it joined with, one from before, or a fresh one."""

from __future__ import annotations

from pathlib import Path

import pytest

from marketplace.cli.checks.account import encryption_keys
from marketplace.errors import FairshareError, Reason
from marketplace.node.keyring import SHARED, KeyRing
from marketplace.node.options import Settings
from marketplace.node.project_keys import kept_keys, own_key, owner_context, reader_context, reader_keys
from marketplace.node.session import role_home
from marketplace.updates.sealing import EncryptionKey
from tests.support.sealed_rounds import SEALED, owner_key
from tests.support.stepped_market import FIRST_TRAINER, OWNER, SLOTS, Ground, play, trainer_address


def refused(session: object, project: int) -> Reason:
    with pytest.raises(FairshareError) as caught:
        own_key(session, project)  # type: ignore[arg-type]
    return caught.value.reason


def test_it_joins_each_project_with_a_fresh_key_and_goes_on_with_that(ground: Ground) -> None:
    with play(ground) as game, ground.session(FIRST_TRAINER + SLOTS) as session:
        first = own_key(session, game.project)
        assert own_key(session, game.project).public == first.public
        assert own_key(session, game.project + 1).public != first.public
        trainer = game.trainers[0]
        game.step()  # they join
        with ground.session(FIRST_TRAINER) as joined:
            assert (
                refused(joined, game.project) is Reason.NOT_FOUND
            )  # never a new key for one that is sealed to
            trainer.key.save(joined.home / SHARED)
            assert own_key(joined, game.project).public == trainer.key.public  # as before keys were rotated
            assert own_key(joined, game.project + 1).public != trainer.key.public
            (joined.home / SHARED).unlink()
        with ground.session(OWNER) as owner:
            owner.sender.send(f"cancel:{game.project}", owner.client.market.functions.cancel(game.project))
        with ground.session(FIRST_TRAINER) as joined:
            assert own_key(joined, game.project).public != trainer.key.public  # over: nothing is sealed to it
            assert KeyRing(joined.home).find(trainer.key.public) is None


def test_readers_take_the_key_that_they_name_or_their_accounts(ground: Ground, tmp_path: Path) -> None:
    with play(ground, **SEALED) as game:
        context = game.aggregators[0].context.with_key(None)
        with ground.session(OWNER) as owner:
            served = owner_context(owner, context)
            assert served.key is not None
            assert served.key.public == owner_key(game).public
        with ground.session(FIRST_TRAINER) as other, pytest.raises(FairshareError) as caught:
            owner_context(other, context)
        assert caught.value.reason is Reason.NOT_FOUND

        account = trainer_address(0)
        settings = Settings(
            rpc=(ground.url,),
            market=ground.deployment.market,
            storage=None,
            peers=(),
            keystore=tmp_path / "none.json",
            password_file=None,
            state_dir=tmp_path,
            cache_dir=tmp_path,
            signer_url="http://127.0.0.1:1",
            address=account,
        )
        assert reader_context(settings, context, None).key is None
        ring = KeyRing(role_home(settings, context.client, "trainer", account))  # type: ignore[arg-type]
        stranger = ring.of_project(game.project + 7, None)
        assert reader_context(settings, context, None).key is None
        game.trainers[0].key.save(ring.home / SHARED)
        game.step()
        found = reader_context(settings, context, None).key
        assert found is not None
        assert found.public == game.trainers[0].key.public
        named = tmp_path / "named.key"
        EncryptionKey.generate().save(named)
        tried = reader_context(settings, context, named).key
        assert tried is not None
        assert tried.public == EncryptionKey.load(named).public
        assert [(role, key.project) for role, key in kept_keys(settings, context.client)] == [
            ("trainer", game.project + 7),
            ("trainer", None),
        ]
        assert {key.public for key in reader_keys(settings, context.client, None)} == {
            stranger.public,
            found.public,
        }
        said = encryption_keys(settings)
        assert f"of projects {game.project + 7}, and 1 of" in said.detail
