"""The proof of the Gram matrix: circuit, keys, commitments, prover, generated verifier.

Knows arrays, curve points and files, nothing of the market. See docs/proof.md.
"""

import sys as _sys

_limit = _sys.getrecursionlimit()
import py_ecc as _py_ecc  # noqa: E402, F401

# It allows 100,000 calls within another: a stranger's nested JSON would then overflow the stack before Python refuses.
_sys.setrecursionlimit(_limit)
