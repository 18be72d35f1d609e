"""The schema that SQLAlchemy models describe."""
