"""What adopt forecasts about the next run: rehearsed on a copy of the live schema, or stated as not rehearsed."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tasks.adopt import live
from tasks.adopt.events import AdoptionRow
from tasks.adopt.examine import Assumptions, Examination, examine, read_subject
from tasks.adopt.forecast import find_cause
from tasks.adopt.live import LiveDatabase
from tasks.rehearsal.errors import TimeLimitError
from tasks.rehearsal.lacks import LackError
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RefusedError, RunnerError, StatementError
from tasks.runner.files.checkout import read_migrations
from tests.adopt.adopting import EMAIL, ORDERS, USERS, VIEW, Adopter, read_verdicts
from tests.kit.databases import fresh_database
from tests.kit.roles import MakeRole, use_as
from tests.kit.servers import Server
from tests.runner.operating import Operator

ONCE = "20250101000000_create_sources"
LATE = "20250103000000_create_late"
SUCCEEDS = "db.migrate will run it; on a copy of this schema without its rows"
TOUCH = "CREATE OR REPLACE FUNCTION touch() RETURNS int LANGUAGE sql RETURN"
SOURCES = "CREATE TABLE IF NOT EXISTS sources (id serial PRIMARY KEY, name text UNIQUE, note text);"


@pytest.fixture
def older_adopter(operator: Operator, scratch: ScratchServer, older_server: Server) -> Iterator[Adopter]:
    """Yield a user who adopts a database on an older server; scratch is the embedded one."""
    with fresh_database(older_server) as database:
        yield Adopter(replace(operator, project=operator.project.at(database.url), database=database), scratch)


def find_row(examination: Examination, version: str) -> AdoptionRow:
    return next(row for row in examination.answer.rows if row.version == version)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("DO $$BEGIN CREATE ROLE other; EXCEPTION WHEN duplicate_object THEN END$$; GRANT SELECT ON users TO other",
         ""),
        ("CREATE EXTENSION xml2", 'the scratch server cannot restore this schema: extension "xml2" is not available'),
        ("CREATE FUNCTION own() RETURNS int LANGUAGE internal AS 'pg_backend_pid'",
         "the scratch server cannot restore this schema: permission denied for language internal"),
        ("CREATE COLLATION german FROM \"C\"; CREATE TABLE other (a text COLLATE german)", ""),
    ],
    ids=["a role", "an extension", "an untrusted language", "a collation"],
)  # fmt: skip
def test_verdicts_do_not_depend_on_whether_scratch_can_restore_the_schema(
    older_adopter: Adopter, content: str, reason: str
) -> None:
    older_adopter.write()
    older_adopter.run(USERS, EMAIL, VIEW)
    older_adopter.operator.database.execute(content)
    examination = older_adopter.examine()
    verdicts = read_verdicts(examination)
    assert [verdicts[USERS], verdicts[VIEW], verdicts[ORDERS]] == ["present", "present", "absent"]
    assert examination.answer.not_rehearsed.startswith(reason)
    assert bool(examination.answer.not_rehearsed) is bool(reason)
    following = find_row(examination, ORDERS).following
    assert following.startswith("not rehearsed, because" if reason else f"{SUCCEEDS} on PostgreSQL 18, it succeeds")


@pytest.mark.parametrize(
    ("insert", "repeats"),
    [
        ("INSERT INTO sources (note) VALUES ('a'), ('b') ON CONFLICT DO NOTHING;", ("2 rows into public.sources",)),
        ("INSERT INTO sources (name) VALUES ('a'), ('b') ON CONFLICT DO NOTHING;", ()),
        ("INSERT INTO sources (name) VALUES ('a') ON CONFLICT (name) DO UPDATE SET note = 'x';", ()),
        ("INSERT INTO sources (note) SELECT 'a' WHERE NOT EXISTS (SELECT FROM sources WHERE note = 'a');", ()),
        ("DO $$BEGIN INSERT INTO sources (note) VALUES ('a'); END$$;", ("1 row into public.sources",)),
        ("INSERT INTO sources (note) SELECT name FROM others;", ("perhaps rows into public.sources",)),
        ("INSERT INTO others VALUES ('a');", ()),
    ],
)
def test_rows_that_a_partial_file_inserts_again_are_named_with_their_table(
    adopter: Adopter, insert: str, repeats: tuple[str, ...]
) -> None:
    tables = f"{SOURCES} CREATE TABLE IF NOT EXISTS others (name text);"
    adopter.write({ONCE: f"{tables} {insert} {TOUCH} 1;"})
    adopter.operator.database.execute(f"{tables} INSERT INTO sources (name) VALUES ('c'); {TOUCH} 2")
    row = adopter.find(ONCE)
    assert (row.verdict, row.repeats) == ("partial", repeats)
    assert row.following.startswith(f"{SUCCEEDS}, it succeeds")


def test_a_key_that_the_rows_of_a_partial_file_violate_is_named(adopter: Adopter) -> None:
    adopter.write({ONCE: f"{SOURCES} INSERT INTO sources (name) VALUES ('a'); {TOUCH} 1;"})
    adopter.operator.database.execute(f"{SOURCES} INSERT INTO sources (name) VALUES ('a'); {TOUCH} 2")
    row = adopter.find(ONCE)
    assert row.repeats == ()
    assert "it fails if the rows that it inserts exist: duplicate key value" in row.following


def test_rows_are_named_also_where_the_schema_cannot_be_copied(adopter: Adopter) -> None:
    adopter.write({ONCE: f"{SOURCES} INSERT INTO sources (note) VALUES ('a') ON CONFLICT DO NOTHING; {TOUCH} 1;"})
    adopter.operator.database.execute(f"{SOURCES} INSERT INTO sources (note) VALUES ('a'); {TOUCH} 2")
    assert adopter.find(ONCE, dumps=False).repeats == ("1 row into public.sources",)


@pytest.mark.parametrize(
    ("columns", "repeats"),
    [("note", ("perhaps rows into public.sources",)), ("name, note", ()), ("id, note", ())],
)
def test_a_key_prevents_a_second_row_only_if_its_columns_have_values(
    adopter: Adopter, columns: str, repeats: tuple[str, ...]
) -> None:
    values = ", ".join("1" if column == "id" else "'a'" for column in columns.split(", "))
    insert = f"INSERT INTO sources ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING;"
    adopter.write({ONCE: SOURCES, LATE: f"{insert} SELECT missing();"})
    adopter.operator.database.execute(f"{SOURCES} INSERT INTO sources (note) VALUES ('a')")
    assert adopter.find(LATE).repeats == repeats


def test_a_foreign_key_that_only_the_missing_rows_violate_is_no_failure_of_the_run(adopter: Adopter) -> None:
    adopter.write({ONCE: "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1);",
                   LATE: "CREATE TABLE late (a int REFERENCES a); INSERT INTO late VALUES (1);"})  # fmt: skip
    adopter.operator.database.execute("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); CREATE TABLE stranger ()")
    assert adopter.find(LATE).following.startswith(f"{SUCCEEDS}, it fails: insert or update on table")


def test_a_migration_after_one_that_was_not_rehearsed_is_not_called_unreached(adopter: Adopter) -> None:
    adopter.write({ONCE: "CREATE TABLE a (id int);", "20250102000000_need_extension": "CREATE EXTENSION xml2;",
                   LATE: "CREATE TABLE late (a int);"})  # fmt: skip
    adopter.operator.database.execute("CREATE TABLE a (id int)")
    assert adopter.find(LATE).following == "not rehearsed, because 20250102000000_need_extension before it was not"


def test_an_extension_that_only_scratch_has_is_a_failure_of_the_next_run(older_adopter: Adopter) -> None:
    older_adopter.write({ONCE: "CREATE TABLE a (id int);", LATE: "CREATE EXTENSION IF NOT EXISTS vector;"})
    older_adopter.operator.database.execute("CREATE TABLE a (id int)")
    assert older_adopter.find(LATE).following == "db.migrate will fail: this server does not have the extension vector"


def test_a_table_that_another_session_locks_does_not_stop_the_verdicts(adopter: Adopter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_DUMP_TIMEOUT_S", 2.0)
    adopter.write()
    adopter.run(USERS)
    adopter.operator.database.execute("CREATE TABLE stranger (a int)")
    with adopter.operator.database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE stranger IN ACCESS EXCLUSIVE MODE")
        examination = adopter.examine()
        other.rollback()
    assert read_verdicts(examination)[USERS] == "present"
    assert examination.answer.not_rehearsed.startswith("pg_dump cannot read this schema: ")


def test_a_role_that_may_read_no_table_gets_the_verdicts(adopter: Adopter, make_role: MakeRole) -> None:
    adopter.write()
    adopter.run(USERS)
    adopter.operator.database.execute("CREATE SCHEMA hidden; CREATE TABLE hidden.t (a int)")
    database = use_as(adopter.operator.database, make_role("reader"))
    migrations = read_migrations(adopter.operator.project.migrations)
    subject = read_subject(replace(adopter.operator, url=database.url).make_runner(), migrations)
    examination = examine(subject, migrations, adopter.scratch, Assumptions(), LiveDatabase(database.url))
    assert read_verdicts(examination)[USERS] == "present"
    assert "permission denied" in examination.answer.not_rehearsed


def test_the_table_of_another_tool_is_no_difference_of_the_copy(adopter: Adopter) -> None:
    adopter.write()
    adopter.run(USERS)
    adopter.operator.database.execute(
        "CREATE TABLE stranger (a int); CREATE TABLE knex_migrations_lock (index int, is_locked int)"
    )
    examination = adopter.examine()
    assert examination.answer.strangers == (
        "column a of public.stranger",
        "column order public.stranger",
        "table public.stranger",
    )
    assert find_row(examination, ORDERS).following == f"{SUCCEEDS}, it succeeds"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (StatementError('relation "a" already exists', sqlstate="42P07"), "schema"),
        (RefusedError("the file contains both directions"), "schema"),
        (StatementError("null value in column", sqlstate="23502"), "rows"),
        (StatementError("raised by the file", sqlstate="P0001"), "rows"),
        (StatementError('role "app" does not exist', sqlstate="42704"), "scratch"),
        (StatementError("could not open extension control file", sqlstate="58P01"), "scratch"),
        (LackError("the scratch server does not have the extension postgis"), "scratch"),
        (TimeLimitError("did not finish"), "scratch"),
        (StatementError("permission denied", sqlstate="42501"), "scratch"),
    ],
)
def test_only_an_error_about_the_schema_is_a_failure_of_the_next_run(error: RunnerError, cause: str) -> None:
    assert find_cause(error) == cause
