"""What the pending migrations will do to an environment: observed on scratch, joined with the environment's numbers."""
