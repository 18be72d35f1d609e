"""The command line of scripts/migrate.py: events as plain text or JSON lines, and prompts."""

from tasks.console.printer import JsonReport, OutputStream, PlainReport, describe, print_events

__all__ = ["JsonReport", "OutputStream", "PlainReport", "describe", "print_events"]
