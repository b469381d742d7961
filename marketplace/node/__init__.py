"""What both daemons share: the journal, the chain's clock, logging and the way they start, retry and stop."""
