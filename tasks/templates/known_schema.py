"""What the migrations of a checkout create, as far as their statements show it: tables with columns, functions, extensions.

It decides between the readings of a name, so what is not certain is left out: a table from a DO block has no known columns. No
database is read: it may be behind the files, and `inv db.new` works without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from tasks.postgres.quoting import quote_qualified
from tasks.runner.errors import RunnerError
from tasks.runner.files.versions import to_snake_case


@dataclass(frozen=True, slots=True)
class KnownTable:
    """A table; `schema` is empty where no statement names it, `columns` are types by name, None if they are not known."""

    schema: str
    name: str
    columns: Mapping[str, str] | None = None
    key: tuple[str, ...] = ()
    """The columns of its primary key."""
    partitioned: bool = False
    required: frozenset[str] = frozenset()
    """The columns that are NOT NULL."""
    names: frozenset[str] = frozenset()
    """The names of its constraints and indexes."""

    @property
    def sql(self) -> str:
        """Return its name as SQL."""
        return quote_qualified(self.schema, self.name)

    def find_column(self, words: str) -> str:
        """Return the column that words in snake_case name, also one with capitals; empty if it is not known."""
        names = [name for name in self.columns or () if name == words or _to_words(name) == words]
        return words if words in names else names[0] if len(names) == 1 else ""


@dataclass(frozen=True, slots=True)
class KnownSchema:
    """The tables, trigger functions (schema and name) and extensions that migrations create."""

    tables: tuple[KnownTable, ...] = ()
    functions: frozenset[tuple[str, str]] = frozenset()
    extensions: frozenset[str] = frozenset()
    has_tables: bool = False
    """Whether the migrations create tables, also others than these."""

    def find_tables(self, words: str) -> tuple[KnownTable, ...]:
        """Return the tables that words in snake_case name: by their name, or by schema and name."""
        named = tuple(table for table in self.tables if _to_words(table.name) == words)
        return named or tuple(table for table in self.tables if table.schema and _to_words(table.schema, table.name) == words)

    def find_variants(self, words: str) -> tuple[KnownTable, ...]:
        """Return the tables whose name is the plural or the singular of words."""
        plural = pluralize(words)
        return tuple(
            table for table in self.tables if words == pluralize(_to_words(table.name)) or _to_words(table.name) == plural
        )


def pluralize(words: str) -> str:
    """Return the regular English plural of words in snake_case."""
    irregular = {"person": "people", "child": "children"}
    start, _, last = words.rpartition("_")
    if last in irregular:
        plural = irregular[last]
    elif last.endswith("y") and last[-2:-1] not in tuple("aeiou"):
        plural = f"{last[:-1]}ies"
    else:
        plural = last + ("es" if last.endswith(("s", "x", "z", "ch", "sh")) else "s")
    return f"{start}_{plural}" if start else plural


def _to_words(*names: str) -> str:
    """Return the name of a table as a description has it; empty for one that no description can have."""
    words: Iterable[str] = ()
    with suppress(RunnerError):
        words = [to_snake_case(f"x {name}").removeprefix("x_") for name in names]
    return "_".join(words)
