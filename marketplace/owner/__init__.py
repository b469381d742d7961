"""The owner's side of a project: check, post, watch, fetch the model."""
