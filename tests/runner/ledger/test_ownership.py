"""A ledger that others own, or through which they can run code, is refused before a row of it is read or written."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from tasks.adopt.examine import read_subject
from tasks.runner import MigrationRunner
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.events import ProbeRead
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.guard import describe_change
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.operations.adopt import adopt
from tasks.runner.operations.history import read_history
from tasks.runner.operations.migrate import RunMode, migrate
from tasks.runner.operations.outcome import read_outcome
from tasks.runner.operations.probe import probe
from tasks.runner.operations.repair import repair
from tasks.runner.operations.schema import read_schema
from tasks.runner.operations.seed import seed
from tasks.runner.operations.settle import settle
from tasks.runner.operations.status import read_status
from tasks.runner.planning.choice import MigrateGoal
from tests.kit.databases import Database
from tests.kit.roles import make_roles, use_as
from tests.kit.waiting import wait_until
from tests.runner.ledger.planted import CODE, PLANTED
from tests.runner.operating import A, B, Operator, list_done, pick

CODE_IN_TABLES = {name: case for name, case in PLANTED.items() if case[1]}


@pytest.fixture
def low(database: Database) -> Iterator[str]:
    """Yield a role that may create tables and functions in the schema public, as everyone may on PostgreSQL 14."""
    with make_roles(database) as make:
        yield make("low", creates=True)


@pytest.fixture
def owner(database: Database) -> Iterator[str]:
    """Yield the owner of the database, which is no superuser."""
    with make_roles(database) as make:
        role = make("owner")
        database.execute(f'ALTER DATABASE {database.name} OWNER TO "{role}"')
        yield role
        database.execute(f"ALTER DATABASE {database.name} OWNER TO postgres")


def plant(database: Database, role: str, text: str, schema: str = "public") -> None:
    """Run SQL as another role, after creating the functions that only this role may run."""
    with psycopg.connect(use_as(database, role).url, autocommit=True, options=f"-csearch_path={schema}") as connection:
        connection.execute(CODE.format(schema=schema, low=f"'{role}'").encode())
        connection.execute(text.encode())


def refuse_all(operator: Operator, **options: Any) -> str:
    """Return the message with which a status and a run are refused."""
    with pytest.raises(RefusedError) as refused:
        operator.read_status(**options)
    with pytest.raises(RefusedError) as refused_run:
        operator.migrate(**options)
    assert refused_run.value.message == refused.value.message
    assert refused.value.state == "Nothing was changed."
    return f"{refused.value.message}\n{refused.value.hint}"


@pytest.mark.parametrize("planted", [text for text, _ in PLANTED.values()], ids=PLANTED)
def test_tables_of_others_are_refused_for_a_superuser(operator: Operator, low: str, planted: str) -> None:
    operator.write_tables(A)
    plant(operator.database, low, planted)
    message = refuse_all(operator)
    assert re.search(f"belongs? to {low}, which is neither the current user postgres", message)
    assert f'GRANT "{low}" TO postgres;' in message or "Rename it" in message


@pytest.mark.parametrize("direction", ["OWNER TO", "RENAME TO"])
def test_the_ledger_of_a_member_of_the_user_is_named_once_and_settled_by_the_statements(
    operator: Operator, owner: str, direction: str
) -> None:
    operator.write_tables(A)
    database = operator.database
    with make_roles(database) as make:
        member = make("member", creates=True)
        database.execute(f'GRANT "{owner}" TO "{member}"')
        Operator(operator.project, database, url=use_as(database, member).url).migrate()
        as_owner = Operator(operator.project, database, url=use_as(database, owner).url)
        with pytest.raises(RefusedError) as refused:
            as_owner.read_states()
        assert refused.value.message.count(f"belong to {member}") == 1
        # PostgreSQL refuses to grant a role to its own member.
        assert "GRANT" not in refused.value.hint
        statements = [line for line in refused.value.hint.splitlines() if direction in line]
        assert len(statements) == 5
        database.execute("\n".join(statements))
        assert as_owner.read_states() == {A: "applied" if direction == "OWNER TO" else "pending"}


def test_a_view_in_place_of_a_table_can_only_be_renamed(operator: Operator, low: str) -> None:
    operator.write_tables(A)
    plant(operator.database, low, "CREATE VIEW schema_migrations_meta AS SELECT 'x' AS key, 'y' AS value")
    with pytest.raises(RefusedError) as refused:
        operator.read_states()
    heading, statement = refused.value.hint.splitlines()
    assert heading == "Rename it, so that a new table can take its place:"
    operator.database.execute(statement)
    assert operator.read_states() == {A: "pending"}


@pytest.mark.parametrize(("planted", "named"), CODE_IN_TABLES.values(), ids=CODE_IN_TABLES)
def test_code_in_tables_is_refused_whoever_owns_them(any_operator: Operator, planted: str, named: str) -> None:
    any_operator.write_tables(A)
    with make_roles(any_operator.database) as make:
        low, owner = make("low", creates=True), make("owner", creates=True)
        plant(any_operator.database, low, planted)
        any_operator.database.execute(f'GRANT "{low}" TO "{owner}"')
        url = use_as(any_operator.database, owner).url
        runner = MigrationRunner(url, migrations_dir=any_operator.project.migrations)
        for action in (lambda: list(read_status(runner)), runner.run_migrations):
            with pytest.raises(RefusedError, match=named):
                action()


SHADOW = """
CREATE SCHEMA "{schema}";
CREATE TABLE "{schema}".schema_migrations (version varchar(255) PRIMARY KEY, applied_at timestamp, applied_by varchar(255),
 checksum varchar(64), execution_time_ms integer);
"""


@pytest.mark.parametrize("tables", [True, False], ids=["with a ledger", "empty"])
def test_a_schema_that_is_named_like_the_user_and_belongs_to_another_role_is_refused(
    operator: Operator, low: str, owner: str, tables: bool
) -> None:
    operator.write_tables(A)
    operator.database.execute(f'GRANT CREATE ON DATABASE {operator.database.name} TO "{low}"')
    text = SHADOW.format(schema=owner) if tables else f'CREATE SCHEMA "{owner}"'
    plant(operator.database, low, f'{text}; GRANT ALL ON SCHEMA "{owner}" TO PUBLIC')
    runner = MigrationRunner(use_as(operator.database, owner).url, migrations_dir=operator.project.migrations)
    for action in (lambda: list(read_status(runner)), runner.run_migrations, runner.create_ledger):
        with pytest.raises(RefusedError, match=f'schema "{owner}".* belongs? to {low}') as refused:
            action()
    assert f'ALTER SCHEMA "{owner}" OWNER TO "{owner}";' in refused.value.hint


OPERATIONS: dict[str, Callable[[MigrationRunner], Iterable[object]]] = {
    "history": read_history,
    "schema": read_schema,
    "outcome": lambda runner: read_outcome(runner, "x"),
    "seed": seed,
    "repair": lambda runner: repair(runner, lambda _: True),
    "adopt": lambda runner: adopt(runner, "", []),
    "settle": lambda runner: settle(runner, "1", "1"),
    "rollback": lambda runner: runner.rollback(),
    "subject": lambda runner: [read_subject(runner, read_migrations(runner.migrations_dir))],
    "migrate": lambda runner: runner.run_migrations(),
    "dry run": lambda runner: migrate(runner, MigrateGoal(), RunMode(dry_run=True)),
}


def test_every_operation_refuses(operator: Operator, low: str) -> None:
    operator.write_tables(A)
    operator.project.write_seed("001_x", "SELECT 1;")
    plant(operator.database, low, f"{PLANTED['a trigger'][0]}; {PLANTED['a default'][0]}")
    for operation in OPERATIONS.values():
        with pytest.raises(RefusedError, match=r"public\.schema_migrations_meta belongs? to low"):
            list(operation(operator.make_runner(watch_drift=True)))
    for method in (operator.make_runner().ensure_migration_table, operator.make_runner().create_ledger):
        with pytest.raises(RefusedError, match=r"public\.schema_migrations_meta belongs? to low"):
            method()
    (event,) = pick(list(probe(operator.make_runner())), ProbeRead)
    (check,) = [check for check in event.checks if check.name == "ledger"]
    assert (check.passed, "belong to low" in check.found) == (False, True)


def test_a_table_that_is_planted_after_the_ledger_was_read_is_refused_before_a_row_is_written(
    operator: Operator, low: str
) -> None:
    with connect(operator.database.url, name="test") as connection:
        ledger = read_ledger(connection)
        plant(operator.database, low, PLANTED["a default"][0])
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as refused:
            ensure_ledger(connection, ledger)
    assert (
        describe_change(refused.value)
        == "others can run code through schema_migrations_meta, or add a trigger there, so nothing was written"
    )
    assert operator.read_tables() == []


WAITING = """
SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
 WHERE l.locktype = 'advisory' AND l.objid = 1 AND NOT l.granted
"""


@pytest.mark.parametrize("begin", ["", "BEGIN ISOLATION LEVEL REPEATABLE READ;"], ids=["read committed", "repeatable read"])
def test_a_trigger_that_is_added_during_a_run_does_not_run(operator: Operator, low: str, begin: str) -> None:
    operator.write_tables(A)
    operator.migrate()
    database = operator.database
    database.execute(f'GRANT TRIGGER ON schema_migrations, schema_migrations_log TO "{low}"')
    plant(database, low, "")
    trigger = "CREATE TRIGGER t BEFORE INSERT ON schema_migrations{} FOR EACH ROW EXECUTE FUNCTION public.fire()"
    operator.write(
        B, f"{begin} CREATE TABLE b (); SELECT pg_advisory_lock(1), pg_advisory_unlock(1); {'COMMIT;' if begin else ''}"
    )
    with database.connect() as gate, ThreadPoolExecutor(1) as pool:
        gate.execute("SELECT pg_advisory_lock(1)")
        run = pool.submit(operator.migrate)
        wait_until(lambda: database.query(WAITING))
        with psycopg.connect(use_as(database, low).url, autocommit=True) as connection:
            for suffix in ("", "_log"):
                connection.execute(trigger.format(suffix).encode())
        gate.execute("SELECT pg_advisory_unlock(1)")
        with pytest.raises(RunnerError, match=r"others can run code through public\.schema_migrations") as failed:
            run.result()
    assert failed.value.state.endswith(f"{B} was rolled back completely.")
    assert database.query("SELECT to_regclass('b')") == [(None,)]
    with pytest.raises(RefusedError, match=r"public\.schema_migrations has a trigger: t runs"):
        operator.read_status()


def test_a_file_that_writes_to_the_ledger_runs_only_if_no_other_role_can_add_a_trigger(operator: Operator, low: str) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write(B, f"CREATE TABLE b (); INSERT INTO schema_migrations (version) VALUES ('{B}');")
    operator.database.execute(f'GRANT TRIGGER ON schema_migrations TO "{low}"')
    with pytest.raises(RefusedError, match=r"others can .* add a trigger there") as refused:
        operator.migrate()
    assert refused.value.state == "No migration was run."
    operator.database.execute(f'REVOKE TRIGGER ON schema_migrations FROM "{low}"')
    assert list_done(operator.migrate()) == [B]


def test_an_ordinary_ledger_needs_no_more_than_the_short_check(any_operator: Operator) -> None:
    any_operator.make_runner().ensure_migration_table()
    with connect(any_operator.database.url, name="test") as connection:
        assert read_ledger(connection).doubtful is False


def test_a_ledger_that_a_subscription_fills_is_used(operator: Operator, low: str) -> None:
    """A subscription's rows come from its worker, which works as the owner of the tables, under session_replication_role."""
    operator.write_tables(A, B)
    operator.make_runner().ensure_migration_table()
    database = operator.database
    database.execute(
        "CREATE PUBLICATION ledger FOR TABLE schema_migrations, schema_migrations_log;"
        "SET session_replication_role = replica;"
        f"INSERT INTO schema_migrations (version) VALUES ('{A}'); SET session_replication_role = origin"
    )
    database.execute("CREATE SUBSCRIPTION ledger CONNECTION 'host=/nowhere' PUBLICATION ledger WITH (connect = false)")
    try:
        assert operator.read_states() == {A: "applied", B: "pending"}
        assert list_done(operator.migrate()) == [B]
    finally:
        database.execute("ALTER SUBSCRIPTION ledger SET (slot_name = NONE)")
        database.execute("DROP SUBSCRIPTION ledger")


def give_to(role: str) -> str:
    return "; ".join(
        f'ALTER TABLE schema_migrations{each} OWNER TO "{role}"' for each in ("", "_log", "_meta", "_scripts", "_seeds")
    )


def test_the_owner_is_the_user_the_database_owner_a_superuser_a_granted_role_or_the_setting(
    operator: Operator, low: str, owner: str
) -> None:
    database = operator.database
    operator.write_tables(A)
    operator.migrate()
    database.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO PUBLIC")
    as_low, as_owner = (Operator(operator.project, database, url=use_as(database, role).url) for role in (low, owner))
    # Tables of a superuser, beside the owner of the database.
    for each in (as_low, as_owner, operator):
        assert each.read_states() == {A: "applied"}
    database.execute(give_to(owner))
    for each in (as_low, as_owner, operator):
        assert each.read_states() == {A: "applied"}
    database.execute(give_to(low))
    assert as_low.read_states() == {A: "applied"}
    for each in (as_owner, operator):
        with pytest.raises(RefusedError, match=r"belongs? to"):
            each.read_states()
        assert each.read_states(ledger_owner=low) == {A: "applied"}
    database.execute(f'GRANT "{low}" TO "{owner}", postgres')
    for each in (as_owner, operator):
        assert each.read_states() == {A: "applied"}
    database.execute(f'ALTER ROLE "{low}" RENAME TO "{low} renamed"')
    assert operator.read_states() == {A: "applied"}
    database.execute(f'ALTER ROLE "{low} renamed" RENAME TO "{low}"; REVOKE "{low}" FROM "{owner}", postgres')
    database.execute(f'REASSIGN OWNED BY "{low}" TO postgres')
    operator.write_tables(B)
    assert list_done(as_owner.migrate()) == [B]
