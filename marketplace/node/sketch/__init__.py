"""The sketch path in a member's hands (docs/sketch.md): what a round posted, whether it is true, disputes about it."""
