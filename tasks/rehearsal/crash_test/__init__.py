"""Crash tests on scratch databases: db.test-crash."""
