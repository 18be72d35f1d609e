"""What a role sees that may read a part of the ledger, or nothing of it."""

import json

import pytest
from psycopg import sql

from tasks.console import describe
from tasks.rehearsal.drift.drift import choose_texts
from tasks.runner.database.lock_holder import LOCK_KEY
from tasks.runner.errors import RefusedError, RunnerError, StatementError
from tasks.runner.events import CatalogRead, Event, OutcomeRead, needs_attention, to_json
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.tables import HELPER_TABLES
from tasks.runner.operations.history import read_history
from tasks.runner.operations.outcome import read_outcome
from tasks.runner.operations.schema import read_schema
from tests.kit.roles import MakeRole
from tests.runner.operating import A, B, C, Operator, operate_as

NOT_KNOWN = "not known: no privilege to read public.schema_migrations_log, public.schema_migrations_meta"
BREAKS_OFF = "CREATE TABLE c ();\nVACUUM pg_class;\nSELECT 1/0;"


@pytest.fixture
def owned(operator: Operator, make_role: MakeRole) -> Operator:
    """Return an operator whose ledger has an applied, an edited, an interrupted and a pending version, of a named environment."""
    operator.write_tables(A, B)
    operator.write(C, "-- migrate: no-transaction\nCREATE TABLE c (id int);\nSELECT 1/0;")
    with pytest.raises(StatementError):
        operator.migrate(environment="staging", watch_drift=True)
    operator.write(A, "CREATE TABLE a (id bigint);")
    return operator


def read_as(operator: Operator, role: str, suffixes: tuple[str, ...] = ("",)) -> Operator:
    """Return an operator as a role that may read some tables of the ledger."""
    for suffix in suffixes:
        table = sql.Identifier(f"schema_migrations{suffix}")
        operator.database.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(table, sql.Identifier(role)).as_string())
    return operate_as(operator, role)


def test_a_status_shows_what_may_be_read(owned: Operator, make_role: MakeRole) -> None:
    reader = read_as(owned, make_role("reader"))
    status = reader.read_status(watch_drift=True)
    assert {row.version: row.state for row in status.rows} == {A: "edited", B: "applied", C: "pending"}
    assert all(row.applied_at and row.applied_by for row in status.rows[:2])
    edited, unknown = status.findings
    assert edited.diff == "the text that was applied is not known: no privilege to read public.schema_migrations_scripts"
    assert (unknown.kind, unknown.refuses) == ("not known", False)
    assert unknown.message == f"failed and interrupted attempts, the run in progress, the environment and drift are {NOT_KNOWN}"
    owned.database.execute(unknown.hint.rpartition("\n")[2])
    assert [finding.kind for finding in reader.read_status().findings] == ["edited"]


def test_a_run_in_progress_does_not_keep_a_status_from_being_read(owned: Operator, make_role: MakeRole) -> None:
    run_id = owned.database.query("SELECT run_id::text FROM schema_migrations_log LIMIT 1")[0][0]
    reader = read_as(owned, make_role("reader"))
    with owned.database.connect(application_name=f"migrate-lock {run_id}") as running:
        running.execute(f"SELECT pg_advisory_lock({LOCK_KEY})")
        status = reader.read_status()
    assert status.run is not None
    assert (status.run.run_id, status.run.action) == (run_id, "")
    assert "the run in progress" in status.findings[-1].message


def test_a_check_counts_only_what_is_known(operator: Operator, make_role: MakeRole) -> None:
    operator.write_tables(A)
    operator.migrate()
    reader = read_as(operator, make_role("reader"))
    assert not needs_attention(reader.read_status())
    reader.write_tables(B)
    assert needs_attention(reader.read_status())


def test_the_commands_print_it_and_succeed(owned: Operator, make_role: MakeRole) -> None:
    owned.write_tables(A)
    reader = read_as(owned, make_role("reader"))
    (status,) = map(json.loads, reader.project.migrate("status", "--json", check=0).stdout.splitlines())
    assert NOT_KNOWN in status["findings"][0]["message"]
    assert NOT_KNOWN in reader.project.migrate("migrate", "--dry-run", check=0).stdout
    (history,) = read_history(reader.make_runner())
    assert describe(history)[-1].endswith("the log is not known: no privilege to read public.schema_migrations_log")
    assert json.loads(to_json(history))["unknown"].startswith("not known: no privilege")


@pytest.mark.parametrize("change", ["migrate", "roll_back", "repair", "seed"])
def test_a_change_is_refused_with_the_owner_of_what_cannot_be_read(operator: Operator, make_role: MakeRole, change: str) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.write_tables(B)
    operator.project.write_seed("001_x", "SELECT 1;")
    reader = read_as(operator, make_role("reader", creates=True))
    with pytest.raises(RefusedError) as refused:
        getattr(reader, change)()
    helpers = ", ".join(f"public.schema_migrations{suffix}" for suffix in HELPER_TABLES)
    assert refused.value.message.endswith(f"has no privilege to read the ledger: {helpers}")
    assert refused.value.hint == "Use the URL of postgres, the owner of these tables."
    assert operator.read_tables() == ["a"]


def test_drift_is_read_without_the_texts_and_names_them(owned: Operator, make_role: MakeRole) -> None:
    reader = read_as(owned, make_role("reader"))
    (read,) = read_schema(reader.make_runner(watch_drift=True))
    assert isinstance(read, CatalogRead)
    assert [(script.version, script.up_text) for script in read.scripts] == [(A, None), (B, None)]
    assert read.unknown == "not known: no privilege to read public.schema_migrations_log, public.schema_migrations_scripts"
    assert read.status == ""
    with pytest.raises(RunnerError, match=f"the applied text of {A} is not known: no privilege to read") as failed:
        choose_texts(read.scripts, read_migrations(owned.project.migrations), read.unknown)
    assert "no file with the recorded checksum" in failed.value.message


def test_the_outcome_of_a_run_is_unknown_without_the_log(owned: Operator, make_role: MakeRole) -> None:
    run_id = owned.database.query("SELECT run_id::text FROM schema_migrations_log LIMIT 1")[0][0]
    reader = read_as(owned, make_role("reader"))
    (outcome,) = read_outcome(reader.make_runner(), run_id)
    assert isinstance(outcome, OutcomeRead)
    assert outcome.outcome == "unknown"


def test_a_reader_of_the_setting_sees_attempts_environment_and_drift(owned: Operator, make_role: MakeRole) -> None:
    role = make_role("reader")
    owned.database.execute("CREATE TABLE by_hand ()")
    owned.write_tables(A)
    owned.repair(lambda proposal: proposal.change == "grant privileges", ledger_readers=(role,))
    reader = operate_as(owned, role)
    status = reader.read_status(watch_drift=True)
    assert {row.version: row.state for row in status.rows} == {A: "applied", B: "applied", C: "interrupted"}
    assert status.environment == "staging"
    assert [finding.kind for finding in status.findings] == ["drifted"]
    assert len(reader.read_history()) == len(owned.read_history())
    with pytest.raises(RefusedError, match="the database belongs to staging"):
        reader.read_status(environment="prod")


@pytest.mark.parametrize("suffixes", [(), tuple(HELPER_TABLES)])
def test_without_the_list_of_migrations_the_grant_is_shown(
    operator: Operator, make_role: MakeRole, suffixes: tuple[str, ...]
) -> None:
    operator.write_tables(A)
    operator.migrate()
    role = make_role('o"d')
    reader = read_as(operator, role, suffixes)
    for read in (reader.read_status, reader.read_history, lambda: reader.migrate(dry_run=True), lambda: read_all(reader)):
        with pytest.raises(RefusedError, match=r"has no privilege to read the ledger: public\.schema_migrations$") as refused:
            read()
    operator.database.execute(refused.value.hint.rpartition("\n")[2])
    assert reader.read_states() == {A: "applied"}


def test_a_change_by_another_role_is_refused_with_the_membership_that_it_needs(operator: Operator, make_role: MakeRole) -> None:
    owner, user = make_role("owner"), make_role("user")
    operator.database.execute(f'ALTER DATABASE {operator.database.name} OWNER TO "{owner}"')
    operator.database.execute(f'GRANT CREATE ON SCHEMA public TO "{owner}", "{user}"')
    operator.write_tables(A)
    operate_as(operator, owner).migrate()
    operator.write_tables(B)
    with pytest.raises(RefusedError, match="has no privilege to read the ledger") as refused:
        operate_as(operator, user).repair()
    operator.database.execute(refused.value.hint.rpartition("\n")[2])
    operate_as(operator, user).migrate()
    assert operator.read_tables() == ["a", "b"]


def read_all(operator: Operator) -> list[Event]:
    return list(read_schema(operator.make_runner()))


def test_privileges_on_columns_are_not_enough(operator: Operator, make_role: MakeRole) -> None:
    operator.write_tables(A)
    operator.migrate()
    role = make_role("reader")
    operator.database.execute(f'GRANT SELECT (version, checksum) ON schema_migrations TO "{role}"')
    with pytest.raises(RefusedError, match="has no privilege to read the ledger"):
        operate_as(operator, role).read_status()


@pytest.mark.parametrize(("emptied", "suffixes"), [("_log", ("", "_scripts")), ("_scripts", ("", "_log")), ("_meta", ("",))])
def test_a_table_that_may_not_be_read_is_not_called_damaged(
    operator: Operator, make_role: MakeRole, emptied: str, suffixes: tuple[str, ...]
) -> None:
    operator.write_tables(A)
    operator.migrate()
    reader = read_as(operator, make_role("reader"), suffixes)
    operator.database.execute(f"TRUNCATE schema_migrations{emptied}")
    assert "damaged" in {finding.kind for finding in operator.read_status().findings}
    assert {finding.kind for finding in reader.read_status().findings} == {"not known"}
