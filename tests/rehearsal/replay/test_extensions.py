"""A scratch server may lack an extension: it is named, or the statements that need it are skipped and reported."""

import pytest

from tasks.rehearsal.lacks import Lack
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.extensions import find_created, needs_left_out
from tasks.rehearsal.replay.replay import read_left_out, replay, run_migration, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tests.kit.databases import Database
from tests.kit.own_servers import OwnServer
from tests.kit.projects import REPOSITORY
from tests.rehearsal.scratching import list_tables, query

GUARDED = "DO $$ BEGIN IF true THEN\n  CREATE EXTENSION nothing_like_it;\nEND IF; END $$;"
VECTOR = (
    RehearsedMigration(
        "enable", "CREATE EXTENSION IF NOT EXISTS vector;\nCREATE TABLE plain (id int);", "DROP EXTENSION vector;", "enable.sql"
    ),
    RehearsedMigration(
        "column", "CREATE TABLE t (id int);\nALTER TABLE t ADD COLUMN e vector(3);", "ALTER TABLE t DROP COLUMN e;", "column.sql"
    ),
    RehearsedMigration(
        "index",
        "CREATE INDEX CONCURRENTLY t_id ON t (id);\nCREATE INDEX CONCURRENTLY t_e ON t USING hnsw (e vector_l2_ops);\n"
        "COMMENT ON INDEX t_e IS 'nearest';\nCOMMENT ON INDEX t_id IS 'by id';",
        "DROP INDEX t_e; DROP INDEX t_id;",
        "index.sql",
    ),
)
LEFT_OUT = [
    ("enable.sql:1 CREATE EXTENSION IF NOT EXISTS vector",),
    ("column.sql:2 ALTER TABLE t ADD COLUMN e vector(3)",),
    (
        "index.sql:2 CREATE INDEX CONCURRENTLY t_e ON t USING hnsw (e vector_l2_ops)",
        "index.sql:3 COMMENT ON INDEX t_e IS 'nearest'",
    ),
]
CAUSES = [
    ("42704", 'type "vector" does not exist', True),
    ("42704", 'access method "hnsw" does not exist', True),
    ("42704", 'operator class "vector_cosine_ops" does not exist for access method "btree"', True),
    ("42883", "operator does not exist: vector <=> vector", True),
    ("42703", 'column "e" of relation "t" does not exist', True),
    ("42703", "column x.e does not exist", True),
    ("42P01", 'relation "t_e" does not exist', True),
    ("42703", 'column "typo" of relation "t" does not exist', False),
    ("42P01", 'relation "others" does not exist', False),
    ("42704", 'type "money2" does not exist', False),
    ("23505", 'duplicate key value violates unique constraint "t_e"', False),
]


@pytest.fixture
def without_vector(running: OwnServer) -> ScratchServer:
    """Return a scratch server that excludes pgvector, though it is available."""
    return ScratchServer(running.url(), without=["vector"])


@pytest.mark.parametrize(
    ("text", "line"), [("SELECT 1;\nCREATE EXTENSION nothing_like_it;", 2), (GUARDED, 1)], ids=["plainly", "in a block"]
)
def test_a_missing_extension_is_named_with_its_place(scratch: ScratchServer, text: str, line: int) -> None:
    (outcome,) = replay(scratch, [RehearsedMigration("enable", text, shown="up/enable.sql")])
    assert outcome.error is None
    (found,) = outcome.lacking
    assert found.lack == Lack("extension", "nothing_like_it")
    assert found.shown.startswith(f"up/enable.sql:{line} ")
    assert found.shown.endswith(": needs the extension nothing_like_it, which the scratch server does not have")


def test_statements_that_need_an_excluded_extension_are_skipped_and_reported(without_vector: ScratchServer) -> None:
    with without_vector as server:
        outcomes = list(replay(server, VECTOR))
    assert [outcome.error for outcome in outcomes] == [None, None, None]
    assert [outcome.unchecked for outcome in outcomes] == LEFT_OUT
    assert {key.name for key, _ in outcomes[-1].after.of_kind("table")} == {"public.plain", "public.t"}


def test_skipped_statements_are_known_in_a_copy_and_in_the_down(without_vector: ScratchServer) -> None:
    with without_vector as server:
        for _ in range(2):
            with state_after(server, VECTOR) as database:
                assert [entry.shown for entry in read_left_out(database)] == [place for places in LEFT_OUT for place in places]
                assert query(database, "SELECT relname::text FROM pg_class WHERE relname LIKE 't\\_%'") == [("t_id",)]
                assert [run_migration(database, migration, "down") for migration in reversed(VECTOR)] == [None, None, None]
                assert list_tables(database) == ["plain", "t"]
        server.drop_states()


def test_other_errors_are_reported_when_an_extension_is_excluded(without_vector: ScratchServer) -> None:
    with without_vector as server:
        *_, wrong = replay(server, [*VECTOR, RehearsedMigration("typo", "ALTER TABLE t DROP COLUMN typo;")])
    assert wrong.error is not None
    assert 'column "typo" of relation "t" does not exist' in wrong.error.message
    assert wrong.unchecked == ()


def test_the_projects_own_migrations_run_without_pgvector_everywhere(any_database: Database) -> None:
    folder = REPOSITORY / "migrations" / "up"
    migrations = [
        RehearsedMigration(path.stem, path.read_text(encoding="utf-8"), shown=path.name) for path in sorted(folder.glob("*.sql"))
    ]
    with ScratchServer(any_database.server.url(), without=["vector"]) as server:
        outcomes = list(replay(server, migrations))
    assert {outcome.migration.name: str(outcome.error) for outcome in outcomes if outcome.error} == {}
    unchecked = [outcome.unchecked for outcome in outcomes if outcome.unchecked]
    assert [places[0].partition(":")[0][15:] for places in unchecked] == [
        "enable_vector_extension.sql",
        "add_embeddings_to_semantic_chunks.sql",
        "index_semantic_chunk_embeddings.sql",
    ]


@pytest.mark.parametrize(("sqlstate", "message", "expected"), CAUSES)
def test_the_cause_of_an_error_is_found_by_the_missing_object(sqlstate: str, message: str, expected: bool) -> None:
    texts = ["ALTER TABLE t ADD COLUMN e vector(3)", "CREATE INDEX t_e ON t USING hnsw (e vector_l2_ops)"]
    assert needs_left_out(RunnerError(message, sqlstate=sqlstate), ["vector"], texts) is expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("CREATE EXTENSION vector", ["vector"]),
        ('create extension if not exists "uuid-ossp" with schema public', ["uuid-ossp"]),
        ("DO $$ BEGIN CREATE EXTENSION a; CREATE EXTENSION b; END $$", ["a", "b"]),
        ("DROP EXTENSION vector", []),
    ],
)
def test_the_extensions_that_a_statement_creates_are_found(text: str, names: list[str]) -> None:
    assert find_created(text) == names
