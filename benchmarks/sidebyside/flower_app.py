"""The work as a Flower app: federated averaging, no evaluation on the way."""

from __future__ import annotations

import functools

import numpy as np
import torch
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

try:
    from sidebyside import plain
except ModuleNotFoundError:  # deployed: Flower puts the app's files on the path
    import plain  # type: ignore[import-not-found,no-redef]

client_app = ClientApp()
server_app = ServerApp()


@functools.cache
def _part(trainer: int) -> plain.Part:
    return plain.read_part(plain.folder(), f"trainer-{trainer}")


@client_app.train()
def train(message: Message, context: Context) -> Message:
    """One trainer's round."""
    torch.set_num_threads(1)
    trainer = int(context.node_config["partition-id"])
    work, part = plain.read_work(plain.folder()), _part(trainer)
    model = message.content["arrays"].to_numpy_ndarrays()[0]
    trained = plain.train(work, model, part, trainer, int(message.content["config"]["server-round"]))
    reply = RecordDict(
        {"arrays": ArrayRecord([trained]), "metrics": MetricRecord({"num-examples": len(part.y)})}
    )
    return Message(content=reply, reply_to=message)


@server_app.main()
def serve(grid: Grid, context: Context) -> None:
    """All rounds, and the model written down after each."""
    where = plain.folder()
    work = plain.read_work(where)
    marks: list[plain.Marks] = []

    def evaluate(round_: int, arrays: ArrayRecord) -> MetricRecord:
        if round_ == 0:
            marks.append(plain.Marks.begin(where))
        else:
            np.save(where / plain.FINAL, arrays.to_numpy_ndarrays()[0])
            marks[0].mark()
        return MetricRecord({})

    everybody = FedAvg(
        fraction_train=1.0,
        fraction_evaluate=0.0,
        min_train_nodes=work.trainers,
        min_available_nodes=work.trainers,
    )
    initial = ArrayRecord([np.load(where / plain.INITIAL)])
    everybody.start(grid=grid, initial_arrays=initial, num_rounds=work.rounds, evaluate_fn=evaluate)
