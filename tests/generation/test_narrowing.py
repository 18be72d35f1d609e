"""Which conversions of types keep every value: what the table contains, and what a server does with values at the limits."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from tasks.catalog import Key
from tasks.generation.narrowing import explain_narrowing
from tasks.rehearsal.sql_diff.altering import alter_object
from tests.kit.databases import Database

pytestmark = pytest.mark.only_newest

LONG = "x" * 300
LABELS = {
    "public.mood": ("'sad'", "'ok'", "'happy'"),
    "public.moods": ("'sad'", "'ok'", "'happy'", "'great'"),
    "public.feeling": ("'sad'", "'ok'"),
}
SAMPLES = {
    "smallint": ("-32768", "32767"),
    "integer": ("-2147483648", "2147483647", "16777217"),
    "bigint": ("-9223372036854775808", "9223372036854775807", "9007199254740993"),
    "oid": ("4294967295",),
    "numeric": ("NaN", "Infinity", "12345678901234567890.123456789", "1.10"),
    "numeric(4,0)": ("NaN", "9999"),
    "numeric(8,2)": ("999999.99", "NaN"),
    "numeric(10,0)": ("9999999999", "NaN"),
    "numeric(10,2)": ("99999999.99", "-0.01", "NaN"),
    "numeric(12,3)": ("999999999.999",),
    "real": ("0.1", "3.4028235e38", "NaN", "1.2345679"),
    "double precision": ("0.1", "1e308", "9007199254740991", "1.2345678901234567"),
    "boolean": ("true", "false"),
    "text": ("a ", "{1}", LONG, "2020-01-01"),
    "character varying": ("a ", LONG),
    "character varying(50)": ("a ", LONG[:50]),
    "character varying(20)": ("a ", LONG[:20]),
    "character(10)": ("a", LONG[:10]),
    "character(20)": ("a", LONG[:20]),
    "name": ("abc", LONG[:63]),
    "uuid": ("6f9619ff-8b86-d011-b42d-00cf4fc964ff",),
    "bytea": (r"\x00ff", r"\x"),
    "date": ("2020-02-29", "infinity", "0044-03-15 BC"),
    "timestamp without time zone": ("2020-02-29 01:02:03.123456", "infinity"),
    "timestamp(3) without time zone": ("2020-02-29 01:02:03.123",),
    "timestamp with time zone": ("2024-10-27 02:30:00.123456+01", "2024-10-27 02:30:00+02"),
    "timestamp(0) with time zone": ("2024-10-27 02:30:00+01", "2024-10-27 02:30:00+02"),
    "time without time zone": ("01:02:03.123456", "24:00:00"),
    "time(0) without time zone": ("01:02:03",),
    "time with time zone": ("01:02:03.123456+05",),
    "interval": ("1 year 2 months 3 days 04:05:06.123456",),
    "interval(3)": ("1 year 2 months 3 days 04:05:06.123",),
    "json": ('{"b":1,"a":1e2,"b":2}',),
    "jsonb": ('{"b":1,"a":1.50}',),
    "bit(3)": ("101", "000"),
    "bit(5)": ("10101",),
    "bit varying": ("1", "10101010101"),
    "bit varying(5)": ("1", "10101"),
    "bit varying(9)": ("1", "101010101"),
    "inet": ("10.1.2.3/8", "::1"),
    "cidr": ("10.0.0.0/8",),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "int4range": ("[1,5)", "empty", "(,)"),
    "int8range": ("[1,5000000000)",),
    "money": ("1.25", "-92233720368547758.08"),
    "integer[]": ("{1,2}", "{}", "{{2147483647},{2}}"),
    "bigint[]": ("{9223372036854775807}",),
    "text[]": (f'{{a,"b c",{LONG}}}', "{NULL}"),
    "character varying(20)[]": ("{a}", "{NULL}"),
    "public.mood": ("sad", "ok", "happy"),
    "public.moods": ("sad", "great"),
    "public.feeling": ("sad", "ok"),
}
"""Values of each type, of which some conversions lose one."""
UNSURE = re.compile(r"(bit|oid).*|.* to (name|jsonb?|real|double precision|character.*)")
"""Conversions that may count as lossy although no value here is lost: whether one is depends on how long its text is."""


def convert(connection: psycopg.Connection[object], old: str, new: str) -> str:
    """Return the statements that convert the column `v` of the table `samples`, as a migration has them."""
    return ";".join(alter_object(Key("column", "v", "samples"), old, new, newest=True) or ())


def list_texts(connection: psycopg.Connection[object]) -> list[object]:
    return connection.execute("SELECT v::text FROM samples ORDER BY n").fetchall()


def keeps(connection: psycopg.Connection[object], old: str, new: str) -> bool:
    """Return True if values are the same after a conversion to the other type and back; False if a statement fails too."""
    try:
        with connection.transaction(force_rollback=True):
            values = list_texts(connection)
            connection.execute(convert(connection, old, new))
            connection.execute(convert(connection, new, old))
            return list_texts(connection) == values
    except psycopg.Error:
        return False


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[object]]:
    """Yield a connection to a database with the enums, in a time zone whose clocks are changed."""
    for name, labels in LABELS.items():
        database.execute(f"CREATE TYPE {name} AS ENUM ({', '.join(labels)})")
    with database.connect() as connection:
        connection.execute("SET TimeZone = 'Europe/Berlin'")
        yield connection


def test_the_conversions_that_count_as_lossless_are_those_that_keep_the_values(connection: psycopg.Connection[object]) -> None:
    wrong = []
    for old, values in SAMPLES.items():
        connection.execute(f"CREATE TEMP TABLE samples (n serial, v {old})")
        for value in values:
            connection.execute("INSERT INTO samples (v) VALUES (%s)", (value,))
        for new in SAMPLES.keys() - {old}:
            kept, claimed = keeps(connection, old, new), not explain_narrowing(old, new, LABELS, LABELS)
            if kept != claimed and (claimed or not UNSURE.fullmatch(f"{old} to {new}")):
                wrong.append(f"{old} to {new} keeps the values: {kept}")
        connection.execute("DROP TABLE samples")
    assert sorted(wrong) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("json", "jsonb", "neither the order of keys nor equal ones"),
        ("timestamp(3) with time zone", "timestamp without time zone", "no time zone"),
        ("timestamp with time zone", "date", "no time"),
        ("numeric(10,2)", "numeric(10,1)", "cannot represent every value"),
        ("public.vector(3)", "public.vector(4)", "cannot represent every value"),
        ("public.vector(3)", "public.vector", ""),
        ("public.citext", "text", ""),
        ("text", "public.citext", ""),
        ("public.mood", "character varying(5)", ""),
        ("public.mood", "character varying(4)", "cannot represent every value"),
        ("public.mood[]", "public.moods[]", ""),
        ("public.moods[]", "public.mood[]", "cannot represent every value"),
        ('"odd (type"', "integer", "cannot represent every value"),
        ("interval day to second(3)", "interval", ""),
    ],
)
def test_the_reason_names_what_a_conversion_loses(old: str, new: str, reason: str) -> None:
    found = explain_narrowing(old, new, LABELS, LABELS)
    assert (reason in found) if reason else not found
