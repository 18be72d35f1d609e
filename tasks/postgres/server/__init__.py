"""Running a PostgreSQL server."""
