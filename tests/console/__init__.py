"""Tests of tasks/console."""
