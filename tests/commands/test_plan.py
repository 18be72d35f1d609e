"""db.plan: `inv` as a process, with the shared server as the scratch server."""

from pathlib import Path

import pytest

from tests.commands.test_verify import read_answers, run
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator

D = "20250104000000_change_d"
CLOSED = "postgresql://me:s3cret@127.0.0.1:1/db"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator that prepares the database without the cost of a process."""
    return Operator(project, database)


def test_the_pending_files_are_forecast_with_the_worst_first_and_exit_code_0(operator: Operator, tmp_path: Path) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "ALTER TABLE a ADD COLUMN b text;\nCREATE INDEX a_b ON a (b);")
    operator.write(C, "COMMENT ON TABLE a IS 'rows';\nDROP TABLE a;")
    operator.database.execute("INSERT INTO a VALUES (1)")
    operator.database.execute("SELECT pg_stat_force_next_flush()")
    operator.database.execute("ANALYZE a")
    page = tmp_path / "forecast.html"
    result = run(operator, "db.plan", f"--html={page}", check=0)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Forecasting 2 of 3 migrations (pending in local) on a scratch PostgreSQL ")
    assert lines[1].startswith("❌ 4 statements in 2 files: 1 loses rows")
    assert next(line for line in lines[2:] if line).endswith(f": {C}.sql:2")
    assert f"   1 {B}.sql: lines 1, 2" in lines
    assert "the forecast assumes it (inv db.drift --env=local compares)" in result.stdout
    assert operator.read_tables() == ["a"]
    assert "<h1>Forecast for local</h1>" in page.read_text()


def test_with_json_each_statement_is_a_line_with_the_documented_fields(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, "\n-- first\nALTER TABLE a ADD COLUMN b text; CREATE INDEX a_b\n  ON a (b);")
    started, *statements, finished = read_answers(run(operator, "db.plan", "--json", check=0))
    assert (started["kind"], started["count"], finished["kind"]) == ("forecast_started", 1, "forecast_finished")
    assert {each["kind"] for each in statements} == {"statement_forecast"}
    first, second = sorted(statements, key=lambda each: int(each["number"]))
    assert list(first)[:16] == [
        *("kind", "version", "line", "statement", "transactional", "locks", "held_to", "rewrites", "scans", "keeps_out"),
        *("verdict", "seconds", "rows_lost", "waits_for", "source", "not_known"),
    ]
    assert (first["line"], second["line"], first["held_to"]) == (3, 3, 3)
    assert first["locks"] == [{"relation": "public.a", "mode": "AccessExclusiveLock"}]
    assert first["source"] == "observed"


def test_a_file_that_fails_keeps_the_forecasts_before_it_and_exits_with_4(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(B, "ALTER TABLE a ADD b int;\nSELECT 1 / 0;")
    operator.write(C, "DROP TABLE a;")
    result = run(operator, "db.plan", "--all", check=4)
    assert f"❌ {B} fails on scratch; 1 file after it is not forecast" in result.stdout
    assert "division by zero (22012)" in result.stdout
    assert f"{B}.sql:2" in result.stdout
    kinds = [each["kind"] for each in read_answers(run(operator, "db.plan", "--all", "--json", check=4))]
    assert kinds == ["forecast_started", "statement_forecast", "forecast_failed", "forecast_finished"]


def test_some_versions_are_forecast_as_if_they_were_pending(operator: Operator) -> None:
    operator.write_tables(A, B)
    operator.write(C, "ALTER TABLE a ADD b int;")
    operator.migrate()
    started, only, _ = read_answers(run(operator, "db.plan", f"--only={C[:14]}", "--json", check=0))
    assert (started["count"], only["version"]) == (1, C)
    assert only["locks"] == [{"relation": "public.a", "mode": "AccessExclusiveLock"}]


def test_nothing_pending_needs_no_scratch_server(operator: Operator) -> None:
    operator.write_tables(A)
    operator.migrate()
    result = run(operator, "db.plan", check=0, SCRATCH_DATABASE_URL=CLOSED)
    assert result.stdout == "✅ Nothing to forecast: no migration is pending in local\n"


def test_edited_and_missing_files_are_named_as_not_known(operator: Operator) -> None:
    operator.write_tables(A, B, C)
    operator.migrate()
    operator.write(A, "CREATE TABLE a (id int, more int);")
    operator.remove(B)
    operator.write(D, "ALTER TABLE a ADD b int;")
    shown = run(operator, "db.plan", check=0).stdout
    assert f"what edited files did when they were applied: the forecast uses their texts in this checkout ({A})" in shown
    assert f"what applied files did that are not in this checkout: the forecast is made without them ({B})" in shown


def test_without_a_local_database_there_is_a_forecast_without_numbers(operator: Operator) -> None:
    operator.write_tables(A)
    operator.write(B, "ALTER TABLE a ADD b int;")
    shown = run(operator, "db.plan", check=0, DATABASE_URL=CLOSED).stdout
    assert "(all, since the local database cannot be read)" in shown
    assert "sizes, activity and durations: the local database cannot be read" in shown


@pytest.mark.parametrize(
    ("arguments", "env", "exit_code", "message"),
    [
        (("--only=2024",), {}, 2, "there is no version 2024"),
        (("--only=2025", "--all"), {}, 2, "--only and --all contradict each other"),
        (("--timeout=soon",), {}, 2, "--timeout=soon is not a valid duration"),
        (("--env=dev",), {"DATABASE_URL": CLOSED}, 1, "cannot connect"),
        (("--env=dev", "--all"), {"DATABASE_URL": CLOSED}, 1, "cannot connect"),
        ((), {"SCRATCH_DATABASE_URL": CLOSED}, 1, "cannot use the scratch server"),
    ],
)
def test_wrong_usage_and_missing_servers_are_errors(
    operator: Operator, arguments: tuple[str, ...], env: dict[str, str], exit_code: int, message: str
) -> None:
    operator.write_tables(A)
    result = run(operator, "db.plan", *arguments, check=exit_code, **env)
    assert message in result.stderr
    assert "s3cret" not in result.stderr
    assert result.stdout == ""
