"""What CREATE TABLE includes beside its columns: keys and checks, and the sequences of serial columns.

https://www.postgresql.org/docs/current/sql-createtable.html,
https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.kinds.sequences import name_identity
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.shapes import DEFAULT, OWNED, parse_column, parse_index, parse_table

_CHECK = "CHECK "
_FOLDED = ("PRIMARY KEY ", "UNIQUE ", _CHECK)
"""The beginnings of the constraints that a table includes, in their order there. Foreign keys need the other table first."""
_SERIALS = {"smallint": ("smallserial", 2**15 - 1), "integer": ("serial", 2**31 - 1), "bigint": ("bigserial", 2**63 - 1)}
_LONGEST = 63
"""The bytes of the longest name: the server shortens the name of the sequence of a serial column that would be longer."""


@dataclass(frozen=True)
class Folding:
    """The parts of new tables that CREATE TABLE includes."""

    tables: Mapping[Key, Key] = field(default_factory=dict)
    """The table of each constraint, of each sequence, and of what makes a sequence belong to its column."""
    serials: Mapping[Key, str] = field(default_factory=dict)
    """The type to write for each serial column."""

    @cached_property
    def parts(self) -> Mapping[Key, list[Key]]:
        """Return the parts of each table, in the order in which they are written."""
        parts: dict[Key, list[Key]] = {}
        for key, table in self.tables.items():
            parts.setdefault(table, []).append(key)
        return parts


def fold(new: Mapping[Key, str], created: Collection[Key], related: Collection[str]) -> Folding:
    """Return what the new tables include; those that are `related` to others by inheritance include nothing.

    Of several keys on the same columns, CREATE TABLE would create only one: the others are added to the table.
    """
    tables = {key for key in created if key.kind == "table" and key.name not in related and _is_plain(new[key])}
    constraints: dict[Key, Key] = {}
    keys: set[tuple[Key, str]] = set()
    for place, key in sorted(_list_constraints(new, created, tables)):
        table, indexed = Key("table", key.parent), parse_index(new[key]).own.removeprefix(_FOLDED[place])
        if (table, indexed) not in keys or _FOLDED[place] == _CHECK:
            constraints[key] = table
            keys.add((table, indexed))
    serials = dict(_list_serials(new, created, tables))
    owned = {sequence: Key("table", column.parent) for column, (sequence, _) in serials.items()}
    owners = {Key(OWNED, sequence.name): table for sequence, table in owned.items()}
    return Folding(constraints | owned | owners, {column: word for column, (_, word) in serials.items()})


def _is_plain(definition: str) -> bool:
    table = parse_table(definition)
    return table is not None and not (table.attachments or table.partitioned or table.type)


def _list_constraints(new: Mapping[Key, str], created: Collection[Key], tables: set[Key]) -> Iterator[tuple[int, Key]]:
    for key in created:
        if key.kind != "constraint" or Key("table", key.parent) not in tables:
            continue
        index = parse_index(new[key])
        place = next((number for number, word in enumerate(_FOLDED) if index.own.startswith(word)), None)
        if place is not None and not (index.parent or index.invalid or index.own.endswith(" NOT VALID")):
            yield place, key


def _list_serials(new: Mapping[Key, str], created: Collection[Key], tables: set[Key]) -> Iterator[tuple[Key, tuple[Key, str]]]:
    for key in created:
        table = Key("table", key.parent)
        if key.kind != "column" or table not in tables or new[table].startswith("UNLOGGED"):
            continue
        column, sequence = parse_column(new[key])[0], Key("sequence", name_identity(key))
        word, most = _SERIALS.get(column.type, ("", 0))
        options = f"AS {column.type} INCREMENT BY 1 MINVALUE 1 MAXVALUE {most} START WITH 1 CACHE 1"
        if (
            word
            and column.required
            and sequence in created
            and new[sequence] == options
            and new.get(Key(OWNED, sequence.name)) == f"{key.parent}.{key.name}"
            and new.get(Key(DEFAULT, key.name, key.parent)) == f"nextval('{sequence.name}'::regclass)"
            and len(last_part(sequence.name).strip('"').encode()) <= _LONGEST
        ):
            yield key, (sequence, word)
