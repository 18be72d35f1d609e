"""Changing the checkout's files."""
