"""What can be asked of the runner."""
