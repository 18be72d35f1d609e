"""Tests of tasks/runner/ledger."""
