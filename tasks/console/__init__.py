"""Events as plain text for people, without colour and without rich: what scripts/migrate.py prints."""

from tasks.console.printer import JsonReport, Outlet, PlainReport, describe, relay

__all__ = ["JsonReport", "Outlet", "PlainReport", "describe", "relay"]
