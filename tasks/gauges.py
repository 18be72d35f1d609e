"""The status as gauges for Prometheus: a file for node_exporter's textfile collector."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from tasks.runner.events import EnvironmentStatus, StatusesRead

_OPEN_STATES = frozenset({"pending", "late", "interrupted"})


def write_gauges(overview: StatusesRead, path: Path, *, now: datetime | None = None) -> None:
    """Write the gauges in one move, so that the collector never reads half a file."""
    registry = CollectorRegistry()
    pending = Gauge("schema_migrations_pending", "Migrations that are not applied", ["environment"], registry=registry)
    failed = Gauge("schema_migrations_failed", "Migrations whose last try failed", ["environment"], registry=registry)
    differing = Gauge(
        "schema_migrations_differing", "Applied migrations whose file is edited or missing", ["environment"], registry=registry
    )
    age = Gauge(
        "schema_migrations_last_applied_seconds", "Seconds since the last one was applied", ["environment"], registry=registry
    )
    reached = Gauge("schema_migrations_reached", "1 if the environment could be reached", ["environment"], registry=registry)
    for column in overview.environments:
        reached.labels(column.environment).set(0 if column.error else 1)
        if column.error:
            continue
        pending.labels(column.environment).set(sum(row.state in _OPEN_STATES for row in column.rows))
        failed.labels(column.environment).set(sum(row.failed for row in column.rows))
        differing.labels(column.environment).set(sum(row.state in ("edited", "missing") for row in column.rows))
        seconds = count_seconds_since_last(column, now or datetime.now(UTC))
        if seconds is not None:
            age.labels(column.environment).set(seconds)
    write_to_textfile(str(path), registry)


def count_seconds_since_last(column: EnvironmentStatus, now: datetime) -> float | None:
    """Count the seconds since an environment's last migration was applied; None where none ever was. Pure."""
    moments = [datetime.fromisoformat(row.applied_at) for row in column.rows if row.applied_at]
    return (now - max(moments)).total_seconds() if moments else None
