"""Trying migrations on a scratch database, to learn what they would do before they meet real data."""
