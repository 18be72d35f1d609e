"""Runs behind a pooler in transaction mode."""

from contextlib import ExitStack

import psycopg
import pytest

from tasks.runner.events import ErrorRaised
from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.projects import Project
from tests.stress import running

FIRST, SECOND = "20250101000000_first", "20250102000000_second"


@pytest.mark.parametrize("way", ["direct", "pooled"])
def test_a_client_on_a_backend_that_served_a_run_is_not_a_dead_run(
    way: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    project.write_up(FIRST, "CREATE TABLE a (id int);\nVACUUM a;")
    project.at(pgbouncer.url).migrate(check=0)
    project.write_up(SECOND, "CREATE TABLE b (id int);")
    with ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(pgbouncer.url)) for _ in range(4)]
        backends = [client.execute("SELECT pg_backend_pid()").fetchone() for client in clients]
        named = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'migrate-run %' AND datname = current_database()"
        assert {*database.query(named)} & {*backends}
        (project.at(pgbouncer.url) if way == "pooled" else project).migrate(check=0)
        assert [client.execute("SELECT pg_backend_pid()").fetchone() for client in clients] == backends


def test_a_setting_that_a_pooler_does_not_keep_is_refused(project: Project, database: Database, pgbouncer: Pooler) -> None:
    project.write_up(FIRST, "CREATE SCHEMA app;\nCREATE TABLE app.items (id int);")
    project.write_up(SECOND, "SET search_path TO app;\nCREATE INDEX CONCURRENTLY items_id ON items (id);")
    run = running.start(project.at(pgbouncer.url)).finish()
    error = run.pick(ErrorRaised)[-1]
    assert run.exit_code == 3
    assert (error.file, error.line) == (f"migrations/up/{SECOND}.sql", 2)
    assert "the setting of line 1: SET search_path TO app" in error.message
    assert "DIRECT_DATABASE_URL" in error.hint
    assert error.state == "Nothing was changed."
    assert database.query("SELECT to_regnamespace('app')") == [(None,)]
    project.migrate(check=0)


def test_settings_of_one_transaction_apply_to_the_next_ones_of_the_file(
    project: Project, database: Database, pgbouncer: Pooler
) -> None:
    text = "BEGIN;\nCREATE SCHEMA app;\nSET search_path TO app;\nCOMMIT;\nBEGIN;\nCREATE TABLE items (id int);\nCOMMIT;"
    project.write_up(FIRST, text)
    project.at(pgbouncer.url).migrate(check=0)
    assert database.query("SELECT to_regclass('app.items')::text") == [("app.items",)]


@pytest.mark.parametrize("pgbouncer", [2], indirect=True)
def test_a_search_path_that_another_client_left_applies_to_no_run(
    project: Project, database: Database, pgbouncer: Pooler
) -> None:
    database.execute("CREATE SCHEMA elsewhere")
    with ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(pgbouncer.url)) for _ in range(2)]
        for client in clients:
            client.execute("SET search_path = elsewhere")
        for client in clients:
            client.commit()
        project.write_up(FIRST, "CREATE TABLE items (id int);")
        project.at(pgbouncer.url).migrate(check=0)
    found = database.query(
        "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname IN ('items', 'schema_migrations')"
    )
    assert found == [("public",)] * 2
