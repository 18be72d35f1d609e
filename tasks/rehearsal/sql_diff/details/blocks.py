"""Blocks of SQL that rename what is found by other means, whatever its name.

A name that is not compared may be another one in each environment: it depends on the history of the table, and on the version of
the server at that time. So a block changes what it finds, and nothing where there is no such name.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import TypeVar

from tasks.postgres.quoting import show_literal

_Named = TypeVar("_Named", bound=Hashable)

_BLOCK = """\
-- {comment}
DO {quote}
DECLARE
    wanted text[];
    present text;
BEGIN
    FOREACH wanted SLICE 1 IN ARRAY ARRAY[
        {rows}
    ] LOOP
        {query};
        IF FOUND THEN
            EXECUTE format('{command}', {arguments});
        END IF;
    END LOOP;
END {quote}"""
_OF_COLUMNS = """\
SELECT conname INTO present FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND conkey = ARRAY[attnum]
        WHERE contype = 'n' AND conrelid = wanted[1]::regclass AND attname = wanted[2] AND conname <> wanted[3]"""
_IN_ALL_CHILDREN = """
        AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = conrelid AND NOT EXISTS (
            SELECT FROM pg_constraint AS heir WHERE heir.conrelid = inhrelid AND heir.conname = pg_constraint.conname))"""
_OF_DOMAINS = """\
SELECT conname INTO present FROM pg_constraint
        WHERE contype = 'n' AND contypid = wanted[1]::regtype AND conname <> wanted[2]"""
_OF_PARTITIONS = """\
SELECT inhrelid::regclass INTO present FROM pg_inherits
        JOIN pg_index ON indexrelid = inhrelid JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = wanted[1]::regclass AND indrelid = wanted[2]::regclass AND relname <> wanted[3]"""
_SINCE_18 = "NOT NULL has a name since PostgreSQL 18; this does nothing on earlier versions."
_SINCE_17 = "NOT NULL of a domain has a name since PostgreSQL 17; this does nothing on earlier versions."
_INDEXES = "The names of the indexes of partitions, which the server has chosen."


def name_columns(rows: Sequence[tuple[str, str, str]], *, inherited: bool) -> str:
    """Return the block that names NOT NULL of columns: of each the table as in SQL, the column and the name, both without quotes.

    If it is `inherited`, the name stays where a child has another one: the server renames all of them or none.
    """
    query = _OF_COLUMNS + (_IN_ALL_CHILDREN if inherited else "")
    command = "ALTER TABLE %s RENAME CONSTRAINT %I TO %I"
    return _write(_SINCE_18, rows, query, command, "wanted[1]::regclass, present, wanted[3]")


def name_domains(rows: Sequence[tuple[str, str]]) -> str:
    """Return the block that names NOT NULL of domains: of each the domain as in SQL, and the name without quotes."""
    command = "ALTER DOMAIN %s RENAME CONSTRAINT %I TO %I"
    return _write(_SINCE_17, rows, _OF_DOMAINS, command, "wanted[1]::regtype, present, wanted[2]")


def name_indexes(rows: Sequence[tuple[str, str, str]]) -> str:
    """Return the block that names indexes of partitions: of each the parent's index and the table as in SQL, and the name."""
    return _write(_INDEXES, rows, _OF_PARTITIONS, "ALTER INDEX %s RENAME TO %I", "present, wanted[3]")


def _write(comment: str, rows: Sequence[Sequence[str]], query: str, command: str, arguments: str) -> str:
    listed = ",\n        ".join(f"[{', '.join(map(show_literal, row))}]" for row in rows)
    quote = next(tag for number in range(len(listed) + 1) if (tag := f"${'names' * number}$") not in listed)
    return _BLOCK.format(comment=comment, quote=quote, rows=listed, query=query, command=command, arguments=arguments)


def order_names(
    changes: Mapping[_Named, tuple[str, str]], taken: Collection[str]
) -> tuple[list[tuple[_Named, str]], list[_Named]]:
    """Return the renames in the order in which each new name is free, and what cannot get its name.

    `changes` are the names before and after, `taken` the names in use. One of those that exchange their names gets another one
    between.
    """
    left = list[_Named]()
    while stuck := [each for each in changes if each not in left and changes[each][1] in _list_kept(changes, taken, left)]:
        left += stuck
    waiting = [each for each in changes if each not in left]
    used, present = {*taken}, {each: changes[each][0] for each in waiting}
    ordered = list[tuple[_Named, str]]()
    while waiting:
        each = next((each for each in waiting if changes[each][1] not in used), waiting[0])
        wanted = changes[each][1]
        name = wanted if wanted not in used else next(name for n in range(len(used) + 1) if (name := f"{wanted}_{n}") not in used)
        used = used - {present[each]} | {name}
        present[each] = name
        ordered.append((each, name))
        if name == wanted:
            waiting.remove(each)
    return ordered, left


def _list_kept(changes: Mapping[_Named, tuple[str, str]], taken: Collection[str], left: Sequence[_Named]) -> set[str]:
    """Return the names that stay in use."""
    return set(taken) - {before for each, (before, _) in changes.items() if each not in left}
