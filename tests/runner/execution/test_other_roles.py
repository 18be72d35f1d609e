"""Sessions of other roles, which can name themselves as they like and take the lock of runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.events import ErrorRaised, LockAwaited
from tests.kit.databases import Database
from tests.kit.projects import Project
from tests.runner.operating import A, B
from tests.stress import running

UUID = "00000000-0000-4000-8000-000000000000"
LOG = {
    "run_id": "uuid",
    "version": "text",
    "action": "text",
    "outcome": "text",
    "actor": "text",
    "host": "text",
    "at": "timestamptz",
}
TAKE = f"SELECT pg_advisory_lock({LOCK_KEY})"


@pytest.fixture
def act_as(database: Database) -> Iterator[Callable[..., psycopg.Connection[object]]]:
    """Yield a function that opens a session of a role without privileges, under a name of its choice."""
    opened: list[psycopg.Connection[object]] = []
    role = f"low_{database.name}"
    database.execute(f"CREATE ROLE {role} LOGIN")

    def connect(name: str, user: str = role) -> psycopg.Connection[object]:
        opened.append(database.connect(user=user, application_name=name))
        return opened[-1]

    yield connect
    for session in opened:
        session.close()
    database.execute(f"DROP ROLE {role}")


@contextmanager
def sleeping(session: psycopg.Connection[object]) -> Iterator[None]:
    """Run a long statement in a session meanwhile."""
    session.pgconn.send_query(b"SELECT pg_sleep(3600)")
    yield
    session.pgconn.consume_input()
    assert session.pgconn.is_busy(), "the session was ended"
    session.cancel_safe()


def test_a_session_of_another_role_that_is_named_like_a_dead_run_is_not_ended(
    project: Project, database: Database, act_as: Callable[..., psycopg.Connection[object]]
) -> None:
    project.write_up(A, "CREATE TABLE a (id int);")
    with sleeping(act_as(f"migrate-run {UUID} at work")):
        project.migrate(check=0)


@pytest.mark.parametrize("name", ["migrate-run x at work", f"migrate-run {UUID} at work!"])
def test_a_session_of_the_own_role_without_the_id_of_a_run_is_not_ended(
    name: str, project: Project, database: Database, act_as: Callable[..., psycopg.Connection[object]]
) -> None:
    project.write_up(A, "CREATE TABLE a (id int);")
    with sleeping(act_as(name, "postgres")):
        project.migrate(check=0)


def test_a_role_that_runs_for_an_owner_does_not_fail_because_of_a_name(
    project: Project, database: Database, act_as: Callable[..., psycopg.Connection[object]]
) -> None:
    owner = f"owner_{database.name}"
    database.execute(f"CREATE ROLE {owner} LOGIN; GRANT pg_read_all_stats TO {owner}")
    database.execute(f"ALTER DATABASE {database.name} OWNER TO {owner}")
    project.write_up(A, "CREATE TABLE a (id int);")
    with sleeping(act_as(f"migrate-run {UUID} at work")):
        project.at(database.url.replace("postgres@", f"{owner}@")).migrate(check=0)
    database.execute(f"ALTER DATABASE {database.name} OWNER TO postgres; REASSIGN OWNED BY {owner} TO postgres")
    database.execute(f"DROP OWNED BY {owner}; DROP ROLE {owner}")


@pytest.mark.parametrize(
    ("name", "stranger", "words"),
    [
        (
            "psql",
            True,
            "a session that is not a run of this tool still has the lock of runs after 0.3 s, pid {pid} of role {role}",
        ),
        (f"migrate-lock {UUID}", False, "another run still has the lock after 0.3 s, pid {pid} of role {role}"),
    ],
)
def test_waiting_for_the_lock_ends_with_the_role_and_the_pid_that_has_it(
    name: str,
    stranger: bool,
    words: str,
    project: Project,
    database: Database,
    act_as: Callable[..., psycopg.Connection[object]],
) -> None:
    project.write_up(A, "CREATE TABLE a (id int);")
    project.migrate(check=0)
    project.write_up(B, "CREATE TABLE b (id int);")
    holder = act_as(name)
    holder.execute(TAKE)
    run = running.start(project, RUN_WAIT="300ms").finish()
    error = run.pick(ErrorRaised)[-1]
    assert run.exit_code == 3
    assert error.message == words.format(pid=holder.info.backend_pid, role=f"low_{database.name}")
    assert f"SELECT pg_terminate_backend({holder.info.backend_pid});" in error.hint
    assert "RUN_WAIT" in error.hint
    assert error.state == "Nothing was changed."
    assert {event.stranger for event in run.pick(LockAwaited)} == {stranger}
    assert {event.run for event in run.pick(LockAwaited)} == {None}


def test_the_log_of_a_stranger_is_not_read_while_a_run_waits(
    project: Project, database: Database, act_as: Callable[..., psycopg.Connection[object]]
) -> None:
    database.execute("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE SEQUENCE calls; GRANT ALL ON calls TO PUBLIC")
    stranger = act_as(f"migrate-lock {UUID}")
    stranger.execute(TAKE)
    project.write_up(A, "CREATE TABLE a (id int);")
    run = running.start(project, RUN_WAIT="3s")
    run.await_event(LockAwaited)
    # The plan was made without a ledger.
    columns = ", ".join(f"{name} {kind}" for name, kind in LOG.items())
    body = "LANGUAGE plpgsql AS $$BEGIN PERFORM pg_catalog.nextval('public.calls'); END$$"
    stranger.execute(f"CREATE FUNCTION planted() RETURNS TABLE (id bigint, {columns}) {body}")
    stranger.execute("CREATE VIEW schema_migrations_log AS SELECT * FROM planted()")
    assert run.finish().exit_code == 3
    assert len(run.pick(LockAwaited)) > 1
    assert database.query("SELECT is_called FROM calls") == [(False,)]
    stranger.execute("DROP VIEW schema_migrations_log; DROP FUNCTION planted")
