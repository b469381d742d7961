"""Runs a Flower client for one round, in an interpreter of the trainer's choice: `python bridge.py FOLDER`.

It stands alone, as that interpreter need not have Fairshare: numpy, and Flower where the client is made of it. FOLDER
holds request.json and parameters.npz; result.npz is written there. Nothing is pickled.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np


def main(folder: Path) -> None:
    """One round, or with `probe` in the request only finding the client. Ends when whoever started it does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.path[0] = os.getcwd()  # in place of this file's folder: the client is found as in a shell
    request = json.loads((folder / "request.json").read_text("utf8"))
    client = _found(request["client"])
    if request["probe"]:
        return
    names, config = request["names"], request["config"]
    with np.load(folder / "parameters.npz", allow_pickle=False) as stored:
        arrays = [stored[str(i)] for i in range(len(names))]
    fitted = _fit(client, names, arrays, config)
    made = {str(i): np.asarray(array, dtype=np.float32) for i, array in enumerate(fitted)}
    draft = folder / "draft.npz"
    np.savez(draft, **made)  # type: ignore[arg-type]  # numpy's stub takes them for its own options
    os.replace(draft, folder / "result.npz")


def _end_with_parent() -> None:
    # Until the pipe's other end is closed, however that process ended. sys.stdin's lock would hold up our own end.
    while os.read(0, 1024):
        pass
    os._exit(1)


def _found(name: str) -> Any:
    """What `module:object` names, as something to fit: an object with `fit`, or a ClientApp."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if isinstance(found, type):
        found = found()
    if hasattr(found, "fit") or _is_app(found):
        return found
    if callable(found):  # a client_fn
        from flwr.clientapp import ClientApp

        return ClientApp(client_fn=found)
    raise TypeError(f"{name} is no NumPyClient, ClientApp or client_fn")


def _is_app(found: Any) -> bool:
    return any(kind.__name__ == "ClientApp" for kind in type(found).__mro__)


def _fit(client: Any, names: list[str], arrays: list[Any], config: dict[str, Any]) -> list[Any]:
    if not _is_app(client):
        return list(client.fit(arrays, config)[0])
    from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict

    def record() -> Any:
        return ArrayRecord(
            OrderedDict((name, Array(array)) for name, array in zip(names, arrays, strict=True))
        )

    # Under both names: "arrays" and "config" for an app with a train function, the others for one with a client_fn.
    content = RecordDict(
        {
            "arrays": record(),
            "config": ConfigRecord(config),
            "fitins.parameters": record(),
            "fitins.config": ConfigRecord(config),
        }
    )
    _identify()
    context = Context(run_id=1, node_id=1, node_config={}, state=RecordDict(), run_config={})
    message = Message(content=content, dst_node_id=1, message_type="train")
    reply = client(message, context)
    if reply.has_error():
        raise RuntimeError(f"the ClientApp answered with an error: {reply.error.reason}")
    (trained,) = reply.content.array_records.values()
    return list(trained.to_numpy_ndarrays())


def _identify() -> None:
    """Messages are of some run and node; in Flower's own processes it is they who say which."""
    try:
        from flwr.supercore.task_identity import TaskIdentity
    except ModuleNotFoundError:  # older releases do not ask
        return
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1


if __name__ == "__main__":
    main(Path(sys.argv[1]))
