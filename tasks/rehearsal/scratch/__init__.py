"""Scratch databases, and the server on which they are created."""
