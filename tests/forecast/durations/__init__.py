"""Tests of the durations of a forecast."""
