"""A market on this machine alone: chain, contracts, storage, accounts. Everything listens on loopback."""
