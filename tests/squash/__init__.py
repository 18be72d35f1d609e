"""Tests of tasks/squash."""
