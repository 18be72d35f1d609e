"""The diagram of a schema."""
