"""The sketch path in an aggregator's hands (docs/sketch.md)."""
