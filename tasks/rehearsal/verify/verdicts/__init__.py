"""Verdicts of earlier verifications, used again where nothing that they rest on has changed."""
