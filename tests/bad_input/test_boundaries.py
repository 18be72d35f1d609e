"""No command ends with a traceback: a role that may do nothing, a server that only reads, a connection that is lost."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.refusals import MARK, NEXT, V
from tests.kit.databases import Database
from tests.kit.projects import Project

SECRET = "geheim-92"
INVOKED = (
    ("db.migrate",),
    ("db.rollback",),
    ("db.status",),
    ("db.history",),
    ("db.repair", "--yes"),
    ("db.seed",),
    ("db.load",),
    ("db.adopt", "--apply", "--yes"),
    ("db.drift",),
    ("db.verify",),
    ("env.check",),
)
SCRIPTED = (
    "migrate",
    "rollback",
    "status",
    "history",
    "repair",
    "seed",
    "load",
    "catalog",
    "numbers",
    "queries",
    "probe",
    "outcome",
    "adopt",
)
_ARGUMENTS = {"repair": ("--yes",), "outcome": ("--version=none",), "adopt": ("--version=none",)}


@pytest.fixture
def helpless(project: Project, guarded_database: Database, make_role: Callable[..., str]) -> Project:
    """Return a project with an edited and a pending migration, as a role without any privilege on its database."""
    project.write_up(V, MARK)
    project.write_down(V, "DROP TABLE mark;")
    project.write_seed("001_one", "SELECT 1;")
    owner = project.at(guarded_database.url)
    owner.migrate(check=0)
    project.write_up(V, f"{MARK} -- edited")
    project.write_up(NEXT, "CREATE TABLE next ();")
    (project.migrations / "schema.sql").write_text("no schema")
    guarded_database.execute("REVOKE ALL ON SCHEMA public FROM public")
    return project.at(guarded_database.url.replace("//postgres@", f"//{make_role(SECRET)}:{SECRET}@"))


@pytest.mark.parametrize("command", SCRIPTED)
def test_a_role_without_privileges_gets_an_error_from_the_script(helpless: Project, command: str) -> None:
    result = helpless.migrate(command, *_ARGUMENTS.get(command, ()))
    assert "Traceback" not in result.stderr
    assert result.returncode in (0, 1, 2, 3)
    assert bool(result.stderr) == bool(result.returncode)


@pytest.mark.parametrize("command", INVOKED, ids=lambda command: command[0])
def test_a_role_without_privileges_gets_an_error_from_invoke(helpless: Project, command: tuple[str, ...], tmp_path: Path) -> None:
    result = helpless.inv(*command)
    assert "Traceback" not in result.stderr + result.stdout
    assert result.returncode in (0, 1, 2, 3, 4)
    assert bool(result.returncode)


@pytest.mark.parametrize("command", ["repair", "migrate", "rollback", "seed", "load", "adopt"])
def test_a_ledger_that_may_only_be_read_is_not_written(
    project: Project, guarded_database: Database, make_role: Callable[..., str], command: str
) -> None:
    project.write_up(V, MARK)
    project.write_down(V, "DROP TABLE mark;")
    owner = project.at(guarded_database.url)
    owner.migrate(check=0)
    owner.inv("db.load")
    if command == "repair":
        project.write_up(V, f"{MARK} -- edited")
    project.write_up(NEXT, "CREATE TABLE next ();")
    project.write_seed("001_one", "SELECT 1;")
    role = make_role(SECRET)
    guarded_database.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    reader = project.at(guarded_database.url.replace("//postgres@", f"//{role}:{SECRET}@"))
    result = reader.migrate(command, *_ARGUMENTS.get(command, ()), "--json")
    assert "Traceback" not in result.stderr
    assert result.returncode in (1, 2, 3)
    if command in ("repair", "migrate", "rollback", "seed"):
        assert "42501" in result.stdout
        assert "postgres" in result.stdout


@pytest.mark.parametrize("command", ["repair", "migrate", "rollback", "seed", "load"])
def test_a_read_only_database_refuses_each_change(project: Project, database: Database, command: str) -> None:
    project.write_up(V, MARK)
    project.write_down(V, "DROP TABLE mark;")
    project.migrate(check=0)
    if command == "repair":
        project.write_up(V, f"{MARK} -- edited")
    project.write_up(NEXT, "CREATE TABLE next ();")
    project.write_seed("001_one", "SELECT 1;")
    database.execute(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    result = project.migrate(command, *_ARGUMENTS.get(command, ()))
    assert "Traceback" not in result.stderr
    assert result.returncode in (1, 3)


@pytest.mark.parametrize("command", ["migrate", "rollback", "seed"])
def test_a_session_that_is_ended_in_the_middle_is_reported(project: Project, database: Database, command: str) -> None:
    end = "SELECT pg_terminate_backend(pg_backend_pid());"
    project.write_up(V, MARK if command == "rollback" else end)
    project.write_down(V, end)
    project.write_seed("001_one", end)
    if command == "rollback":
        project.migrate(check=0)
    result = project.migrate(command, check=1)
    assert "Traceback" not in result.stderr
    assert "The connection to the server was lost" in result.stderr


def test_an_error_of_an_event_trigger_while_the_ledger_is_created_has_its_hint_and_context(
    project: Project, database: Database
) -> None:
    project.write_up(V, MARK)
    database.execute(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'no tables today' USING HINT = 'Ask the DBA.', DETAIL = 'It is Sunday.'; END $$;"
        " CREATE EVENT TRIGGER refuse ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse()"
    )
    result = project.migrate(check=1)
    for part in (
        "no tables today (P0001)",
        "It is Sunday.",
        "PL/pgSQL function public.refuse() line 1",
        "Ask the DBA.",
        "No migration was run.",
    ):
        assert part in result.stderr
