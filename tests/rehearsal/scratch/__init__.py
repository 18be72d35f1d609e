"""Tests of tasks/rehearsal/scratch."""
