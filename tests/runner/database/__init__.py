"""Tests of tasks/runner/database."""
