"""Sealed updates from storage, several at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from aggregator.arrived import Submission
from aggregator.path import Path
from marketplace.node.daemon import ProjectDaemon
from marketplace.storage.cid import from_digest

Wanted = tuple[int, Submission]  # of a cohort


def fetched(
    node: ProjectDaemon, path: Path, wanted: Sequence[Wanted], timeout_s: float
) -> Iterator[tuple[int, Submission, Future[bytes]]]:
    """What is wanted, in order, an attempt of `timeout_s` each; no more than the path has room for are fetched and not
    looked at yet."""
    size = path.sealed_bytes(node)

    def fetch_one(digest: bytes) -> bytes:
        return node.context.store.fetch(from_digest(digest), max_bytes=size, timeout_s=timeout_s)

    left = iter(wanted)
    with ThreadPoolExecutor(path.at_once) as pool:
        under_way = deque(
            (cohort, submission, pool.submit(fetch_one, submission.blob))
            for cohort, submission in islice(left, path.at_once)
        )
        while under_way:
            yield under_way.popleft()
            for cohort, submission in islice(left, 1):
                under_way.append((cohort, submission, pool.submit(fetch_one, submission.blob)))
