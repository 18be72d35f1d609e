"""The facts about a schema that rules need: what pg_catalog contains before a file runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tasks.postgres.quoting import quote_identifier


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """A column; `type` is as in SQL (character varying(10)), `default` its expression or ""."""

    name: str
    type: str
    not_null: bool = False
    default: str = ""
    identity: str = ""
    """As in pg_attribute.attidentity: a (always), d (by default), or ""."""
    generated: str = ""
    """As in pg_attribute.attgenerated: s (stored), v (virtual), or ""."""


@dataclass(frozen=True, slots=True)
class IndexFacts:
    """An index; `columns` are its key columns, "" for an expression. `predicate` is that of a partial index, else ""."""

    name: str
    """Qualified and quoted as SQL."""
    columns: tuple[str, ...]
    definition: str
    unique: bool = False
    primary: bool = False
    valid: bool = True
    predicate: str = ""
    method: str = "btree"


@dataclass(frozen=True, slots=True)
class TableConstraint:
    """A constraint; `kind` is as in pg_constraint.contype: c, f, n, p, u, x."""

    name: str
    kind: str
    columns: tuple[str, ...]
    definition: str
    validated: bool = True
    references: str = ""
    """The table to which a foreign key refers, qualified and quoted as SQL."""
    referenced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableFacts:
    """A table, view or other relation with columns; `name` is qualified and quoted as SQL, names within it are not quoted."""

    name: str
    kind: str
    """As in pg_class.relkind: r, p, v, m, f."""
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    indexes: tuple[IndexFacts, ...] = ()
    constraints: tuple[TableConstraint, ...] = ()
    parents: tuple[str, ...] = ()
    """The tables of which it is a partition or a child."""

    @property
    def primary_key(self) -> tuple[str, ...]:
        """Return the columns of the primary key, or nothing."""
        return next((each.columns for each in self.constraints if each.kind == "p"), ())


@dataclass(frozen=True, slots=True)
class UseFacts:
    """An object whose definition refers to a relation, to a column of it, to a type, or to a function, by pg_depend."""

    user: str
    """The object in words: view public.active_users."""
    used: str
    """The name of what it refers to, qualified and quoted as SQL; of a function without its arguments."""
    column: str = ""
    """Empty if it refers to the whole object."""


@dataclass(frozen=True, slots=True)
class RoutineFacts:
    """A function or procedure whose body is a text: PostgreSQL does not record what it refers to."""

    name: str
    """Qualified and quoted as SQL, without its arguments."""
    language: str
    definition: str
    """As pg_get_functiondef returns it."""
    body: str
    tables: tuple[str, ...] = ()
    """For a trigger function: the tables of its triggers."""


@dataclass(frozen=True, slots=True)
class SchemaFacts:
    """A schema before a file runs; `search_path` are the schemas in which names without one are looked up."""

    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    uses: tuple[UseFacts, ...] = ()
    routines: tuple[RoutineFacts, ...] = ()
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The labels of each enum type."""
    index_tables: Mapping[str, str] = field(default_factory=dict)
    """The table of each index."""
    search_path: tuple[str, ...] = ("public",)

    def qualify(self, schema: str | None, name: str) -> str:
        """Return the qualified name of a relation as SQL, found by the search_path; the first schema of it if there is none."""
        known = next(self._find(schema, name), None)
        return known or f"{quote_identifier(schema or self.search_path[0])}.{quote_identifier(name)}"

    def _find(self, schema: str | None, name: str) -> Iterator[str]:
        for each in [schema] if schema else self.search_path:
            qualified = f"{quote_identifier(each)}.{quote_identifier(name)}"
            if qualified in self.tables or qualified in self.index_tables:
                yield qualified
