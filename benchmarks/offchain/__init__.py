"""Rounds of a project in the protocol's own integers, without chain or proof: neither changes a number."""
