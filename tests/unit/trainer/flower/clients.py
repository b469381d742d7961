"""Clients as a user would write them, run by the bridge in a process of their own. Without Flower: `fit` is enough."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import numpy as np

Arrays = list[np.ndarray]
Fitted = tuple[Arrays, int, dict[str, Any]]


class Descent:
    """Softmax regression by hand, in numpy: full-batch gradient descent on the trainer's own .npz."""

    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        weights, biases = (array.copy() for array in parameters)
        with np.load(config["data"]) as data:
            X, y = data["X"], data["y"]
        wanted = np.eye(len(biases), dtype=np.float32)[y]
        for _ in range(config["epochs"]):
            logits = X @ weights.T + biases
            chances = np.exp(logits - logits.max(axis=1, keepdims=True))
            slopes = (chances / chances.sum(axis=1, keepdims=True) - wanted) / len(X)
            weights -= config["learning_rate"] * slopes.T @ X
            biases -= config["learning_rate"] * slopes.sum(axis=0)
        return [weights, biases], len(X), {}


class Echo:
    """Gives back what it gets, moved by what the config says."""

    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        moved = config["round"] + config["momentum"]
        return [array + np.float32(moved) for array in parameters], 1, {}


class Broken:
    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        raise RuntimeError("my data\nis gone\x1b[2J")


class Short:
    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        return parameters[:1], 1, {}


class Transposed:
    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        return [array.T for array in parameters], 1, {}


class Huge:
    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        return [np.zeros((4096, 4096)), parameters[1]], 1, {}


class NotANumber:
    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        return [array * np.nan for array in parameters], 1, {}


class Secrets:
    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        found = any(name.startswith("FAIRSHARE_") for name in os.environ)
        return [array + np.float32(found) for array in parameters], 1, {}


class Slow:
    """Starts a child, names it in the file that `data` is, and sleeps."""

    def fit(self, parameters: Arrays, config: dict[str, Any]) -> Fitted:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        with open(config["data"], "w") as file:
            file.write(f"{os.getpid()} {child.pid}")
        time.sleep(60)
        return parameters, 1, {}


echo = Echo()
nothing = 7
