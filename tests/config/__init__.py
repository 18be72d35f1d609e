"""Tests of tasks/config."""
