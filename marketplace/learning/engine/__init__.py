"""How a trainer's machine trains: precision, micro-batches, feeding, compiling, processes (docs/training.md)."""
