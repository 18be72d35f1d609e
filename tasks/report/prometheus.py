"""The status as gauges for Prometheus: a file for node_exporter's textfile collector.

https://github.com/prometheus/node_exporter#textfile-collector
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from tasks.checkout.writing import write_file
from tasks.runner.clock import read_time
from tasks.runner.errors import RunnerError
from tasks.runner.events import EnvironmentStatus, StatusesRead

_OPEN_STATES = frozenset({"pending", "late", "failed", "interrupted"})
_DIFFERING_STATES = frozenset({"edited", "missing"})
_READABLE_BY_ALL = 0o644


def write_gauges(overview: StatusesRead, path: Path, *, now: datetime | None = None) -> None:
    """Write the gauges atomically, so that the collector never reads half a file, and readable for other accounts.

    Raises RunnerError where the file cannot be written.
    """
    try:
        write_file(path, generate_latest(build_gauges(overview, now or datetime.now(UTC))), mode=_READABLE_BY_ALL)
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}", hint="Name another file with --prometheus.") from error


def build_gauges(overview: StatusesRead, now: datetime) -> CollectorRegistry:
    """Return the gauges; an environment that could not be reached has only the gauge for that."""
    registry = CollectorRegistry()

    def make(name: str, text: str) -> Gauge:
        return Gauge(f"schema_migrations_{name}", text, ["environment"], registry=registry)

    reached = make("reached", "1 if the environment could be reached, else 0")
    pending = make("pending", "Migrations that are not applied, or not completely")
    failed = make("failed", "Migrations whose last attempt failed")
    differing = make("differing", "Applied migrations whose file is edited or missing")
    drifted = make("drifted", "1 if the schema differs from the one that the runs created, else 0")
    age = make("seconds_since_last_applied", "Seconds since the last migration was applied")
    for column in overview.environments:
        reached.labels(column.environment).set(0 if column.error else 1)
        if column.error:
            continue
        pending.labels(column.environment).set(sum(row.state in _OPEN_STATES for row in column.rows))
        failed.labels(column.environment).set(sum(row.failed for row in column.rows))
        differing.labels(column.environment).set(sum(row.state in _DIFFERING_STATES for row in column.rows))
        drifted.labels(column.environment).set(column.drifted)
        seconds = count_seconds_since_last(column, now)
        if seconds is not None:
            age.labels(column.environment).set(seconds)
    return registry


def count_seconds_since_last(column: EnvironmentStatus, now: datetime) -> float | None:
    """Return the seconds since the last migration of an environment was applied, None if there is none."""
    moments = [at.replace(tzinfo=at.tzinfo or UTC) for row in column.rows if (at := read_time(row.applied_at))]
    return (now - max(moments)).total_seconds() if moments else None
