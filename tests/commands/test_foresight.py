"""The forecast before a run on a guarded environment: what is shown, what is refused, and that it prevents nothing else."""

import json

import pytest

from tests.fly.terminals import open_terminal
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B, Operator

CLOSED = "postgresql://me:s3cret@127.0.0.1:1/db"
REWRITE = "-- every row\nALTER TABLE a ALTER COLUMN id TYPE bigint;"
TYPE = "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'a'::regclass AND attname = 'id'"


@pytest.fixture
def operator(project: Project, database: Database) -> Operator:
    """Return an operator of a guarded environment with an applied migration, rows, and a migration that rewrites these."""
    operator = Operator(project, database)
    operator.write_tables(A)
    operator.migrate(environment="dev")
    database.execute("INSERT INTO a SELECT generate_series(1, 200000); ANALYZE a")
    operator.write(B, REWRITE, "ALTER TABLE a ALTER COLUMN id TYPE int;")
    return operator


def guard(operator: Operator, **settings: str) -> dict[str, str]:
    """Return the settings of a guarded environment, in which nothing may block for more than a moment."""
    return {"GUARDED": "dev", "DATABASE_URL": operator.database.url, **settings}


def read_type(operator: Operator) -> str:
    return str(operator.database.query(TYPE)[0][0])


def test_the_confirmation_shows_the_forecast_of_the_plan(operator: Operator) -> None:
    with open_terminal(operator.project, "db.migrate", "--env=dev", **guard(operator)) as dialogue:
        dialogue.await_words("Plan ")
        dialogue.await_words("Forecast for dev:")
        dialogue.await_words(f"{B}.sql:2")
        dialogue.await_words("This will change dev. Type dev to continue: ")
        assert read_type(operator) == "integer"
        dialogue.answer("dev")
        assert dialogue.finish() == 0
    assert read_type(operator) == "bigint"


@pytest.mark.parametrize("flags", [("--yes",), ("--yes", "--json")])
def test_long_blocking_is_refused_with_yes_too(operator: Operator, flags: tuple[str, ...]) -> None:
    settings = guard(operator, MAX_BLOCKING="1ms")
    refused = operator.project.inv("db.migrate", "--env=dev", *flags, env=settings, check=3)
    said = refused.stdout + refused.stderr
    assert f"migrations/up/{B}.sql:2" in said or '"line": 2' in said
    assert "in dev this statement would keep all queries out of public.a for " in said
    assert "longer than MAX_BLOCKING (0.001 s): ALTER TABLE a ALTER COLUMN id TYPE bigint" in said
    assert "inv db.migrate --env=dev --yes --allow-blocking" in said
    assert read_type(operator) == "integer"


def test_long_blocking_is_allowed_by_a_flag(operator: Operator) -> None:
    settings = guard(operator, MAX_BLOCKING="1ms")
    result = operator.project.inv("db.migrate", "--env=dev", "--yes", "--allow-blocking", env=settings, check=0)
    assert "Forecast for dev:" in result.stdout
    assert read_type(operator) == "bigint"


def test_the_verdicts_that_were_shown_are_in_the_log_beside_what_happened(operator: Operator) -> None:
    operator.write(B, f"{REWRITE}\nCREATE TABLE b ();")
    result = operator.project.inv("db.migrate", "--env=dev", "--yes", "--json", env=guard(operator), check=0)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    forecast = [event for event in events if event["kind"] == "statement_forecast"]
    told = [(each["line"], each["verdict"], *(each["blocked_seconds"] or (None, None))) for each in forecast]
    history = operator.project.inv("db.history", "--env=dev", "--locks", "--json", env=guard(operator), check=0)
    (read,) = map(json.loads, history.stdout.splitlines())
    (logged,) = (row["locks"] for row in read["rows"] if row["version"] == B)
    assert [(each["line"], each["verdict"], each["low"], each["high"]) for each in logged] == [
        (line, verdict, pytest.approx(low, abs=0.001), pytest.approx(high, abs=0.001)) for line, verdict, low, high in told
    ]
    assert [each["attempt"] for each in logged] == [1, 1]
    assert all(each["held_ms"] >= 0 for each in logged)


def test_a_rollback_is_forecast_from_its_down_files(operator: Operator) -> None:
    operator.migrate(environment="dev")
    settings = guard(operator, MAX_BLOCKING="1ms")
    refused = operator.project.inv("db.rollback", "--env=dev", "--yes", env=settings, check=3)
    assert f"migrations/down/{B}.sql:1" in refused.stderr
    assert "inv db.rollback --env=dev --yes --allow-blocking" in refused.stderr
    assert read_type(operator) == "bigint"


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (REWRITE, {"SCRATCH_DATABASE_URL": CLOSED}),
        ("CREATE EXTENSION IF NOT EXISTS plpgsql; SELECT missing FROM nothing_on_scratch;", {}),
    ],
    ids=["no scratch server", "fails on scratch"],
)
def test_a_forecast_that_cannot_be_made_prevents_nothing(operator: Operator, text: str, settings: dict[str, str]) -> None:
    operator.database.execute("CREATE TABLE nothing_on_scratch AS SELECT 1 AS missing")
    operator.write(B, text)
    result = operator.project.inv("db.migrate", "--env=dev", "--yes", env=guard(operator, **settings), check=0)
    assert "s3cret" not in result.stdout + result.stderr
    assert "No forecast for dev: " in result.stdout or f"{B} fails on scratch" in result.stdout
    assert f"✅ Applied {B}" in result.stdout


def test_an_environment_that_is_not_guarded_has_no_forecast(operator: Operator) -> None:
    result = operator.project.inv("db.migrate", "--env=dev", env=guard(operator, GUARDED="prod", MAX_BLOCKING="1ms"), check=0)
    assert "Forecast" not in result.stdout


def test_with_json_the_forecast_precedes_the_steps(operator: Operator) -> None:
    result = operator.project.inv("db.migrate", "--env=dev", "--yes", "--json", env=guard(operator), check=0)
    kinds = [json.loads(line)["kind"] for line in result.stdout.splitlines()]
    assert kinds.index("plan_made") < kinds.index("statement_forecast") < kinds.index("step_started")
    assert kinds[-1] == "run_finished"


def test_the_script_has_no_forecast(operator: Operator) -> None:
    result = operator.project.migrate("--env=dev", env=guard(operator, MAX_BLOCKING="1ms"), check=0)
    assert "Forecast" not in result.stdout


def test_a_mistake_in_the_setting_is_named(operator: Operator) -> None:
    wrong = operator.project.inv("db.migrate", "--env=dev", "--yes", env=guard(operator, MAX_BLOCKING="often"), check=2)
    assert "MAX_BLOCKING=often: write a number with ms, s or min, at most a day, for example MAX_BLOCKING=30s" in wrong.stderr
