"""The sequences of tables that are created again with their rows: the new ones go on with the last values of the old ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tasks.catalog import Catalog, Key
from tasks.postgres.quoting import quote_identifier, show_literal, unquote_identifier
from tasks.rehearsal.sql_diff.kinds.sequences import fit_value, name_identity
from tasks.rehearsal.sql_diff.names import last_part, list_names
from tasks.rehearsal.sql_diff.shapes import parse_column, split_sequence

_SUFFIX = "_old"
_LONGEST = 50
"""The bytes of a name that its stand-in keeps: a name has at most 63."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    """The sequence that numbers a column."""

    name: str
    definition: str
    is_identity: bool


@dataclass(frozen=True, slots=True)
class SequenceMove:
    """A sequence whose last value another one gets, and the one that has it meanwhile."""

    old: _Sequence
    new: _Sequence
    between: str

    def save(self) -> tuple[str, ...]:
        """Return the statements that keep the last value in a sequence of its own."""
        read = f"SELECT pg_catalog.setval({show_literal(self.between)}, last_value, is_called) FROM {self.old.name}"
        return f"CREATE SEQUENCE {self.between} {self.old.definition}", read

    def restore(self) -> tuple[str, ...]:
        """Return the statements that set it again."""
        value = fit_value("last_value", self.old.definition, self.new.definition)
        write = f"SELECT pg_catalog.setval({show_literal(self.new.name)}, {value}, is_called) FROM {self.between}"
        return write, f"DROP SEQUENCE {self.between}"


def find_moves(before: Catalog, after: Catalog, tables: Collection[str]) -> tuple[SequenceMove, ...]:
    """Return the sequences whose last values others get, because the columns of these tables have them instead."""
    return tuple(_list_moves(before, after, tables))


def _list_moves(before: Catalog, after: Catalog, tables: Collection[str]) -> Iterator[SequenceMove]:
    taken = {key.name for each in (before, after) for key in each.objects}
    for key in sorted(key for key in after.objects if key.kind == "column" and key.parent in tables):
        old, new = (_find_sequence(key, catalog) for catalog in (before, after))
        if old and new and (old.name != new.name or old.is_identity or new.is_identity):
            yield SequenceMove(old, new, choose_name(old.name, taken))


def _find_sequence(key: Key, catalog: Catalog) -> _Sequence | None:
    """Return the sequence that numbers a column."""
    column, default = parse_column(catalog.objects.get(key, ""))
    if column.identity:
        definition = f"AS {column.type} {column.options or ''}".strip()
        named = f"SEQUENCE NAME {column.sequence}" if column.sequence else ""
        return _Sequence(column.sequence or name_identity(key), definition.replace(named, "").strip(), True)
    for each in list_names(default or "") if default and "nextval(" in default else ():
        if text := catalog.objects.get(Key("sequence", each)):
            return _Sequence(each, split_sequence(text)[0], False)
    return None


def choose_name(name: str, taken: Collection[str]) -> str:
    """Return a name that is free, made from that of a table or sequence."""
    bare = last_part(name)
    short = unquote_identifier(bare).encode()[:_LONGEST].decode(errors="ignore")
    shown = (quote_identifier(f"{short}{_SUFFIX}{number or ''}") for number in range(len(taken) + 1))
    return next(each for each in (f"{name.removesuffix(bare)}{text}" for text in shown) if each not in taken)
