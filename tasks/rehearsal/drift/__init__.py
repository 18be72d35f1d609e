"""Drift, the differences between a database and its applied migrations: db.drift."""
