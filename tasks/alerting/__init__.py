"""Alerts about failed and waiting runs: their text and their delivery."""
