"""Flower's simulation: its nodes are virtual, and share as many Ray workers as there are cores."""

from __future__ import annotations

from flwr.simulation import run_simulation

from sidebyside import plain
from sidebyside.flower_app import client_app, server_app

if __name__ == "__main__":
    run_simulation(
        server_app=server_app,
        client_app=client_app,
        num_supernodes=plain.read_work(plain.folder()).trainers,
        backend_config={"client_resources": {"num_cpus": 1, "num_gpus": 0.0}},
    )
