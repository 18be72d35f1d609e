"""Renames, and the questions about them: what was dropped may be what was added, under a new name.

The two catalogs do not show it. Where dropping one and adding the other would lose rows, it is a question; where nothing is lost
(an index or a constraint), the object is renamed, which is cheaper. The server carries a rename to whatever depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tasks.catalog import Catalog, Key
from tasks.rehearsal.sql_diff.kinds.sequences import name_identity
from tasks.rehearsal.sql_diff.names import last_part, split_list
from tasks.rehearsal.sql_diff.shapes import parse_column

LABEL = "label"
"""The kind of a label of an enum, whose type is its parent."""
ENUM = "AS ENUM ("
"""The beginning of the definition of an enum."""
BY_COMMAND = {
    "table": "TABLE", "view": "VIEW", "materialized view": "MATERIALIZED VIEW", "foreign table": "FOREIGN TABLE",
    "sequence": "SEQUENCE", "type": "TYPE", "domain": "DOMAIN", "schema": "SCHEMA",
}  # fmt: skip
"""The kinds that ALTER renames by a command of their own."""


@dataclass(frozen=True, slots=True)
class ObjectRename:
    """One object under two names."""

    old: Key
    new: Key
    schema: str = ""
    """A schema that is created first, or dropped last if the object leaves it."""

    def write(self) -> list[str]:
        """Return the statements that rename the object."""
        if not self.schema:
            return self._write()
        if self.schema == find_schema(self.new.name):
            return [f"CREATE SCHEMA {self.schema}", *self._write()]
        return [*self._write(), f"DROP SCHEMA {self.schema}"]

    def reverse(self) -> ObjectRename:
        """Return the rename back."""
        return ObjectRename(self.new, self.old, self.schema)

    def _write(self) -> list[str]:
        kind, parent, old, new = self.old.kind, self.old.parent, self.old.name, self.new.name
        if kind == LABEL:
            return [f"ALTER TYPE {parent} RENAME VALUE {old} TO {new}"]
        if kind in {"column", "constraint"}:
            return [f"ALTER TABLE {parent} RENAME {kind.upper()} {old} TO {new}"]
        if kind == "index":
            return [f"ALTER INDEX {old} RENAME TO {last_part(new)}"]
        return list(self._move(BY_COMMAND[kind]))

    def _move(self, word: str) -> Iterator[str]:
        schema, target = find_schema(self.old.name), find_schema(self.new.name)
        name = self.old.name
        if last_part(self.old.name) != last_part(self.new.name):
            yield f"ALTER {word} {name} RENAME TO {last_part(self.new.name)}"
            name = f"{schema}.{last_part(self.new.name)}" if schema else self.new.name
        if schema != target:
            yield f"ALTER {word} {name} SET SCHEMA {target}"


def add_schemas(renames: Sequence[ObjectRename], catalog: Catalog) -> list[ObjectRename]:
    """Return the renames, of which the first that needs a new schema creates it."""
    known = {key.name for key, _ in catalog.of_kind("schema")}
    complete = []
    for rename in renames:
        schema = find_schema(rename.new.name) if rename.new.kind in BY_COMMAND and rename.new.kind != "schema" else ""
        complete.append(replace(rename, schema="" if schema in known else schema))
        known.add(schema)
    return complete


@dataclass(frozen=True, slots=True)
class Question:
    """Whether an object that is gone has another name now, and which."""

    lost: Key
    found: tuple[Key, ...]


def list_names(key: Key) -> list[str]:
    """Return the names by which a flag may refer to an object, the shortest first."""
    name = key.name[1:-1].replace("''", "'") if key.kind == LABEL else key.name
    parents = [key.parent] if key.parent else []
    if key.parent.startswith("public."):
        parents.insert(0, key.parent.removeprefix("public."))
    if parents:
        return [f"{parent}.{name}" for parent in parents]
    return [name.removeprefix("public."), name] if name.startswith("public.") else [name]


def name_identity_sequence(column: Key, catalog: Catalog) -> str:
    """Return the name of the sequence of an identity column, or an empty text for another column."""
    definition = parse_column(catalog.objects.get(column, ""))[0]
    return (definition.sequence or name_identity(column)) if definition.identity else ""


def read_labels(definition: str) -> list[str]:
    """Return the labels of an enum, as literals; none for another type."""
    return split_list(definition[len(ENUM) : -1]) if definition.startswith(ENUM) else []


def find_schema(name: str) -> str:
    """Return the schema of a qualified name."""
    return name.removesuffix(last_part(name)).removesuffix(".")
