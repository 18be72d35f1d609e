"""Tests of tasks/adopt: databases that have no record."""
