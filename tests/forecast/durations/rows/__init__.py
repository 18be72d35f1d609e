"""Tests of tasks/forecast/durations/rows."""
