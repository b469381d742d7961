"""What `fairshare project new` writes for this task. Try your own figures on your own data before you post them."""

from marketplace.spec.template import Start

START = Start(
    task="""\
kind = "prototypes"     # each class is known by a few learned points
features = 64           # columns of X in the trainers' data, scaled to 0..1
classes = 10            # labels y run from 0 to classes - 1
per_class = 1           # prototypes of a class
sharpness = 1.0         # of the choice of the nearest
""",
    training="""\
epochs = 5
batch_size = 16
learning_rate = 0.1
momentum = 0.0
clip_norm = 20.0        # bound on an update's length: well above an honest one, it limits what an attacker can send
""",
    rounds=5,
)
