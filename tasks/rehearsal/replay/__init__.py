"""Replaying migrations on scratch."""
