"""Imported last by the process that nodes are forked from (`marketplace.devnet.nursery`).

What it has loaded is never garbage. A node's collector would find nothing there, and by looking copy it all.
"""

from __future__ import annotations

import gc

gc.freeze()
gc.enable()
