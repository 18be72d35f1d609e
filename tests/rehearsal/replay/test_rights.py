"""Rehearsed SQL has no rights beyond its scratch database: what needs more is not checked, and accuses no file."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tasks.catalog import Catalog, Key, compare
from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut, exclude_left_out
from tasks.rehearsal.replay.replay import read_left_out, replay, run_migration, state_after
from tasks.rehearsal.scratch.extensions import make_creation
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RefusedError
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.servers import Server
from tests.rehearsal.scratching import list_tables, make_table, query

APP, RIGHTS = f"rehearsed_app_{os.getpid()}", f"rehearsed_rights_{os.getpid()}"
ABUSES = {
    "a program": "COPY (SELECT 1) TO PROGRAM 'id > {canary}'",
    "a program in a block": "DO $$ BEGIN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''id > {canary}'''; END $$",
    "a file": "COPY (SELECT 1) TO '{canary}'",
    "a large object": "SELECT lo_export(lo_from_bytea(0, 'x'), '{canary}')",
    "a setting of another database": "DO $$ BEGIN EXECUTE 'ALTER DATABASE postgres SET work_mem = ''1MB'''; END $$",
    "a setting of another role": "DO $$ BEGIN EXECUTE 'ALTER ROLE postgres SET work_mem = ''1MB'''; END $$",
    "another session": "SELECT pg_terminate_backend({pid})",
    "another role": "SET ROLE postgres",
    "another role in a block": "DO $$ BEGIN EXECUTE 'RESET ROLE'; EXECUTE 'SET SESSION AUTHORIZATION postgres'; END $$",
    "a predefined role": "DO $$ BEGIN EXECUTE format('GRANT pg_execute_server_program TO %I', current_user); END $$",
    "an attribute": "DO $$ BEGIN EXECUTE format('ALTER ROLE %I SUPERUSER', current_user); END $$",
    "a role with attributes": "DO $$ BEGIN EXECUTE format('CREATE ROLE %I SUPERUSER', 'made_by_a_block'); END $$",
    "an event trigger": "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\n"
    "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
    "a function in C": "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '/tmp/x.so', 'f'",
    "a query of a materialized view": "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN\n"
    "COPY (SELECT 1) TO PROGRAM 'id > {canary}'; RETURN 1; END $$;\nCREATE MATERIALIZED VIEW m AS SELECT f()",
    "a session of its own": "CREATE EXTENSION dblink; SELECT dblink_connect('dbname=postgres user=postgres')",
}
EVENT_TRIGGER = RehearsedMigration(
    "trigger",
    "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;\n"
    "CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION f();\n"
    "CREATE TABLE t (id int);",
    "DROP EVENT TRIGGER watch; DROP TABLE t; DROP FUNCTION f();",
    "trigger.sql",
)
COMMENT = RehearsedMigration("comment", "CREATE TABLE u ();\nCOMMENT ON EVENT TRIGGER watch IS 'x';", shown="comment.sql")
DENIED = 'the rehearsal\'s role may not do this: permission denied to create event trigger "watch"'


def run_one(server: ScratchServer, text: str) -> Outcome:
    """Run one text on a scratch database."""
    (outcome,) = replay(server, [RehearsedMigration("one", text, shown="one.sql")])
    return outcome


@contextmanager
def make_roles(server_url: str, *statements: str) -> Iterator[None]:
    """Create roles by these statements, whose third word is the name, and drop them afterwards."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        try:
            for statement in statements:
                connection.execute(statement.encode())
            yield
        finally:
            for name in [statement.split()[2] for statement in statements if statement.startswith("CREATE ROLE")]:
                if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name]).rowcount:
                    connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


@pytest.fixture
def any_scratch(any_database: Database) -> Iterator[ScratchServer]:
    """Yield a scratch server on the newest and the oldest version."""
    with ScratchServer(any_database.server.url()) as server:
        yield server


@pytest.mark.parametrize("text", ABUSES.values(), ids=ABUSES.keys())
def test_a_right_that_the_rehearsal_does_not_have_is_not_used_and_accuses_no_file(
    any_database: Database, any_scratch: ScratchServer, short_path: Path, text: str
) -> None:
    short_path.chmod(0o777)
    canary = short_path / "canary"
    if "dblink" in text and not any_database.query("SELECT FROM pg_available_extensions WHERE name = 'dblink'"):
        pytest.skip("this server has no dblink")
    with any_database.connect() as victim:
        pid = str(victim.info.backend_pid)
        text = text.replace("{canary}", str(canary)).replace("{pid}", pid)
        outcome = run_one(any_scratch, f"CREATE TABLE before_it ();\n{text};\nCREATE TABLE after_it ();")
        assert victim.execute("SELECT 1").fetchone() == (1,)
    assert outcome.error is None
    assert len(outcome.unchecked) == (2 if "dblink" in text else 1)
    assert {"public.before_it", "public.after_it"} <= {key.name for key, _ in outcome.after.of_kind("table")}
    assert not canary.exists()
    settings = "SELECT s.setconfig FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = setrole"
    ours = "rolname = 'postgres' AND setdatabase = 0 OR setdatabase = 5 AND setrole = 0"
    assert any_database.query(f"{settings} WHERE {ours}") == []
    assert any_database.query("SELECT FROM pg_roles WHERE rolname = 'made_by_a_block' OR rolsuper AND rolname ~ '^migrate'") == []


def test_the_role_has_no_rights_and_no_password_after_the_rehearsal(any_database: Database) -> None:
    # Each role of a URL has rehearsal roles of its own, so that no other test uses this one.
    url = any_database.server.url()
    with make_roles(url, f"CREATE ROLE {RIGHTS} SUPERUSER LOGIN"), ScratchServer(make_conninfo(url, user=RIGHTS)) as server:
        with server.make() as database:
            facts = (
                "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls, rolname = session_user,"
                " EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid), datdba = r.oid FROM pg_roles r, pg_database"
                " WHERE rolname = current_user AND datname = current_database()"
            )
            assert query(database, facts) == [(False, True, False, True)]
            run_migration(database, RehearsedMigration("p", "DO $$ BEGIN ALTER USER current_user PASSWORD 'known'; END $$"), "up")
        with state_after(server, [make_table("kept_by_the_role")]):
            pass
        role = server.role
        server.close()
        assert any_database.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", role) == [(False,)]
        with ScratchServer(server.url) as again:
            assert again.role == role
            again.drop_states()


def test_concurrent_rehearsals_have_roles_of_their_own_and_cannot_connect_to_each_other(any_database: Database) -> None:
    url = any_database.server.url()
    with ScratchServer(url) as one, ScratchServer(url) as other, one.make() as database, other.make() as neighbour:
        assert one.role != other.role
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(make_conninfo(database.url, dbname=neighbour.name))


def test_what_a_statement_that_was_left_out_makes_is_known_later_and_in_the_down(any_scratch: ScratchServer) -> None:
    first, second = replay(any_scratch, [EVENT_TRIGGER, COMMENT])
    place = "trigger.sql:2 CREATE EVENT TRIGGER watch ON ddl_command_start EXECUTE FUNCTION f()"
    assert (first.error, first.unchecked) == (None, (f"{place}: {DENIED}",))
    needs = "needs watch, which trigger.sql:2 would have made"
    assert (second.error, second.unchecked) == (None, (f"comment.sql:2 COMMENT ON EVENT TRIGGER watch IS 'x': {needs}",))
    for _ in range(2):
        with state_after(any_scratch, [EVENT_TRIGGER]) as database:
            assert [entry.place for entry in read_left_out(database)] == ["trigger.sql:2"]
            assert run_migration(database, EVENT_TRIGGER, "down") is None
    any_scratch.drop_states()


def test_an_object_of_one_that_was_left_out_is_not_compared() -> None:
    text = "CREATE SERVER far FOREIGN DATA WRAPPER wrapper"
    live = Catalog({Key("server", "far"): "", Key("user mapping", "OWNER", "server far"): "", Key("table", "public.t"): ""})
    left = exclude_left_out(compare(Catalog(), live), [LeftOut(text, "one.sql:1", text, denied=True)])
    assert [change.key.name for change in left.changes] == ["public.t"]


def test_other_errors_are_found_beside_statements_that_were_left_out(scratch: ScratchServer) -> None:
    *_, wrong = replay(scratch, [EVENT_TRIGGER, RehearsedMigration("wrong", "ALTER TABLE t DROP COLUMN nothing;")])
    assert wrong.error is not None
    assert 'column "nothing" of relation "t" does not exist' in wrong.error.message
    typo = run_one(scratch, "DO $$ BEGIN RAISE EXCEPTION 'the file is wrong'; END $$;")
    assert typo.error is not None


@pytest.mark.parametrize(
    "text",
    [
        "DO $$ BEGIN IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN RAISE 'not you'; END IF; END $$",
        "DO $$ BEGIN RAISE EXCEPTION 'this must be run by a superuser'; END $$",
        "DO $$ BEGIN RAISE insufficient_privilege; END $$",
        "GRANT EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) TO PUBLIC",
    ],
    ids=["rolsuper", "superuser", "sqlstate", "a grant without effect"],
)
def test_a_statement_that_depends_on_the_rights_of_its_role_is_not_checked(scratch: ScratchServer, text: str) -> None:
    outcome = run_one(scratch, f"{text};")
    assert outcome.error is None
    assert len(outcome.unchecked) == 1
    assert "the rehearsal's role may not do this: " in outcome.unchecked[0]


def test_owners_that_a_dump_sets_are_left_out_together(scratch: ScratchServer) -> None:
    tables = "".join(f"CREATE TABLE t{number} (); ALTER TABLE t{number} OWNER TO postgres;\n" for number in range(30))
    outcome = run_one(scratch, tables)
    assert outcome.error is None
    assert len(outcome.unchecked) == 1
    assert outcome.unchecked[0].startswith("one.sql:1 ALTER TABLE t0 OWNER TO postgres and 29 more of this kind: ")


def test_a_role_of_a_file_is_created_without_rights(any_database: Database, any_scratch: ScratchServer) -> None:
    text = (
        f"CREATE ROLE {APP} SUPERUSER LOGIN PASSWORD 'x';\nCREATE SCHEMA s AUTHORIZATION {APP};\n"
        f"SET ROLE {APP}; CREATE TABLE s.t (); RESET ROLE;\nALTER TABLE s.t ADD a int;"
    )
    migration = RehearsedMigration("role", text)
    with state_after(any_scratch, [migration]) as database:
        assert query(database, "SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE oid = 's.t'::regclass") == [(APP,)]
        facts = "SELECT rolsuper, rolcanlogin, rolpassword FROM pg_authid WHERE rolname = %s"
        assert any_database.query(facts, APP) == [(False, False, None)]
    any_scratch.drop_states()


def test_a_role_that_others_use_is_not_given_to_the_rehearsal(running: OwnServer, scratch: ScratchServer) -> None:
    url = running.url()
    mark = "COMMENT ON ROLE rehearsed_other IS 'made by the rehearsal of a migration'"
    with make_roles(url, "CREATE ROLE rehearsed_other", "GRANT pg_read_all_data TO rehearsed_other", mark):
        outcome = run_one(scratch, "CREATE ROLE rehearsed_other;\nSET ROLE rehearsed_other;")
    assert outcome.error is None
    assert [line.partition(":")[2].partition(" ")[0] for line in outcome.unchecked] == ["1", "2"]


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("CREATE EXTENSION vector;\nCREATE TABLE t (v vector(3));", "public"),
        ("CREATE TABLE a ();\nCREATE SCHEMA ext;\nCREATE EXTENSION vector SCHEMA ext;\nCREATE TABLE t (v ext.vector(3));", "ext"),
        ("BEGIN;\nCREATE SCHEMA ext;\nSET search_path = ext;\nCREATE EXTENSION IF NOT EXISTS vector;\nCOMMIT;", "ext"),
        (
            "DO $$ BEGIN CREATE EXTENSION vector; EXCEPTION WHEN OTHERS THEN NULL; END $$;\nCREATE TABLE t (v vector(3));",
            "public",
        ),
    ],
    ids=["first", "in a schema of the file", "in a transaction of the file", "in a block that catches errors"],
)
def test_the_administrator_creates_an_extension_where_the_file_does(scratch: ScratchServer, text: str, schema: str) -> None:
    down = "DROP TABLE IF EXISTS t;\nCOMMENT ON EXTENSION vector IS 'x';\nDROP EXTENSION vector;"
    migration = RehearsedMigration("vector", text, down)
    (outcome,) = replay(scratch, [migration])
    assert (outcome.error, outcome.unchecked) == (None, ())
    with state_after(scratch, [migration]) as database:
        place = "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'"
        assert query(database, place) == [(schema,)]
        assert run_migration(database, migration, "down") is None
        assert query(database, place) == []
    scratch.drop_states()


def test_a_block_decides_what_the_administrator_does_with_extensions(scratch: ScratchServer) -> None:
    up = (
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN CREATE EXTENSION vector;\n"
        "COMMENT ON EXTENSION vector IS 'it''s ours'; END IF; END $$;\nCREATE TABLE t (v vector(3));"
    )
    down = (
        "DROP TABLE {table};\n"
        "DO $$ BEGIN IF EXISTS (SELECT FROM pg_extension WHERE obj_description(oid, 'pg_extension') = 'it''s ours') THEN\n"
        "DROP EXTENSION vector; END IF; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$;"
    )
    migration = RehearsedMigration("block", up, down.format(table="t"))
    other = RehearsedMigration("other", "CREATE TABLE o ();", down.format(table="o"))
    with state_after(scratch, [migration, other]) as database:
        for each, left in ((other, 1), (migration, 0)):
            assert run_migration(database, each, "down") is None
            assert len(query(database, "SELECT FROM pg_extension WHERE extname = 'vector'")) == left
    scratch.drop_states()


def test_an_error_of_a_statement_about_extensions_is_found(scratch: ScratchServer) -> None:
    used = run_one(scratch, "CREATE EXTENSION vector;\nCREATE TABLE t (v vector(3));\nDROP EXTENSION vector;")
    assert used.error is not None
    assert (used.error.sqlstate, used.error.place and used.error.place.line) == ("2BP01", 3)
    nowhere = run_one(scratch, "CREATE EXTENSION vector SCHEMA nowhere;")
    assert nowhere.error is not None
    assert nowhere.error.sqlstate == "3F000"


def start_with_extensions(new_server: Callable[..., OwnServer], folder: Path, **controls: str) -> OwnServer:
    """Start a server with more extensions, given by their names and lines of their control files."""
    path = folder / "more" / "extension"
    path.mkdir(parents=True)
    for name, more in controls.items():
        (path / f"{name}.control").write_text(f"default_version = '1'\n{more}\n")
        script = "CREATE TABLE {0}_t (a int);\nSELECT lower('x'::varchar);\nSELECT 'a'::varchar || 'b'::varchar;\n"
        (path / f"{name}--1.sql").write_text(script.format(name))
    for each in (path.parent, path, *path.iterdir()):
        each.chmod(0o755)
    server = new_server()
    server.start(extension_control_path=f"{path.parent}:$system")
    return server


def test_an_extension_with_which_every_role_can_connect_elsewhere_is_not_created(
    new_server: Callable[..., OwnServer], short_path: Path
) -> None:
    server = start_with_extensions(new_server, short_path, http="relocatable = true", asks="requires = 'http'")
    text = (
        "CREATE EXTENSION IF NOT EXISTS http;\nCREATE EXTENSION asks CASCADE;\n"
        "DO $$ BEGIN CREATE EXTENSION http; END $$;\nSELECT http_get('http://example.com');\nCREATE TABLE t ();"
    )
    with (
        ScratchServer(server.url()) as scratch,
        state_after(scratch, [RehearsedMigration("one", text, shown="one.sql")]) as database,
    ):
        assert query(database, "SELECT extname::text FROM pg_extension") == [("plpgsql",)]
        assert [each.place for each in read_left_out(database)] == [f"one.sql:{line}" for line in range(1, 5)]
        assert "with extension http, every role can connect to other databases and hosts" in read_left_out(database)[1].shown


def test_the_script_of_an_extension_finds_nothing_that_a_migration_made(
    new_server: Callable[..., OwnServer], short_path: Path
) -> None:
    server = start_with_extensions(new_server, short_path, asks="relocatable = true", stays="relocatable = false")
    planted = RehearsedMigration(
        "planted",
        "CREATE TABLE seen (who text);\n"
        "CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN\n"
        "INSERT INTO public.seen VALUES (current_user); RETURN 'x'; END $$;\n"
        "CREATE FUNCTION public.join(varchar, varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN\n"
        "INSERT INTO public.seen VALUES (current_user); RETURN 'x'; END $$;\n"
        "CREATE OPERATOR public.|| (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = public.join);\n"
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());\n"
        "EXECUTE format('ALTER ROLE %I SET search_path = public, pg_catalog', current_user);\n"
        "EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database()); END $$;",
    )
    creating = RehearsedMigration("creating", "CREATE EXTENSION asks;\nCREATE EXTENSION stays;", shown="creating.sql")
    with ScratchServer(server.url()) as scratch, state_after(scratch, [planted, creating]) as database:
        assert query(database, "SELECT who FROM public.seen") == []
        assert query(database, "SELECT extname::text FROM pg_extension WHERE extname <> 'plpgsql'") == [("asks",)]
        (left_out,) = read_left_out(database)
        assert "the script of extension stays runs as a superuser and could use " in left_out.shown


REFUSED = {
    "a member of a role": ("LOGIN CREATEDB IN ROLE pg_read_all_data", "is a member of other roles or has REPLICATION"),
    "a role with more attributes": ("LOGIN CREATEDB REPLICATION", "is a member of other roles or has REPLICATION"),
}


@pytest.mark.parametrize(("attributes", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_role_with_other_rights_that_cannot_create_one_without_is_refused(
    any_database: Database, attributes: str, reason: str
) -> None:
    url = any_database.server.url()
    with make_roles(url, f"CREATE ROLE {RIGHTS} {attributes}"):
        given = make_conninfo(url, user=RIGHTS)
        with pytest.raises(RefusedError, match=reason) as refused:
            ScratchServer(given)
        assert "--as-superuser" in refused.value.hint
        with ScratchServer(given, as_superuser=True) as server:
            assert run_one(server, "CREATE TABLE a ();").error is None


@pytest.mark.parametrize("attributes", ["LOGIN CREATEDB", "LOGIN CREATEDB CREATEROLE"])
def test_a_role_that_is_no_superuser_can_rehearse(any_database: Database, attributes: str) -> None:
    url = any_database.server.url()
    given = make_conninfo(url, user=RIGHTS)
    with make_roles(url, f"CREATE ROLE {RIGHTS} {attributes}"), ScratchServer(given) as server:
        assert bool(server.role) == ("CREATEROLE" in attributes)
        for _ in range(2):
            with state_after(server, [make_table("a"), EVENT_TRIGGER]) as database:
                assert [entry.place for entry in read_left_out(database)] == ["trigger.sql:2"]
                assert run_migration(database, EVENT_TRIGGER, "down") is None
        vector = run_one(server, "CREATE EXTENSION vector;\nCREATE TABLE v (v vector(3));")
        assert vector.error is None or "no extension vector" in vector.error.message
        server.drop_states()


def test_a_file_that_ends_the_sessions_of_its_role_does_not_stop_the_rehearsal(any_database: Database) -> None:
    url = any_database.server.url()
    text = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid();"
    )
    with make_roles(url, f"CREATE ROLE {RIGHTS} LOGIN CREATEDB"), ScratchServer(make_conninfo(url, user=RIGHTS)) as server:
        with state_after(server, [RehearsedMigration("ends", text), make_table("a")]) as database:
            assert list_tables(database) == ["a"]
        server.drop_states()


def test_a_superuser_whose_roles_cannot_log_in_is_refused(new_server: Callable[..., OwnServer]) -> None:
    server = new_server()
    server.start()
    server.allow("local all postgres trust", "local all all reject")
    with pytest.raises(RefusedError, match="it cannot log in") as refused:
        ScratchServer(server.url())
    assert refused.value.exit_code == 3
    with ScratchServer(server.url(), as_superuser=True) as scratch:
        assert run_one(scratch, "ALTER TABLE nothing ADD a int;").error is not None
        assert run_one(scratch, EVENT_TRIGGER.up).unchecked == ()


def test_a_server_that_asks_for_passwords_gets_one(new_server: Callable[..., OwnServer]) -> None:
    server = new_server()
    server.start()
    server.allow("local all postgres trust", "local all all scram-sha-256")
    with ScratchServer(server.url()) as scratch:
        assert run_one(scratch, "CREATE TABLE a ();").error is None
        assert make_creation("vector").names == ["vector"]


def test_default_privileges_of_another_role_are_set_but_for_those_of_the_administrator(embedded: Server) -> None:
    text = "ALTER DEFAULT PRIVILEGES FOR ROLE {} GRANT SELECT ON TABLES TO PUBLIC;"
    migrations = [RehearsedMigration(role, text.format(role)) for role in ("pg_signal_backend", "postgres", "CURRENT_ROLE")]
    with ScratchServer(embedded.url()) as server, state_after(server, migrations) as database:
        (left_out,) = read_left_out(database)
        question = "SELECT defaclrole::regrole::text IN ('pg_signal_backend', current_user) FROM pg_default_acl"
        assert query(database, question) == [(True,), (True,)]
    assert "the default privileges of this role apply to what the administrator creates" in left_out.shown
