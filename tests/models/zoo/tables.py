"""Tables: added, removed, renamed; schemas, comments, inheritance, partitions; classes of a declarative base."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.models.zoo.case import Build, ZooCase, change_table, make_key


def _table(name: str, **options: Any) -> Build:
    return lambda m: Table(name, m, make_key(), Column("label", Text), **options)


def _in_schema(m: MetaData, *, more: bool) -> None:
    Table("in_schema", m, make_key(), Column("label", Text), schema="zoo_schema")
    if more:
        columns: tuple[Column[int], ...] = make_key(), Column("owner_id", ForeignKey("zoo_schema.in_schema.id"))
        Table("in_schema_item", m, *columns, Index("in_schema_item_owner", "owner_id"), schema="zoo_schema")


def _in_new_schema(m: MetaData, schema: str | None) -> None:
    Table("new_schema_base", m, make_key())
    if schema:
        Table("new_schema", m, make_key(), Column("base_id", ForeignKey("new_schema_base.id")), schema=schema)


def _inherited(m: MetaData, *, child: bool) -> None:
    Table("inherited", m, Column("id", Integer, primary_key=True, autoincrement=False), Column("label", Text))
    if child:
        Table("inherited_child", m, Column("extra", Integer), postgresql_inherits="inherited")


def _partitioned(m: MetaData, *more: Column[Any]) -> None:
    day = Column("day", Date, primary_key=True)
    Table("partitioned", m, Column("id", Integer, primary_key=True), day, *more, postgresql_partition_by="RANGE (day)")


def _joined(m: MetaData, *, manager: bool) -> None:
    class Base(DeclarativeBase):
        metadata = m

    class Person(Base):
        __tablename__ = "joined_person"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str] = mapped_column(String(20))

    if manager:

        class Manager(Person):
            __tablename__ = "joined_manager"
            __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012
            id: Mapped[int] = mapped_column(ForeignKey("joined_person.id", ondelete="CASCADE"), primary_key=True)
            budget: Mapped[int | None]


def _single(m: MetaData, *, manager: bool) -> None:
    class Base(DeclarativeBase):
        metadata = m

    class Person(Base):
        __tablename__ = "single"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}  # noqa: RUF012
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]

    if manager:

        class Manager(Person):
            __mapper_args__ = {"polymorphic_identity": "manager"}  # noqa: RUF012
            office: Mapped[str | None] = mapped_column(String(10), index=True)


class _Stamped:
    """Columns that a mixin adds."""

    made: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    changed: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), onupdate=func.now())


def _mixed(m: MetaData, *mixins: type) -> None:
    class Base(DeclarativeBase):
        metadata = m
        type_annotation_map = {dict[str, Any]: JSONB}  # noqa: RUF012

    class Item(*mixins, Base):  # type: ignore[misc]
        __tablename__ = "mixin"
        id: Mapped[int] = mapped_column(primary_key=True)
        details: Mapped[dict[str, Any]]


TABLES = (
    ZooCase(
        "table_added",
        "table added, with an index",
        _table("table_added"),
        lambda m: [_table("table_added")(m), Table("table_added_more", m, make_key(), Column("label", Text, index=True))],
    ),
    ZooCase(
        "table_removed",
        "table removed",
        lambda m: [
            _table("table_removed")(m),
            Table("table_removed_old", m, Column("code", String(9), primary_key=True), Column("rate", Integer)),
        ],
        _table("table_removed"),
        loses="up",
    ),
    ZooCase(
        "table_renamed",
        "table renamed",
        _table("table_renamed_old"),
        _table("table_renamed_new"),
        renames=("table_renamed_old=table_renamed_new",),
        kept="SELECT count(*) > 0 FROM table_renamed_new",
    ),
    change_table(
        "comment_column",
        "comment of a column: another text",
        lambda: [Column("label", Text, comment="What it is called")],
        lambda: [Column("label", Text, comment="It's what 100% of the users see")],
    ),
    ZooCase(
        "comment_table",
        "comment of a table added",
        _table("comment_table"),
        _table("comment_table", comment="Labels: one\nper row"),
    ),
    ZooCase(
        "in_schema",
        "schema: table added to it",
        lambda m: _in_schema(m, more=False),
        lambda m: _in_schema(m, more=True),
        setup="CREATE SCHEMA zoo_schema;",
    ),
    ZooCase(
        "new_schema",
        "schema added with a table that refers to another schema",
        lambda m: _in_new_schema(m, None),
        lambda m: _in_new_schema(m, "zoo_new"),
    ),
    ZooCase("inherited", "inheritance: child added", lambda m: _inherited(m, child=False), lambda m: _inherited(m, child=True)),
    ZooCase(
        "partitioned",
        "partitioned table: column added",
        _partitioned,
        lambda m: _partitioned(m, Column("label", Text)),
    ),
    ZooCase(
        "partitioned_added",
        "partitioned table added",
        _table("partitioned_added"),
        lambda m: [
            _table("partitioned_added")(m),
            Table("partitioned_added_log", m, Column("day", Date, index=True), postgresql_partition_by="RANGE (day)"),
        ],
    ),
    ZooCase("unlogged", "table becomes an unlogged one", _table("unlogged"), _table("unlogged", prefixes=["UNLOGGED"])),
    ZooCase("storage", "storage parameter of a table", _table("storage"), _table("storage", postgresql_with={"fillfactor": 70})),
    ZooCase(
        "joined",
        "class with a table of its own (joined inheritance) added",
        lambda m: _joined(m, manager=False),
        lambda m: _joined(m, manager=True),
    ),
    ZooCase(
        "single",
        "class in the table of its parent (single-table inheritance) added",
        lambda m: _single(m, manager=False),
        lambda m: _single(m, manager=True),
    ),
    ZooCase("mixin", "mixin with time stamps added", _mixed, lambda m: _mixed(m, _Stamped)),
)
"""Changes of tables."""
