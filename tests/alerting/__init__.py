"""Tests of tasks/alerting."""
