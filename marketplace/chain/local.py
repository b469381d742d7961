"""Chains that live on one machine, where nothing is worth anything."""

from __future__ import annotations

from typing import Final

DEVNET_CHAIN_ID: Final = 31337  # anvil's and hardhat's
LOCAL_CHAIN_IDS: Final = frozenset({DEVNET_CHAIN_ID, 1337})  # 1337: ganache's
