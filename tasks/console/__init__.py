"""Events as plain text for people, without colour and without rich: what scripts/migrate.py prints."""

from tasks.console.printer import JsonReport, OutputStream, PlainReport, describe, print_events

__all__ = ["JsonReport", "OutputStream", "PlainReport", "describe", "print_events"]
