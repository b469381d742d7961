"""The aggregator's daemon: fetch, check, merge, score, prove, post."""
