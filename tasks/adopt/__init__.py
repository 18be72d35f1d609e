"""Adopt (baseline) an existing database: find out which migrations it has, and record them."""
