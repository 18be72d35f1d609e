"""The operations of the runner."""
