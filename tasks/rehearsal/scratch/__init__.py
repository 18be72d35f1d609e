"""Scratch databases."""
