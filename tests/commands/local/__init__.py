"""Tests of tasks/commands/local."""
