"""The commands behind the Invoke tasks."""
