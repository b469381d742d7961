"""A real local chain for the chain layer's tests."""

from __future__ import annotations

import http.server
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from web3.contract import Contract

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.circuits import deploy_circuit
from marketplace.chain.client import MarketClient
from marketplace.chain.compile import compile_source
from marketplace.chain.deployment import Deployment, deploy
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import NATIVE_COIN, Circuit, ScoreRule, Settlement, Terms, address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.journal import Journal
from zk.curve import G2, Point

GENERATOR = Point(1, 2)
G2_GENERATOR = G2(  # EIP-197
    0x198E9393920D483A7260BFB731FB5D25F1AA493335A9E71297E485B7AEF312C2,
    0x1800DEEF121F1E76426A00665E5C4479674322D4F75EDADD46DEBD5CD992F6ED,
    0x090689D0585FF075EC9E99AD690C3395BC4B313370B38EF355ACDADCD122975B,
    0x12C85EA5DB8C6DEB4AAB71808DCB408FE3D1E7690C43D37B4CE6CC0166FA7DAA,
)

COUNTER = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract Counter {
    uint256 public count;
    uint256 public immutable most;
    error Full(uint256 project, uint256 places);
    constructor(uint256 limit) { most = limit; }
    function hit() external payable { if (count >= most) revert Full(7, most); ++count; }
}"""

# No result is posted in these tests, so the verifier never has to answer.
SILENT_VERIFIER = """// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;
contract SilentVerifier {
    function verifyProof(bytes calldata, uint256[] calldata) external pure { revert(); }
}"""


@pytest.fixture(scope="session")
def anvil() -> Iterator[Anvil]:
    with Anvil(accounts=20) as chain:
        yield chain


@pytest.fixture
def fresh_anvil() -> Iterator[Anvil]:
    """A chain whose mining a test may stop."""
    with Anvil() as chain:
        yield chain


SenderMaker = Callable[..., TransactionSender]


@pytest.fixture
def senders(tmp_path: Path) -> Iterator[SenderMaker]:
    """Makes senders of public accounts, each with a journal of its own."""
    made: list[TransactionSender] = []
    journals: list[Journal] = []

    def make(chain: Anvil, account: int = 0, **options: Any) -> TransactionSender:
        journal = Journal(tmp_path / f"journal-{len(journals)}.sqlite")
        journals.append(journal)
        options.setdefault("log", journal)
        options.setdefault("poll_s", 0.02)
        sender = TransactionSender(
            ChainClient(chain.url), public_account(account), lock_directory=tmp_path / "locks", **options
        )
        made.append(sender)
        return sender

    yield make
    for sender in made:
        sender.close()
    for journal in journals:
        journal.close()


@pytest.fixture(scope="session")
def deployment(anvil: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    folder = tmp_path_factory.mktemp("deployer")
    with (
        Journal(folder / "journal.sqlite") as journal,
        TransactionSender(
            ChainClient(anvil.url), public_account(0), journal, lock_directory=folder, poll_s=0.02
        ) as sender,
    ):
        return deploy(sender, unbonding_delay_s=3600)


@pytest.fixture(scope="session")
def circuit(anvil: Anvil, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("circuit")
    with (
        Journal(folder / "journal.sqlite") as journal,
        TransactionSender(
            ChainClient(anvil.url), public_account(0), journal, lock_directory=folder, poll_s=0.02
        ) as sender,
    ):
        return deploy_circuit(
            sender,
            address(deployment.gram_verifier),
            compile_source("SilentVerifier", SILENT_VERIFIER),
            Circuit(
                verifier=NATIVE_COIN,  # none yet
                slots=5,
                logrows=4,
                length=4,
                proof_length=5 * 64,
                zero=GENERATOR,
                tau=G2_GENERATOR,
            ),
        )


@pytest.fixture
def client(anvil: Anvil, deployment: Deployment) -> MarketClient:
    return deployment.client(anvil.url).connect()


@pytest.fixture
def terms(circuit: bytes) -> Terms:
    return Terms(
        token=NATIVE_COIN,
        reward=10**18,
        trainer_stake=10**16,
        aggregator_bond=10**17,
        max_norm_squared=2**40,
        aggregator_fee=10**15,
        complaint_deposit=10**15,
        slots=5,
        faults=1,
        cohorts=1,
        settlement=Settlement.ON_DEMAND,
        score_rule=ScoreRule.COSINE,
        fallback_rule=ScoreRule.COSINE,
        rounds=2,
        join_window=600,
        batch_window=300,
        submit_window=600,
        answer_window=600,
        chunks=0,
        chunk_length=0,
        result_window=600,
        challenge_window=600,
        trainers=5,
        min_reputation=0,
        strike_factor=300,
        strike_slash=5000,
        duplicate_cosine=9990,
        reference_share=0,
        reveal_bond=0,
        spec=bytes(range(1, 33)),
        circuit=circuit,
        validation=bytes(32),
        aggregators=bytes(32),
        initial_model=GENERATOR,
    )


def deploy_counter(sender: TransactionSender, most: int = 10**6) -> Contract:
    artifact = compile_source("Counter", COUNTER)
    web3 = sender.client.web3
    factory = web3.eth.contract(abi=list(artifact.abi), bytecode=artifact.bytecode)
    receipt = sender.send("deploy counter", factory.constructor(most))
    assert receipt.contract_address is not None
    return web3.eth.contract(
        address=web3.to_checksum_address(receipt.contract_address), abi=list(artifact.abi)
    )


@pytest.fixture
def counter() -> Callable[..., Contract]:
    return deploy_counter


Hook = Callable[[str, list[Any]], dict[str, Any] | None]


@pytest.fixture
def proxies() -> Iterator[Callable[[str, Hook], str]]:
    """Endpoints in front of a chain that answer some requests themselves: `{"error": ..}`, `{"result": ..}`."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def make(target: str, hook: Hook) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = json.loads(body)
                # A batch goes to the hook as the method "batch", with the requests as its parameters.
                single = request if isinstance(request, dict) else {"method": "batch", "params": request}
                own = hook(single["method"], single.get("params", []))
                if own is None:
                    forwarded = urllib.request.Request(target, body, {"Content-Type": "application/json"})
                    with urllib.request.urlopen(forwarded) as answer:
                        reply = answer.read()
                    status = 200
                else:
                    status = own.pop("status", 200)
                    raw = own.pop("raw", None)
                    reply = raw or json.dumps({"jsonrpc": "2.0", "id": single.get("id"), **own}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
