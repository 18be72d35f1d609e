"""What is read instead of a whole schema, where a run only added to it or changed nothing: the result is the same."""

from itertools import count
from pathlib import Path

import psycopg
import pytest

from tasks.catalog import Additions, Catalog, find_additions, mark_schema, read_catalog
from tests.catalog.conftest import READER
from tests.kit.databases import Database, fresh_database
from tests.kit.relays import start_relay
from tests.kit.waiting import wait_until

SETUP = """
    CREATE TABLE a (id integer PRIMARY KEY, name text, amount numeric);
    CREATE TABLE referenced (id integer PRIMARY KEY);
    CREATE TABLE referring (id integer REFERENCES referenced);
    CREATE TABLE parted (id integer NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE first_part PARTITION OF parted FOR VALUES FROM (0) TO (1);
    CREATE INDEX parted_id ON parted (id);
    CREATE TABLE parent (id integer);
    CREATE TABLE child () INHERITS (parent);
    CREATE VIEW v AS SELECT a.* FROM a JOIN referenced USING (id);
    CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'
"""
NOTHING, PART, WHOLE = "nothing", "part", "whole"
CASES = [
    (NOTHING, "INSERT INTO a VALUES (1); UPDATE a SET name = 'x'; DELETE FROM a"),
    (NOTHING, "ANALYZE a"),
    (NOTHING, "BEGIN; CREATE TABLE t (id integer); ROLLBACK"),
    (NOTHING, "CREATE TABLE t (id integer); DROP TABLE t"),
    (PART, "CREATE TABLE t (id bigserial PRIMARY KEY, name text DEFAULT 'x' CHECK (name <> ''))"),
    (PART, "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY (START 7) PRIMARY KEY)"),
    (PART, "CREATE TABLE t (id integer REFERENCES referenced)"),
    (PART, 'CREATE TABLE "json" ("json" integer); CREATE INDEX "merge_action" ON "json" ("json")'),
    (PART, "CREATE TABLE t (id integer); ALTER TABLE t ADD COLUMN name varchar(9) NOT NULL; ALTER TABLE t RENAME TO u"),
    (PART, "CREATE TABLE t (id integer); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id > 0)"),
    (PART, "CREATE TABLE t (x integer, y integer); CREATE STATISTICS s ON x, y FROM t"),
    (PART, "CREATE TABLE second_part PARTITION OF parted FOR VALUES FROM (1) TO (2)"),
    (PART, "CREATE TABLE second_child () INHERITS (parent)"),
    (PART, "CREATE INDEX ON a (name)"),
    (PART, "CREATE INDEX CONCURRENTLY ON a (name)"),
    (PART, "CREATE UNIQUE INDEX ON a (lower(name)) WHERE amount > 0"),
    (PART, "CREATE VIEW w AS SELECT id FROM a"),
    (PART, "CREATE MATERIALIZED VIEW m AS SELECT id FROM a"),
    (PART, "CREATE SEQUENCE s"),
    (PART, "DO $$ BEGIN CREATE TABLE t (id integer); EXECUTE 'CREATE INDEX ON a (amount)'; END $$"),
    (WHOLE, "ALTER TABLE a ADD COLUMN more integer"),
    (WHOLE, "ALTER TABLE a RENAME COLUMN name TO title"),
    (WHOLE, "ALTER TABLE a RENAME TO b"),
    (WHOLE, "ALTER TABLE a ADD CONSTRAINT positive CHECK (amount > 0)"),
    (WHOLE, "CREATE TABLE t (id integer REFERENCES a)"),
    (WHOLE, "CREATE SEQUENCE s OWNED BY a.id"),
    (WHOLE, "CREATE STATISTICS s ON id, name FROM a"),
    (WHOLE, "CREATE TRIGGER t BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"),
    (WHOLE, "CREATE INDEX i ON a (name); DROP VIEW v"),
    (WHOLE, "DROP TABLE child"),
    (WHOLE, "DROP TABLE child; CREATE TABLE child () INHERITS (parent)"),
    (WHOLE, "CREATE TABLE t (id integer); GRANT SELECT ON t TO PUBLIC"),
    (WHOLE, "CREATE TABLE t (id integer); GRANT SELECT (id) ON t TO PUBLIC"),
    (WHOLE, "CREATE TABLE t (id integer); COMMENT ON TABLE t IS 'x'"),
    (WHOLE, "CREATE TYPE e AS ENUM ('a')"),
    (WHOLE, "CREATE TYPE c AS (id integer)"),
    (WHOLE, "CREATE OR REPLACE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 2'"),
    (WHOLE, "CREATE SCHEMA s"),
    (WHOLE, "ALTER SCHEMA public RENAME TO s"),
    (WHOLE, "CREATE EXTENSION IF NOT EXISTS pg_trgm"),
    (WHOLE, "ALTER EXTENSION plpgsql ADD FUNCTION f()"),
    (WHOLE, "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC"),
    (WHOLE, "CREATE PUBLICATION p FOR TABLE a"),
    (WHOLE, "COMMENT ON SCHEMA public IS 'x'"),
    (WHOLE, f"GRANT USAGE ON SCHEMA public TO {READER}"),
]


def read_again(connection: psycopg.Connection, before: Catalog, added: Additions | None) -> Catalog:
    """Return the schema of which only the additions are read; all of it if it may have changed otherwise."""
    if added is None:
        return read_catalog(connection)
    new = read_catalog(connection, only=added.relations, known=added.classes).objects if added else {}
    return Catalog({**before.objects, **{key: text for key, text in new.items() if added.include(key)}})


@pytest.mark.usefixtures("roles")
@pytest.mark.parametrize(("read", "change"), CASES, ids=[change for _, change in CASES])
def test_what_is_read_again_completes_the_schema(any_database: Database, read: str, change: str) -> None:
    # While a transaction of another database is open, the whole schema is read: tests of other processes have such transactions.
    def reads_no_more() -> bool:
        with fresh_database(any_database.server) as database:
            return change_and_read_again(database, change) == read

    assert wait_until(reads_no_more, what=f"that {read} is read again")


def change_and_read_again(database: Database, change: str) -> str:
    """Return how much is read again after a change, and check that the schema is complete then."""
    database.execute(SETUP)
    with database.connect() as connection, database.connect() as other:
        before, mark = mark_schema(connection)
        assert mark is not None
        for statement in [change] if "$$" in change else change.split("; "):
            other.execute(statement)
        added = find_additions(connection, mark)
        assert read_again(connection, before, added).objects == read_catalog(connection).objects
        return WHOLE if added is None else PART if added else NOTHING


def test_what_a_transaction_adds_that_was_open_before_is_read(any_database: Database) -> None:
    with any_database.connect() as connection, any_database.connect(autocommit=False) as other:
        other.execute("CREATE TABLE t (id integer)")
        before, mark = mark_schema(connection)
        other.commit()
        assert mark is not None
        added = find_additions(connection, mark)
        assert added is None or added
        assert read_again(connection, before, added).objects == read_catalog(connection).objects


def add_and_find(database: Database, connection: psycopg.Connection) -> tuple[str, Additions]:
    """Return the name of a table that was added, and what is found of it, as soon as anything is."""
    numbers = count()

    def add() -> tuple[str, Additions] | None:
        _, mark = mark_schema(connection)
        assert mark is not None
        name = f"added_{next(numbers)}"
        database.execute(f"CREATE TABLE {name} (id integer)")
        added = find_additions(connection, mark)
        return (name, added) if added is not None else None

    found = wait_until(add, what="a server without older transactions")
    assert found is not None
    return found


def test_a_role_without_privileges_finds_additions(any_database: Database, roles: None) -> None:
    with any_database.connect(user=READER) as connection:
        name, added = add_and_find(any_database, connection)
        assert added.names == {f"public.{name}"}


def test_a_schema_is_read_and_marked_in_two_round_trips_and_additions_are_read_in_two(
    any_database: Database, tmp_path: Path
) -> None:
    any_database.execute(SETUP)
    with any_database.connect() as other:
        _, added = add_and_find(any_database, other)
    with start_relay(tmp_path / "relay", any_database) as relay, psycopg.connect(relay.url, autocommit=True) as connection:
        _, mark = mark_schema(connection)
        assert [kind for kind, _ in relay.list_messages()] == ["Q", "Q"]
        assert mark is not None
        find_additions(connection, mark)
        assert [kind for kind, _ in relay.list_messages()] == ["Q"] * 3
        read_catalog(connection, only=added.relations, known=added.classes)
        assert [kind for kind, _ in relay.list_messages()] == ["Q"] * 4


def test_a_reading_that_fails_leaves_the_session_as_it_was(any_database: Database) -> None:
    any_database.execute(SETUP)
    with any_database.connect() as connection, any_database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE a IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            read_catalog(connection, lock_timeout="50ms")
        other.rollback()
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert connection.execute("SHOW lock_timeout").fetchall() == [("0",)]
        assert len(read_catalog(connection)) > 0
