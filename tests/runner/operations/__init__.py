"""Tests of tasks/runner/operations."""
