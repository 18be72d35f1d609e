"""The expected schema: one number in the ledger, so that reading the catalog once is enough to detect drift.

The number is a sum over all objects, so that a manual change stays a difference of the sums through any number of runs: each
run adds to the expectation what it adds to the schema, whatever else the schema contains.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import psycopg
from psycopg import sql

from tasks.runner.database.session import run_sql
from tasks.runner.ledger.guard import compose_guarded
from tasks.runner.ledger.reading import Ledger

if TYPE_CHECKING:
    from tasks.catalog import Additions, Catalog, Difference, SchemaMark

T = TypeVar("T")

META_KEY = "schema"
_FORMAT = "4"
"""Changes with the text of any object in tasks/catalog: a sum of other texts would be drift without a cause."""
UNCOMPARED = f"{_FORMAT}:uncompared:0"
"""The text for the ledger where a repair changed what the migrations are: only a comparison with a replay finds drift then."""
_MODULUS = 1 << 256
_LOCK_TIMEOUT = "2s"
"""How long reading the catalog waits for a lock; after that, nothing is expected."""
_UPSERT = "INSERT INTO {} (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


class Expectation(NamedTuple):
    """The sum of the expected schema; while a run is `open`, the drift at its beginning instead."""

    total: int
    open: bool = False

    def write(self) -> str:
        """Return the text for the ledger."""
        return f"{_FORMAT}:{'open' if self.open else 'settled'}:{self.total:064x}"

    def begin(self, now: int) -> Expectation:
        """Return the expectation during a run that begins with a schema of this sum."""
        return self if self.open else Expectation((now - self.total) % _MODULUS, open=True)

    def settle(self, now: int) -> Expectation:
        """Return the expectation after a run that ended with a schema of this sum."""
        return Expectation((now - self.total) % _MODULUS)

    def has_drifted(self, now: int) -> bool:
        """Return True if a schema of this sum differs from the expected one."""
        return bool(self.total) if self.open else self.total != now


def parse_expectation(text: str) -> Expectation | None:
    """Return what `write` wrote, or None for the format of another version of this tool."""
    number, _, rest = text.partition(":")
    state, _, total = rest.partition(":")
    if number != _FORMAT or state not in ("open", "settled"):
        return None
    return Expectation(int(total, 16), open=state == "open")


def parse_sum(text: str) -> int | None:
    """Return the sum of a text of hexadecimal digits, None for another text."""
    try:
        return int(text, 16) % _MODULUS
    except ValueError:
        return None


def sum_difference(changes: Difference) -> int:
    """Return the sum of a difference: of what was found, minus what was expected; never 0 if there is a difference."""
    found = sum_objects((*change.key, change.after) for change in changes.changes if change.after is not None)
    expected = sum_objects((*change.key, change.before) for change in changes.changes if change.before is not None)
    return (found - expected) % _MODULUS or int(bool(changes))


def sum_catalog(catalog: Catalog) -> int:
    """Return the sum of a schema, without the tables of other tools."""
    from tasks.runner.ledger.tool_tables import exclude_tool_tables

    return sum_objects((*key, definition) for key, definition in exclude_tool_tables(catalog).list_unordered())


def record_expectation(connection: psycopg.Connection, ledger: Ledger, total: int, offset: int) -> None:
    """Record that a schema of the sum `total` differs by `offset` from the migrations; the caller has the lock."""
    _write_meta(connection, ledger, Expectation(offset, open=True).settle(total).write())


def record_uncompared(connection: psycopg.Connection, ledger: Ledger, *, always: bool = False) -> None:
    """Record that what the migrations are has changed, where something was expected or `always`; the caller has the lock."""
    if ledger.expected or always:
        _write_meta(connection, ledger, UNCOMPARED)


def open_expectation(connection: psycopg.Connection, ledger: Ledger, *, watch: bool) -> str | None:
    """Return the text that a run which begins now would write, None if it would write nothing.

    Where no one can settle it after the run, it stays open, as after a run that died: the next run settles it, and until then
    only what had drifted before counts as drift.
    """
    if not watch:
        return "" if ledger.expected else None
    if ledger.expected == UNCOMPARED:
        return None
    known = parse_expectation(ledger.expected)
    if known is None or known.open:
        return (known or Expectation(0, open=True)).write()
    now = read_sum(connection)
    return known.begin(now).write() if now is not None else ""


def sum_objects(objects: Iterable[tuple[str, ...]]) -> int:
    """Return the sum of the objects of a schema, each a tuple of kind, name, parent and definition."""
    digests = (hashlib.sha256("\0".join(parts).encode()).digest() for parts in objects)
    return sum(int.from_bytes(digest) for digest in digests) % _MODULUS


def read_sum(connection: psycopg.Connection) -> int | None:
    """Return the sum of the schema of a database, or None if it cannot be read in time."""
    from tasks.catalog import read_catalog

    catalog = _unless_refused(connection, lambda: read_catalog(connection, lock_timeout=_LOCK_TIMEOUT))
    return None if catalog is None else sum_catalog(catalog)


def _read_marked(connection: psycopg.Connection) -> tuple[int | None, SchemaMark | None]:
    """Return the sum of a schema as `read_sum` does, and its mark, None if the role may not read all of the catalog."""
    from tasks.catalog import mark_schema

    catalog, mark = _unless_refused(connection, lambda: mark_schema(connection, lock_timeout=_LOCK_TIMEOUT)) or (None, None)
    return None if catalog is None else sum_catalog(catalog), mark


def _find_additions(connection: psycopg.Connection, mark: SchemaMark) -> Additions | None:
    """Return what was added to a schema since it was marked, or None if that is not known."""
    from tasks.catalog import find_additions

    return _unless_refused(connection, lambda: find_additions(connection, mark))


def _unless_refused(connection: psycopg.Connection, read: Callable[[], T | None]) -> T | None:
    """Return what is read, None if the server refuses it."""
    try:
        return read()
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return None


class ExpectationWriter:
    """The writer of the expected schema during one run; without `watch`, nothing is expected after the run."""

    def __init__(self, ledger: Ledger, *, watch: bool = True) -> None:
        self._ledger = ledger
        self._watch = watch
        self._active = False
        self._opened: Expectation | None = None
        self._read: tuple[SchemaMark, int] | None = None

    def begin(self, connection: psycopg.Connection) -> None:
        """Record that a run is in progress, so that one that dies does not count as drift; raises psycopg.Error."""
        text = self.compose_beginning(connection)
        if text:
            run_sql(connection, text)

    def compose_beginning(self, connection: psycopg.Connection) -> str:
        """Return the SQL that `begin` runs, empty if there is nothing to record."""
        if not self._watch:
            return self._compose(connection, None) if self._ledger.expected else ""
        if self._ledger.expected == UNCOMPARED:
            return ""
        self._active = True
        known = parse_expectation(self._ledger.expected)
        if known is None or known.open:
            self._opened = known or Expectation(0, open=True)
        else:
            now, mark = _read_marked(connection)
            self._opened = known.begin(now) if now is not None else None
            self._read = (mark, now) if mark is not None and now is not None else None
        return self._compose(connection, self._opened)

    def settle(self, connection: psycopg.Connection) -> None:
        """Record the expectation after the run, if `begin` was called and the session is alive; the run does not depend on it."""
        with suppress(psycopg.Error):
            text = self.compose_settlement(connection)
            if text:
                run_sql(connection, text)

    def compose_settlement(self, connection: psycopg.Connection) -> str:
        """Return the SQL that `settle` runs, empty if there is nothing to record; raises psycopg.Error."""
        if not self._active:
            return ""
        now = None if self._opened is None else self._read_again(connection)
        return self._compose(connection, None if self._opened is None or now is None else self._opened.settle(now))

    def _read_again(self, connection: psycopg.Connection) -> int | None:
        """Return the sum of the schema after the run; only what was added is read, if nothing changed otherwise."""
        from tasks.catalog import read_catalog
        from tasks.runner.ledger.tool_tables import exclude_tool_tables

        added = None if self._read is None else _find_additions(connection, self._read[0])
        if self._read is None or added is None:
            return read_sum(connection)
        if not added:
            return self._read[1]
        found = exclude_tool_tables(
            read_catalog(connection, lock_timeout=_LOCK_TIMEOUT, only=added.relations, known=added.classes)
        )
        new = sum_objects((*key, definition) for key, definition in found.list_unordered() if added.include(key))
        return (self._read[1] + new) % _MODULUS

    def _compose(self, connection: psycopg.Connection, expectation: Expectation | None) -> str:
        """Return the SQL that writes an expectation; after None, only the next run can record one again."""
        return _compose_meta(connection, self._ledger, "" if expectation is None else expectation.write())


def _write_meta(connection: psycopg.Connection, ledger: Ledger, value: str) -> None:
    run_sql(connection, _compose_meta(connection, ledger, value))


def _compose_meta(connection: psycopg.Connection, ledger: Ledger, value: str) -> str:
    query = sql.SQL(_UPSERT).format(ledger.table("_meta"))
    return compose_guarded(connection, ledger.schema, ["schema_migrations_meta"], query, [META_KEY, value])
