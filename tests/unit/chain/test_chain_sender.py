from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.sender import Stopped, TransactionSender
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.errors import FairshareError, Reason
from marketplace.node.journal import Journal
from tests.support.counted_requests import CountingProvider
from tests.support.waiting import until

SenderMaker = Callable[..., TransactionSender]
CounterMaker = Callable[..., Contract]


def ask(anvil: Anvil, method: str, *parameters: Any) -> Any:
    answer = ChainClient(anvil.url).web3.provider.make_request(method, list(parameters))  # type: ignore[arg-type]
    assert "error" not in answer, answer
    return answer["result"]


def pool_size(anvil: Anvil) -> int:
    return int(ask(anvil, "txpool_status")["pending"], 16)


def test_an_intent_happens_once(anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    sender = senders(anvil, 12)
    contract = counter(sender)
    first = sender.send("a", contract.functions.hit())
    assert sender.send("a", contract.functions.hit()) == first
    second = sender.send("b", contract.functions.hit(), value=5)
    assert second.transaction_hash != first.transaction_hash
    assert contract.functions.count().call() == 2
    assert first.gas_used > 21_000
    assert first.gas_price > 0


@pytest.mark.parametrize("restarted", [False, True])
def test_a_receipt_that_comes_late_is_waited_for(
    anvil: Anvil,
    senders: SenderMaker,
    counter: CounterMaker,
    monkeypatch: pytest.MonkeyPatch,
    restarted: bool,
) -> None:
    """An endpoint may count the nonce as used before it serves the receipt: no reason to make the call twice."""
    sender = senders(anvil, 13)
    contract = counter(sender)
    if restarted:
        sender.send("late", contract.functions.hit())
    provider: Any = sender.client.web3.provider
    serve, serve_all, hidden = provider.make_request, provider.make_batch_request, iter(range(4))

    def late(method: str, answer: Any) -> Any:
        hides = method == "eth_getTransactionReceipt" and next(hidden, None) is not None
        return {**answer, "result": None} if hides else answer

    def all_late(requests: Any) -> Any:
        given = zip(requests, serve_all(requests), strict=True)
        return [late(method, answer) for (method, _), answer in given]

    monkeypatch.setattr(provider, "make_request", lambda method, params: late(method, serve(method, params)))
    monkeypatch.setattr(provider, "make_batch_request", all_late)
    sender.send("late", contract.functions.hit())
    assert contract.functions.count().call() == 1
    assert next(hidden, None) is None


def test_a_transaction_takes_four_requests(anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    sender = senders(anvil, 15)
    contract = counter(sender)
    counted = CountingProvider(sender.client)
    sender.send("few", contract.functions.hit())
    simulated = (
        "eth_getBalance",
        "eth_call",
        "eth_estimateGas",
        "eth_getBlockByNumber",
        "eth_maxPriorityFeePerGas",
    )
    looked = ("eth_getTransactionCount", "eth_getBlockByNumber", "eth_getTransactionReceipt")
    first_four, waiting = (asked := counted.taken())[:4], asked[4:]
    assert first_four == [simulated, "eth_getTransactionCount", "eth_sendRawTransaction", looked]
    assert set(waiting) <= {
        looked,
        "eth_getTransactionReceipt",
        "eth_getTransactionByHash",
    }  # where it is mined later


def test_an_endpoint_without_batches_takes_transactions_too(
    anvil: Anvil, senders: SenderMaker, counter: CounterMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = senders(anvil, 15)
    contract = counter(sender)
    refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches here"}}
    monkeypatch.setattr(sender.client.web3.provider, "make_batch_request", lambda requests: dict(refusal))
    assert sender.send("single", contract.functions.hit()).gas_used > 0
    assert contract.functions.count().call() == 1


def test_preview_signs_nothing(anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    sender = senders(anvil, 12)
    contract = counter(sender, 1)
    preview = sender.preview(contract.functions.hit(), value=7)
    receipt = sender.send("hit", contract.functions.hit(), value=7)
    assert preview.gas_estimate >= receipt.gas_used
    assert preview.value == 7
    assert preview.expected_cost <= preview.most_cost
    with pytest.raises(FairshareError):
        sender.preview(contract.functions.hit())


def test_a_refusal_is_told_and_nothing_is_written(
    anvil: Anvil, senders: SenderMaker, counter: CounterMaker, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "log.sqlite")
    sender = senders(anvil, 13, log=journal)
    contract = counter(sender, 0)
    with pytest.raises(FairshareError, match="hit: full: project 7, places 0") as caught:
        sender.send("hit", contract.functions.hit())
    assert caught.value.reason is Reason.REFUSED
    assert not journal.transactions(anvil.chain_id, sender.address, "hit")
    with pytest.raises(FairshareError, match="more") as caught:
        sender.send("hit", contract.functions.hit(), value=10**30)
    assert caught.value.reason is Reason.NO_FUNDS
    assert not journal.transactions(anvil.chain_id, sender.address, "hit")
    journal.close()


def test_too_poor_for_the_gas(anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    contract = counter(senders(anvil, 13))
    poor = senders(anvil, 14)
    ask(anvil, "anvil_setBalance", poor.address, hex(10_000))
    with pytest.raises(FairshareError, match=r"send it at least|coins") as caught:
        poor.send("hit", contract.functions.hit())
    assert caught.value.reason is Reason.NO_FUNDS


@pytest.mark.parametrize("where", ["before-broadcast", "after-broadcast"])
@pytest.mark.parametrize("mining", [True, False])
def test_killed_and_started_again(
    where: str,
    mining: bool,
    fresh_anvil: Anvil,
    senders: SenderMaker,
    counter: CounterMaker,
    tmp_path: Path,
) -> None:
    contract = counter(senders(fresh_anvil))
    journal = tmp_path / "killed.sqlite"

    def run(where: str) -> subprocess.CompletedProcess[str]:
        program = str(Path(__file__).with_name("crashing_sender.py"))
        arguments = [fresh_anvil.url, str(journal), str(tmp_path / "locks"), str(contract.address), where]
        return subprocess.run(
            [sys.executable, program, *arguments], capture_output=True, text=True, timeout=60, check=False
        )

    if not mining:
        ask(fresh_anvil, "evm_setAutomine", False)
    assert run(where).returncode == -signal.SIGKILL
    with Journal(journal) as log:
        (logged,) = log.transactions(fresh_anvil.chain_id, public_account(1).address, "hit once")
    if not mining:
        assert pool_size(fresh_anvil) == (1 if where == "after-broadcast" else 0)
        ask(fresh_anvil, "evm_setAutomine", True)
        if where == "after-broadcast":
            ask(fresh_anvil, "evm_mine")
    for _ in range(2):
        finished = run("never")
        assert finished.returncode == 0, finished.stderr
        assert finished.stdout.strip() == logged.hash.hex()  # the very same transaction
    assert contract.functions.count().call() == 1


def test_a_nonce_that_another_transaction_took(
    fresh_anvil: Anvil, senders: SenderMaker, counter: CounterMaker, tmp_path: Path
) -> None:
    contract = counter(senders(fresh_anvil))
    ask(fresh_anvil, "evm_setAutomine", False)
    sender = senders(fresh_anvil, 1)
    account = public_account(1)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "hit", contract.functions.hit())
        until(lambda: pool_size(fresh_anvil) == 1)
        replacement = account.sign_transaction(
            {
                "type": 2,
                "chainId": fresh_anvil.chain_id,
                "nonce": 0,
                "to": account.address,
                "value": 1,
                "data": b"",
                "gas": 21_000,
                "maxFeePerGas": 10**11,
                "maxPriorityFeePerGas": 10**11,
            }
        )
        ask(fresh_anvil, "eth_sendRawTransaction", "0x" + replacement.raw_transaction.hex())
        ask(fresh_anvil, "evm_setAutomine", True)
        ask(fresh_anvil, "evm_mine")
        receipt = sending.result(timeout=60)
    assert contract.functions.count().call() == 1
    web3 = ChainClient(fresh_anvil.url).web3
    assert web3.eth.get_transaction("0x" + receipt.transaction_hash.hex())["nonce"] == 1  # type: ignore[arg-type]


def test_a_stuck_transaction_is_sent_with_higher_fees(
    fresh_anvil: Anvil, senders: SenderMaker, counter: CounterMaker, tmp_path: Path
) -> None:
    contract = counter(senders(fresh_anvil))
    journal = Journal(tmp_path / "stuck.sqlite")
    sender = senders(fresh_anvil, 1, log=journal, bump_after_blocks=2)
    ask(fresh_anvil, "evm_setAutomine", False)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(sender.send, "hit", contract.functions.hit())
        until(lambda: pool_size(fresh_anvil) == 1)

        def mine_dear_blocks() -> bool:
            if not sending.done():
                ask(fresh_anvil, "anvil_setNextBlockBaseFeePerGas", hex(5 * 10**9))
                ask(fresh_anvil, "evm_mine")
            return sending.done()

        until(mine_dear_blocks)
        receipt = sending.result()
    attempts = journal.transactions(fresh_anvil.chain_id, sender.address, "hit")
    assert len(attempts) > 1
    assert {attempt.nonce for attempt in attempts} == {0}
    assert receipt.transaction_hash in [attempt.hash for attempt in attempts[1:]]
    assert sender.send("hit", contract.functions.hit()) == receipt
    assert contract.functions.count().call() == 1
    journal.close()


def test_mined_but_reverted(fresh_anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    contract = counter(senders(fresh_anvil), 1)
    ask(fresh_anvil, "evm_setAutomine", False)
    slower, faster = senders(fresh_anvil, 1), public_account(2)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(slower.send, "hit", contract.functions.hit())
        until(lambda: pool_size(fresh_anvil) == 1)
        rival = faster.sign_transaction(
            {
                "type": 2,
                "chainId": fresh_anvil.chain_id,
                "nonce": 0,
                "to": contract.address,
                "value": 0,
                "data": contract.encode_abi("hit"),
                "gas": 100_000,
                "maxFeePerGas": 10**11,
                "maxPriorityFeePerGas": 10**11,  # so that it goes first
            }
        )
        ask(fresh_anvil, "eth_sendRawTransaction", "0x" + rival.raw_transaction.hex())
        ask(fresh_anvil, "evm_mine")
        with pytest.raises(FairshareError, match="full: project 7, places 1") as caught:
            sending.result(timeout=60)
    assert caught.value.reason is Reason.REFUSED
    assert ask(fresh_anvil, "eth_getTransactionCount", slower.address, "latest") == "0x1"


def test_one_process_per_key(anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    first, second = senders(anvil, 15), senders(anvil, 15)
    contract = counter(first)
    with pytest.raises(FairshareError, match="another process") as caught:
        second.send("hit", contract.functions.hit())
    assert caught.value.reason is Reason.REFUSED
    first.close()
    second.send("hit", contract.functions.hit())


def test_threads_share_a_sender(anvil: Anvil, senders: SenderMaker, counter: CounterMaker) -> None:
    sender = senders(anvil, 16)
    contract = counter(sender)
    with ThreadPoolExecutor(4) as pool:
        receipts = list(pool.map(lambda i: sender.send(f"hit {i}", contract.functions.hit()), range(12)))
    assert len({receipt.transaction_hash for receipt in receipts}) == 12
    assert contract.functions.count().call() == 12


def test_waiting_can_be_stopped_and_resumed(
    fresh_anvil: Anvil, senders: SenderMaker, counter: CounterMaker, tmp_path: Path
) -> None:
    contract = counter(senders(fresh_anvil))
    ask(fresh_anvil, "evm_setAutomine", False)
    stop = threading.Event()
    journal = Journal(tmp_path / "stopped.sqlite")
    stopped = senders(fresh_anvil, 1, log=journal, stop=stop)
    stop.set()
    with pytest.raises(Stopped):
        stopped.send("hit", contract.functions.hit())
    stopped.close()
    ask(fresh_anvil, "evm_setAutomine", True)
    ask(fresh_anvil, "evm_mine")
    senders(fresh_anvil, 1, log=journal).send("hit", contract.functions.hit())
    assert contract.functions.count().call() == 1
    journal.close()


def test_a_transaction_the_pool_forgot(
    fresh_anvil: Anvil, senders: SenderMaker, counter: CounterMaker, tmp_path: Path
) -> None:
    contract = counter(senders(fresh_anvil))
    ask(fresh_anvil, "evm_setAutomine", False)
    journal = Journal(tmp_path / "forgotten.sqlite")
    stop = threading.Event()
    stop.set()
    stopped = senders(fresh_anvil, 1, log=journal, stop=stop)
    for intent in ("first", "second"):
        with pytest.raises(Stopped):
            stopped.send(intent, contract.functions.hit())
    stopped.close()
    ask(fresh_anvil, "anvil_dropAllTransactions")
    ask(fresh_anvil, "evm_setAutomine", True)
    again = senders(fresh_anvil, 1, log=journal)
    again.send(
        "second", contract.functions.hit()
    )  # its nonce comes after that of the first, which goes along
    again.send("first", contract.functions.hit())
    assert contract.functions.count().call() == 2
    journal.close()


def test_a_chain_that_began_anew(
    anvil: Anvil, senders: SenderMaker, counter: CounterMaker, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "old.sqlite")
    sender = senders(anvil, 17, log=journal)
    contract = counter(sender)
    sender.send("hit", contract.functions.hit())
    sender.close()
    with Anvil() as younger:
        other = senders(younger, 17, log=journal)
        moved = other.client.web3.eth.contract(address=contract.address, abi=contract.abi)
        with pytest.raises(FairshareError, match="younger") as caught:
            other.send("hit", moved.functions.hit())
    assert caught.value.reason is Reason.WRONG_CHAIN
    journal.close()
