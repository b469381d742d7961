"""The trainer's daemon: watch, train, commit, submit, serve, claim."""
