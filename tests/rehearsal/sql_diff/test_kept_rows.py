"""Tables that get or lose partitions keep their rows, and each row is in the table in which the wanted schema has it."""

from dataclasses import dataclass

import pytest

from tasks.rehearsal.sql_diff import write_pair
from tests.kit.databases import Database, fresh_database
from tests.rehearsal.sql_diff.exact import make, read, run

pytestmark = pytest.mark.newest


@dataclass(frozen=True)
class KeptRows:
    """A schema with rows, the wanted one, and the rows of each table before and after the change."""

    old: str
    new: str
    before: dict[str, list[int]]
    after: dict[str, list[int]]


PLAIN = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);"
PARTED = (
    "CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (100);"
    " CREATE TABLE u PARTITION OF t FOR VALUES FROM (100) TO (200);"
)
CASES = {
    "a table becomes partitioned, and another one its partition": KeptRows(
        f"{PLAIN} INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (101);",
        PARTED,
        {"t": [1, 2], "u": [101]},
        {"t": [1, 2, 101], "t1": [1, 2], "u": [101]},
    ),
    "a table becomes plain, and a partition of it a table of its own": KeptRows(
        f"{PARTED} INSERT INTO t VALUES (1), (2), (101);",
        PLAIN,
        {"t": [1, 2, 101], "t1": [1, 2], "u": [101]},
        {"t": [1, 2], "u": [101]},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_row_is_kept(database: Database, case: KeptRows) -> None:
    make(database, case.old)
    with fresh_database(database.server) as another:
        make(another, case.new)
        wanted = read(another)
    pair = write_pair(read(database), wanted, name="20250101000000_change", heading="Change", recreate=True)
    for text, rows in ((pair.up, case.after), (pair.down, case.before)):
        run(database, text)
        assert {table: [row[0] for row in database.query(f"SELECT id FROM {table} ORDER BY id")] for table in rows} == rows


@pytest.mark.parametrize(
    ("old", "new", "value", "converted"),
    [
        ("money", "numeric(12, 2)", "2.50", "2.50"),
        ("numeric", "money", "-3", "-$3.00"),
        ("boolean", "integer", "true", "1"),
        ("boolean", "smallint", "false", "0"),
        ("integer", "boolean", "2", "true"),
        ("bigint", "boolean", "0", "false"),
        ("numeric", "boolean", "0.5", "true"),
        ("int4range", "int4multirange", "[1,3)", "{[1,3)}"),
        ("datemultirange", "daterange", "{[2020-01-01,2020-01-03)}", "[2020-01-01,2020-01-03)"),
    ],
)
def test_a_value_is_converted_by_the_cast_that_there_is(
    database: Database, old: str, new: str, value: str, converted: str
) -> None:
    database.execute("SET lc_monetary = 'C'")
    make(database, f"CREATE TABLE t (a {old}); INSERT INTO t VALUES ('{value}');")
    with fresh_database(database.server) as another:
        make(another, f"CREATE TABLE t (a {new});")
        wanted = read(another)
    run(database, write_pair(read(database), wanted, name="20250101000000_change", heading="Change").up)
    assert database.query("SELECT a::text FROM t") == [(converted,)]
    assert read(database) == wanted
