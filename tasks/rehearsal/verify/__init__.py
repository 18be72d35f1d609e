"""Verifying migrations."""
