"""Tests of tasks/runner/planning."""
