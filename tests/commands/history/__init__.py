"""Tests of the commands on single migrations of the history."""
