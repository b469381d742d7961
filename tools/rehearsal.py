"""What a deployment will cost: the same transactions on a chain of one's own, at the prices of the real one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from market_on_chain import Plan, carry_out
from web3 import Web3

from marketplace.chain.chain_client import ChainClient
from marketplace.chain.deployment import Deployment
from marketplace.chain.endpoint import translated_errors
from marketplace.chain.fees import Fees
from marketplace.chain.sender import TransactionSender
from marketplace.chain.types import Address
from marketplace.devnet.anvil import Anvil, public_account
from marketplace.node.journal import Journal

_ETHER = 10**18


@dataclass(frozen=True)
class Rehearsed:
    """A deployment to a fresh local chain, by its first public account."""

    deployment: Deployment
    gas: list[tuple[str, int]]  # of each transaction, in their order


def rehearse(plan: Plan) -> Rehearsed:
    """Carries the plan out on a chain that is gone afterwards. The same plan gives the same addresses each time."""
    with (
        Anvil() as chain,
        TemporaryDirectory(prefix="fairshare-") as scratch,
        Journal(Path(scratch) / "journal.sqlite") as journal,
        TransactionSender(
            ChainClient(chain.url).connect(),
            public_account(0),
            journal,
            lock_directory=Path(scratch),
            poll_s=0.02,
        ) as sender,
    ):
        deployment = carry_out(sender, plan)
        return Rehearsed(deployment, _gas(sender.client.web3, deployment))


def estimate(rehearsed: Rehearsed, client: ChainClient, payer: Address) -> list[str]:
    """The costs on the chain of `client`, in lines to print, and what the payer holds there."""
    with translated_errors("read fees and balance"):
        base_fee = int(client.web3.eth.get_block("latest").get("baseFeePerGas", 0))
        fees = Fees.for_next_blocks(base_fee, int(client.web3.eth.max_priority_fee))
        held = int(client.web3.eth.get_balance(Web3.to_checksum_address(payer)))
    price = base_fee + fees.priority_fee
    total = sum(gas for _, gas in rehearsed.gas)
    lines = [f"{name:<28} {gas:>12,} gas  {gas * price / _ETHER:.6f}" for name, gas in rehearsed.gas]
    lines.append(f"{'total':<28} {total:>12,} gas  {total * price / _ETHER:.6f}")
    lines.append(f"at {price / 10**9:.3f} gwei; at most {total * fees.max_fee / _ETHER:.6f} if fees rise")
    lines.append(f"{payer} holds {held / _ETHER:.6f} on chain {client.chain_id}")
    return [*lines, "nothing was sent; a rollup's fee for data comes on top"]


def _gas(web3: Web3, deployment: Deployment) -> list[tuple[str, int]]:
    names = {
        deployment.market: "TrainingMarket",
        deployment.gram_verifier: "GramVerifier",
        deployment.judge: "RoundJudge",
    } | {place: name for name, place in deployment.libraries.items()}
    found = []
    for number in range(1, web3.eth.block_number + 1):
        for receipt in web3.eth.get_block_receipts(number):
            created = receipt["contractAddress"]
            name = names.get(created, "a circuit's verifier") if created else "register a circuit"
            found.append((name, int(receipt["gasUsed"])))
    return found
