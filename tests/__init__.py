"""Tests, laid out as tasks/ is."""
