"""Tests of tasks/rehearsal/crash_test."""
