"""Tests of tasks/rehearsal/verify."""
