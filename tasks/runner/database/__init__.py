"""Sessions with the database."""
