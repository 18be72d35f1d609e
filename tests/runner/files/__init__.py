"""Tests of tasks/runner/files."""
