"""Tests of tasks/templates."""
