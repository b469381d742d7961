"""Flower clients as trainers: the training step of `fairshare trainer run --flower` (docs/tasks.md)."""
