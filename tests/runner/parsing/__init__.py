"""Tests of SQL text → statements."""
