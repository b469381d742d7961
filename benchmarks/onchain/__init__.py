"""Projects on a devnet: the real contracts, storage and nodes, and what the chain paid."""
