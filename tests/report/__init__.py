"""Tests of the report, and the events that they print."""
