"""Tests of tasks/rehearsal/kept."""
