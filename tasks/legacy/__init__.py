"""Cleaning up a folder of old files."""
