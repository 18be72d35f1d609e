"""The ledger that an adoption creates although it has nothing to adopt, and what it does with squashes."""

import shutil
from pathlib import Path

import pytest

from tasks.runner.errors import RefusedError
from tasks.runner.ledger.renames import Renames, write_renames
from tasks.runner.ledger.squashes import Squash
from tests.adopt.adopting import Adopter
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import Project
from tests.runner.operating import A, B, C, Operator, list_done

ONE = "20250102000000_squashed_schema"
BOTH = "CREATE TABLE a (id int); CREATE TABLE b (id int);"
SHELL_TABLE = (
    "CREATE TABLE schema_migrations (id SERIAL PRIMARY KEY, migration_name VARCHAR(255) UNIQUE NOT NULL,"
    " applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, checksum VARCHAR(64), execution_time_ms INTEGER)"
)


def adopt_by_command(operator: Operator, server: OwnServer, *flags: str, check: int = 0) -> str:
    env = {"SCRATCH_DATABASE_URL": server.url(), "COLUMNS": "200"}
    result = operator.project.inv("db.adopt", *flags, env=env, check=check)
    return result.stdout + result.stderr


def squash(operator: Operator) -> None:
    for version in (A, B):
        operator.remove(version)
    operator.write(ONE, BOTH)
    path = operator.project.migrations / "renames.toml"
    path.write_text(write_renames(Renames(squashed={ONE: Squash((A, B), "0" * 64)})))


@pytest.mark.parametrize(
    "content",
    [
        "CREATE TABLE a (other text); CREATE TABLE x1 (); CREATE TABLE x2 (); CREATE TABLE x3 (); CREATE TABLE x4 ();"
        " CREATE TABLE x5 (); CREATE TABLE x6 (); CREATE TABLE x7 (); CREATE TABLE x8 (); CREATE TABLE x9 ()",
        "CREATE TABLE a (other text)",
    ],
    ids=["another application", "another table"],
)
def test_a_database_that_is_refused_can_be_given_an_empty_ledger(operator: Operator, running: OwnServer, content: str) -> None:
    operator.database.execute(content)
    operator.write(A, "CREATE TABLE IF NOT EXISTS a (id int);")
    operator.project.migrate(check=3)
    assert "Created an empty ledger" in adopt_by_command(operator, running, "--apply", "--yes")
    assert list_done(operator.migrate()) == [A]


def test_an_empty_ledger_needs_confirmation(operator: Operator, running: OwnServer) -> None:
    operator.database.execute("CREATE TABLE a (other text)")
    operator.write_tables(A)
    assert "the database has no ledger: --apply creates an empty one" in adopt_by_command(operator, running)
    assert "creating a ledger, asks for confirmation" in adopt_by_command(operator, running, "--apply", check=3)
    assert operator.database.query("SELECT to_regclass('schema_migrations')") == [(None,)]


def test_the_ledger_of_another_schema_is_shown_before_one_is_created_beside_it(
    operator: Operator, running: OwnServer, database: Database
) -> None:
    operator.write_tables(A)
    operator.migrate()
    database.execute(f"CREATE SCHEMA tenant; ALTER DATABASE {database.name} SET search_path = tenant")
    refused = operator.project.migrate("--json", check=3)
    assert "no ledger in schema tenant" in refused.stdout
    assert "but schema public of this database has one" in adopt_by_command(operator, running)
    adopt_by_command(operator, running, "--apply", "--yes")
    assert list_done(operator.migrate()) == [A]
    assert database.query("SELECT to_regclass('tenant.a') IS NOT NULL") == [(True,)]


def test_after_a_squash_was_adopted_an_older_checkout_runs_nothing(adopter: Adopter, tmp_path: Path) -> None:
    operator = adopter.operator
    operator.write_tables(A, B)
    shutil.copytree(operator.project.root, tmp_path / "older")
    operator.database.execute(BOTH)
    squash(operator)
    assert adopter.adopt().versions == (ONE,)
    older = Operator(Project(tmp_path / "older", operator.project.database_url), operator.database)
    assert older.read_states() == {A: "applied", B: "applied", ONE: "missing"}
    assert list_done(older.migrate()) == []


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (SHELL_TABLE, f"INSERT INTO schema_migrations (migration_name) VALUES ('{A}.sql')"),
        ("CREATE TABLE schema_migrations (version varchar(128) primary key)",
         "INSERT INTO schema_migrations VALUES ('20250102000000')"),
        ("CREATE TABLE schema_migrations (version bigint primary key, dirty boolean not null)",
         "INSERT INTO schema_migrations VALUES (20250101000000, false)"),
    ],
)  # fmt: skip
def test_another_tools_record_of_a_part_of_a_squash_is_refused(adopter: Adopter, table: str, row: str) -> None:
    adopter.operator.database.execute(f"CREATE TABLE a (id int); {table}; {row}")
    adopter.operator.write_tables(C)
    squash(adopter.operator)
    with pytest.raises(RefusedError, match=f"{ONE} replaces 2 migrations, of which .* recorded only 1; it lacks") as refused:
        adopter.examine()
    assert "the revision before the squash" in refused.value.hint
    assert adopter.examine(absent=[ONE]).answer.rows[0].proposed is False


def test_our_own_record_of_a_part_of_a_squash_is_refused(adopter: Adopter) -> None:
    operator = adopter.operator
    operator.write(A, "CREATE TABLE roles (name text);")
    operator.write(B, "INSERT INTO roles VALUES ('admin');")
    operator.migrate(to=A)
    squash(operator)
    operator.write(ONE, "CREATE TABLE roles (name text); INSERT INTO roles VALUES ('admin');")
    with pytest.raises(RefusedError, match=f"{ONE} replaces 2 migrations, of which this database has only 1; it lacks {B}"):
        adopter.examine()


@pytest.mark.parametrize(
    ("table", "row"),
    [
        (SHELL_TABLE, f"INSERT INTO schema_migrations (migration_name) VALUES ('{A}.sql'), ('{B}.sql')"),
        ("CREATE TABLE schema_migrations (version bigint primary key, dirty boolean not null)",
         "INSERT INTO schema_migrations VALUES (20250102000000, false)"),
    ],
)  # fmt: skip
def test_another_tools_record_of_all_parts_stands_for_the_squash(adopter: Adopter, table: str, row: str) -> None:
    adopter.operator.database.execute(f"{BOTH} {table}; {row}")
    squash(adopter.operator)
    assert adopter.adopt().versions == (ONE,)


@pytest.mark.parametrize(
    ("columns", "known"),
    [("id int primary key, filename text", False), ("version bigint primary key, dirty boolean not null", True)],
)
def test_adopt_is_named_only_for_a_table_whose_records_it_can_take_over(operator: Operator, columns: str, known: bool) -> None:
    operator.database.execute(f"CREATE TABLE schema_migrations ({columns})")
    operator.write_tables(A)
    with pytest.raises(RefusedError, match="is not the table of this tool") as refused:
        operator.migrate()
    assert ("To take over its records: inv db.adopt" in refused.value.hint) is known
    assert "RENAME TO schema_migrations_before;" in refused.value.hint
