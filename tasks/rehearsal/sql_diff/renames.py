"""Renames: what was dropped and what was added, and whether one may be the other under a new name.

The two catalogs do not show it. Where dropping one and adding the other would lose rows, it is a question; where nothing is lost
(an index or a constraint), the object is renamed, which is cheaper. The server carries a rename to whatever depends on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.catalog import COLUMN_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.altering import is_assignable
from tasks.rehearsal.sql_diff.names import last_part, split_list
from tasks.rehearsal.sql_diff.sequences import name_identity
from tasks.rehearsal.sql_diff.shapes import parse_column, parse_table, split_sequence

LABEL = "label"
"""The kind of a label of an enum, whose type is its parent."""
_ENUM = "AS ENUM ("
_ALIKE = 0.5
"""The share of equal columns from which two tables may be the same."""
_BY_COMMAND = {"table": "TABLE", "sequence": "SEQUENCE", "type": "TYPE", "domain": "DOMAIN", "schema": "SCHEMA"}


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
        if self.schema == _find_schema(self.new.name):
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
        return list(self._move(_BY_COMMAND[kind]))

    def _move(self, word: str) -> Iterator[str]:
        schema, target = _find_schema(self.old.name), _find_schema(self.new.name)
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
        schema = _find_schema(rename.new.name) if rename.new.kind in _BY_COMMAND and rename.new.kind != "schema" else ""
        complete.append(replace(rename, schema="" if schema in known else schema))
        known.add(schema)
    return complete


@dataclass(frozen=True, slots=True)
class Question:
    """Whether an object that is gone has another name now, and which."""

    lost: Key
    found: tuple[Key, ...]


def find_questions(before: Catalog, after: Catalog, named: Collection[str] = ()) -> tuple[Question, ...]:
    """Return what may have been renamed, so that dropping it might lose rows.

    An object that is `named` as one with a new name may be any that was added instead, even one of another type.
    """
    lost = {key: text for key, text in _list_objects(before) if key not in after.objects}
    added = {key: text for key, text in _list_objects(after) if key not in before.objects}
    lost |= dict(_list_labels(before, after))
    added |= dict(_list_labels(after, before))
    catalogs = before, after
    for key in [key for key in lost if key.kind == "column" and _is_inherited(key, before)]:
        del lost[key]
    schemas = _find_moved_schemas(lost, added, *catalogs)
    if schemas:
        return schemas
    questions = (
        Question(
            key,
            tuple(
                other
                for other, new in added.items()
                if (other.kind, other.parent) == (key.kind, key.parent)
                and (not {*list_names(key)}.isdisjoint(named) or _may_be(key, other, (text, new), catalogs))
            ),
        )
        for key, text in lost.items()
    )
    return tuple(question for question in questions if question.found)


def find_silent(before: Catalog, after: Catalog) -> tuple[ObjectRename, ...]:
    """Return the indexes, constraints and owned sequences that only have another name: renaming them loses nothing."""
    renames, taken = list(_find_identities(before, after)), set[Key]()
    owners = {key: split_sequence(text)[1] for key, text in (*before.of_kind("sequence"), *after.of_kind("sequence"))}
    for key, text in before.objects.items():
        if key in after.objects or key.kind not in {"index", "constraint", "sequence"}:
            continue
        if key.kind == "index" and Key("constraint", last_part(key.name), key.parent) in before.objects:
            continue
        for other, new in after.objects.items():
            if other.kind != key.kind or other.parent != key.parent or other in before.objects or other in taken:
                continue
            owned = key.kind == "sequence" and owners[key] == owners[other] is not None
            if owned or (key.kind != "sequence" and _replace_name(key, text) == _replace_name(other, new)):
                taken.add(other)
                renames.append(ObjectRename(key, other))
                break
    return tuple(renames)


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


def _list_objects(catalog: Catalog) -> Iterator[tuple[Key, str]]:
    kinds = {"schema", "table", "column", "type", "domain", "sequence"}
    return ((key, text) for key, text in catalog.objects.items() if key.kind in kinds)


def _list_labels(catalog: Catalog, other: Catalog) -> Iterator[tuple[Key, str]]:
    """Yield the labels that are only in the first catalog, each with its number in the type."""
    for key, text in catalog.of_kind("type"):
        counterpart = other.objects.get(key, "")
        if text != counterpart and text.startswith(_ENUM) and counterpart.startswith(_ENUM):
            labels, others = split_list(text[len(_ENUM) : -1]), split_list(counterpart[len(_ENUM) : -1])
            if len(labels) == len(others):
                yield from ((Key(LABEL, label, key.name), str(n)) for n, label in enumerate(labels) if label not in others)


def _find_moved_schemas(
    lost: Mapping[Key, str], added: Mapping[Key, str], before: Catalog, after: Catalog
) -> tuple[Question, ...]:
    """Return the schemas that may have another name: they contain tables of the same names."""
    contents = [_list_tables(keys, catalog) for keys, catalog in ((lost, before), (added, after))]
    questions = (
        Question(key, tuple(other for other, names in contents[1].items() if names == tables))
        for key, tables in contents[0].items()
        if tables
    )
    return tuple(question for question in questions if question.found)


def _list_tables(keys: Mapping[Key, str], catalog: Catalog) -> dict[Key, set[str]]:
    tables = [key.name for key, _ in catalog.of_kind("table")]
    schemas = [key for key in keys if key.kind == "schema"]
    return {key: {last_part(name) for name in tables if _find_schema(name) == key.name} for key in schemas}


def _may_be(old: Key, new: Key, texts: tuple[str, str], catalogs: tuple[Catalog, Catalog]) -> bool:
    if old.kind == "schema":
        return False
    if old.kind == "table":
        return _are_alike(
            *(
                {_show_column(catalog, key.name, name) for name in _list_columns(catalog, key.name)}
                for key, catalog in zip((old, new), catalogs, strict=True)
            )
        )
    if old.kind == "column":
        return _may_be_column(old.parent, texts, catalogs)
    if old.kind == "sequence":
        (was, owner), (now, new_owner) = (split_sequence(text) for text in texts)
        return was == now and owner is None is new_owner
    if old.kind == "type" and texts[0].startswith(_ENUM) and texts[1].startswith(_ENUM):
        return _are_alike(*(set(split_list(text[len(_ENUM) : -1])) for text in texts))
    return texts[0] == texts[1]


def _may_be_column(table: str, texts: tuple[str, str], catalogs: tuple[Catalog, Catalog]) -> bool:
    if any(Key("table", table) not in catalog.objects for catalog in catalogs):
        return False
    old, new = (parse_column(text)[0] for text in texts)
    if old.expression is not None or new.expression is not None:
        return False
    own = any(
        Key(kind, column.type.removesuffix("[]")) in catalog.objects
        for kind in ("type", "domain")
        for column, catalog in zip((old, new), catalogs, strict=True)
    )
    return own or is_assignable(old.type, new.type)


def _are_alike(old: set[str], new: set[str]) -> bool:
    return bool(old & new) and len(old & new) >= _ALIKE * len(old | new)


def _list_columns(catalog: Catalog, table: str) -> list[str]:
    return split_list(catalog.objects.get(Key(COLUMN_ORDER, table), ""))


def _show_column(catalog: Catalog, table: str, name: str) -> str:
    return f"{name} {parse_column(catalog.objects.get(Key('column', name, table), ''))[0].type}"


def _find_identities(before: Catalog, after: Catalog) -> Iterator[ObjectRename]:
    """Yield the sequences of identity columns that have another name."""
    for key, _ in before.of_kind("column"):
        names = [name_identity_sequence(key, catalog) for catalog in (before, after)]
        if names[0] and names[1] and names[0] != names[1]:
            yield ObjectRename(Key("sequence", names[0]), Key("sequence", names[1]))


def _replace_name(key: Key, definition: str) -> str:
    """Return the definition of an index or constraint without its name."""
    name = f"INDEX {last_part(key.name)} ON"
    return definition.replace(name, "INDEX ON", 1).replace(f"ALTER INDEX {key.name} ", "ALTER INDEX ")


def _is_inherited(column: Key, catalog: Catalog) -> bool:
    """Return True for a column that a parent of the table has too."""
    table = parse_table(catalog.objects.get(Key("table", column.parent), ""))
    parents = (table.partition_of or table.parents or "").split(", ") if table else []
    return any(Key("column", column.name, parent) in catalog.objects for parent in parents)


def _find_schema(name: str) -> str:
    return name.removesuffix(last_part(name)).removesuffix(".")
