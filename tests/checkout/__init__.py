"""Tests of tasks/checkout."""
