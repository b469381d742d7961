"""What every call of the market costs, and what the least is that it could cost: see benchmarks/gas.py."""
