"""Environments and their settings."""
