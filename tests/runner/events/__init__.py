"""Tests of tasks/runner/events."""
