"""Killing runs on scratch."""
