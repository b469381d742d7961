"""An endpoint whose events are not those of the state that it serves: an error of its own, which passes by itself.

Behind one address there are often several machines, and logs are indexed after blocks are executed. So the state of a
block may be there before its events, and a node that ended over it would end for nothing.
"""

from __future__ import annotations

from marketplace.chain.client import MarketClient
from marketplace.errors import FairshareError, Reason


def lagging(client: MarketClient, problem: str) -> FairshareError:
    """UNAVAILABLE: the endpoint's events lag behind its state, or it keeps them no longer, or they are false.

    What the client remembers of them is forgotten: the next attempt reads them again.
    """
    client.memory.forget()
    return FairshareError(
        Reason.UNAVAILABLE,
        problem,
        "trying again helps where it lags; where it stays so, use another endpoint",
    )
