"""Roles that files name and the scratch server lacks are made for the rehearsal, and dropped with it."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from tasks.rehearsal.model import Outcome, RehearsedMigration
from tasks.rehearsal.replay.replay import replay
from tasks.rehearsal.scratch import roles
from tasks.rehearsal.scratch.server import ScratchServer
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.servers import Server
from tests.kit.waiting import LIMIT_S, wait_until
from tests.rehearsal.conftest import Start

APP, READER = f"named_app_{os.getpid()}", f"named_reader_{os.getpid()}"
LONG = "a" * 70
STATEMENTS = {
    "a grant": f"GRANT SELECT ON t TO {APP}, {READER}",
    "a revoke": f"REVOKE ALL ON t FROM {READER}",
    "a quoted name": f'GRANT SELECT ON t TO "Named {READER}"',
    "a name that is truncated": f"GRANT SELECT ON t TO {LONG}",
    "default privileges": f"ALTER DEFAULT PRIVILEGES FOR ROLE {APP} GRANT SELECT ON TABLES TO {READER}",
    "a policy": f"CREATE POLICY p ON t TO {READER} USING (true)",
    "a schema": f"CREATE SCHEMA AUTHORIZATION {APP}",
    "its objects": f"REASSIGN OWNED BY {APP} TO {READER}; DROP OWNED BY {APP}",
    "a setting of a function": f"CREATE FUNCTION f() RETURNS int LANGUAGE sql SET role = {APP} AS 'SELECT 1'",
    "a transaction of its own": f"BEGIN; GRANT SELECT ON t TO {APP}; COMMIT",
    "a block": f"DO $$ BEGIN GRANT SELECT ON t TO {APP}; EXECUTE format('GRANT SELECT ON t TO %I', '{READER}'); END $$",
    "a function": "CREATE FUNCTION g() RETURNS void LANGUAGE plpgsql AS $$ BEGIN\n"
    f"EXECUTE 'GRANT SELECT ON t TO {READER}'; END $$; SELECT g()",
    "a value": f"SELECT '{APP}'::regrole, set_config('role', '{READER}', true); RESET ROLE",
}
OWNERS = {
    "an owner": f"ALTER TABLE t OWNER TO {APP}",
    "SET ROLE": f"SET ROLE {APP}",
    "SET LOCAL ROLE": f"SET LOCAL ROLE '{APP}'",
    "SET SESSION AUTHORIZATION": f"SET SESSION AUTHORIZATION {APP}",
    "members": f"GRANT {APP} TO {READER}",
    "a comment": f"COMMENT ON ROLE {APP} IS 'x'",
}
"""What the role of a rehearsal cannot do completely: the statement is not checked, and the rest of the file is."""


@pytest.fixture
def any_scratch(any_database: Database) -> Iterator[ScratchServer]:
    """Yield a scratch server on the newest and the oldest version."""
    with ScratchServer(any_database.server.url()) as server:
        yield server
        server.drop_states()


def run(server: ScratchServer, text: str) -> Outcome:
    (outcome,) = replay(server, [RehearsedMigration("one", text, shown="one.sql")])
    return outcome


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_a_role_that_the_server_lacks_stops_no_answer(any_scratch: ScratchServer, statement: str) -> None:
    outcome = run(any_scratch, f"CREATE TABLE t (id int);\n{statement};\nCREATE TABLE after_it ();")
    assert (outcome.error, outcome.unchecked) == (None, ())
    assert "public.after_it" in {key.name for key, _ in outcome.after.of_kind("table")}


@pytest.mark.parametrize("statement", OWNERS.values(), ids=OWNERS.keys())
def test_what_such_a_role_may_not_do_is_not_checked(any_scratch: ScratchServer, statement: str) -> None:
    outcome = run(any_scratch, f"CREATE TABLE t (id int);\n{statement};\nCREATE TABLE after_it ();")
    assert outcome.error is None
    # Until 14, every role may create objects in the schema public.
    assert {shown.partition(":")[2].partition(" ")[0] for shown in outcome.unchecked} <= {"2"}
    assert "public.after_it" in {key.name for key, _ in outcome.after.of_kind("table")}


def test_a_role_has_no_rights_and_the_rehearsal_may_act_as_it(any_scratch: ScratchServer, any_database: Database) -> None:
    text = f"CREATE SCHEMA s AUTHORIZATION {APP};\nSET ROLE {APP};\nCREATE TABLE s.t ();"
    with any_scratch.make():
        assert run(any_scratch, text).unchecked == ()
        rights = "rolsuper OR rolcanlogin OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls"
        assert any_database.query(f"SELECT {rights} FROM pg_roles WHERE rolname = %s", APP) == [(False,)]


def test_a_predefined_role_of_a_newer_version_is_not_checked(older_server: Server) -> None:
    with ScratchServer(older_server.url()) as server:
        outcome = run(server, "CREATE TABLE t ();\nGRANT SELECT ON t TO pg_signal_autovacuum_worker;\nCREATE TABLE u ();")
        (wrong,) = replay(server, [RehearsedMigration("wrong", "GRANT SELECT ON pg_class TO pg_nothing;")])
    reason = "needs the role pg_signal_autovacuum_worker, which the scratch server does not have"
    statement = "GRANT SELECT ON t TO pg_signal_autovacuum_worker"
    assert (outcome.error, outcome.unchecked) == (None, (f"one.sql:2 {statement}: {reason}",))
    assert wrong.error is not None


def test_a_role_that_cannot_be_made_is_not_checked(any_database: Database) -> None:
    # A name of its own: a role that another test made stays as long as any scratch database exists on the server.
    meek, absent, url = f"meek_{os.getpid()}", f"named_absent_{os.getpid()}", any_database.server.url()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN CREATEDB").format(sql.Identifier(meek)))
        try:
            with ScratchServer(psycopg.conninfo.make_conninfo(url, user=meek)) as server:
                outcome = run(server, f"CREATE TABLE t ();\nGRANT SELECT ON t TO {absent};\nCREATE TABLE u ();")
                server.drop_states()
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(meek)))
    assert outcome.error is None
    assert outcome.unchecked == (
        f"one.sql:2 GRANT SELECT ON t TO {absent}: needs the role {absent}, which the scratch server does not have",
    )


def test_a_role_of_another_rehearsal_is_used_where_no_statement_names_it(any_scratch: ScratchServer) -> None:
    with ScratchServer(any_scratch.url) as other, other.make():
        assert other.make_roles([APP, READER]) == {APP, READER}
        outcome = run(any_scratch, STATEMENTS["a value"])
    assert (outcome.error, outcome.unchecked) == (None, ())


def test_concurrent_rehearsals_use_the_same_role(any_database: Database) -> None:
    url = any_database.server.url()
    text = f"CREATE SCHEMA s AUTHORIZATION {APP}; CREATE TABLE t (); GRANT SELECT ON t TO {READER};"
    text += f"SET ROLE {APP}; CREATE TABLE s.t ();"

    def rehearse(_number: int) -> list[Outcome]:
        with ScratchServer(url) as server:
            return [run(server, text) for _ in range(3)]

    with ThreadPoolExecutor(3) as pool:
        outcomes = [outcome for each in pool.map(rehearse, range(3)) for outcome in each]
    assert [(outcome.error, outcome.unchecked) for outcome in outcomes] == [(None, ())] * 9


def test_a_role_that_was_unused_is_kept_if_a_rehearsal_needs_it_by_now(
    running: OwnServer, scratch: ScratchServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "_LOCK_TIMEOUT", f"{LIMIT_S}s")
    waits = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    lock = "SELECT pg_advisory_xact_lock(hashtextextended('migrate-scratch-roles', 0))"
    with psycopg.connect(running.url()) as other, psycopg.connect(running.url(), autocommit=True) as sweeping:
        assert scratch.make_roles([READER]) == {READER}
        other.execute(lock)
        with ThreadPoolExecutor(1) as pool:
            swept = pool.submit(roles.drop_marked, sweeping)
            wait_until(lambda: scratch.administer().execute(waits).rowcount == 1)
            with scratch.make():
                other.commit()
                swept.result()
                assert READER in roles.list_usable(scratch.administer())


def test_a_role_of_a_killed_process_is_dropped_by_the_next(running: OwnServer, start_owner: Start) -> None:
    process, _ = start_owner("t")
    with ScratchServer(running.url()) as server:
        assert server.make_roles([READER]) == {READER}
    process.kill()
    process.communicate()

    def is_dropped() -> bool:
        # The server ends the session of the killed process a moment after it.
        with ScratchServer(running.url()) as server:
            server.drop_states()
            return READER not in roles.list_roles(server.administer())

    wait_until(is_dropped, what="the next process to drop the role")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("GRANT SELECT ON t TO PUBLIC, a, CURRENT_USER, SESSION_USER, b", ["a", "b"]),
        ('SET ROLE NONE; SET ROLE "No Ne"; SET role TO DEFAULT; RESET ROLE', ["No Ne"]),
        ("ALTER TABLE t OWNER TO d; CREATE USER MAPPING FOR e SERVER s; CREATE USER MAPPING FOR PUBLIC SERVER s", ["d", "e"]),
        (f"GRANT SELECT ON t TO {LONG}", [LONG[:63]]),
        ("SELECT 'grant to x'; DO $$ BEGIN GRANT SELECT ON t TO y; END $$", []),
        ("this is no SQL: grant", []),
    ],
)
def test_the_roles_that_statements_name_are_found(text: str, names: list[str]) -> None:
    assert roles.find_named(text) == names
