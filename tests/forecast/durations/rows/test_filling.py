"""Tables on scratch get many rows, which satisfy their constraints and follow the live statistics."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
import pytest

from tasks.forecast.durations.live_sizes import LiveSizes, read_sizes
from tasks.forecast.durations.rows.blueprints import merge_constraints
from tasks.forecast.durations.rows.filling import FilledTables, RowSource, fill_for
from tasks.rehearsal.rows.reading import read_shapes
from tasks.rehearsal.scratch.extensions import make_creation
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.events.numbers import ColumnNumbers, NumbersRead, RelationNumbers
from tests.rehearsal.verify.test_with_data import FILLABLE

ROWS = 2000
FILLED = {name: text for name, text in FILLABLE.items() if name not in {"cycles", "checks on whole rows"}}
_TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def make_sizes(rows: Mapping[str, int], columns: Sequence[ColumnNumbers] = ()) -> LiveSizes:
    """Return live sizes with some rows for each table, all with the same statistics."""
    relations = tuple(RelationNumbers(name, "r", "", count, count * 100, columns=tuple(columns)) for name, count in rows.items())
    return read_sizes(NumbersRead(180000, relations, ()))


def fill(
    scratch: ScratchServer,
    text: str,
    *,
    rows: int = ROWS,
    names: Sequence[str] = (),
    columns: Sequence[ColumnNumbers] = (),
    later: str = "",
    mentioned: Mapping[str, tuple[str, ...]] | None = None,
    query: str = "",
) -> tuple[FilledTables, list[tuple[Any, ...]]]:
    """Fill the tables that a text creates, or some of them, and return the result with the rows of a query.

    `later` changes the schema afterwards; the rows must satisfy it too.
    """
    with scratch.make() as database:
        if " vector(" in text:
            scratch.administer_extension(database, make_creation("vector"), "public")
        with psycopg.connect(database.url, autocommit=True) as owner:
            owner.execute("CREATE DOMAIN mood_ AS text")
            owner.execute(text)
            found = [row[0] for row in owner.execute(_TABLES)]
        with connect(database.url, name="test") as connection, connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL search_path = public; {later}")
            after = read_shapes(connection)
        wanted = list(names) or found
        source = RowSource(make_sizes(dict.fromkeys(found, rows), columns), mentioned or {}, 60.0, time.monotonic() + 600)
        with connect(database.url, name="test") as connection:
            filled = fill_for(connection, wanted, merge_constraints(read_shapes(connection), after), source)
        with psycopg.connect(database.url, autocommit=True) as owner:
            if later:
                owner.execute(later)
            return filled, owner.execute(query).fetchall() if query else []


@pytest.mark.parametrize("text", FILLED.values(), ids=FILLED.keys())
def test_every_table_whose_constraints_can_be_met_gets_rows(scratch: ScratchServer, text: str) -> None:
    filled, _ = fill(scratch, text)
    assert filled.problems == {}
    assert all(size.rows >= 2 for size in filled.sizes.values()), filled


def test_the_rows_follow_the_statistics(scratch: ScratchServer) -> None:
    columns = (
        ColumnNumbers("a", 0.25, 4, 50, 0.0),
        ColumnNumbers("b", 0.0, 101, -1, 0.0),
        ColumnNumbers("c", 0.0, 8, -0.5, 1.0),
    )
    text = "CREATE TABLE t (id serial PRIMARY KEY, a int, b text, c timestamptz NOT NULL)"
    query = """SELECT count(*), count(a), count(DISTINCT a), count(DISTINCT b), avg(length(b))::int, count(DISTINCT c) FROM t"""
    filled, [(rows, not_null, some, all_, width, half)] = fill(scratch, text, columns=columns, query=query)
    assert filled.sizes["public.t"].rows == rows == ROWS
    assert not_null == pytest.approx(0.75 * ROWS, rel=0.1)
    assert some == pytest.approx(50, rel=0.1)
    assert (all_, width) == (ROWS, 100)
    assert half == pytest.approx(ROWS / 2, rel=0.1)


@pytest.mark.parametrize(
    "later",
    [
        "CREATE UNIQUE INDEX ON t (a, b)",
        "ALTER TABLE t ADD UNIQUE (b)",
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p",
        "ALTER TABLE t ADD CHECK (b IN ('x', 'y'))",
        "ALTER TABLE t ADD CHECK (a BETWEEN 700 AND 710)",
    ],
)
def test_the_rows_satisfy_constraints_that_the_pending_files_add(scratch: ScratchServer, later: str) -> None:
    text = "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id serial PRIMARY KEY, a int, b text)"
    _, [(rows,)] = fill(scratch, text, later=later, names=["public.t"], query="SELECT count(*) FROM t")
    assert rows > ROWS / 2


def test_what_a_statement_compares_a_column_with_is_among_its_values(scratch: ScratchServer) -> None:
    text = "CREATE TABLE t (id serial PRIMARY KEY, kind text)"
    columns = (ColumnNumbers("kind", 0.0, 6, 10, 0.0),)
    query = "SELECT count(*) FROM t WHERE kind = 'old'"
    _, [(rows,)] = fill(scratch, text, columns=columns, mentioned={"kind": ("old",)}, query=query)
    assert rows == pytest.approx(ROWS / 10, rel=0.2)


def test_only_the_wanted_partitions_are_filled(scratch: ScratchServer) -> None:
    text = """
        CREATE TABLE t (at date NOT NULL, kind int NOT NULL) PARTITION BY RANGE (at);
        CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2019-01-01') TO ('2020-01-01');
        CREATE TABLE t2 PARTITION OF t FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY HASH (kind);
        CREATE TABLE t20 PARTITION OF t2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE t21 PARTITION OF t2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE TABLE t3 PARTITION OF t DEFAULT"""
    query = "SELECT DISTINCT tableoid::regclass::text FROM t ORDER BY 1"
    _, rows = fill(scratch, text, names=["public.t1"], query=query)
    assert rows == [("t1",)]
    _, rows = fill(scratch, text, names=["public.t2", "public.t20", "public.t21"], query=query)
    assert rows == [("t20",), ("t21",)]


def test_a_materialized_view_gets_its_rows_from_its_tables(scratch: ScratchServer) -> None:
    text = """CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t;
        CREATE MATERIALIZED VIEW m AS SELECT a FROM v; CREATE MATERIALIZED VIEW n AS SELECT a FROM m"""
    filled, _ = fill(scratch, text, names=["public.n"])
    assert filled.sizes["public.n"].rows == ROWS


def test_triggers_of_the_user_do_not_run_for_generated_rows(scratch: ScratchServer) -> None:
    text = """
        CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'never'; END $$;
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()"""
    filled, [(enabled,)] = fill(scratch, text, query="SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'g'")
    assert filled.problems == {}
    assert enabled == "O"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CREATE TABLE t (a int CHECK (a IS NOT NULL AND a <> a))", "no generated row satisfies its constraints"),
        ("CREATE TABLE t (a pg_snapshot NOT NULL)", "null value in column"),
        ("CREATE TABLE t (a int NOT NULL) PARTITION BY LIST (a)", "no partition of relation"),
    ],
)
def test_a_table_that_cannot_be_filled_has_a_reason(scratch: ScratchServer, text: str, reason: str) -> None:
    filled, _ = fill(scratch, f"{text}; CREATE TABLE other (a int)", names=["public.t", "public.other"])
    assert list(filled.problems) == ["public.t"]
    assert reason in filled.problems["public.t"]
