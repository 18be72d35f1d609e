"""The shared runner: reads migrations, plans, and brings a database to the schema that they say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.runner.execution.migration_runner import MigrationRunner

__all__ = ["MigrationRunner"]


def __getattr__(name: str) -> Any:
    """Import MigrationRunner when it is first asked for: it brings psycopg, for which settings alone need not wait."""
    if name != "MigrationRunner":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tasks.runner.execution.migration_runner import MigrationRunner

    return MigrationRunner
