"""Tests of tasks/models."""
