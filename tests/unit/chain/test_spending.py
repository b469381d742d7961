"""What a user lets transactions cost: pure arithmetic, and a sender that keeps to it on a real chain."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web3.contract import Contract
from web3.types import RPCEndpoint

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.sender import Stopped, TransactionSender
from marketplace.chain.spending import Limits, Spending, lowest, project_of
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from tests.support.waiting import until

GWEI, COIN = 10**9, 10**18
CounterMaker = Callable[..., Contract]


@pytest.mark.parametrize(
    ("intent", "project"),
    [
        ("submit:3:1", 3),
        ("submit:12:3", 12),
        ("join:12:0:deposit", 12),
        ("join:7:0:approve", 7),
        ("claim:7", 7),
        ("free-nonce:7:4", 7),
        ("free-nonce:4:", 4),
        ("free-nonce::4", None),  # of no project, a nonce behind it
        ("create:QmX:0", None),
        ("withdraw:0x12:5", None),
        ("deploy market: Rounds 0x12:3", None),
        ("unbond:0x0000000000000000000000000000000000000000:5", None),
        ("deploy", None),
        ("x:", None),
        ("x:٣", None),
        ("hit", None),
        ("", None),
        ("submit:x", None),
        ("submit:" + "9" * 30, None),
    ],
)
def test_intents_name_their_project(intent: str, project: int | None) -> None:
    assert project_of(intent) == project


@given(st.integers(0, COIN), st.integers(0, COIN), st.integers(0, COIN))
def test_what_is_left_is_never_more_than_the_budget(budget: int, spent: int, reserved: int) -> None:
    spending = Spending(3, budget, spent, reserved)
    assert 0 <= spending.left <= budget
    assert spending.left + spent + reserved >= budget
    assert spending.left == 0 or spending.left + spent + reserved == budget


def test_the_lowest_of_some_caps() -> None:
    assert lowest(None, None) is None
    assert lowest(3, None, 2) == 2


class Chain:
    """A chain whose fees a test sets; blocks are mined by hand once `still` is called."""

    def __init__(self, anvil: Anvil) -> None:
        self.client = ChainClient(anvil.url)

    def ask(self, method: str, *parameters: Any) -> Any:
        answer = self.client.web3.provider.make_request(RPCEndpoint(method), list(parameters))
        assert "error" not in answer, answer
        return answer["result"]

    def still(self) -> None:
        self.ask("evm_setAutomine", False)

    def mine(self, base_fee: int) -> None:
        self.ask("anvil_setNextBlockBaseFeePerGas", hex(base_fee))
        self.ask("evm_mine")

    def count(self, account: str) -> int:
        return int(self.ask("eth_getTransactionCount", account, "latest"), 16)


@pytest.fixture
def chain(fresh_anvil: Anvil) -> Chain:
    return Chain(fresh_anvil)


Make = Callable[..., tuple[TransactionSender, list[str]]]


@pytest.fixture
def make(fresh_anvil: Anvil, tmp_path: Path) -> Iterator[Make]:
    """A sender of account 1 with limits, and what it says; each goes on with the journal of the one before."""
    opened: list[Any] = []

    def sender(**options: Any) -> tuple[TransactionSender, list[str]]:
        while opened:
            opened.pop().close()
        said: list[str] = []
        journal = Journal(tmp_path / "limited.sqlite")
        limits = Limits(options.pop("max_fee", None), options.pop("gas_budget", None))
        made = TransactionSender(
            ChainClient(fresh_anvil.url, say=said.append),
            public_account(1),
            journal,
            lock_directory=tmp_path / "locks",
            poll_s=0.02,
            limits=limits,
            **options,
        )
        opened.extend([journal, made])
        return made, said

    yield sender
    while opened:
        opened.pop().close()


def test_a_budget_is_a_limit(make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker) -> None:
    contract = counter(senders(fresh_anvil))
    sender, _ = make()
    first = sender.send("hit:3:1", contract.functions.hit())
    cost = first.gas_used * first.gas_price
    needs = sender.preview(contract.functions.hit())
    budget = cost + needs.most_cost * 3 // 2  # for one more, and not for two at the most they may cost
    sender, said = make(gas_budget=budget)
    receipts = [first]

    def spend() -> None:
        for number in range(2, 100):
            receipts.append(sender.send(f"hit:3:{number}", contract.functions.hit()))

    with pytest.raises(FairshareError, match="project 3 has spent") as caught:
        spend()
    assert caught.value.reason is Reason.OVER_BUDGET
    assert "--gas-budget" in caught.value.hint
    assert 1 < len(receipts) < 99
    spent = sum(receipt.gas_used * receipt.gas_price for receipt in receipts)
    assert spent <= budget
    assert said  # before it was refused
    assert "gas budget" in said[0]
    sender.send("hit:4:1", contract.functions.hit())  # another project has a budget of its own
    sender.send("hit", contract.functions.hit())  # what is for no project has none
    sender, _ = make(gas_budget=budget)
    with pytest.raises(FairshareError):
        sender.send("hit:3:200", contract.functions.hit())  # a restart forgets nothing
    assert sender.send("hit:3:1", contract.functions.hit()) == first  # what is done is done


def test_what_a_killed_process_did_not_write_down_counts(
    make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker, tmp_path: Path
) -> None:
    contract = counter(senders(fresh_anvil))
    sender, _ = make()
    first = sender.send("hit:3:1", contract.functions.hit())
    with Journal(tmp_path / "limited.sqlite") as journal:
        journal.forget_mined(first.transaction_hash)  # as if killed before it was noted
        assert not journal.spent(fresh_anvil.chain_id, sender.address, 3)
        sender, _ = make(gas_budget=first.gas_used * first.gas_price)
        with pytest.raises(FairshareError, match="project 3 has spent"):
            sender.send("hit:3:2", contract.functions.hit())
        assert journal.spent(fresh_anvil.chain_id, sender.address, 3) == first.gas_used * first.gas_price


def test_what_is_under_way_counts_against_the_budget(
    make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker, chain: Chain
) -> None:
    contract = counter(senders(fresh_anvil))
    sender, _ = make()
    needs = sender.preview(contract.functions.hit())
    stop = threading.Event()
    stop.set()
    chain.still()
    sender, _ = make(gas_budget=needs.most_cost * 3 // 2, stop=stop)
    with pytest.raises(Stopped):
        sender.send("hit:3:1", contract.functions.hit())
    base = needs.base_fee * needs.gas_limit
    sender, _ = make(gas_budget=needs.most_cost + base // 2, stop=stop)
    with pytest.raises(FairshareError, match="under way") as caught:
        sender.send("hit:3:2", contract.functions.hit())
    assert caught.value.reason is Reason.OVER_BUDGET


def test_fees_stop_at_the_cap_and_the_deadline_is_told(
    make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker, chain: Chain
) -> None:
    contract = counter(senders(fresh_anvil))
    chain.still()
    chain.mine(50 * GWEI)
    cap = 40 * GWEI
    sender, said = make(max_fee=cap, bump_after_blocks=2)
    deadline = chain.client.latest_block().timestamp + 1000
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "hit:3:1", contract.functions.hit(), deadline=deadline)
        until(lambda: bool(said), give_up_s=10.0)
        assert "40 gwei" in said[0]
        assert "50 gwei" in said[0]
        assert "deadline" in said[0]
        for _ in range(4):
            chain.mine(50 * GWEI)
        assert chain.count(sender.address) == 0

        def cheaper() -> bool:
            if not sending.done():
                chain.mine(10 * GWEI)
            return sending.done()

        until(cheaper, give_up_s=10.0)  # broadcast again when the endpoint had refused it
        receipt = sending.result()
    assert receipt.gas_price <= cap
    assert contract.functions.count().call() == 1


def test_nobody_waits_beyond_the_deadline(
    make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker, chain: Chain
) -> None:
    contract = counter(senders(fresh_anvil))
    chain.still()
    chain.mine(50 * GWEI)
    sender, said = make(max_fee=40 * GWEI)
    deadline = chain.client.latest_block().timestamp + 100
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "hit:3:1", contract.functions.hit(), deadline=deadline)
        until(lambda: bool(said), give_up_s=10.0)
        chain.ask("evm_increaseTime", 200)

        def later() -> bool:
            if not sending.done():
                chain.mine(50 * GWEI)
            return sending.done()

        until(later, give_up_s=10.0)
        with pytest.raises(FairshareError, match="before its deadline") as caught:
            sending.result()
    assert caught.value.reason is Reason.DEADLINE_PASSED


def test_a_spike_is_followed_within_the_cap(
    make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker, chain: Chain
) -> None:
    contract = counter(senders(fresh_anvil))
    chain.still()
    chain.mine(GWEI)
    sender, _ = make(max_fee=60 * GWEI, bump_after_blocks=1000)  # what offers too little is raised at once
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "hit:3:1", contract.functions.hit())
        until(lambda: int(chain.ask("txpool_status")["pending"], 16) == 1, give_up_s=10.0)

        def dearer() -> bool:
            if not sending.done():
                chain.mine(20 * GWEI)
            return sending.done()

        until(dearer, give_up_s=10.0)
        receipt = sending.result()
    assert 20 * GWEI <= receipt.gas_price <= 60 * GWEI


def test_a_stuck_nonce_is_freed_where_its_call_has_become_pointless(
    make: Make, senders: Any, fresh_anvil: Anvil, counter: CounterMaker, chain: Chain
) -> None:
    """An earlier transaction that is not mined keeps all later ones waiting; what it was for is over."""
    full, free = counter(senders(fresh_anvil), 1), counter(senders(fresh_anvil, 2))
    chain.still()
    chain.mine(GWEI)
    stop = threading.Event()
    stop.set()
    sender, _ = make(stop=stop, max_fee=3 * GWEI)
    for intent, contract in (("hit:3:1", full), ("hit:3:2", free)):
        with pytest.raises(Stopped):
            sender.send(intent, contract.functions.hit())
    chain.mine(20 * GWEI)  # which is more than they offer
    chain.ask("evm_setAutomine", True)
    senders(fresh_anvil, 3).send("rival", full.functions.hit())  # takes the only place
    chain.still()
    assert chain.count(sender.address) == 0
    sender, _ = make()
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "hit:3:2", free.functions.hit())

        def done() -> bool:
            if not sending.done():
                chain.mine(20 * GWEI)
            return sending.done()

        until(done, give_up_s=10.0)
        sending.result()
    assert (full.functions.count().call(), free.functions.count().call()) == (1, 1)
    eth = chain.client.web3.eth
    blocks = [eth.get_block(number, full_transactions=True) for number in range(eth.block_number + 1)]
    mined: list[Any] = [each for block in blocks for each in block["transactions"]]
    assert [len(each["input"]) for each in mined if each["from"] == sender.address] == [0, 4]
