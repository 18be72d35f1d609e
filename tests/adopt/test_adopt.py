"""Adopting a database: what is proposed, what is written, and what is refused."""

import json

import pytest

from tasks.adopt.examine import Assumptions, examine, read_subject
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.takeover import Adoption
from tasks.runner.operations.adopt import adopt, pack
from tests.adopt.adopting import EMAIL, FILES, INDEX, ORDERS, ROWS, USERS, VIEW, Adopter, read_verdicts
from tests.kit.own_servers import OwnServer

OTHER_APPLICATION = "CREATE TABLE invoices (number int PRIMARY KEY, sum int); CREATE VIEW v AS SELECT sum FROM invoices;"


@pytest.fixture
def partly_migrated(adopter: Adopter) -> Adopter:
    """Return a user whose database has some of the migrations, but no ledger."""
    adopter.write()
    adopter.run(USERS, EMAIL, ROWS, VIEW)
    return adopter


def test_examining_a_database_proposes_migrations_and_writes_nothing(partly_migrated: Adopter) -> None:
    examination = partly_migrated.examine()
    verdicts = ["present", "present", "absent", "cannot tell", "present", "absent"]
    assert read_verdicts(examination) == dict(zip(FILES, verdicts, strict=True))
    assert examination.answer.proved
    assert [adoption.version for adoption in examination.adoptions] == [USERS, EMAIL, VIEW]
    assert partly_migrated.operator.read_tables() == ["users"]


def test_rows_that_a_file_inserts_are_left_for_the_user_to_decide(partly_migrated: Adopter) -> None:
    row = partly_migrated.find(ROWS)
    assert row.undecided
    assert "INSERT INTO users" in row.evidence


def test_the_next_run_applies_the_absent_migrations(partly_migrated: Adopter) -> None:
    assert partly_migrated.adopt(present=[ROWS]).versions == (USERS, EMAIL, ROWS, VIEW)
    partly_migrated.operator.migrate()
    assert set(partly_migrated.operator.read_applied()) == set(FILES)
    assert partly_migrated.operator.database.query("SELECT count(*) FROM users") == [(1,)]


def test_the_ledger_records_who_adopted_and_the_log_records_why(partly_migrated: Adopter) -> None:
    partly_migrated.adopt(present=[ROWS])
    query = (
        "SELECT applied_by, checksum IS NOT NULL, up_text FROM schema_migrations JOIN schema_migrations_scripts USING (version)"
    )
    rows = partly_migrated.operator.database.query(f"{query} WHERE version = %s", USERS)
    assert rows[0][0].startswith("adopted by ")
    assert rows[0][1:] == (True, FILES[USERS])
    notes = dict(
        partly_migrated.operator.database.query("SELECT version, note FROM schema_migrations_log WHERE action = 'adopt'")
    )
    assert notes[EMAIL].startswith("present: found: column email of public.users")
    assert notes[ROWS].startswith("assumed present; ")


def test_an_error_of_the_server_is_reported_with_the_state_of_the_database(partly_migrated: Adopter) -> None:
    name = partly_migrated.operator.database.name
    partly_migrated.operator.database.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(RunnerError, match="read-only transaction") as raised:
        partly_migrated.adopt()
    assert (raised.value.state, raised.value.sqlstate) == ("Nothing was changed.", "25006")
    assert "primary" in raised.value.hint


def test_an_empty_database_has_nothing_to_adopt(adopter: Adopter) -> None:
    adopter.write()
    examination = adopter.examine()
    assert examination.answer.empty
    assert set(read_verdicts(examination).values()) == {"absent"}
    assert examination.adoptions == ()
    assert examination.undecided == ()


def test_the_database_of_another_application_is_refused(adopter: Adopter) -> None:
    adopter.write()
    adopter.operator.database.execute(OTHER_APPLICATION)
    with pytest.raises(RefusedError, match="the schema does not match these migrations"):
        adopter.examine()


def test_a_partial_file_is_reported_with_the_outcome_of_the_next_run(partly_migrated: Adopter) -> None:
    partly_migrated.operator.database.execute("CREATE INDEX users_name ON users (name)")
    row = partly_migrated.find(INDEX, present=[ROWS])
    assert (row.verdict, row.there, row.lacking) == (
        "partial",
        ("index public.users_name of public.users",),
        ("index public.users_email of public.users",),
    )
    assert row.following == 'db.migrate will fail: relation "users_name" already exists'


def test_a_partial_file_that_cannot_be_rehearsed_is_reported(partly_migrated: Adopter) -> None:
    partly_migrated.operator.database.execute("CREATE INDEX users_name ON users (name)")
    assert partly_migrated.find(INDEX, present=[ROWS], dumps=False).following.startswith("not rehearsed, because")


def test_a_recorded_version_that_the_schema_contradicts_is_reported_and_kept(partly_migrated: Adopter) -> None:
    partly_migrated.adopt(present=[ROWS])
    partly_migrated.operator.database.execute(
        "INSERT INTO schema_migrations (version, applied_by) VALUES (%s, 'somebody')", ORDERS
    )
    row = partly_migrated.find(ORDERS)
    assert (row.verdict, row.claimed, row.contradicted, row.proposed) == ("absent", "the ledger", True, False)


def test_missing_rows_of_a_ledger_are_added(partly_migrated: Adopter) -> None:
    partly_migrated.adopt(present=[ROWS])
    partly_migrated.operator.database.execute("DELETE FROM schema_migrations WHERE version = %s", EMAIL)
    assert partly_migrated.adopt().versions == (EMAIL,)


def test_an_assumption_that_the_evidence_contradicts_is_used_and_reported(partly_migrated: Adopter) -> None:
    row = partly_migrated.find(ORDERS, present=[ORDERS])
    assert (row.verdict, row.contradicted, row.proposed) == ("absent", True, True)


def test_a_migration_that_is_assumed_absent_is_not_recorded(partly_migrated: Adopter) -> None:
    row = partly_migrated.find(ROWS, absent=[ROWS])
    assert (row.proposed, row.undecided) == (False, False)


def test_nothing_is_written_if_the_schema_changed_meanwhile(partly_migrated: Adopter) -> None:
    runner, migrations = partly_migrated.operator.make_runner(), read_migrations(partly_migrated.operator.project.migrations)
    subject = read_subject(runner, migrations)
    examination = examine(subject, migrations, partly_migrated.scratch, Assumptions(present=(ROWS,)))
    partly_migrated.operator.database.execute("ALTER TABLE users ADD COLUMN by_hand int")
    with pytest.raises(RefusedError, match="changed since"):
        list(adopt(runner, subject.seen, (pack(examination.adoptions),)))
    assert partly_migrated.operator.read_tables() == ["users"]
    assert partly_migrated.operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_nothing_is_written_if_the_record_of_another_tool_changed_meanwhile(partly_migrated: Adopter) -> None:
    database = partly_migrated.operator.database
    database.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    database.execute("INSERT INTO schema_migrations VALUES (%s), (%s)", USERS[:14], ROWS[:14])
    runner, migrations = partly_migrated.operator.make_runner(), read_migrations(partly_migrated.operator.project.migrations)
    subject = read_subject(runner, migrations)
    examination = examine(subject, migrations, partly_migrated.scratch, Assumptions())
    database.execute("DELETE FROM schema_migrations WHERE version = %s", ROWS[:14])
    with pytest.raises(RefusedError, match="changed since"):
        list(adopt(runner, subject.seen, (pack(examination.adoptions),)))
    assert database.query("SELECT version FROM schema_migrations") == [(USERS[:14],)]


def test_nothing_is_written_if_a_file_changed_meanwhile(partly_migrated: Adopter) -> None:
    runner, migrations = partly_migrated.operator.make_runner(), read_migrations(partly_migrated.operator.project.migrations)
    subject = read_subject(runner, migrations)
    adoptions = [Adoption(version, "seen", None, migrations.checksums[version]) for version in (USERS, EMAIL)]
    partly_migrated.operator.write(EMAIL, "ALTER TABLE users ADD COLUMN email varchar;")
    with pytest.raises(RefusedError, match=f"{EMAIL}.sql changed since it was examined"):
        list(adopt(runner, subject.seen, (pack(adoptions),)))
    assert partly_migrated.operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_uncommitted_changes_are_ignored(partly_migrated: Adopter) -> None:
    with partly_migrated.operator.database.connect(autocommit=False) as other:
        other.execute("CREATE INDEX users_email ON users (email)")
        assert partly_migrated.find(INDEX).verdict == "absent"
        other.rollback()


def test_the_ledger_of_another_tool_is_compared_with_the_schema_and_taken_over(partly_migrated: Adopter) -> None:
    partly_migrated.operator.database.execute("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)")
    partly_migrated.operator.database.execute(
        "INSERT INTO schema_migrations VALUES (%s), (%s), (%s)", USERS[:14], ROWS[:14], ORDERS[:14]
    )
    rows = {row.version: row for row in partly_migrated.examine().answer.rows}
    assert (rows[ORDERS].contradicted, rows[ORDERS].proposed) == (True, False)
    assert (rows[ROWS].contradicted, rows[ROWS].proposed, rows[EMAIL].proposed) == (False, True, True)
    written = partly_migrated.adopt()
    assert written.versions == (USERS, EMAIL, ROWS, VIEW)
    assert partly_migrated.operator.database.query(f"SELECT count(*) FROM {written.kept}") == [(3,)]


def test_what_is_adopted_is_ordered_by_version_whatever_another_tool_dates(partly_migrated: Adopter) -> None:
    operator = partly_migrated.operator
    operator.database.execute(
        "CREATE TABLE schema_migrations (id serial PRIMARY KEY, migration_name varchar(255) UNIQUE NOT NULL,"
        " applied_at timestamp, checksum varchar(64), execution_time_ms integer)"
    )
    operator.database.execute(
        "INSERT INTO schema_migrations (migration_name, applied_at) VALUES (%s, '2025-02-01')", f"{VIEW}.sql"
    )
    partly_migrated.adopt(present=[ROWS])
    dates = operator.database.query("SELECT version FROM schema_migrations ORDER BY applied_at")
    assert dates[0] == (VIEW,)
    assert operator.read_applied() == [USERS, EMAIL, ROWS, VIEW]


def test_the_command_shows_a_table_and_writes_after_confirmation(partly_migrated: Adopter, running: OwnServer) -> None:
    env = {"SCRATCH_DATABASE_URL": running.url()}
    shown = partly_migrated.operator.project.inv("db.adopt", env=env, check=0).stdout
    assert {tuple(line.split()[:3]) for line in shown.splitlines()} >= {("+", USERS, "present"), ("?", ROWS, "cannot")}
    refused = partly_migrated.operator.project.inv("db.adopt", "--apply", "--yes", env=env, check=3)
    assert "--assume-present VERSION" in refused.stderr
    unconfirmed = partly_migrated.operator.project.inv("db.adopt", "--apply", f"--assume-present={ROWS}", env=env, check=3)
    assert "asks for confirmation, but the input is not a terminal" in unconfirmed.stderr
    assert partly_migrated.operator.read_tables() == ["users"]
    written = partly_migrated.operator.project.inv(
        "db.adopt", "--apply", "--yes", "--json", f"--assume-present={ROWS}", env=env, check=0
    )
    answers = [json.loads(line) for line in written.stdout.splitlines()]
    assert [answer["kind"] for answer in answers] == ["adoption_read", "run_started", "adoption_written"]
    assert answers[2]["versions"] == [USERS, EMAIL, ROWS, VIEW]
