"""Tests of tasks/runner/execution."""
