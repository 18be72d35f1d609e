"""Settings of a file end with the file: the next file, and other clients of a pooler, see none of them."""

from contextlib import ExitStack

import psycopg
import pytest

from tests.kit.databases import Database
from tests.kit.poolers import Pooler
from tests.kit.projects import Project

KEY = 4711
LEAKS = {
    "search_path": "SET search_path TO pg_catalog;",
    "role": "SET ROLE pg_monitor;",
    "session authorization": "SET SESSION AUTHORIZATION pg_monitor;",
    "timeouts": "SET statement_timeout = '1min'; SET lock_timeout = '1min';",
    "set_config": "SELECT set_config('search_path', 'pg_catalog', false);",
    "set_config in a function": "DO $$ BEGIN PERFORM set_config('search_path', 'pg_catalog', false); END $$;",
    "temporary table": "CREATE TEMPORARY TABLE left_over (id int);",
    "listening": "LISTEN left_over;",
    "advisory lock": f"SELECT pg_advisory_lock({KEY});",
    "cursor": "DECLARE left_over CURSOR WITH HOLD FOR SELECT 1;",
    "prepared statement": "PREPARE left_over AS SELECT 1;",
    "time zone": "SET TIME ZONE 'Asia/Tokyo';",
    "encoding": "SELECT set_config('client_encoding', 'latin' || 1, false);",
    "read only": "SET default_transaction_read_only = on;",
}
SEEN = f"""
SELECT current_setting('search_path') AS path, current_user::text AS me, session_user::text AS session,
       current_setting('statement_timeout') AS timeout, current_setting('TimeZone') AS zone,
       current_setting('default_transaction_read_only') AS read_only, to_regclass('pg_temp.left_over')::text AS temporary,
       (SELECT count(*) FROM pg_listening_channels()) AS channels, (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS cursors,
       (SELECT count(*) FROM pg_prepared_statements WHERE from_sql AND name !~ '^migrate_') AS prepared,
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {KEY} AND pid = pg_backend_pid()) AS locks
"""
SHAPES = {
    "in one transaction": "{leak}",
    "after a nontransactional statement": "SELECT 1;\nVACUUM pg_class;\n{leak}",
    "before another transaction": "BEGIN;\n{leak}\nCOMMIT;\nBEGIN;\nSELECT 1;\nCOMMIT;",
}


def write_leaks(project: Project, shape: str) -> None:
    """Write a file for each leak, and after each one that stores what it sees."""
    project.write_up("20250101000000_begin", f"CREATE TABLE seen AS SELECT '' AS after, * FROM ({SEEN}) s WITH NO DATA;")
    for number, (name, leak) in enumerate(LEAKS.items(), 1):
        # A transaction that only reads could not record itself.
        form = SHAPES[shape] if name != "read only" or "other" not in shape else "{leak}"
        project.write_up(f"202501{number:02}000001_leak", form.format(leak=leak))
        project.write_up(f"202501{number:02}000002_see", f"INSERT INTO public.seen SELECT '{name}', * FROM ({SEEN}) s;")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_next_file_sees_nothing_of_what_a_file_set(shape: str, project: Project, database: Database) -> None:
    write_leaks(project, shape)
    project.migrate(check=0)
    [clean] = database.query(SEEN)
    assert database.query("SELECT * FROM seen") == [(name, *clean) for name in LEAKS]


@pytest.mark.parametrize("pgbouncer", [3], indirect=True)
@pytest.mark.parametrize("shape", SHAPES)
def test_behind_a_pooler_no_client_sees_the_settings_of_a_file(
    shape: str, project: Project, database: Database, pgbouncer: Pooler
) -> None:
    write_leaks(project, shape)
    project.at(pgbouncer.url).migrate(check=0)
    [clean] = database.query(SEEN)
    assert database.query("SELECT * FROM seen") == [(name, *clean) for name in LEAKS]
    with ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(pgbouncer.url)) for _ in range(3)]
        seen = [client.execute(SEEN).fetchone() for client in clients]
        assert len({client.execute("SELECT pg_backend_pid()").fetchone() for client in clients}) == 3
    assert seen == [clean] * 3


def test_the_record_is_written_although_the_files_role_may_not_write_it(project: Project, database: Database) -> None:
    project.write_up("20250101000000_role", "SET ROLE pg_monitor;\nVACUUM pg_class;\nSELECT 1;\nVACUUM pg_class;")
    project.migrate(check=0)
    assert database.query("SELECT version FROM schema_migrations") == [("20250101000000_role",)]


def test_the_role_that_a_login_takes_on_writes_the_record(project: Project, database: Database) -> None:
    owner, login = f"{database.name}_owner", f"{database.name}_login"
    database.execute(f"CREATE ROLE {owner}; CREATE ROLE {login} LOGIN NOINHERIT IN ROLE {owner}")
    database.execute(f"ALTER ROLE {login} SET role = {owner}")
    try:
        database.execute(f"GRANT CREATE ON SCHEMA public TO {owner}")
        project.write_up("20250101000000_a", "SELECT 1;")
        project.write_up("20250102000000_b", "SELECT 1;\nVACUUM pg_class;\nSELECT 1;")
        project.at(database.url.replace("postgres@", f"{login}@")).migrate(check=0)
        owners = "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        assert database.query(owners) == [(owner,)]
    finally:
        database.execute(f"DROP OWNED BY {owner}; DROP ROLE {login}, {owner}")
