"""What each statement of the pending migrations does, observed on a scratch database from a second session."""
