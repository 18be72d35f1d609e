"""Finding out what an environment has, step by step, and what it lacks."""
