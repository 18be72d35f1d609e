"""What a change of a schema removes from the rows that a database has: found in the two schemas, after renames.

Constraints, NOT NULL and keys are none: where rows do not conform, the statement fails and nothing is lost.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tasks.catalog import Catalog, Key
from tasks.generation.narrowing import explain_narrowing
from tasks.rehearsal.sql_diff.altering import keeps_generated
from tasks.rehearsal.sql_diff.dependencies import Schema
from tasks.rehearsal.sql_diff.kinds.generators import keeps_last_value
from tasks.rehearsal.sql_diff.names import split_list
from tasks.rehearsal.sql_diff.recreation.carrying import find_users
from tasks.rehearsal.sql_diff.recreation.copying import Copying
from tasks.rehearsal.sql_diff.recreation.recreating import find_recreated
from tasks.rehearsal.sql_diff.recreation.staging import list_copies
from tasks.rehearsal.sql_diff.renames import LABEL, list_names, name_identity_sequence
from tasks.rehearsal.sql_diff.shapes import Column, expand, parse_column, parse_table, read_attributes, split_sequence
from tasks.runner.errors import RefusedError

_ENUM = "AS ENUM ("
_DOMAIN = re.compile(r"AS (?P<type>.*?)(?: COLLATE .*| DEFAULT .*| NOT NULL.*| CONSTRAINT .*)?", re.DOTALL)
_SUBTYPE = re.compile(r"AS RANGE \(SUBTYPE = (?P<type>.*?)(?:, [A-Z_]+ = .*)?\)", re.DOTALL)
_STATE = "Nothing was written."


@dataclass(frozen=True, slots=True)
class SchemaLoss:
    """Rows or values that a migration removes or alters."""

    key: Key
    sentence: str
    """What the migration does, for a comment and a message: `drops column users.nickname with its values`."""


def find_losses(before: Catalog, after: Catalog) -> tuple[SchemaLoss, ...]:
    """Return what is lost on the way from one schema to another; the first one has its new names already."""
    copies = tuple(list_copies(before, after))
    losses = dict[Key, str](_find_tables(before, after, copies))
    losses |= _find_columns(before, after)
    losses |= _find_labels(before, after)
    losses |= _find_types(before, after)
    losses = dict(_find_attributes(before, after)) | losses
    losses |= _find_sequences(before, after, {table for copying in copies for table in copying.tables})
    inherited = {key for key in losses if any(parent in losses for parent in _list_parents(key, before))}
    return tuple(SchemaLoss(key, sentence) for key, sentence in sorted(losses.items()) if key not in inherited)


def refuse_losses(losses: Sequence[SchemaLoss], before: Catalog, after: Catalog, *, again: str) -> RefusedError:
    """Return the error for losses that were not allowed; `again` is the command with the flag that allows them."""
    lines = "\n".join(f"  {loss.sentence}" for loss in losses)
    hints = [f"If that is intended: {again}"]
    if examples := [text for loss in losses if (text := _show_rename(loss.key, before, after))]:
        hints.append(f"If something has a new name, it keeps its rows with, for example: {examples[0]}")
    return RefusedError(f"the migration would lose rows or values:\n{lines}", hint="\n".join(hints), state=_STATE)


def _show_rename(lost: Key, before: Catalog, after: Catalog) -> str:
    """Return the flag that renames an object to the first that was added in its place, or an empty text."""
    added = (key for key in after.objects if key not in before.objects and (key.kind, key.parent) == (lost.kind, lost.parent))
    new = next((key for key in added if _find_type(key, after) == _find_type(lost, before)), None)
    if new is None or lost in after.objects:
        return ""
    return f"--rename '{list_names(lost)[0]}={new.name if new.parent else list_names(new)[0]}'"


def _find_type(key: Key, catalog: Catalog) -> str:
    """Return the type of a column; empty for other objects."""
    return parse_column(catalog.objects.get(key, ""))[0].type if key.kind == "column" else ""


def _find_tables(before: Catalog, after: Catalog, copies: Sequence[Copying]) -> Iterator[tuple[Key, str]]:
    moved = frozenset[str]().union(*(copying.gone for copying in copies))
    emptied = find_recreated(before, after)
    for key, definition in before.of_kind("table"):
        if key.name in moved:
            continue
        if key.name in emptied:
            yield key, f"drops table {_name(key)} with its rows and creates it again, because its partitioning or storage changes"
        elif key not in after.objects:
            table = parse_table(definition)
            part = f"partition {_name(key)} of {table.partition_of}" if table and table.partition_of else f"table {_name(key)}"
            yield key, f"drops {part} with its rows"


def _find_columns(before: Catalog, after: Catalog) -> Iterator[tuple[Key, str]]:
    labels = _read_labels(before), _read_labels(after)
    for key, definition in before.of_kind("column"):
        if any(Key("table", key.parent) not in catalog.objects for catalog in (before, after)):
            continue
        old = parse_column(definition)[0]
        if key not in after.objects:
            if old.expression is None:
                yield key, f"drops column {_name(key)} with its values"
            continue
        new = parse_column(after.objects[key])[0]
        was, now = (_resolve(column.type, catalog) for column, catalog in ((old, before), (new, after)))
        if new.expression is not None or old.expression is not None:
            sentence = "" if keeps_generated(key, before.objects, after.objects) else _explain_generation(_name(key), old, new)
            if sentence:
                yield key, sentence
        elif old.type != new.type and (reason := explain_narrowing(was, now, *labels)):
            yield key, f"changes column {_name(key)} from {old.type} to {new.type}, {reason}"


def _explain_generation(name: str, old: Column, new: Column) -> str:
    """Return what happens to the values of a column that is generated in one of the schemas; empty if nothing is lost."""
    if old.expression is None:
        return f"replaces the values of column {name} with generated ones"
    if new.expression is None and old.storage == "VIRTUAL":
        return f"removes the values of column {name}, which are generated and not stored"
    return ""


def _find_labels(before: Catalog, after: Catalog) -> Iterator[tuple[Key, str]]:
    others = _read_labels(after)
    for name, labels in _read_labels(before).items():
        for label in labels:
            if name in others and label not in others[name]:
                shown = list_names(Key("type", name))[0]
                yield Key(LABEL, label, name), f"removes value {label} of type {shown}, so that no row can have it"


def _find_attributes(before: Catalog, after: Catalog) -> Iterator[tuple[Key, str]]:
    """Yield the columns of row types that lose attributes, or whose attributes get a narrower type."""
    labels = _read_labels(before), _read_labels(after)
    for key, definition in before.of_kind("type"):
        old, new = read_attributes(definition), read_attributes(after.objects.get(key, ""))
        if not new or old == new:
            continue
        parts = [f"drops attribute {name}" for name in old if name not in new]
        parts += (
            f"changes attribute {name} from {old[name]} to {new[name]}, {reason},"
            for name in old.keys() & new.keys()
            if (reason := explain_narrowing(_resolve(old[name], before), _resolve(new[name], after), *labels))
        )
        for column in find_users(key, Schema(expand(before))) if parts else ():
            yield column, f"{' and '.join(sorted(parts))} in the values of type {_name(key)} in column {_name(column)}"


def _find_types(before: Catalog, after: Catalog) -> Iterator[tuple[Key, str]]:
    """Yield the domains and ranges that get a narrower base type."""
    labels = _read_labels(before), _read_labels(after)
    for kind, pattern in (("domain", _DOMAIN), ("type", _SUBTYPE)):
        for key, definition in before.of_kind(kind):
            old, new = (pattern.fullmatch(text) for text in (definition, after.objects.get(key, "")))
            if old is None or new is None:
                continue
            was, now = (_resolve(match["type"], catalog) for match, catalog in ((old, before), (new, after)))
            if reason := explain_narrowing(was, now, *labels):
                yield key, f"changes {kind} {_name(key)} from {was} to {now}, {reason}"


def _find_sequences(before: Catalog, after: Catalog, copied: Collection[str]) -> Iterator[tuple[Key, str]]:
    """Yield the sequences whose last value is lost: not those of a column that is dropped too, or that has no sequence then.

    The tables that are copied keep it.
    """
    columns = {f"{key.parent}.{key.name}": key for key, _ in after.of_kind("column")}
    for key, definition in before.of_kind("sequence"):
        owner = split_sequence(definition)[1]
        column = columns.get(owner or "")
        kept = column is not None and (column.parent in copied or keeps_last_value(column, before, after))
        replaced = column is not None and name_identity_sequence(column, after) and not kept
        if key not in after.objects and (owner is None or replaced):
            yield key, f"drops sequence {_name(key)} with its last value"
    for column, _ in before.of_kind("column"):
        key, new = Key("sequence", name_identity_sequence(column, before)), after.objects.get(column, "")
        is_replaced = key.name and not parse_column(new)[0].identity and "nextval(" in new
        if is_replaced and column.parent not in copied and not keeps_last_value(column, before, after):
            yield key, f"drops sequence {_name(key)} with its last value"


def _list_parents(key: Key, catalog: Catalog) -> list[Key]:
    """Return what a loss follows from: that of the parent of a partition, or of an inherited column."""
    table = parse_table(catalog.objects.get(Key("table", key.parent or key.name), ""))
    if table is None or key.kind not in {"table", "column"}:
        return []
    if key.kind == "table":
        return [Key("table", table.partition_of)] if table.partition_of else []
    return [Key("column", key.name, parent) for parent in table.list_parents()]


def _read_labels(catalog: Catalog) -> dict[str, tuple[str, ...]]:
    enums = ((key.name, text) for key, text in catalog.of_kind("type") if text.startswith(_ENUM))
    return {name: tuple(split_list(text[len(_ENUM) : -1])) for name, text in enums}


def _resolve(type_name: str, catalog: Catalog) -> str:
    """Return the base type of a domain, or an array of it; other types as they are."""
    name = type_name.removesuffix("[]")
    definition = catalog.objects.get(Key("domain", name))
    match = _DOMAIN.fullmatch(definition) if definition is not None else None
    return _resolve(match["type"], catalog) + type_name.removeprefix(name) if match else type_name


def _name(key: Key) -> str:
    return list_names(key)[0]
