"""What Gaia's migrations do to existing rows, and what its triggers do to new ones."""

import psycopg
import pytest

from tests.kit.databases import Database
from tests.migrations.gaia import migrate_down, migrate_up, read_schema

EXTENSION = "20251006090000_enable_vector_extension"
NAMESPACE = "20251110090000_add_namespace_to_semantic_chunks"
COMPOSITE_KEY = "20251110090200_make_semantic_metadata_key_composite"
FOREIGN_KEY = "20251110090300_validate_semantic_chunks_foreign_key"

NAMESPACES = {
    "users/7/notes.md": "users/7",
    "users/7/deep/er.md": "users/7",
    "teams/blue/plan.md": "teams/blue",
    "workspaces/w1/a.md": "workspaces/w1",
    "users/readme.md": "root",
    "guide/users/7/x.md": "root",
    "index.md": "root",
}


def index_files(database: Database) -> None:
    """Insert a row of metadata and two chunks for each path, as before namespaces existed."""
    for path in NAMESPACES:
        database.execute("INSERT INTO kb_semantic_index_metadata (relative_path, mtime, num_chunks) VALUES (%s, 1, 2)", path)
    database.execute(
        "INSERT INTO kb_semantic_chunk_ids (relative_path, chunk_id, chunk_index, embedding)"
        " SELECT relative_path, format('%s#%s', relative_path, place), place, array_fill(place, ARRAY[384])::vector"
        " FROM kb_semantic_index_metadata, generate_series(1, 2) AS place"
    )


def read_rows(database: Database) -> list[tuple[object, ...]]:
    """Return each chunk with the row of its file."""
    return database.query(
        "SELECT to_jsonb(chunk), to_jsonb(file) FROM kb_semantic_chunk_ids AS chunk"
        " JOIN kb_semantic_index_metadata AS file USING (namespace, relative_path) ORDER BY id"
    )


def test_existing_rows_get_the_namespace_of_their_path(database: Database) -> None:
    migrate_up(database, before=NAMESPACE)
    index_files(database)
    migrate_up(database, first=NAMESPACE)
    chunks = database.query("SELECT relative_path, namespace, count(*) FROM kb_semantic_chunk_ids GROUP BY 1, 2")
    assert dict(database.query("SELECT relative_path, namespace FROM kb_semantic_index_metadata")) == NAMESPACES
    assert sorted(chunks) == sorted((path, namespace, 2) for path, namespace in NAMESPACES.items())


def test_an_existing_namespace_is_kept(database: Database) -> None:
    migrate_up(database, before=NAMESPACE)
    index_files(database)
    database.execute("UPDATE kb_semantic_index_metadata SET namespace = 'mine'")
    migrate_up(database, first=NAMESPACE)
    assert database.query("SELECT DISTINCT namespace FROM kb_semantic_chunk_ids") == [("mine",)]


def test_a_row_without_namespace_cannot_be_inserted_between_the_migrations(database: Database) -> None:
    migrate_up(database, before=NAMESPACE)
    migrate_up(database, first=NAMESPACE, before=NAMESPACE + "~")
    with pytest.raises(psycopg.errors.CheckViolation):
        index_files(database)


def test_the_same_path_can_be_indexed_in_two_namespaces(database: Database) -> None:
    migrate_up(database)
    index_same_path(database)
    assert database.query("SELECT count(*) FROM kb_semantic_index_metadata WHERE relative_path = 'notes.md'") == [(2,)]


def test_rows_survive_a_rollback_to_the_single_key_and_a_new_migration(database: Database) -> None:
    migrate_up(database, before=NAMESPACE)
    index_files(database)
    migrate_up(database, first=NAMESPACE)
    rows = read_rows(database)
    migrate_down(database, last=NAMESPACE)
    migrate_up(database, first=NAMESPACE)
    assert len(rows) == 2 * len(NAMESPACES)
    assert read_rows(database) == rows


def index_same_path(database: Database) -> None:
    """Index one path in two namespaces, and another in one."""
    database.execute(
        "INSERT INTO kb_semantic_index_metadata (namespace, relative_path, mtime, num_chunks)"
        " VALUES ('users/1', 'notes.md', 1, 1), ('users/2', 'notes.md', 1, 1), ('users/1', 'else.md', 1, 1)"
    )


def test_the_composite_key_is_kept_while_two_namespaces_contain_a_path(database: Database) -> None:
    migrate_up(database)
    index_same_path(database)
    migrate_down(database, last=FOREIGN_KEY)
    schema = read_schema(database)
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        migrate_down(database, first=COMPOSITE_KEY, last=COMPOSITE_KEY)
    diagnostics = caught.value.diag
    assert diagnostics.message_primary == "relative_path cannot be the primary key again: 1 of them in several namespaces"
    assert diagnostics.message_detail == "notes.md: users/1, users/2"
    assert "kb_semantic_index_metadata" in (diagnostics.message_hint or "")
    assert read_schema(database) == schema
    assert database.query("SELECT count(*) FROM kb_semantic_index_metadata") == [(3,)]


def test_the_composite_key_is_dropped_once_each_path_is_unique(database: Database) -> None:
    migrate_up(database)
    index_same_path(database)
    database.execute("DELETE FROM kb_semantic_index_metadata WHERE namespace = 'users/2'")
    migrate_down(database, last=COMPOSITE_KEY)
    rows = database.query("SELECT relative_path, namespace FROM kb_semantic_index_metadata ORDER BY 1")
    assert rows == [("else.md", "users/1"), ("notes.md", "users/1")]


def test_an_extension_that_existed_before_is_kept(database: Database) -> None:
    database.execute("CREATE EXTENSION vector")
    migrate_up(database)
    migrate_down(database)
    assert database.query("SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == [(1,)]


def test_an_extension_in_use_is_kept(database: Database) -> None:
    migrate_up(database)
    database.execute("ALTER TABLE assets ADD COLUMN embedding vector(384)")
    migrate_down(database, last=EXTENSION)
    columns = database.query("SELECT count(*) FROM pg_attribute WHERE attrelid = 'assets'::regclass AND attname = 'embedding'")
    assert columns == [(1,)]


@pytest.mark.parametrize(
    ("insert", "update"),
    [
        (
            "INSERT INTO users (email, updated_at) VALUES ('a@b.c', '2000-01-01')",
            "UPDATE users SET name = 'A' WHERE email = 'a@b.c'",
        ),
        (
            "INSERT INTO api_keys (user_id, key_hash, updated_at) SELECT id, 'hash', '2000-01-01' FROM users",
            "UPDATE api_keys SET is_active = false",
        ),
        (
            "INSERT INTO asset_sources (source_type, source_name, updated_at) VALUES ('a', 'b', '2000-01-01')",
            "UPDATE asset_sources SET is_active = false",
        ),
        (
            """INSERT INTO assets (category, title, file_url, storage_type, updated_at)
            VALUES ('prop', 'title', 'url', 'external', '2000-01-01')""",
            "UPDATE assets SET title = 'other'",
        ),
        (
            "INSERT INTO conversations (user_id, updated_at) SELECT id, '2000-01-01' FROM users",
            "UPDATE conversations SET title = 'other'",
        ),
        (
            "INSERT INTO kb_documents (path, document, updated_at) VALUES ('a.md', '{}', '2000-01-01')",
            "UPDATE kb_documents SET version = 2",
        ),
    ],
    ids=["users", "api_keys", "asset_sources", "assets", "conversations", "kb_documents"],
)
def test_an_update_sets_updated_at(database: Database, insert: str, update: str) -> None:
    migrate_up(database)
    database.execute("INSERT INTO users (email) VALUES ('owner@b.c')")
    database.execute(insert)
    assert database.query(f"{update} RETURNING updated_at > '2000-01-02'") == [(True,)]


def test_the_history_has_each_version_of_a_document_but_no_locks(database: Database) -> None:
    migrate_up(database)
    database.execute("""INSERT INTO kb_documents (path, document) VALUES ('a.md', '{"content": "one"}')""")
    database.execute("UPDATE kb_documents SET locked_by = 'ada'")
    database.execute("""UPDATE kb_documents SET document = '{"content": "two"}', version = 2, locked_by = NULL""")
    history = database.query(
        "SELECT version, document ->> 'content', change_type, changed_by FROM kb_document_history ORDER BY id"
    )
    assert history == [(1, "one", "create", None), (2, "two", "update", "ada")]


def test_deleting_a_document_deletes_its_history(database: Database) -> None:
    migrate_up(database)
    database.execute("INSERT INTO kb_documents (path, document) VALUES ('a.md', '{}')")
    database.execute("DELETE FROM kb_documents")
    assert database.query("SELECT count(*) FROM kb_document_history") == [(0,)]
