"""The names of NOT NULL, which is a constraint since PostgreSQL 18, and since 17 for a domain.

https://www.postgresql.org/docs/current/sql-altertable.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tasks.catalog import LOCAL_NULL, NAMED_NULL, Catalog, Key
from tasks.postgres.quoting import quote_identifier, unquote_identifier
from tasks.rehearsal.sql_diff.details.blocks import name_columns, name_domains, order_names
from tasks.rehearsal.sql_diff.inheritance.lineage import Family, Lineage
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.shapes import find_separate, parse_column

_WITH_NAMES = {"column": 180000, "domain": 170000}
"""The first versions in which NOT NULL has a name."""
_REQUIRED = " NOT NULL"


@dataclass(frozen=True)
class _Side:
    """One of two schemas."""

    catalog: Catalog
    lineage: Lineage

    @cached_property
    def _separate(self) -> set[Key]:
        return find_separate(self.catalog)

    def has(self, column: Key) -> bool:
        """Return True if a column has a NOT NULL that its children inherit."""
        definition = self.catalog.objects.get(column)
        return definition is not None and column not in self._separate and parse_column(definition)[0].required

    def find_above(self, column: Key) -> Key | None:
        """Return the column of a parent that a column has its NOT NULL from."""
        parents = (column._replace(parent=parent) for parent in self.lineage.parents.get(column.parent, ()))
        return next((parent for parent in parents if self.has(parent)), None)

    def list_heirs(self, column: Key) -> list[Key]:
        """Return the columns of all children that have their NOT NULL from a column."""
        tables = self.lineage.list_descendants(column.parent)
        return [heir for table in tables if self.has(heir := column._replace(parent=table))]

    def name(self, column: Key) -> str:
        return name_null(self.catalog, column)


@dataclass
class NullChanges:
    """The statements that rename NOT NULL as in another schema, in the columns that are neither created nor dropped.

    A name that a column inherits changes with that of the parent, or not at all.
    """

    old: _Side
    new: _Side
    family: Family
    first: list[str] = field(default_factory=list)
    """The statements before all others."""
    last: list[str] = field(default_factory=list)
    """The statements after all others."""
    left: list[Key] = field(default_factory=list)
    """The details that no statement changes."""

    def name_columns(self, dropped: Collection[Key], created: Collection[Key]) -> None:
        """Find the statements for columns, with regard to what others drop and create."""
        columns = {key._replace(kind="column") for side in (self.old, self.new) for key in _list_named(side.catalog)}
        kept = [key for key in sorted(columns) if self.new.has(key) and not {key, Key("table", key.parent)} & {*created}]
        staying = [key for key in kept if self.old.has(key) and not {key, Key("table", key.parent)} & {*dropped}]
        self._name_staying(staying)
        self._name_new([key for key in kept if key not in staying])
        self._make_local(staying)

    def _name_staying(self, columns: Sequence[Key]) -> None:
        """Rename what has a name before and after: before the other statements, in the state that is known."""
        roots = [column for column in columns if self.old.find_above(column) is None]
        changes = {column: (self.old.name(column), self.new.name(column)) for column in roots}
        changes = {column: names for column, names in changes.items() if len(set(names)) > 1}
        fixed = [column for column in changes if not self._has_one_name(self.old.list_heirs(column), changes[column][0])]
        later = [column for column in fixed if self._has_one_name(self._list_kept(column), changes[column][0])]
        named = {column: names for column, names in changes.items() if column not in fixed}
        rows = list[tuple[Key, str]]()
        for table in dict.fromkeys(column.parent for column in named):
            own = {column: names for column, names in named.items() if column.parent == table}
            ordered, stuck = order_names(own, self._list_taken(table))
            rows += ordered
            fixed += stuck
        self._write(self.first, rows)
        self._write(self.last, [(column, changes[column][1]) for column in later])
        renamed = {column for column, _ in rows} | {*later}
        for column in columns:
            root, name = self._find_root(column), self.old.name(column)
            if root in renamed and name == self.old.name(root):
                name = self.new.name(root)
            if name != self.new.name(column) and (root == column or self.family.kept.get(column.parent)):
                self.left.append(column._replace(kind=NAMED_NULL))

    def _name_new(self, columns: Sequence[Key]) -> None:
        """Name what a statement without a name sets."""
        roots = [column for column in columns if self.new.find_above(column) is None]
        self._write(self.last, [(column, name) for column in roots if (name := self.new.name(column)) != _name_usual(column)])

    def _make_local(self, columns: Sequence[Key]) -> None:
        for column in columns:
            key = column._replace(kind=LOCAL_NULL)
            was, now = key in self.old.catalog.derived, key in self.new.catalog.derived
            if now and not was and self.old.find_above(column):
                self.last.append(f"ALTER TABLE ONLY {column.parent} ALTER COLUMN {column.name} SET NOT NULL")
            elif was and not now and self.new.find_above(column):
                self.left.append(key)

    def name_domains(self, dropped: Collection[Key], created: Collection[Key]) -> None:
        """Find the statements for domains likewise."""
        rows = []
        both = (*self.old.catalog.derived, *self.new.catalog.derived)
        keys = {key._replace(kind="domain") for key in both if key.kind == NAMED_NULL and not key.parent}
        for key in sorted(keys - {*created}):
            texts = [side.catalog.objects.get(key, "") for side in (self.old, self.new)]
            was = self.old.name(key) if _REQUIRED in texts[0] and key not in dropped else _name_usual(key)
            if _REQUIRED in texts[1] and was != self.new.name(key):
                rows.append((key.name, unquote_identifier(self.new.name(key))))
        if rows:
            self.last.append(name_domains(rows))

    def _has_one_name(self, columns: Sequence[Key], name: str) -> bool:
        return all(self.old.name(column) == name for column in columns)

    def _list_kept(self, column: Key) -> list[Key]:
        """Return what has its NOT NULL from a column before and after."""
        return [heir for heir in self.old.list_heirs(column) if self.family.kept.get(heir.parent) and self.new.has(heir)]

    def _find_root(self, column: Key) -> Key:
        above = self.old.find_above(column)
        return self._find_root(above) if above else column

    def _list_taken(self, table: str) -> set[str]:
        """Return the names of the constraints of a table."""
        catalog = self.old.catalog
        own = {key.name for key, _ in catalog.list_unordered() if key.kind == "constraint" and key.parent == table}
        own |= {key.name for key in catalog.derived if key.kind == "constraint" and key.parent == table}
        columns = (key for key, _ in catalog.list_unordered() if key.kind == "column" and key.parent == table)
        return own | {self.old.name(column) for column in columns if self.old.has(column)}

    def _write(self, statements: list[str], rows: Sequence[tuple[Key, str]]) -> None:
        if not rows:
            return
        tables = {column.parent for column, _ in rows}
        inherited = not tables.isdisjoint(parent for side in (self.old, self.new) for parent in side.lineage.list_parents())
        listed = [(column.parent, unquote_identifier(column.name), unquote_identifier(name)) for column, name in rows]
        statements.append(name_columns(listed, inherited=inherited))


def change_nulls(
    before: Catalog, after: Catalog, family: Family, dropped: Collection[Key], created: Collection[Key]
) -> NullChanges:
    """Return the changes of the names of NOT NULL: none if a version does not store them."""
    changes = NullChanges(_Side(before, family.old), _Side(after, family.new), family)
    if has_names("column", before, after):
        changes.name_columns(dropped, created)
    if has_names("domain", before, after):
        changes.name_domains(dropped, created)
    return changes


def keep_unstated(before: Catalog, after: Catalog) -> Catalog:
    """Return the schema after with the names before for each NOT NULL that has only the name which the server chooses.

    A schema does not state such a name: a column keeps the name of its NOT NULL when it, or its table, gets another one.
    """
    kept = {key: name for key, name in before.derived.items() if key.kind == NAMED_NULL and find_owner(key) in after.objects}
    return replace(after, derived=kept | dict(after.derived))


def find_owner(key: Key) -> Key:
    """Return the column or domain that a detail about NOT NULL belongs to."""
    return key._replace(kind="column" if key.parent else "domain")


def has_names(kind: str, *catalogs: Catalog) -> bool:
    """Return True if NOT NULL of a column or domain has a name in the versions of all schemas."""
    return all(catalog.server_version >= _WITH_NAMES[kind] for catalog in catalogs)


def name_null(catalog: Catalog, owner: Key) -> str:
    """Return the name of NOT NULL of a column or domain, as in SQL."""
    return catalog.derived.get(owner._replace(kind=NAMED_NULL)) or _name_usual(owner)


def _name_usual(owner: Key) -> str:
    parts = [unquote_identifier(last_part(part)) for part in (owner.parent, owner.name) if part]
    return quote_identifier("_".join([*parts, "not_null"]))


def _list_named(catalog: Catalog) -> Iterator[Key]:
    return (key for key in catalog.derived if key.kind in {NAMED_NULL, LOCAL_NULL} and key.parent)
