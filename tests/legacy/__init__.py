"""Tests of tasks/legacy: cleaning up a folder of old files."""
