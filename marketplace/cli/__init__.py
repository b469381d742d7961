"""The `fairshare` command."""
