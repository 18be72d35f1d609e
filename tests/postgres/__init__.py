"""Tests of tasks/postgres."""
