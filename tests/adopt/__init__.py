"""Tests of tasks/adopt: databases without a ledger."""
