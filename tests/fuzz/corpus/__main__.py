"""Writes the corpus' seeds anew."""

from tests.fuzz import corpus
from tests.fuzz.targets import TARGETS

for target in TARGETS.values():
    corpus.renew(target)
