"""Databases that cannot be reached, or that do not permit a run."""

from collections.abc import Callable
from contextlib import ExitStack

import psycopg
import pytest

from tests.bad_input.refusals import MARK, V, refuse, refuse_unchanged
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project

SECRET = "geheim-92"


@pytest.mark.parametrize("url", ["", " "])
def test_an_empty_database_url_counts_as_not_set(project: Project, url: str) -> None:
    result = project.at(url).migrate(check=1)
    assert result.stderr.splitlines()[0] == "ERROR: DATABASE_URL not set"
    assert result.stdout == ""


def test_an_invalid_database_url_is_refused_with_all_other_errors(project: Project) -> None:
    env = {"DIRECT_DATABASE_URL": "localhost/db", "LOCK_TIMEOUT": "5", "LOCK_ATTEMPTS": "x"}
    refusal = refuse(project.at(f"postgresql+asyncpg://me:{SECRET}@localhost/db"), code=2, env=env)
    faults = refusal.error.message.splitlines()
    names = ["DATABASE_URL", "DIRECT_DATABASE_URL", "LOCK_TIMEOUT=5", "LOCK_ATTEMPTS=x"]
    assert [fault.partition(":")[0] for fault in faults] == names
    assert "without a +driver" in faults[0]
    assert SECRET not in refusal.stdout + refusal.stderr


@pytest.mark.parametrize(
    ("url", "message", "hint"),
    [
        (f"postgresql://me:{SECRET}@no-such-host.invalid/db", "failed to resolve host", "Check the host"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/db", "Connection refused", "Is the server running"),
        (f"postgresql://me:{SECRET}@/db?host=/nowhere", "No such file or directory", "Its socket is not at the path"),
        (f"host=127.0.0.1 port=1 user=me password='{SECRET}'", "Connection refused", "Is the server running"),
        (f"postgresql://127.0.0.1:1/db?user=me&password={SECRET}", "Connection refused", "Is the server running"),
    ],
    ids=["host", "port", "socket", "conninfo", "parameter"],
)
def test_a_server_that_does_not_answer_is_named(project: Project, url: str, message: str, hint: str) -> None:
    refusal = refuse(project.at(url), code=1)
    assert "cannot connect to me@" in refusal.error.message
    assert message in refusal.error.message
    assert hint in refusal.error.hint
    assert SECRET not in refusal.stdout + refusal.stderr


@pytest.mark.parametrize(
    ("user", "name", "message", "hint"),
    [
        ("nobody_known", "postgres", 'role "nobody_known" does not exist', "Check the user in DATABASE_URL"),
        ("postgres", "no_database", 'database "no_database" does not exist', "inv db.create"),
    ],
)
def test_a_name_that_the_server_does_not_know_is_reported(
    project: Project, database: Database, user: str, name: str, message: str, hint: str
) -> None:
    url = database.server.url(name).replace("//postgres@", f"//{user}:{SECRET}@")
    refusal = refuse(project.at(url), code=1)
    assert message in refusal.error.message
    assert hint in refusal.error.hint
    assert SECRET not in refusal.stdout + refusal.stderr


@pytest.mark.parametrize(
    ("options", "given", "message", "hint"),
    [
        ("LOGIN", "falsch-17", "password authentication failed", "Check user and password"),
        ("LOGIN", "", "no password supplied", "contains no password"),
        ("NOLOGIN", SECRET, "not permitted to log in", "ALTER ROLE … LOGIN"),
        ("LOGIN CONNECTION LIMIT 0", SECRET, "too many connections for role", "CONNECTION LIMIT"),
    ],
    ids=["wrong", "none", "nologin", "limit"],
)
def test_a_refused_login_is_reported_with_its_reason(
    project: Project,
    guarded_database: Database,
    make_role: Callable[..., str],
    options: str,
    given: str,
    message: str,
    hint: str,
) -> None:
    user = make_role(SECRET, options)
    url = guarded_database.url.replace("//postgres@", f"//{user}:{given}@" if given else f"//{user}@")
    refusal = refuse_unchanged(project.at(url), guarded_database, code=1)
    assert message in refusal.error.message
    assert hint in refusal.error.hint
    for secret in {SECRET, given} - {""}:
        assert secret not in refusal.stdout + refusal.stderr


def test_a_server_with_too_few_connections_is_reported(own_server: OwnServer, project: Project) -> None:
    own_server.restart(max_connections="4", superuser_reserved_connections="0", reserved_connections="0")
    project.write_up(V, MARK)
    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(own_server.url())) for _ in range(3)]
        refusal = refuse(project.at(own_server.url()), code=1)
        assert connections[0].execute("SELECT to_regclass('schema_migrations')").fetchall() == [(None,)]
    assert "too many clients" in refusal.error.message
    assert "max_connections" in refusal.error.hint


def test_a_server_that_only_reads_refuses_a_run_and_answers_the_rest(project: Project, database: Database) -> None:
    project.write_up(V, MARK)
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    refusal = refuse_unchanged(project, database, code=1)
    assert refusal.error.sqlstate == "25006"
    assert "Use the URL of the primary" in refusal.error.hint
    project.migrate("status", check=0)
    assert V in project.migrate("migrate", "--dry-run", check=0).stdout


@pytest.mark.parametrize(
    ("ledger", "grant", "message"),
    [
        (False, "", "permission denied for schema public"),
        (True, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {0}", "permission denied for table schema_migrations_log"),
    ],
    ids=["create", "write"],
)
def test_a_missing_privilege_is_named(
    project: Project, guarded_database: Database, make_role: Callable[..., str], ledger: bool, grant: str, message: str
) -> None:
    guarded_database.execute("REVOKE CREATE ON SCHEMA public FROM public")
    if ledger:
        project.at(guarded_database.url).migrate(check=0)
        project.write_up(V, "SELECT 1;")
        project.at(guarded_database.url).migrate(check=0)
    project.write_up("20250109000000_mark", MARK)
    user = make_role(SECRET)
    guarded_database.execute(grant.format(user) or "SELECT 1")
    url = guarded_database.url.replace("//postgres@", f"//{user}:{SECRET}@")
    refusal = refuse_unchanged(project.at(url), guarded_database, code=1)
    assert refusal.error.message == message
    assert refusal.error.sqlstate == "42501"
    assert "lacks a privilege" in refusal.error.hint
    assert "belongs to" in refusal.error.hint


def test_a_statement_without_the_privilege_names_its_place(
    project: Project, guarded_database: Database, make_role: Callable[..., str]
) -> None:
    project.write_up(V, "CREATE SCHEMA own;\n")
    user = make_role(SECRET)
    guarded_database.execute(f"GRANT CREATE ON SCHEMA public TO {user}")
    refusal = refuse(project.at(guarded_database.url.replace("//postgres@", f"//{user}:{SECRET}@")), code=1)
    assert "permission denied for database" in refusal.error.message
    assert f"database {guarded_database.name} belongs to postgres" in refusal.error.hint
    assert refusal.place == (f"{V}.sql", 1, 1)
    assert guarded_database.query("SELECT count(*) FROM schema_migrations") == [(0,)]


def test_a_search_path_without_a_schema_is_refused(project: Project, database: Database) -> None:
    project.write_up(V, MARK)
    refusal = refuse_unchanged(project.at(f"{database.url}&options=-csearch_path%3Dnowhere"), database)
    assert "no schema for the ledger" in refusal.error.message
