"""The safe migrations of a lint."""
