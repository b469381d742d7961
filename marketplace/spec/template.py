"""The project.toml that `fairshare project new` writes. Its figures come from benchmarks/aggregation.py."""

from __future__ import annotations

from dataclasses import dataclass

from marketplace.errors import FairshareError, Reason
from marketplace.spec import plugins

GROUP = "fairshare.templates"  # entry points: a `Start` for each kind of task that a package brings

_PROJECT = """\
name = "My project"
description = ""
visibility = "public"   # who may read the models: everybody; "members": trainers, aggregators and you
"""

_EXACT = """\
scale_bits = 14         # fixed point: one unit of a weight is 2^-14
path = "exact"          # a proof over whole updates; "sketch": over sketches, for large models; "auto": by size
"""


@dataclass(frozen=True)
class Start:
    """What of a project.toml depends on its task, each part as it is to be read, with comments.

    `task`: [task], from `kind` on. `training`: [training] without the seed. `rounds`: T. `arithmetic`: [arithmetic].
    `strike_factor`: 0 where honest trainers may well be unlike all others (docs/scoring.md, "Strikes").
    """

    task: str
    training: str
    rounds: int
    arithmetic: str = _EXACT
    strike_factor: int = 800


_STARTS = {
    "softmax": Start(
        task="""\
kind = "softmax"        # a linear classifier
features = 64           # columns of X in the trainers' .npz
classes = 10            # labels y run from 0 to classes - 1
""",
        training="""\
epochs = 10
batch_size = 16
learning_rate = 0.5
momentum = 0.0
clip_norm = 40.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
        rounds=5,
    ),
    "mlp": Start(
        task="""\
kind = "mlp"            # a classifier with one hidden layer
features = 784          # columns of X in the trainers' .npz
classes = 10            # labels y run from 0 to classes - 1
hidden = 16             # width of the hidden layer
pool = 4                # X is a square image, averaged over windows of this side first; 1: X as it is
trained = "all"         # "head": the hidden layer stays random, only the output layer is trained
""",
        training="""\
epochs = 3
batch_size = 32
learning_rate = 0.1
momentum = 0.9
clip_norm = 60.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
        rounds=6,
    ),
    "cnn": Start(
        task="""\
kind = "cnn"            # two convolutions, a hidden layer: a million parameters on 28 x 28
features = 784          # columns of X in the trainers' .npz, a square image
classes = 10            # labels y run from 0 to classes - 1
channels = 32           # of the first convolution; the second has twice as many
hidden = 320            # width of the hidden layer
""",
        training="""\
epochs = 1
batch_size = 32
learning_rate = 0.05
momentum = 0.9
clip_norm = 40.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
        rounds=5,
        arithmetic="""\
scale_bits = 15         # fixed point: one unit of a weight is 2^-15
path = "auto"           # "exact": a proof over whole updates; "sketch": over sketches, for large models
width = 1024            # numbers of a sketch, if there are any
""",
    ),
    "tabular": Start(
        task="""\
kind = "tabular"        # a table's columns of numbers and of categories, under a hidden layer
features = 5            # columns of X in the trainers' data
classes = 2             # labels y run from 0 to classes - 1
categories = [0, 0, 0, 4, 2]  # of each column, 0: it holds numbers; a category is written as its number from 0
mean = [40.0, 0.0, 0.0]    # of each column of numbers: this is taken off it,
scale = [12.0, 1.0, 1.0]   # and what is left is divided by this
embedding = 0           # width of a category's trained vector; 0: one-hot
hidden = 32             # width of the hidden layers
layers = 1              # how many of them
""",
        training="""\
epochs = 5
batch_size = 32
learning_rate = 0.1
momentum = 0.9
clip_norm = 40.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
        rounds=5,
        strike_factor=0,
    ),
    "frozen-backbone": Start(
        task="""\
kind = "frozen-backbone"  # layers that were trained before, under an output layer that is trained
features = 784          # columns of X in the trainers' data, a square image
classes = 10            # labels y run from 0 to classes - 1
network = "cnn"         # whose layers they are: "cnn" or "mlp", with that task's options
channels = 32
hidden = 320
backbone_file = "backbone.safetensors"  # their weights; posting puts the hash in its place
""",
        training="""\
epochs = 3
batch_size = 32
learning_rate = 0.05
momentum = 0.0
clip_norm = 40.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
        rounds=5,
    ),
    "lora": Start(
        task="""\
kind = "lora"           # low-rank adapters on a transformer, and a head; needs fairshare[lora]
features = 32           # columns of X: a row's token numbers, 0 where it has no more
classes = 2             # labels y run from 0 to classes - 1
vocabulary = 1000       # token numbers run from 0 to vocabulary - 1
width = 64              # of the encoder
layers = 2
heads = 4
rank = 4                # of the adapters
base_file = "base.safetensors"  # the encoder's weights; posting puts the hash in its place
""",
        training="""\
epochs = 2
batch_size = 16
learning_rate = 0.1
momentum = 0.9
clip_norm = 40.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
        rounds=5,
    ),
}

_REST = """\
seed = 0                # of the initial weights

[rounds]
count = {rounds}
join_window = 86400     # seconds
submit_window = 3600
result_window = 3600
answer_window = 1800    # to complain about an update that cannot be opened, and to answer
challenge_window = 1800 # to challenge a round's result; at most submit_window

[cohort]
slots = 10              # updates of a round
faults = 2              # how many of them may be harmful; slots >= 2 * faults + 3
trainers = 10           # places; with more than slots * cohorts, each round's trainers are drawn
cohorts = 1             # of a round

[reward]
token = "native"        # or an ERC-20's address; its amounts are then in its smallest unit
amount = "1 eth"        # the whole escrow
aggregator_fee = "0.01 eth"  # of it, for each cohort's result

[stakes]
trainer = "0.1 eth"
aggregator = "0.2 eth"
complaint_deposit = "0.001 eth"  # what the wrong side of a complaint or a challenge pays
reveal = "0.05 eth"     # yours: lost unless you reveal the validation set at the end

[scoring]
rule = "reference"      # agreement with your own update; "projection" or "cosine": with the other trainers'
fallback_rule = "projection"  # for the rest of the reward, and for rounds in which your node posts no update
reference_share = 8000  # of the reward by the reference, in hundredths of a per cent
strike_factor = {strike_factor:<8}# a Krum score above this many hundredths of the median is a fault; 0: never
                        # (one-sided rows may score high, too)
strike_slash = 2000     # of the stake, in hundredths of a per cent: what a fault or too long an update costs
duplicate_cosine = 9990 # updates this alike, in hundredths of a per cent, are copies; 0: no such rule

[settlement]
mode = "proved"         # a proof with every result; "on-demand": only where somebody asks for one

[arithmetic]
{arithmetic}
[evaluation]
file = "evaluation.npz" # yours; its hash is posted, so that anybody can check the accuracy you state

[validation]
file = "validation.npz" # yours, secret until the end: your node trains on it to see which updates help

[storage]
peers = []              # multiaddresses of nodes that keep the project's files, besides yours
"""


def template(kind: str) -> str:
    """A complete project.toml for a task of `kind`; raises BAD_INPUT for a kind that has none."""
    start = _start(kind)
    rest = _REST.format(rounds=start.rounds, arithmetic=start.arithmetic, strike_factor=start.strike_factor)
    return f"[project]\n{_PROJECT}\n[task]\n{start.task}\n[training]\n{start.training}{rest}"


def _start(kind: str) -> Start:
    if kind in _STARTS:
        return _STARTS[kind]
    brought = plugins.find(GROUP, kind)
    if brought is None:
        known = ", ".join((*_STARTS, *plugins.names(GROUP)))
        raise FairshareError(Reason.BAD_INPUT, f"there is no template for {kind!r}", f"use one of {known}")
    start = brought.load()
    if not isinstance(start, Start):
        raise plugins.incomplete(brought, "a template")
    return start
