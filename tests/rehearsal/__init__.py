"""Tests of tasks/rehearsal."""
