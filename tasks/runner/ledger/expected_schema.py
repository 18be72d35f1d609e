"""What the schema is expected to be: one number in the ledger, so that a drift shows at the price of one look at the catalog.

The number is a sum over all objects, so that a change by hand stays a difference of the sums through any number of runs: each
adds to the expectation what it adds to the schema, whatever else stands there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tasks.runner.ledger.reading import Ledger

META_KEY = "schema"
_FORMAT = "1"
_MODULUS = 1 << 256
_PATIENCE = "2s"
"""How long a look at the catalog waits for somebody's lock; without an answer nothing is expected."""
_KEEP = "INSERT INTO {} (key, value) VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True, slots=True)
class Expectation:
    """Hold the sum of the schema as it should be; while a run is `open`, the drift that it began with instead."""

    total: int
    open: bool = False

    def write(self) -> str:
        """Give the text for the ledger."""
        return f"{_FORMAT}:{'open' if self.open else 'settled'}:{self.total:064x}"

    def begin(self, now: int) -> Expectation:
        """Give what to remember while a run goes on that begins with a schema of this sum."""
        return self if self.open else Expectation((now - self.total) % _MODULUS, open=True)

    def settle(self, now: int) -> Expectation:
        """Give what to expect after a run that ended with a schema of this sum."""
        return Expectation((now - self.total) % _MODULUS)

    def has_drifted(self, now: int) -> bool:
        """Tell whether a schema of this sum is another than expected."""
        return bool(self.total) if self.open else self.total != now


def parse_expectation(text: str) -> Expectation | None:
    """Read what `write` gave; what another version of this tool summed otherwise is no expectation."""
    number, _, rest = text.partition(":")
    state, _, total = rest.partition(":")
    if number != _FORMAT or state not in ("open", "settled"):
        return None
    return Expectation(int(total, 16), open=state == "open")


def sum_objects(objects: Iterable[tuple[str, ...]]) -> int:
    """Add up the objects of a schema, each given by kind, name, parent and definition."""
    digests = (hashlib.sha256("\0".join(parts).encode()).digest() for parts in objects)
    return sum(int.from_bytes(digest) for digest in digests) % _MODULUS


def read_sum(connection: psycopg.Connection) -> int | None:
    """Sum up the schema of a database; None where it cannot be read in time."""
    from tasks.catalog import read_catalog

    try:
        with connection.transaction(force_rollback=True):
            connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
            catalog = read_catalog(connection)
    except psycopg.Error:
        if connection.closed or connection.broken:
            raise
        return None
    return sum_objects((key.kind, key.name, key.parent, definition) for key, definition in catalog.objects.items())


class Expecter:
    """Keep the expectation of one database through one run; without `watch`, nothing is expected after it."""

    def __init__(self, connection: psycopg.Connection, ledger: Ledger, *, watch: bool = True) -> None:
        self._connection = connection
        self._ledger = ledger
        self._watch = watch
        self._begun = False
        self._opened: Expectation | None = None

    def begin(self) -> None:
        """Note that a run is under way, so that one which dies is not taken for a drift; raises psycopg.Error."""
        if not self._watch:
            if self._ledger.expected:
                self._keep(None)
            return
        self._begun = True
        known = parse_expectation(self._ledger.expected)
        if known is None or known.open:
            self._opened = known or Expectation(0, open=True)
        else:
            now = read_sum(self._connection)
            self._opened = known.begin(now) if now is not None else None
        self._keep(self._opened)

    def settle(self) -> None:
        """Note what is expected from now on, if `begin` was called and the session still lives; the run does not depend on it."""
        if not self._begun:
            return
        with suppress(psycopg.Error):
            now = None if self._opened is None else read_sum(self._connection)
            self._keep(None if self._opened is None or now is None else self._opened.settle(now))

    def _keep(self, expectation: Expectation | None) -> None:
        """Write an expectation; without one, only the next run knows again what to expect."""
        value = "" if expectation is None else expectation.write()
        query = sql.SQL(_KEEP).format(self._ledger.table("_meta"))
        self._connection.execute(query, [META_KEY, value], prepare=False)
