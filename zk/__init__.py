"""The proof of the Gram matrix: circuit, keys, commitments, prover, generated verifier.

Knows arrays, curve points and files, nothing of the market. See docs/proof.md.
"""
