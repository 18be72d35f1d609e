"""Sessions of the runner: each runs our own SQL under our own settings, and none leaks them."""

import psycopg
import pytest

from tasks.runner.database.own_connection import OwnConnection
from tasks.runner.database.session import begin_own, connect, roll_back, run_sql
from tasks.runner.errors import ConnectError
from tests.kit.databases import Database
from tests.kit.poolers import Pooler

HOSTILE = {
    "idle_in_transaction_session_timeout": ("1min", "0", 0),
    "idle_session_timeout": ("1min", "0", 14),
    "lock_timeout": ("1min", "0", 0),
    "row_security": ("on", "off", 0),
    "search_path": ("public", "pg_catalog, pg_temp", 0),
    "statement_timeout": ("1min", "0", 0),
    "transaction_timeout": ("1min", "0", 17),
}
"""By setting: a value for the database, our own, and the major version that has it."""


def set_hostile_defaults(database: Database) -> dict[str, str]:
    """Set other defaults for the sessions of a database, and return our own."""
    major = database.query("SHOW server_version_num")[0][0]
    known = {name: values for name, values in HOSTILE.items() if values[2] * 10000 <= int(major)}
    for name, (value, _, _) in known.items():
        database.execute(f"ALTER DATABASE {database.name} SET {name} = '{value}'")
    return {name: own for name, (_, own, _) in known.items()}


def read_settings(connection: psycopg.Connection, names: dict[str, str]) -> dict[str, str]:
    query = "SELECT name, setting FROM pg_settings WHERE name = ANY (%s)"
    return dict(connection.execute(query, [list(names)]).fetchall())


def begin_in_an_own_transaction(connection: OwnConnection) -> None:
    begin_own(connection, "READ ONLY")


def do_nothing(connection: OwnConnection) -> None:
    """Leave the session as it is."""


def run_a_file(connection: OwnConnection) -> None:
    """Leave the session as a file could."""
    run_sql(connection, "RESET ALL; SET statement_timeout = '1min'; SET row_security = on; SET search_path = public")


@pytest.mark.parametrize("prepare", [do_nothing, begin_in_an_own_transaction])
@pytest.mark.parametrize("runs_files", [False, True])
def test_our_own_sql_runs_under_our_own_settings(runs_files: bool, prepare: object, any_database: Database) -> None:
    own = set_hostile_defaults(any_database)
    assert callable(prepare)
    with connect(any_database.url, name="test", runs_files=runs_files) as connection:
        prepare(connection)
        assert read_settings(connection, own) == own


@pytest.mark.parametrize("prepare", [do_nothing, begin_in_an_own_transaction])
@pytest.mark.parametrize("runs_files", [False, True])
def test_behind_a_pooler_too(runs_files: bool, prepare: object, database: Database, pgbouncer: Pooler) -> None:
    own = set_hostile_defaults(database)
    pgbouncer.reconnect()
    assert callable(prepare)
    with connect(pgbouncer.url, name="test", runs_files=runs_files) as connection:
        prepare(connection)
        assert read_settings(connection, own) == own


@pytest.mark.parametrize("pgbouncer", [1], indirect=True)
def test_behind_a_pooler_the_next_client_finds_nothing_of_them(database: Database, pgbouncer: Pooler) -> None:
    own = set_hostile_defaults(database)
    pgbouncer.reconnect()
    with database.connect() as fresh:
        expected = read_settings(fresh, own)
    with connect(pgbouncer.url, name="test", runs_files=True) as connection:
        begin_own(connection, "READ ONLY")
        roll_back(connection)
        connection.execute("SELECT 1")
        with connection.transaction():
            connection.execute("SELECT 1")
        with psycopg.connect(pgbouncer.url, autocommit=True) as other:
            assert read_settings(other, own) == expected


def test_what_a_file_left_does_not_change_our_own_sql(database: Database) -> None:
    own = set_hostile_defaults(database)
    with connect(database.url, name="test", runs_files=True) as connection:
        run_a_file(connection)
        ours = {name: own[name] for name in ("statement_timeout", "row_security", "lock_timeout")}
        assert read_settings(connection, ours) == ours
        with connection.transaction():
            assert read_settings(connection, ours) == ours


def test_nothing_is_prepared_implicitly(any_database: Database) -> None:
    for runs_files in (False, True):
        with connect(any_database.url, name="test", runs_files=runs_files) as connection:
            for _ in range(8):
                connection.execute("SELECT %s::int", [1])
            assert connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


def test_a_value_with_a_percent_sign_is_a_value(database: Database) -> None:
    with connect(database.url, name="test", runs_files=True) as connection:
        assert connection.execute("SELECT %s, '%%'", ["100 % 'a; b'"]).fetchone() == ("100 % 'a; b'", "%")


@pytest.mark.parametrize("pgbouncer", [1], indirect=True)
def test_a_pooler_without_a_free_session_is_given_up_in_time(pgbouncer: Pooler) -> None:
    with psycopg.connect(pgbouncer.url) as busy:
        busy.execute("SELECT 1")
        with pytest.raises(ConnectError, match="did not answer within 1 s"):
            connect(pgbouncer.url, name="test", limit_s=1.0)


def test_a_statement_without_an_answer_in_time_costs_the_session(database: Database) -> None:
    connection = connect(database.url, name="test")
    with pytest.raises(psycopg.OperationalError, match=r"did not answer within 0\.1 s"):
        run_sql(connection, "SELECT pg_sleep(10)", limit_s=0.1)
    assert connection.closed
