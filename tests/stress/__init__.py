"""Tests of the runner under stress: many at once, killed, starved, blocked."""
