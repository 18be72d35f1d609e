"""The hint of an error: by SQLSTATE, with the names of the statement and a query that shows the rows."""

from dataclasses import replace

import pytest

from tasks.runner.errors import StatementError
from tasks.runner.events import Session
from tasks.runner.planning.fault import ServerFault
from tasks.runner.planning.hints import choose_hint
from tests.runner.operating import A, B, Operator

_ITEMS = "CREATE TABLE items (id int, sku text, price int, owner int); CREATE TABLE owners (id int PRIMARY KEY);"
_DUPLICATES = f"{_ITEMS} INSERT INTO items VALUES (1, 'A', 5, NULL), (2, 'a', -5, 7), (2, 'a', NULL, NULL), (3, NULL, 1, NULL);"

WITH_QUERY = {
    "a unique constraint of two columns": (
        "ALTER TABLE items ADD CONSTRAINT once UNIQUE (id, sku);",
        "SELECT id, sku, count(*) FROM items WHERE num_nulls(id, sku) = 0 GROUP BY 1, 2 HAVING count(*) > 1;",
    ),
    "a primary key": (
        "ALTER TABLE ONLY public.items ADD PRIMARY KEY (id);",
        "SELECT id, count(*) FROM public.items WHERE num_nulls(id) = 0 GROUP BY 1 HAVING count(*) > 1;",
    ),
    "a unique index on an expression": (
        "CREATE UNIQUE INDEX by_sku ON items (lower(sku));",
        "SELECT lower(sku), count(*) FROM items WHERE num_nulls(lower(sku)) = 0 GROUP BY 1 HAVING count(*) > 1;",
    ),
    "a partial unique index that is built concurrently": (
        "CREATE UNIQUE INDEX CONCURRENTLY by_id ON items (id) WHERE sku IS NOT NULL;",
        "SELECT id, count(*) FROM items WHERE num_nulls(id) = 0 AND (sku IS NOT NULL) GROUP BY 1 HAVING count(*) > 1;",
    ),
    "an existing row": (
        "CREATE UNIQUE INDEX by_owner ON owners (id, (id + 1)); INSERT INTO owners VALUES (7);",
        "SELECT * FROM public.owners WHERE id = '7';",
    ),
    "NOT NULL": (
        "ALTER TABLE items ALTER COLUMN price SET NOT NULL;",
        "SELECT * FROM public.items WHERE price IS NULL;",
    ),
    "a CHECK": (
        "ALTER TABLE items ADD CONSTRAINT positive CHECK (price > 0 AND id < 100);",
        "SELECT * FROM items WHERE NOT (price > 0 AND id < 100);",
    ),
    "a CHECK that is validated later": (
        "ALTER TABLE items VALIDATE CONSTRAINT late;",
        "SELECT * FROM public.items WHERE NOT ((price > 1));",
    ),
    "a foreign key to an unnamed primary key": (
        "ALTER TABLE items ADD FOREIGN KEY (owner) REFERENCES owners;",
        "SELECT t.* FROM items t WHERE t.owner IS NOT NULL\n   AND NOT EXISTS (SELECT FROM owners r WHERE r.id = t.owner);",
    ),
    "a row that others refer to": (
        "DELETE FROM kinds WHERE id = 1;",
        "SELECT * FROM public.things WHERE kind = '1';",
    ),
    "a shorter type": (
        "ALTER TABLE kinds ALTER name TYPE varchar(2);",
        "SELECT name FROM kinds WHERE length(name::text) > 2;",
    ),
}
_MORE = """
INSERT INTO owners VALUES (7) ON CONFLICT DO NOTHING;
ALTER TABLE items ADD CONSTRAINT late CHECK (price > 1) NOT VALID;
CREATE TABLE kinds (id int PRIMARY KEY, name text); CREATE TABLE things (kind int REFERENCES kinds);
INSERT INTO kinds VALUES (1, 'long'); INSERT INTO things VALUES (1);
"""


def fail(operator: Operator, up: str) -> StatementError:
    """Apply a migration that must fail, and return its error."""
    operator.write(B, up)
    with pytest.raises(StatementError) as failed:
        operator.migrate()
    return failed.value


@pytest.mark.parametrize(("up", "query"), WITH_QUERY.values(), ids=WITH_QUERY)
def test_a_violated_constraint_comes_with_the_query_that_shows_its_rows(operator: Operator, up: str, query: str) -> None:
    more = _MORE.replace("INSERT INTO owners VALUES (7) ON CONFLICT DO NOTHING;", "") if "FOREIGN KEY" in up else _MORE
    operator.database.execute(_DUPLICATES + more)
    hint = fail(operator, up).hint
    assert query in hint
    assert operator.database.query(query)


@pytest.mark.parametrize(
    ("up", "hint"),
    [
        ("ALTER TABLE items ADD COLUMN c int NOT NULL;", "items has rows: add c with a DEFAULT"),
        (
            "ALTER TABLE items ADD c int; ALTER TABLE items ALTER c SET NOT NULL;",
            "UPDATE public.items SET c = … WHERE c IS NULL;",
        ),
        ("CREATE TABLE n (a int); INSERT INTO n VALUES (1), (1); CREATE UNIQUE INDEX ON n (a);", "before line 1"),
        ("INSERT INTO owners VALUES (NULL);", "writes no value for id of public.owners"),
        ("CREATE TABLE v (e vector(3));", "CREATE EXTENSION IF NOT EXISTS vector;"),
        ("SELECT crypt('a', 'b');", "CREATE EXTENSION IF NOT EXISTS pgcrypto;"),
        ("CREATE EXTENSION no_such_extension;", "pg_available_extensions WHERE name = 'no_such_extension';"),
        ("CREATE TABLE nowhere.t (a int);", "CREATE SCHEMA nowhere;"),
        ("SELECT * FROM nothing;", "No table nothing exists"),
        ("SET TRANSACTION READ ONLY; CREATE TABLE n ();", "makes the transaction read-only: SET TRANSACTION READ ONLY"),
        ("CREATE TABLE items ();", "relation items exists already"),
        ("-- migrate: no-transaction\nDO $$ BEGIN EXECUTE 'VACUUM'; END $$;", "It cannot run inside a function or a DO block"),
        ("DO $$ BEGIN RAISE EXCEPTION 'no' USING HINT = 'Ask the owner.'; END $$;", "Ask the owner."),
        ("DROP TABLE owners; ", "Other objects depend on it"),
        ("SELECT no_column FROM items;", "No column no_column exists at this point"),
        ("SELECT 'x'::int;", "A value does not fit the type"),
    ],
)
def test_a_hint_contains_the_names_of_the_statement(operator: Operator, up: str, hint: str) -> None:
    operator.write_tables(A)
    operator.migrate()
    operator.database.execute(f"{_DUPLICATES} CREATE VIEW all_owners AS SELECT * FROM owners;")
    assert hint in fail(operator, up).hint


def test_a_lock_names_the_blocking_sessions_in_a_statement_to_paste() -> None:
    blockers = tuple(Session(pid, "app", "", "", "", "", "") for pid in (4711, 4712))
    hint = choose_hint(ServerFault("55P03", statement="ALTER TABLE a.t ADD b int", blockers=blockers))
    assert "\nSELECT pg_terminate_backend(4711);\nSELECT pg_terminate_backend(4712);\n" in hint
    assert "relation = 'a.t'::regclass" in choose_hint(ServerFault("55P03", statement="ALTER TABLE a.t ADD b int"))


@pytest.mark.parametrize("sqlstate", ["42P07", "42710", "42701", "42723", "42P06"])
def test_an_existing_object_leads_to_adopt_where_no_migration_is_recorded(sqlstate: str) -> None:
    fault = ServerFault(sqlstate, "Relation »users« existiert bereits", statement="CREATE TABLE users ()")
    assert "users exists already, and no migration is recorded" in choose_hint(replace(fault, is_first=True))
    assert "inv db.adopt" in choose_hint(replace(fault, is_first=True))
    assert "inv db.adopt" not in choose_hint(fault)


@pytest.mark.parametrize("sqlstate", ["XX000", "53400", "58000", "57P05", "08006", "99999", "P0004"])
def test_every_error_has_a_hint(sqlstate: str) -> None:
    assert choose_hint(ServerFault(sqlstate))
    assert choose_hint(ServerFault(sqlstate, statement="SELECT 1"))


def test_an_error_outside_a_file_does_not_advise_to_change_one() -> None:
    assert "file" not in choose_hint(ServerFault("42703")) + choose_hint(ServerFault("23505"))
