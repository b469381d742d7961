"""Gas of every call of the contracts, with real proofs: `python benchmarks/gas.py [--json]`.

Plays two projects in the native coin on a chain of its own: one is cancelled, the other lives through every event in
five rounds. Updates are made up (no call's gas depends on training) and the same in all proved rounds but one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Column, Table
from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import digest_of
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_contracts, compile_source, project_root
from marketplace.chain.sender import TransactionSender
from marketplace.chain.simulation import Call, FunctionCall
from marketplace.chain.types import NATIVE_COIN, Address, Circuit, RoundResult, ScoreRule, Terms, address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError
from marketplace.node.journal import Journal
from marketplace.node.project import rules_of
from marketplace.protocol.field import to_felt
from marketplace.protocol.gram import gram
from marketplace.protocol.krum import Judgement, judge, mask
from zk import keys, verifier
from zk.commit import Committer
from zk.curve import Point
from zk.files import CircuitFiles
from zk.prover import Proof, prove
from zk.shape import CircuitShape

Update = NDArray[np.int16]

SEED = 1
ROUNDS = 5
WINDOW_S = 3600
STAKE, BOND, REWARD, FEE = 10**16, 10**17, 10**18, 10**15
CONTACT = b"/ip4/203.0.113.5/tcp/4001/p2p/12D3KooWGQmdpbssrYHWFTwwbKmKL3i1EsRgWFvGrGoB8FKYx1Tz"


@dataclass(frozen=True)
class Cost:
    """Gas of one kind of call. `data_bytes`: of its calldata, or of the code it creates a contract with."""

    call: str
    gas: int
    data_bytes: int


@dataclass
class Meter:
    """Sends calls as their accounts and keeps what each used."""

    client: ChainClient
    senders: Sequence[TransactionSender]
    costs: list[Cost] = field(default_factory=list)
    sent: int = 0

    def send(self, account: int, name: str | None, function: FunctionCall, value: int = 0) -> bytes:
        """Sends a call, kept under `name` where it has one. Returns the transaction's hash."""
        self.sent += 1
        receipt = self.senders[account].send(f"call {self.sent}", function, value)
        if name is not None:
            self.costs.append(Cost(name, receipt.gas_used, len(Call.of(function).data)))
        return receipt.transaction_hash

    def deploy(self, name: str, artifact: Any, *arguments: Any) -> Address:
        """Creates a contract as account 0. Returns where it is."""
        factory = self.client.web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
        sent = self.send(0, f"deploy {name}", factory.constructor(*arguments))
        receipt = self.client.web3.eth.get_transaction_receipt(sent)  # type: ignore[arg-type]
        return address(str(receipt["contractAddress"]))

    def wait_until(self, timestamp: int) -> None:
        """Mines a block at `timestamp`, seconds."""
        for method, parameters in (("evm_setNextBlockTimestamp", [timestamp]), ("evm_mine", [])):
            self.client.web3.manager.request_blocking(RPCEndpoint(method), parameters)


@dataclass(frozen=True)
class Cohort:
    """The updates of a round, what they commit to, and the proof of their Gram matrix."""

    updates: Sequence[Update]
    commitments: Sequence[Point]
    proof: Proof


@dataclass
class Play:
    """The project that is played. Accounts: 0 owner, then the trainers by slot, then two aggregators."""

    meter: Meter
    market: MarketClient
    terms: Terms
    project: int

    @property
    def slots(self) -> range:
        return range(self.terms.slots)

    def submit(self, round_: int, cohort: Cohort, slots: Sequence[int], names: dict[int, str]) -> None:
        """Submissions in the order of the slots; those in `names` are kept."""
        random = np.random.default_rng(round_)
        for slot in slots:
            function = self.market.market.functions.submit(
                self.project, round_, *cohort.commitments[slot], random.bytes(32)
            )
            self.meter.send(1 + slot, names.get(slot), function)

    def post(self, round_: int, cohort: Cohort, aggregator: int, name: str) -> bytes:
        """The result of a round in which all have submitted."""
        function = self.market.market.functions.postResult(self.project, self.result(round_, cohort).to_abi())
        return self.meter.send(1 + len(self.slots) + aggregator, name, function)

    def result(self, round_: int, cohort: Cohort) -> RoundResult:
        """What an honest aggregator posts."""
        judgement = self.judged(cohort)
        return RoundResult(
            round=round_,
            omitted=0,
            merged=mask(judgement.merged),
            median_score_slot=judgement.median_score_slot,
            median_norm_slot=judgement.median_norm_slot,
            model=np.random.default_rng(round_).bytes(32),
            neighbours=tuple(mask(near) for near in judgement.neighbours),
            gram=tuple(to_felt(entry) for entry in cohort.proof.gram),
            proof=cohort.proof.proof,
        )

    def judged(self, cohort: Cohort) -> Judgement:
        """The rules' judgement of the cohort, all of it present."""
        positions = [slot + 1 for slot in self.slots]
        return judge(rules_of(self.terms), gram(cohort.updates), self.slots, (), positions)


def measure(shape: CircuitShape, faults: int, cache: Path) -> dict[str, Any]:
    """All costs, and what the first result's gas is spent on."""
    files = keys.build(shape, cache)
    honest = made_up(files, flipped=())
    attacked = made_up(files, flipped=(0,))
    with senders(2 + shape.slots + 2) as meter:
        play, digest = deploy_all(meter, files, faults)
        first = play_all(play, honest, attacked)
        return {
            "slots": shape.slots,
            "faults": faults,
            "length": shape.length,
            "circuit": "0x" + digest.hex(),
            "calls": [vars(cost) for cost in meter.costs],
            "parts": breakdown(play, first),
        }


@contextmanager
def senders(accounts: int) -> Iterator[Meter]:
    """A chain, and a sender for each of its accounts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fairshare-bench-")))
        anvil = stack.enter_context(Anvil(accounts=accounts))
        journal = stack.enter_context(Journal(folder / "journal.sqlite"))
        client = ChainClient(anvil.url).connect()
        yield Meter(
            client,
            [
                stack.enter_context(
                    TransactionSender(
                        client, public_account(index), journal, lock_directory=folder, poll_s=0.01
                    )
                )
                for index in range(accounts)
            ],
        )


def made_up(files: CircuitFiles, flipped: Sequence[int]) -> Cohort:
    """A common direction and noise for each slot; some flipped at twice the length."""
    random = np.random.default_rng(SEED)
    shape = files.shape
    rows = random.normal(0, 100, shape.length) + random.normal(0, 50, (shape.slots, shape.length))
    rows[list(flipped)] *= -2
    updates = [row.astype(np.int16) for row in np.rint(rows)]
    committer = Committer(files)
    return Cohort(updates, [committer.commit(update) for update in updates], prove(files, updates))


def deploy_all(meter: Meter, files: CircuitFiles, faults: int) -> tuple[Play, bytes]:
    """The contracts and the circuit; the project is posted later."""
    contracts, shape = compile_contracts(), files.shape
    gram_verifier = meter.deploy("GramVerifier", contracts["GramVerifier"])
    place = meter.deploy(
        "TrainingMarket, with the three below", contracts["TrainingMarket"], gram_verifier, WINDOW_S
    )
    for name, arguments in (("StakeVault", (WINDOW_S,)), ("ReputationRegistry", ()), ("RoundJudge", ())):
        meter.deploy(f"{name} (alone)", contracts[name], *arguments)
    code = compile_source(verifier.CONTRACT, verifier.source(files))
    circuit = Circuit(
        meter.deploy("the circuit's verifier", code),
        shape.slots,
        shape.length,
        files.proof_length,
        files.zero,
    )
    market = MarketClient(meter.client.rpc_url, place).connect()
    meter.send(0, "register (circuit)", market.gram_verifier.functions.register(circuit.to_abi()))
    digest = digest_of(code, shape.slots, shape.length, files.proof_length, files.zero)
    model = np.random.default_rng(SEED).integers(-(2**20), 2**20, shape.length)
    terms = Terms(
        token=NATIVE_COIN,
        reward=REWARD,
        trainer_stake=STAKE,
        aggregator_bond=BOND,
        aggregator_fee=FEE,
        spec=np.random.default_rng(SEED).bytes(32),
        circuit=digest,
        slots=shape.slots,
        faults=faults,
        rounds=ROUNDS,
        join_window=WINDOW_S,
        submit_window=WINDOW_S,
        result_window=WINDOW_S,
        score_rule=ScoreRule.PROJECTION,
        strike_factor=300,
        strike_slash=2000,
        duplicate_cosine=9990,
        max_norm_squared=2**40,
        initial_model=Committer(files).commit(model),
    )
    return Play(meter, market, terms, project=2), digest


def play_all(play: Play, honest: Cohort, attacked: Cohort) -> bytes:
    """Both projects, start to end. Returns the transaction of round 1's result."""
    meter, calls, vault = play.meter, play.market.market.functions, play.market.vault.contract.functions
    project, slots, last = play.project, list(play.slots), len(play.slots) - 1
    aggregators = [1 + len(slots), 2 + len(slots)]
    key = np.random.default_rng(SEED).bytes(32)

    meter.send(0, "create (first project)", calls.create(play.terms.to_abi()), REWARD)
    meter.send(0, "cancel", calls.cancel(1))
    meter.send(0, "create", calls.create(play.terms.to_abi()), REWARD)
    for place, account in enumerate(aggregators):
        meter.send(account, None, vault.deposit(NATIVE_COIN, BOND), BOND)
        name = ("joinAsAggregator (first)", "joinAsAggregator")[place]
        meter.send(account, name, calls.joinAsAggregator(project, key, CONTACT))
    for slot in slots:
        meter.send(1 + slot, {0: "deposit"}.get(slot), vault.deposit(NATIVE_COIN, STAKE), STAKE)
        meter.send(1 + slot, {0: "join (first)", last: "join"}.get(slot), calls.join(project, key))
    meter.send(1 + last, "leave", calls.leave(project))
    meter.send(1 + last, None, calls.join(project, key))
    meter.send(0, "start", calls.start(project))

    named = {0: "submit (first of a round)", 1: "submit", last: "submit (last, closes the window)"}
    play.submit(1, honest, slots, named)
    first = play.post(1, honest, 0, "postResult (round 1)")
    play.submit(2, honest, slots, {})
    play.post(2, honest, 0, "postResult (later round)")

    play.submit(3, attacked, slots, {})
    meter.wait_until(play.market.project(project).result_deadline)
    meter.send(0, "timeout", calls.timeout(project, 3))
    meter.send(1, "reseal", calls.reseal(project, 3, np.random.default_rng(SEED).bytes(80)))
    play.post(3, attacked, 1, "postResult (later round, one struck, bond in the pot)")

    play.submit(4, honest, slots[:2], {})
    meter.wait_until(play.market.project(project).submit_deadline)
    meter.send(0, "skip", calls.skip(project, 4, 0))
    play.submit(5, honest, slots, {})
    play.post(5, honest, 1, "postResult (last round)")

    meter.send(2, "release", calls.release(project))
    meter.send(2, "claim", calls.claim(NATIVE_COIN, meter.senders[2].address))
    meter.send(2, "unbond", vault.unbond(NATIVE_COIN, STAKE))
    meter.wait_until(play.market.vault.unbonding(NATIVE_COIN, meter.senders[2].address).ready_at)
    meter.send(2, "withdraw", vault.withdraw(NATIVE_COIN))
    return first


def breakdown(play: Play, transaction: bytes) -> dict[str, int]:
    """What the gas of a result is spent on, from the chain's own trace of it."""
    web3, market = play.market.web3, play.market
    method = RPCEndpoint("debug_traceTransaction")
    trace = web3.manager.request_blocking(method, ["0x" + transaction.hex(), {"tracer": "callTracer"}])
    data = bytes.fromhex(trace["input"][2:])
    used = {"all": _gas(trace), "calldata": 21_000 + sum(16 if byte else 4 for byte in data)}
    proved = _calls(trace, str(market.gram_verifier.address))
    verified = [
        call for frame in proved for call in _calls(frame, market.circuit(play.terms.circuit).verifier)
    ]
    curve = [call for frame in verified for call in frame["calls"]]
    judged = _calls(trace, market.judge)
    recorded = _calls(trace, str(market.reputation.address))
    parts = {
        "the transaction and its calldata": used["calldata"],
        "verifier: pairing": _sum(call for call in curve if int(call["to"], 16) == 8),
        "verifier: other precompiles": _sum(call for call in curve if int(call["to"], 16) != 8),
        "verifier: the rest": _sum(verified) - _sum(curve),
        "GramVerifier: commitments, the model's move": _sum(proved) - _sum(verified),
        "RoundJudge: from G to contributions": _sum(judged),
        "ReputationRegistry: records": _sum(recorded),
    }
    parts["TrainingMarket: credits, state, events"] = used["all"] - sum(parts.values())
    return parts


def _gas(frame: Any) -> int:
    return int(frame["gasUsed"], 16)


def _sum(frames: Iterable[Any]) -> int:
    return sum(map(_gas, frames))


def _calls(frame: Any, to: str) -> list[Any]:
    return [call for call in frame.get("calls", []) if call["to"].lower() == to.lower()]


def show(measured: dict[str, Any], console: Console) -> None:
    """Both tables."""
    shape = f"K = {measured['slots']}, f = {measured['faults']}, d = {measured['length']}"
    calls = Table("call", Column("gas", justify="right"), Column("data, bytes", justify="right"), title=shape)
    for cost in measured["calls"]:
        calls.add_row(cost["call"], f"{cost['gas']:,}", f"{cost['data_bytes']:,}")
    console.print(calls)
    parts = Table("part of postResult (round 1)", Column("gas", justify="right"), title=shape)
    for name, gas in measured["parts"].items():
        parts.add_row(name, f"{gas:,}")
    parts.add_row("all", f"{sum(measured['parts'].values()):,}")
    console.print(parts)


def main() -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--faults", type=int, default=2)
    parser.add_argument("--length", type=int, default=650)
    parser.add_argument("--cache", type=Path, help="where circuits are kept; below build/ without it")
    parser.add_argument("--json", action="store_true", help="JSON instead of tables")
    arguments = parser.parse_args()
    try:
        cache = arguments.cache or project_root() / "build" / "circuits"
        measured = measure(CircuitShape(arguments.slots, arguments.length), arguments.faults, cache)
    except FairshareError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    if arguments.json:
        print(json.dumps(measured, indent=2))
    else:
        show(measured, Console(width=100))
    return 0


if __name__ == "__main__":
    sys.exit(main())
