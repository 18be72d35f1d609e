"""Facts about PostgreSQL, and the embedded server."""
