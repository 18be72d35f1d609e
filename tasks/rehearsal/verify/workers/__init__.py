"""Processes that verify parts of a history at the same time."""
