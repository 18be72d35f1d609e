"""The gauges as Prometheus reads them: the file is parsed with the parser of its client library."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tasks.report.prometheus import write_gauges
from tasks.runner.errors import RunnerError
from tasks.runner.events import EnvironmentStatus, StatusesRead, StatusRow
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator

NOW = datetime(2025, 11, 22, 12, 0, 0, tzinfo=UTC)
STAGING = EnvironmentStatus(
    "staging",
    "",
    (
        StatusRow("1", "applied", "2025-11-22T11:58:30Z", "me", 1),
        StatusRow("2", "edited", "2025-11-21T12:00:00Z", "me", 1),
        StatusRow("3", "missing", "2025-11-20T12:00:00Z", "me", 1),
        StatusRow("4", "late"),
        StatusRow("5", "interrupted", failed=True),
        StatusRow("6", "pending", failed=True),
        StatusRow("7", "pending"),
    ),
    drifted=True,
)
EMPTY = EnvironmentStatus("dev", "", ())
UNREACHED = EnvironmentStatus("prod", 'no "connection"', ())


def read(path: Path) -> dict[str, dict[str, float]]:
    """Return the value of each gauge by environment. Raise AssertionError if a metric is not a gauge or has no description."""
    gauges: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(path.read_text()):
        assert family.type == "gauge"
        assert family.documentation
        gauges[family.name.removeprefix("schema_migrations_")] = {
            sample.labels["environment"]: sample.value for sample in family.samples
        }
    return gauges


def test_the_gauges_count_the_states(tmp_path: Path) -> None:
    write_gauges(StatusesRead((EMPTY, STAGING, UNREACHED), 7), tmp_path / "m.prom", now=NOW)
    assert read(tmp_path / "m.prom") == {
        "reached": {"dev": 1, "staging": 1, "prod": 0},
        "pending": {"dev": 0, "staging": 4},
        "failed": {"dev": 0, "staging": 2},
        "differing": {"dev": 0, "staging": 2},
        "drifted": {"dev": 0, "staging": 1},
        "seconds_since_last_applied": {"staging": 90},
    }


def test_an_environment_may_have_any_name(tmp_path: Path) -> None:
    name = 'a "b" \\ c'
    write_gauges(StatusesRead((EnvironmentStatus(name, "", ()),), 0), tmp_path / "m.prom")
    assert read(tmp_path / "m.prom")["reached"] == {name: 1}


def test_the_file_is_world_readable_with_any_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_gauges(StatusesRead((STAGING,), 7), tmp_path / "m.prom")
    finally:
        os.umask(before)
    assert (tmp_path / "m.prom").stat().st_mode & 0o777 == 0o644


def test_the_file_is_replaced_atomically(tmp_path: Path) -> None:
    path = tmp_path / "m.prom"
    write_gauges(StatusesRead((EMPTY,), 7), path)
    with path.open() as reader:
        write_gauges(StatusesRead((STAGING,), 7), path)
        assert "dev" in reader.read()
    assert read(path)["reached"] == {"staging": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["nowhere/m.prom", "folder"])
def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunnerError, match=f"{place} cannot be written: ") as failed:
        write_gauges(StatusesRead((STAGING,), 7), tmp_path / place)
    assert "--prometheus" in failed.value.hint
    assert [path.name for path in tmp_path.rglob("*")] == ["folder"]


def test_the_gauges_count_all_versions_even_with_a_limit(project: Project, database: Database) -> None:
    operator = Operator(project, database)
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B, C)
    result = project.inv("db.status", "--prometheus=m.prom", "--limit=1", "--json", check=0)
    assert read(project.root / "m.prom")["pending"] == {"local": 2}
    (column,) = json.loads(result.stdout)["environments"]
    assert [row["version"] for row in column["rows"]] == [B, C]
