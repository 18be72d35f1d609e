"""A table has the bounds of a partition as a valid check when it is attached, with which the server reads none of its rows."""

import pytest

from tasks.generation.attaching import add_bounds
from tasks.rehearsal.sql_diff import write_sql
from tests.kit.databases import Database, fresh_database
from tests.rehearsal.sql_diff.exact import make, read

pytestmark = pytest.mark.newest

SCHEMA = 'CREATE TABLE e (id int, "At" timestamptz, v text) PARTITION BY {};'
ALONE = 'CREATE TABLE "E, 1" (id int, "At" timestamptz, v text);'
CHECKED = {
    ('RANGE ("At")', "FROM ('2023-01-01') TO ('2024-01-01')"),
    ("RANGE (id)", "FROM (MINVALUE) TO (-5)"),
    ("RANGE (id)", "FROM (10) TO (MAXVALUE)"),
    ("RANGE (v)", "FROM ('a, b''') TO ('x) TO (y')"),
    ("LIST (id)", "IN (1, -2, NULL)"),
    ("LIST (v)", "IN ('a', 'b, '')')"),
    ("LIST (v)", "IN ('NULL')"),
    ("LIST (v)", "IN (NULL)"),
}
UNCHECKED = {
    ("RANGE (id, v)", "FROM (1, 'a') TO (2, 'b')"),
    ("LIST (lower(v))", "IN ('a')"),
    ("HASH (id)", "WITH (MODULUS 2, REMAINDER 0)"),
    ("LIST (id)", "DEFAULT"),
}


def attach(database: Database, key: str, bound: str) -> tuple[list[str], list[str]]:
    """Return the statements that attach a table, and the notices of the server about the check."""
    make(database, SCHEMA.format(key) + ALONE)
    with fresh_database(database.server) as another:
        values = bound if bound == "DEFAULT" else f"FOR VALUES {bound}"
        make(another, SCHEMA.format(key) + ALONE + f'ALTER TABLE e ATTACH PARTITION "E, 1" {values};')
        wanted = read(another)
    before = read(database)
    statements = add_bounds(write_sql(before, wanted), before, wanted).statements
    notices: list[str] = []
    with database.connect() as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        connection.execute("SET client_min_messages = debug1")
        for text in statements:
            connection.execute(text.encode())
    assert read(database).objects == wanted.objects
    return list(statements), [text for text in notices if "is implied by existing constraints" in text]


@pytest.mark.parametrize(("key", "bound"), sorted(CHECKED))
def test_the_rows_of_a_table_are_not_read_when_it_is_attached(database: Database, key: str, bound: str) -> None:
    statements, notices = attach(database, key, bound)
    words = ["NOT VALID", "VALIDATE CONSTRAINT", "ATTACH PARTITION", "DROP CONSTRAINT"]
    assert [word in text for word, text in zip(words, statements, strict=True)] == [True] * 4
    assert notices == ['partition constraint for table "E, 1" is implied by existing constraints']


@pytest.mark.parametrize(("key", "bound"), sorted(UNCHECKED))
def test_other_bounds_are_not_checked_before(database: Database, key: str, bound: str) -> None:
    assert len(attach(database, key, bound)[0]) == 1
