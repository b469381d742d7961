"""The chain as the market's programs see it: compiler, deployment, typed reads, events and transactions."""
