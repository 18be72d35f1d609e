"""Completion, the list of commands, and errors of the command line."""
