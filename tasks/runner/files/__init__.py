"""The files of a checkout."""
