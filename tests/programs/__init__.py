"""Tests of tasks/programs."""
