"""Enums: types of the database, and texts with a check."""

import enum

from sqlalchemy import ARRAY, Boolean, Column, Enum, MetaData, String, Table, Text, text
from sqlalchemy.dialects.postgresql import ENUM

from tests.models.zoo.case import Build, ZooCase, change_table, make_key


class _Rank(enum.Enum):
    LOW = "low"
    HIGH = "high"


class _WiderRank(enum.Enum):
    LOW = "low"
    MIDDLE = "middle"
    HIGH = "high"


def _enum(name: str, *labels: str) -> Build:
    return lambda m: Table(name, m, make_key(), Column("state", Enum(*labels, name=f"{name}_state")))


def _shared(m: MetaData, *labels: str) -> None:
    """Add two tables that use one type, as a default and in an array."""
    state = ENUM(*labels, name="enum_shared_state", metadata=m)
    Table("enum_shared", m, make_key(), Column("state", state, nullable=False, server_default=labels[0]))
    Table("enum_shared_log", m, make_key(), Column("states", ARRAY(state), server_default=text("'{}'")))


ENUMS = (
    ZooCase(
        "enum_value",
        "enum: value added at the end",
        _enum("enum_value", "open", "done"),
        _enum("enum_value", "open", "done", "gone"),
        loses="down",
    ),
    ZooCase(
        "enum_between",
        "enum of a Python class: value added between others",
        lambda m: Table("enum_between", m, make_key(), Column("rank", Enum(_Rank, name="enum_between_rank"))),
        lambda m: Table("enum_between", m, make_key(), Column("rank", Enum(_WiderRank, name="enum_between_rank"))),
        loses="down",
    ),
    ZooCase(
        "enum_value_removed",
        "enum: value removed",
        _enum("enum_value_removed", "open", "done", "gone"),
        _enum("enum_value_removed", "open", "done"),
        loses="up",
    ),
    ZooCase(
        "enum_shared",
        "enum that two tables use, with a default and in an array: value added",
        lambda m: _shared(m, "new", "old"),
        lambda m: _shared(m, "new", "used", "old"),
        loses="down",
    ),
    change_table(
        "enum_added",
        "enum: a column that uses a new one",
        list,
        lambda: [Column("kind", Enum("a", "b", name="enum_added_kind"), nullable=False, server_default="a")],
    ),
    change_table(
        "enum_removed",
        "enum removed with its column",
        lambda: [Column("kind", Enum("x", "y", "z", name="enum_removed_kind"))],
        list,
        loses="up",
    ),
    change_table(
        "enum_from_text",
        "text becomes an enum",
        lambda: [Column("kind", Text)],
        lambda: [Column("kind", Enum("one", "two", name="enum_from_text_kind"))],
        loses="up",
    ),
    change_table(
        "enum_as_text",
        "enum without a type, with a check: value added",
        lambda: [Column("kind", Enum("a", "b", name="enum_as_text_kind", native_enum=False, create_constraint=True, length=20))],
        lambda: [
            Column("kind", Enum("a", "b", "c", name="enum_as_text_kind", native_enum=False, create_constraint=True, length=20))
        ],
        loses="down",
    ),
    ZooCase(
        "enum_in_schema",
        "enum in another schema: value added",
        lambda m: Table(
            "enum_in_schema",
            m,
            make_key(),
            Column("size", Enum("s", "m", name="size", schema="enum_in_schema")),
        ),
        lambda m: Table(
            "enum_in_schema",
            m,
            make_key(),
            Column("size", Enum("s", "m", "l", name="size", schema="enum_in_schema")),
        ),
        setup="CREATE SCHEMA enum_in_schema;",
        loses="down",
    ),
    change_table(
        "boolean_check",
        "varchar with a check of its values becomes boolean",
        lambda: [Column("flag", String(1))],
        lambda: [Column("flag", Boolean(create_constraint=True, name="boolean_check_flag"))],
        loses="both",
    ),
)
"""Changes of enums."""
