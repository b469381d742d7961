"""The project's aggregators as peers: their encryption keys and where their storage nodes answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from marketplace.chain.events import AggregatorJoined, fetch
from marketplace.chain.types import Address
from marketplace.errors import FairshareError, Reason
from marketplace.node.logging import Logger
from marketplace.node.project import ProjectContext
from marketplace.storage.contact import decode_contact


@dataclass
class PeerBook:
    """Reads the chain once for each aggregator; an address that does not answer is tried again at the next call."""

    context: ProjectContext
    log: Logger
    known: dict[Address, AggregatorJoined] = field(default_factory=dict)

    def aggregator(self, index: int) -> AggregatorJoined:
        """How the aggregator at `index` of the project's list joined; NOT_FOUND if there is none.

        The list is that of the block that this thread looks at, else the newest.
        """
        client = self.context.client
        listed = client.aggregators(self.context.project, block=client.looked_at)
        if index >= len(listed):
            raise FairshareError(
                Reason.NOT_FOUND, f"project {self.context.project} has no aggregator {index}", "wait for one"
            )
        holder = listed[index].holder
        if holder not in self.known:
            for joined in fetch(client, [AggregatorJoined], self.context.project):
                self.known[joined.aggregator] = joined
        if holder not in self.known:
            raise FairshareError(
                Reason.UNAVAILABLE,
                f"the endpoint does not serve how aggregator {index} joined",
                "try again later",
            )
        return self.known[holder]

    def connect_to(self, index: int) -> None:
        """Connect our storage node to an aggregator's; an aggregator that cannot be reached is only reported."""
        joined = self.aggregator(index)
        try:
            self.context.store.connect(decode_contact(joined.contact.split(b"\n")[0]))
        except FairshareError as error:
            if error.reason is Reason.STORAGE_UNREACHABLE:
                raise
            self.log.warning("aggregator's storage does not answer", aggregator=index, problem=error.message)

    def submission_url(self, index: int) -> str | None:
        """Where an aggregator takes signed submissions: the line of its contact that starts with "http"."""
        for line in self.aggregator(index).contact.split(b"\n")[1:]:
            if line.startswith(b"http"):
                return line.decode("ascii", errors="replace")
        return None

    def connect_to_owner(self) -> None:
        """Connect to the peers that the spec names; those that do not answer are only reported."""
        for peer in self.context.spec.storage.peers:
            try:
                self.context.store.connect(peer)
            except FairshareError as error:
                if error.reason is Reason.STORAGE_UNREACHABLE:
                    raise
                self.log.warning("the owner's storage does not answer", problem=error.message)
