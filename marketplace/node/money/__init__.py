"""What taking part has brought and cost: gas from the journal's transactions, all else from the chain."""
