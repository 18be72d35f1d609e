"""Check what an environment has and what it lacks, step by step."""
