"""Clients made of Flower itself, run in an environment that has it (`make build/flower/venv`)."""

from __future__ import annotations

from typing import Any

from clients import Descent, Echo, Fitted
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp


class Numpy(NumPyClient):  # type: ignore[misc]
    """As `Descent`."""

    def fit(self, parameters: list[Any], config: dict[str, Any]) -> Fitted:
        return Descent().fit(parameters, config)


def client_fn(context: Context) -> Any:
    """What `flwr new` writes for a NumPyClient."""
    return Numpy().to_client()


old_app = ClientApp(client_fn=client_fn)
new_app = ClientApp()


@new_app.train()  # type: ignore[untyped-decorator]
def train(message: Message, context: Context) -> Message:
    """What `flwr new` writes for a message app."""
    config = dict(message.content["config"])
    arrays = message.content["arrays"]
    assert list(arrays) == ["weight", "bias"]
    trained, count, _ = Descent().fit(arrays.to_numpy_ndarrays(), config)
    content = RecordDict({"arrays": ArrayRecord(trained), "metrics": MetricRecord({"num-examples": count})})
    return Message(content=content, reply_to=message)


failing = ClientApp()


@failing.train()  # type: ignore[untyped-decorator]
def fail(message: Message, context: Context) -> Message:
    """Nothing that could be used."""
    raise RuntimeError(f"not today, {Echo.__name__}")
