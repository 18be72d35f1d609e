"""Tests of tasks/rehearsal/replay."""
