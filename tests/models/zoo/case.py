"""A change of models: both versions, what the migrations contain beside them, and what is expected."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Identity, MetaData, Table
from sqlalchemy.schema import SchemaItem

Build = Callable[[MetaData], object]
"""Adds tables to a metadata, or returns another one."""
WITH_PGVECTOR = 18
"""The version of the embedded server, which is the only one of the tests that has pgvector."""


@dataclass(frozen=True)
class ZooCase:
    """Models before and after a change."""

    name: str
    """Also the start of the names of its tables and types, so that all cases fit into one database."""
    title: str
    before: Build
    after: Build
    setup: str = ""
    """SQL of a migration that comes first: what models cannot express."""
    renames: tuple[str, ...] = ()
    """The answers `old=new` on the way from before to after."""
    loses: str = ""
    """`up`, `down` or `both`: on which way rows or values are lost."""
    kept: str = ""
    """A query that returns true after the change if the values of what was renamed are still there."""
    since: int = 14
    """The first major version of PostgreSQL that has the feature, among the servers that the tests use."""


def make_metadata(builds: Iterable[Build]) -> list[MetaData]:
    """Return the metadata of some models, each with its own."""
    made = []
    for build in builds:
        metadata = MetaData()
        own = build(metadata)
        made.append(own if isinstance(own, MetaData) else metadata)
    return made


def change_table(
    name: str,
    title: str,
    before: Callable[[], Iterable[SchemaItem]],
    after: Callable[[], Iterable[SchemaItem]],
    *,
    setup: str = "",
    loses: str = "",
    since: int = 14,
) -> ZooCase:
    """Return the case of one table that has the name of the case, a key, and these columns and constraints."""

    def build(items: Callable[[], Iterable[SchemaItem]]) -> Build:
        return lambda metadata: Table(name, metadata, make_key(), *items())

    return ZooCase(name, title, build(before), build(after), setup, loses=loses, since=since)


def make_key() -> Column[int]:
    """Return the key that most tables of the cases have."""
    return Column("id", BigInteger, Identity(always=True), primary_key=True)
