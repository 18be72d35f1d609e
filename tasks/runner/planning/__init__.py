"""Deciding what to run."""
