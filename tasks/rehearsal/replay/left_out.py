"""What a scratch database lacks because statements were left out, as a part of the database, so that its copies know it too."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.catalog import Difference, Key
from tasks.rehearsal.lacks import Lack
from tasks.rehearsal.replay.extensions import belongs, find_created, find_missing, find_words, may_belong
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.ledger.reading import Ledger

_KEY = "left_out"
"""The key in the ledger's meta table."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A statement that was left out: as it is shown, its file and line, and the text in which names of missing objects occur."""

    shown: str
    place: str
    text: str
    denied: bool = False
    """Whether it was left out for lack of rights, not because of an excluded extension."""
    lack: Lack | None = None
    """What the scratch server does not have and is not excluded, directly or for a statement that this one needs."""


def read_left_out(connection: psycopg.Connection, ledger: Ledger) -> list[LeftOut]:
    """Return the statements that were left out in a database; what is not readable as such was not written by a rehearsal."""
    query = sql.SQL("SELECT value FROM {} WHERE key = %s").format(ledger.table("_meta"))
    try:
        row = connection.execute(query, [_KEY]).fetchone()
        entries = json.loads(row[0]) if row else []
        return [read_entry(*entry) for entry in entries]
    except (psycopg.Error, TypeError, ValueError):
        return []


def read_entry(shown: object, place: object, text: object, denied: object, lack: list[object]) -> LeftOut:
    """Return the statement with these fields; raises TypeError for others."""
    return LeftOut(str(shown), str(place), str(text), bool(denied), Lack(*map(str, lack)) if lack else None)


def list_fields(entry: LeftOut) -> list[object]:
    """Return the fields of a statement as values of JSON."""
    lack = [entry.lack.kind, entry.lack.name, entry.lack.detail] if entry.lack else []
    return [entry.shown, entry.place, entry.text, entry.denied, lack]


def write_left_out(connection: psycopg.Connection, ledger: Ledger, entries: Iterable[LeftOut]) -> None:
    """Record the statements that were left out; a file may have dropped the ledger."""
    query = sql.SQL("INSERT INTO {} VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
    with suppress(psycopg.Error):
        connection.execute(query.format(ledger.table("_meta")), [_KEY, json.dumps(list(map(list_fields, entries)))])


def find_cause(error: RunnerError, entries: Iterable[LeftOut]) -> tuple[str, LeftOut] | None:
    """Return what is missing according to an error, and the statement that would have made it; None for another error.

    What is in an extension is known for few of them: a missing type or function may belong to any other that was left out.
    """
    missing, entries = find_missing(error), list(entries)
    found = ((name, entry) for entry in entries for name in missing if _makes(entry.text, name))
    possible = ((name, entry) for entry in entries for name in missing if may_belong(error, find_created(entry.text)))
    return next(found, None) or next(possible, None)


def _makes(text: str, name: str) -> bool:
    return name in find_words(text) or belongs(name, find_created(text))


def exclude_left_out(difference: Difference, entries: Iterable[LeftOut]) -> Difference:
    """Return a difference without the objects that a replay lacks because of statements that were left out.

    These are the objects that such a statement names, and what belongs to them.
    """
    words = [find_words(entry.text) for entry in entries]
    if not words:
        return difference
    named = {
        change.key
        for change in difference.changes
        if any(_find_name(change.key.name) in each and _find_name(change.key.parent or change.key.name) in each for each in words)
    }
    # The parent of a user mapping is stated with its kind.
    whole = {name for key in named if not key.parent for name in (key.name, f"{key.kind} {key.name}")}
    kept = (change for change in difference.changes if change.key not in named and change.key.parent not in whole)
    return Difference(tuple(change for change in kept if not _is_sequence_of(change.key, whole)))


def refuse_denied(entries: Iterable[LeftOut], *, state: str) -> None:
    """Raise RefusedError if statements were left out for lack of rights, because the schema is incomplete without them."""
    denied = [entry.shown for entry in entries if entry.denied]
    if denied:
        raise RefusedError(
            "scratch left out statements for lack of rights, so the expected schema is incomplete:\n"
            + "\n".join(f"  {shown}" for shown in denied),
            hint="Replay them with all rights of the scratch server's role, if you trust the SQL: --as-superuser",
            state=state,
        )


def _find_name(name: str) -> str:
    """Return a name without its schema, quotes and argument types, as it occurs in lower-case text."""
    return name.partition("(")[0].rpartition(".")[2].strip('"').lower()


def _is_sequence_of(key: Key, tables: Collection[str]) -> bool:
    """Return True for the sequence of a column of one of the tables, as the server names it."""
    return key.kind == "sequence" and any(key.name.startswith(f"{table}_") for table in tables)
