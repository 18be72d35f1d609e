"""Kinds of objects whose SQL is not that of one CREATE, ALTER or DROP."""
