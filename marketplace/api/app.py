"""The read-only HTTP API of a market, straight from the chain (docs/api.md)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import FastAPI, Path, Query

from marketplace.api import models as m
from marketplace.api import problems, views
from marketplace.api.audits import Audits
from marketplace.api.chronicle import Chronicle, RoundTold, rounds_of
from marketplace.api.money import accounts_of, payouts
from marketplace.api.reader import Reader, readable
from marketplace.api.rounds import round_shown, round_summary
from marketplace.chain.client import MarketClient
from marketplace.chain.events import ResultCall
from marketplace.chain.types import Account, Address, Record, address
from marketplace.errors import FairshareError, Reason
from marketplace.node.outcomes import posted_call
from marketplace.storage.store import ContentStore

LARGEST_PAGE = 100
_MOST = 2**63 - 1

ProjectId = Annotated[int, Path(ge=1, le=_MOST, description="The project's number, from 1")]
Round = Annotated[int, Path(ge=1, le=65_535, description="The round's number, from 1")]
AddressText = Annotated[str, Path(pattern=r"^0x[0-9a-fA-F]{40}$")]
Offset = Annotated[int, Query(ge=0, le=_MOST)]
Limit = Annotated[int, Query(ge=1, le=LARGEST_PAGE)]


def create_app(
    client: MarketClient, store: ContentStore | None, cache_dir: FilePath, *, from_block: int = 0
) -> FastAPI:
    """An app that answers from `client`; without `store` it cannot audit.

    `cache_dir`: where audits keep circuit files; `from_block`: no event of the market is older. Every answer
    is read at one block and carries its number; every error is a problem document with a reason code.
    """
    app = FastAPI(
        title="Fairshare",
        version=version("fairshare"),
        description="Read-only view of a Fairshare market. Every answer is read at the block it names.",
        responses=problems.RESPONSES,
    )
    problems.install(app)
    reader = Reader(client, from_block=from_block)
    _add_market(app, client, store)
    _add_projects(app, client)
    _add_rounds(app, reader)
    _add_money(app, client, reader)
    _add_people(app, client)
    audits = Audits(client, store, cache_dir, from_block=from_block)

    @app.get("/projects/{project}/audit", tags=["audit"])
    def read_audit(project: ProjectId) -> m.AuditShown:
        """Audit the project now, with the work of a proof; one at a time: 409 while another runs."""
        block, report = audits.report(project)
        return views.audit_shown(block.number, project, report)

    return app


def _add_market(app: FastAPI, client: MarketClient, store: ContentStore | None) -> None:
    @app.get("/health", tags=["market"])
    def read_health() -> m.Health:
        """Whether chain and storage answer; 503 where the chain does not."""
        block = client.latest_block()
        return m.Health(block_number=block.number, chain=True, storage=_answers(store))

    @app.get("/chain", tags=["market"])
    def read_chain() -> m.Chain:
        """The market and its contracts."""
        with readable():
            block = client.latest_block()
            return m.Chain(
                block_number=block.number,
                block_time=block.timestamp,
                chain_id=client.chain_id,
                market=client.address,
                vault=client.vault.address,
                reputation=client.reputation_address,
                gram_verifier=client.gram_verifier_address,
                judge=client.judge,
                project_count=client.project_count(block=block.number),
            )


def _add_projects(app: FastAPI, client: MarketClient) -> None:
    @app.get("/projects", tags=["projects"])
    def list_projects(offset: Offset = 0, limit: Limit = 20) -> m.ProjectPage:
        """Projects by number."""
        with readable():
            at = client.latest_block().number
            total = client.project_count(block=at)
            numbers = range(offset + 1, min(offset + limit, total) + 1)
            return m.ProjectPage(
                block_number=at,
                total=total,
                offset=offset,
                projects=[
                    views.summary(i, client.project(i, block=at), client.terms(i, block=at)) for i in numbers
                ],
            )

    @app.get("/projects/{project}", tags=["projects"])
    def read_project(project: ProjectId) -> m.ProjectShown:
        """State, terms and members of a project."""
        with readable():
            at = client.latest_block().number
            return views.project_shown(
                at,
                project,
                client.project(project, block=at),
                terms := client.terms(project, block=at),
                client.aggregators(project, block=at),
                client.challenge(project, block=at),
                client.circuit(terms.circuit, block=at),
            )

    @app.get("/projects/{project}/trainers", tags=["projects"])
    def list_trainers(project: ProjectId, offset: Offset = 0, limit: Limit = 20) -> m.TrainerPage:
        """Trainers of a project by number, and what they have earned in it."""
        with readable():
            at = client.latest_block().number
            state = client.project(project, block=at)
            total = max(state.drawn_from, state.trainer_count)
            numbers = range(offset, min(offset + limit, total))
            views_ = [client.market_view("trainerOf", project, number) for number in numbers]
            read = client.call_many("read trainers", views_, block=at)
            accounts = [Account.from_abi(values) for values in read]
            return m.TrainerPage(
                block_number=at,
                project=project,
                total=total,
                offset=offset,
                trainers=[
                    m.TrainerPart(number=number, trainer=account.holder, earned=str(account.earned))
                    for number, account in zip(numbers, accounts, strict=True)
                ],
            )


def _add_rounds(app: FastAPI, reader: Reader) -> None:
    @app.get("/projects/{project}/rounds", tags=["rounds"])
    def list_rounds(project: ProjectId, offset: Offset = 0, limit: Limit = 20) -> m.RoundPage:
        """Rounds so far."""
        chronicle = reader.told(project)
        with readable():
            rounds = rounds_of(chronicle)
            return m.RoundPage(
                block_number=chronicle.block.number,
                project=project,
                total=len(rounds),
                offset=offset,
                rounds=[round_summary(chronicle, told) for told in rounds[offset : offset + limit]],
            )

    @app.get("/projects/{project}/rounds/{round}", tags=["rounds"])
    def read_round(project: ProjectId, round: Round) -> m.RoundShown:
        """A round: arrivals, complaints, commitments, G, scores, mask, pay, challenges.

        Scores are derived from G here; proofs, and whether everything follows from them, are the audit's.
        """
        chronicle = reader.told(project)
        with readable():
            for told in rounds_of(chronicle):
                if told.number == round:
                    return round_shown(chronicle, told, _said(reader.client, chronicle, told))
        raise FairshareError(
            Reason.NOT_FOUND, f"project {project} has had no round {round}", f"see /projects/{project}/rounds"
        )


def _add_money(app: FastAPI, client: MarketClient, reader: Reader) -> None:
    @app.get("/projects/{project}/payouts", tags=["money"])
    def read_payouts(project: ProjectId, offset: Offset = 0, limit: Limit = 100) -> m.Payouts:
        """What a project's money became: earnings that stand, the refund, claims."""
        chronicle = reader.told(project)
        with readable():
            return payouts(chronicle, offset, limit)

    @app.get("/projects/{project}/accounts", tags=["money"])
    def list_accounts(project: ProjectId, offset: Offset = 0, limit: Limit = 20) -> m.AccountPage:
        """What each account earned, claimed, has locked and may claim, as the contract has it."""
        chronicle = reader.told(project)
        with readable():
            accounts = accounts_of(chronicle)
            return m.AccountPage(
                block_number=chronicle.block.number,
                project=project,
                total=len(accounts),
                offset=offset,
                accounts=[
                    _account(client, project, account, chronicle.block.number)
                    for account in accounts[offset : offset + limit]
                ],
            )


def _said(client: MarketClient, chronicle: Chronicle, told: RoundTold) -> dict[int, ResultCall]:
    """What the calldata of a round's results said, by cohort."""
    return {event.cohort: posted_call(client, chronicle.project, event) for event in told.results}


def _account(client: MarketClient, project: int, account: Address, block: int) -> m.AccountShown:
    member = client.membership(project, account, block=block)
    return m.AccountShown(
        account=account,
        claimed=str(member.claimed),
        locked=str(member.locked),
        claimable=str(client.claimable(project, account, block=block)),
    )


def _add_people(app: FastAPI, client: MarketClient) -> None:
    @app.get("/trainers/{trainer}", tags=["people"])
    def read_trainer(trainer: AddressText) -> m.RecordShown:
        """An address's track record as a trainer; zeros where it has none."""
        with readable():
            at, account = client.latest_block().number, _address(trainer)
            return _record(at, account, client.trainer_record(account, block=at))

    @app.get("/aggregators/{aggregator}", tags=["people"])
    def read_aggregator(aggregator: AddressText) -> m.RecordShown:
        """An address's track record as an aggregator; zeros where it has none."""
        with readable():
            at, account = client.latest_block().number, _address(aggregator)
            return _record(at, account, client.aggregator_record(account, block=at))


def _record(block: int, account: Address, record: Record) -> m.RecordShown:
    return m.RecordShown(
        block_number=block,
        account=account,
        projects=record.projects,
        faults=record.faults,
        contribution=str(record.contribution),
        score=str(record.score),
        updated_at=record.updated_at,
    )


def _address(text: str) -> Address:
    return address(text.lower())  # any spelling: a checksum is no business of a read


def _answers(store: ContentStore | None) -> bool | None:
    if store is None:
        return None
    try:
        store.ping()
    except FairshareError:
        return False
    return True
