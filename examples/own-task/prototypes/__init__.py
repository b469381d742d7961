"""The task `prototypes` for Fairshare."""
