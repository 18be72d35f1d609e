"""Tests of tasks/rehearsal/sql_diff/recognition."""
