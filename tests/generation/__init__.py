"""Tests of tasks/generation."""
