"""Partitions and inheritance children: what they have from their parents, and which of their links a migration keeps.

https://www.postgresql.org/docs/current/ddl-inherit.html, ddl-partitioning.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from tasks.catalog import LOCAL_COLUMN, LOCAL_CONSTRAINT, Catalog, Key
from tasks.rehearsal.sql_diff.inheritance.new_partitions import find_alike
from tasks.rehearsal.sql_diff.names import split_list
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table

_MARKS = {"column": LOCAL_COLUMN, "constraint": LOCAL_CONSTRAINT}


@dataclass(frozen=True)
class Lineage:
    """The parents of the tables of one schema, and what the tables have although they inherit it."""

    parents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    partitions: Mapping[str, str] = field(default_factory=dict)
    """The bounds of each partition."""
    keys: frozenset[Key] = frozenset()
    """All columns, and the constraints that are inherited or may be."""
    local: frozenset[Key] = frozenset()
    """The columns and constraints that are local although they are inherited."""

    def list_ancestors(self, table: str) -> Iterator[str]:
        """Yield the parents of a table, and theirs, the nearest first."""
        for parent in self.parents.get(table, ()):
            yield parent
            yield from self.list_ancestors(parent)

    def list_descendants(self, table: str) -> Iterator[str]:
        """Yield the children of a table, and theirs."""
        for child in self._children.get(table, ()):
            yield child
            yield from self.list_descendants(child)

    def list_parents(self) -> Collection[str]:
        """Return the tables that have children."""
        return self._children.keys()

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        return _invert(self.parents)

    def is_inherited(self, key: Key, links: tuple[str, ...] | None = None) -> bool:
        """Return True if a parent has the same column or constraint; only the parents in `links` count, if they are given."""
        parents = self.parents.get(key.parent, ()) if links is None else links
        return any(Key(key.kind, key.name, parent) in self.keys for parent in parents)

    def is_derived(self, key: Key, links: tuple[str, ...] | None = None) -> bool:
        """Return True if a column or constraint is only inherited."""
        return key not in self.local and self.is_inherited(key, links)


@dataclass(frozen=True)
class Family:
    """The lineages of two schemas, and the links between tables that stay as they are in a migration."""

    old: Lineage = field(default_factory=Lineage)
    new: Lineage = field(default_factory=Lineage)
    kept: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The parents of each table that it has before and after, without a moment in between when it does not."""
    whole: frozenset[str] = frozenset()
    """The new tables that are created with INHERITS or PARTITION OF."""
    unmarked: frozenset[Key] = frozenset()
    """What stays local, or does not become so, although it should: no statement changes that."""

    def list_children(self, table: str) -> list[str]:
        """Return the tables that are children of a table all the time."""
        return self._children.get(table, [])

    @cached_property
    def _children(self) -> Mapping[str, list[str]]:
        return _invert(self.kept)

    def predict(self, key: Key, old: Mapping[Key, str], new: Mapping[Key, str]) -> str:
        """Return the definition that a column has after the changes of its parents, which apply to it too."""
        column = parse_column(old[key])[0]
        for parent in self.kept.get(key.parent, ()):
            above = Key("column", key.name, parent)
            if above not in old or above not in new:
                continue
            was, now = parse_column(old[above])[0], parse_column(new[above])[0]
            changed = {
                name: getattr(now, name)
                for name in ("type", "collation", "required", "expression", "storage")
                if getattr(was, name) != getattr(now, name)
            }
            column = replace(column, **changed)
        return column.write()


def relate(before: Catalog, after: Catalog) -> Family:
    """Return the lineages of two schemas, and which links of tables in both stay."""
    old, new = read_lineage(before), read_lineage(after)
    kept: dict[str, tuple[str, ...]] = {}
    unmarked: set[Key] = set()
    for table in sorted(old.parents.keys() & new.parents.keys()):
        links = _choose_links(table, old, new)
        gaining, staying = _list_gaining(table, links, old, new)
        if gaining and not staying:
            links = ()
        elif gaining:
            unmarked |= gaining
        kept[table] = links
    made = {key.name for key in after.objects if key.kind == "table"} - {key.name for key in before.objects}
    derived = {key.parent for key in new.keys if key.parent in made - new.partitions.keys() and new.is_derived(key)}
    # To attach a new partition to another table takes a weaker lock than PARTITION OF.
    parts = {table: parent for table in made & new.partitions.keys() if (parent := new.parents[table][0]) in made}
    for key in new.keys:
        links = kept.get(key.parent, ())
        inherits = key.parent not in made and key.parent not in new.partitions and new.is_derived(key)
        if inherits and not _stays_derived(key, links, old, new):
            unmarked.add(key)
    marks = frozenset(Key(_MARKS[key.kind], key.name, key.parent) for key in unmarked)
    return Family(old, new, kept, frozenset(derived) | find_alike(after, parts), marks)


def _stays_derived(key: Key, links: tuple[str, ...], old: Lineage, new: Lineage) -> bool:
    """Return True if a column or constraint of a table that exists before is only inherited, or becomes so by the statements."""
    if old.is_derived(key, links):
        return True
    is_carried = new.is_inherited(key, links) and not old.is_inherited(key, links)
    if key.kind == "constraint":
        return is_carried and set(new.parents[key.parent]) <= set(links)
    return is_carried and key not in old.keys


def _choose_links(table: str, old: Lineage, new: Lineage) -> tuple[str, ...]:
    was, now = old.parents[table], new.parents[table]
    if table in old.partitions or table in new.partitions:
        return now if was == now and old.partitions.get(table) == new.partitions.get(table) else ()
    links = [parent for parent in was if parent in now]
    while tuple(links) != now[: len(links)]:
        links.pop()
    return tuple(links)


def _list_gaining(table: str, links: tuple[str, ...], old: Lineage, new: Lineage) -> tuple[set[Key], set[Key]]:
    """Return the columns that become local while they are inherited, and what is only inherited before and after."""
    keys = {key for key in old.keys & new.keys if key.parent == table and old.is_derived(key, links)}
    staying = {key for key in keys if new.is_derived(key)}
    gaining = {key for key in keys - staying if key.kind == "column" and new.is_inherited(key, links)}
    return gaining, staying


def read_lineage(catalog: Catalog) -> Lineage:
    """Return the lineage of a schema."""
    parents: dict[str, tuple[str, ...]] = {}
    partitions: dict[str, str] = {}
    for key, definition in catalog.of_kind("table"):
        table = parse_table(definition)
        if table is None or not table.attachments:
            continue
        if table.partition_of:
            parents[key.name], partitions[key.name] = (table.partition_of,), table.bound or ""
        else:
            parents[key.name] = tuple(split_list(table.parents or ""))
    keys = {key for key in catalog.objects if key.kind == "column"}
    checks = [*catalog.of_kind("constraint"), *((key, text) for key, text in catalog.derived.items() if key.kind == "constraint")]
    keys |= {key for key, text in checks if text.startswith("CHECK ") and "NO INHERIT" not in text}
    local = {Key(kind, key.name, key.parent) for kind, mark in _MARKS.items() for key, _ in catalog.of_kind(mark)}
    return Lineage(parents, partitions, frozenset(keys), frozenset(local))


def _invert(parents: Mapping[str, tuple[str, ...]]) -> Mapping[str, list[str]]:
    children: dict[str, list[str]] = {}
    for child in sorted(parents):
        for parent in parents[child]:
            children.setdefault(parent, []).append(child)
    return children
