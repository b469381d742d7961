"""The work in the market.

    python -m sidebyside.market {on-demand,proved,averaged} {alone,forked} {seconds,at-once} {own,shared}

Each trainer, and the aggregator, is a process, with a storage node of its own, or all share the devnet's. It loads what
it needs by itself, as `fairshare trainer run` does, or is forked from a process that has. Blocks come once a second, or
with a transaction. The project is one of `prepare.PROJECTS`.
"""

from __future__ import annotations

import sys

from marketplace.devnet.nursery import Nursery
from marketplace.loading import loading

PRELOADED = (
    "torch",
    "marketplace.learning.train",
    "trainer_node.cli",
    "trainer_node.daemon",
    "aggregator.duty",
)


def main() -> int:
    """Exit 0 where the project came to its end."""
    project, start, blocks, storage = sys.argv[1:]
    nursery = Nursery(PRELOADED) if start == "forked" else None
    with loading():  # beside the nursery, and not in the nodes, which import this module as their main one
        from marketplace.node.console import run as exit_status
        from sidebyside.parties import play

    def run() -> int:
        play(project, nursery, at_once=blocks == "at-once", shares=storage == "shared")
        return 0

    return exit_status(run)


if __name__ == "__main__":
    sys.exit(main())
