"""Replay of migrations on scratch databases."""
