"""Types of columns, which are changed or whose columns are added."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Computed,
    DateTime,
    Double,
    Float,
    Index,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    Unicode,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import (
    BIT,
    CIDR,
    CITEXT,
    DOMAIN,
    HSTORE,
    INET,
    INT4MULTIRANGE,
    INT4RANGE,
    INTERVAL,
    JSON,
    JSONB,
    MACADDR,
    NUMRANGE,
    TSTZMULTIRANGE,
    TSTZRANGE,
    TSVECTOR,
)

from tests.models.zoo.case import ZooCase, change_table, make_key

_FOUND = "to_tsvector('english', coalesce(title, '') || ' ' || coalesce(body, ''))"


class _Money(TypeDecorator[Any]):
    """Cents in the application."""

    impl = Integer
    cache_ok = True


class _WideMoney(TypeDecorator[Any]):
    """The same with another type in the database."""

    impl = Numeric(14, 4)
    cache_ok = True


def _email(check: str) -> DOMAIN:
    return DOMAIN("domain_check_email", Text(), check=check, constraint_name="domain_check_valid")


TYPES = (
    change_table(
        "varchar_wider",
        "varchar: wider",
        lambda: [Column("code", String(50))],
        lambda: [Column("code", String(100))],
        loses="down",
    ),
    change_table(
        "varchar_narrower",
        "varchar: narrower",
        lambda: [Column("code", String(100))],
        lambda: [Column("code", String(80))],
        loses="up",
    ),
    change_table(
        "integer_wider",
        "integer becomes bigint",
        lambda: [Column("counted", Integer, nullable=False, server_default=text("0"))],
        lambda: [Column("counted", BigInteger, nullable=False, server_default=text("0"))],
        loses="down",
    ),
    change_table(
        "small_integer",
        "smallint becomes integer",
        lambda: [Column("level", SmallInteger)],
        lambda: [Column("level", Integer)],
        loses="down",
    ),
    change_table(
        "numeric_precision",
        "numeric: more digits",
        lambda: [Column("price", Numeric(8, 2))],
        lambda: [Column("price", Numeric(12, 2))],
        loses="down",
    ),
    change_table(
        "float_precision",
        "real becomes double precision",
        lambda: [Column("weight", Float(24))],
        lambda: [Column("weight", Double)],
        loses="down",
    ),
    change_table(
        "time_zone",
        "timestamp becomes timestamptz",
        lambda: [Column("seen", DateTime)],
        lambda: [Column("seen", DateTime(timezone=True))],
        loses="down",
    ),
    change_table(
        "interval_precision",
        "interval: fields and precision",
        lambda: [Column("pause", Interval)],
        lambda: [Column("pause", INTERVAL(fields="DAY TO SECOND", precision=3))],
        loses="up",
    ),
    change_table(
        "integer_to_text",
        "integer becomes text",
        lambda: [Column("code", Integer)],
        lambda: [Column("code", Text)],
        loses="down",
    ),
    change_table(
        "text_to_integer",
        "text becomes integer",
        lambda: [Column("code", Text)],
        lambda: [Column("code", Integer)],
        loses="both",
    ),
    change_table(
        "json_binary",
        "json becomes jsonb",
        lambda: [Column("payload", JSON)],
        lambda: [Column("payload", JSONB)],
    ),
    change_table(
        "text_case",
        "text becomes citext",
        lambda: [Column("login", Text)],
        lambda: [Column("login", CITEXT)],
        setup="CREATE EXTENSION citext;",
    ),
    change_table(
        "collated",
        "collation",
        lambda: [Column("word", Text(collation="C"))],
        lambda: [Column("word", Text(collation="POSIX"))],
    ),
    change_table(
        "type_decorator",
        "TypeDecorator: another type below",
        lambda: [Column("amount", _Money)],
        lambda: [Column("amount", _WideMoney)],
        loses="down",
    ),
    change_table(
        "variant",
        "with_variant: another type on PostgreSQL",
        lambda: [Column("body", Text().with_variant(Unicode(40), "postgresql"))],
        lambda: [Column("body", Text().with_variant(Unicode(60), "postgresql"))],
        loses="down",
    ),
    change_table(
        "uuid_from_text",
        "text becomes uuid",
        lambda: [Column("token", Uuid(native_uuid=False))],
        lambda: [Column("token", Uuid)],
    ),
    change_table(
        "array_added",
        "arrays added: of one and of two dimensions",
        list,
        lambda: [
            Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
            Column("grid", ARRAY(Integer, dimensions=2)),
        ],
    ),
    change_table(
        "array_element",
        "array: integer[] becomes bigint[]",
        lambda: [Column("parts", ARRAY(Integer), server_default=text("'{}'::integer[]"))],
        lambda: [Column("parts", ARRAY(BigInteger), server_default=text("'{}'::bigint[]"))],
        loses="down",
    ),
    change_table(
        "ranges",
        "ranges and multiranges added",
        list,
        lambda: [
            Column("ages", INT4RANGE, server_default=text("'[18,)'")),
            Column("prices", NUMRANGE),
            Column("valid", TSTZRANGE),
            Column("gaps", INT4MULTIRANGE),
            Column("absent", TSTZMULTIRANGE),
        ],
    ),
    change_table(
        "bits",
        "bit(8) becomes bit varying(16)",
        lambda: [Column("mask", BIT(8))],
        lambda: [Column("mask", BIT(16, varying=True))],
        loses="down",
    ),
    change_table(
        "network",
        "inet, cidr and macaddr added",
        list,
        lambda: [Column("host", INET), Column("net", CIDR), Column("card", MACADDR)],
    ),
    change_table(
        "bytes",
        "bytea and hstore added",
        list,
        lambda: [Column("data", LargeBinary), Column("attributes", HSTORE, server_default="")],
        setup="CREATE EXTENSION hstore;",
    ),
    change_table(
        "search_vector",
        "tsvector, computed, with a gin index: added",
        lambda: [Column("title", Text), Column("body", Text)],
        lambda: [
            Column("title", Text),
            Column("body", Text),
            Column("found", TSVECTOR, Computed(_FOUND, persisted=True)),
            Index("search_vector_found", "found", postgresql_using="gin"),
        ],
    ),
    change_table(
        "domain_added",
        "domain: a column that uses a new one",
        list,
        lambda: [Column("age", DOMAIN("domain_added_age", Integer(), check="VALUE > 0", not_null=False, default="1"))],
    ),
    change_table(
        "domain_check",
        "domain: another check",
        lambda: [Column("email", _email("VALUE <> ''"))],
        lambda: [Column("email", _email("VALUE <> '' AND VALUE <> 'none'"))],
    ),
    ZooCase(
        "domain_column",
        "domain becomes the type of a column",
        lambda m: Table("domain_column", m, make_key(), Column("zip", String(5))),
        lambda m: Table(
            "domain_column", m, make_key(), Column("zip", DOMAIN("domain_column_zip", String(5), check="VALUE <> 'x'"))
        ),
    ),
)
"""Changes of types."""
