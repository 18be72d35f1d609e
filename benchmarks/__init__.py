"""How long runs take, beside psql and other tools: `python -m benchmarks`. Nothing is asserted, or collected by pytest."""
