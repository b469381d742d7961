"""Imported first by the process that nodes are forked from; see `marketplace.devnet.preloaded`."""

from __future__ import annotations

import gc

gc.disable()
