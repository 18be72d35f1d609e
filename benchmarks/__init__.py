"""Benchmarks: run times compared with psql and other tools. `python -m benchmarks` runs them; pytest does not collect them."""
