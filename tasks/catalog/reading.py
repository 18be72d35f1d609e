"""Read a schema from a database: a query for each class of objects that exists, all in one snapshot and one message.

It takes two round trips: one for which classes exist, one for their objects, which are read while the server works on the next.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from psycopg import errors, generators
from psycopg.adapt import Transformer
from psycopg.pq import ExecStatus, TransactionStatus

from tasks.catalog.classes import CLASSES, ObjectClass
from tasks.catalog.classes.object_class import ONLY, Row
from tasks.catalog.normalising import is_normal, normalise, write_names
from tasks.catalog.values import DERIVED, Catalog, Key

SETTINGS = {
    "search_path": "pg_catalog, pg_temp",
    "client_encoding": "UTF8",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "DateStyle": "ISO, MDY",
    "IntervalStyle": "postgres",
    "TimeZone": "UTC",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "jit": "off",
    "enable_mergejoin": "off",
    "enable_memoize": "off",
    "max_parallel_workers_per_gather": "0",
}
"""The settings on which the text of a definition depends; with this search_path, every name of a user has its schema.

JIT compilation is off because it costs more than the queries, and so are plans that take longer to make than they save, even for
a schema of thousands of tables.
"""


_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_HASHED = "SET LOCAL enable_nestloop = off;\n{};\nSET LOCAL enable_nestloop = on"


def read_catalog(
    connection: psycopg.Connection,
    *,
    lock_timeout: str = "",
    only: Collection[int] = (),
    known: Sequence[ObjectClass] | None = None,
) -> Catalog:
    """Read the schema of a database, without the members of extensions and the ledger.

    An idle connection reads in its own transaction, REPEATABLE READ and READ ONLY; otherwise the open transaction is used. The
    state of the session is the same afterwards. No privileges are needed except CONNECT. The queries wait for a lock only if
    another session has an ACCESS EXCLUSIVE lock on a table that a view or an expression reads; `lock_timeout` limits that.
    `only`: the object ids of relations, if these are to be read only, with what belongs to them except for grants and comments;
    `known`: the classes that exist, if that is known, which saves a round trip. Raises psycopg.Error.
    """
    settings = compose_settings(lock_timeout)
    if connection.info.transaction_status != TransactionStatus.IDLE:
        with connection.transaction(force_rollback=True):
            classes, _ = _find_classes(connection, settings, only=only)
            return _read(connection, classes, only)
    opening = (*find_opening(connection), settings)
    with _ending(connection):
        if known is not None:
            return _read(connection, known, only, opening, "ROLLBACK")
        classes, _ = _find_classes(connection, *opening, only=only)
        return _read(connection, classes, only, ending="ROLLBACK")


def read_beside(connection: psycopg.Connection, query: str, *, lock_timeout: str = "") -> tuple[Catalog, Row]:
    """Return what `read_catalog` does in an idle connection, and the one row of a query, under the same snapshot."""
    with _ending(connection):
        classes, row = _find_classes(connection, *find_opening(connection), compose_settings(lock_timeout), query=query)
        return _read(connection, classes, (), ending="ROLLBACK"), row


@contextmanager
def _ending(connection: psycopg.Connection) -> Iterator[None]:
    """End the transaction that reads, if an error has kept it open."""
    try:
        yield
    finally:
        if connection.info.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            list(ask(connection, "ROLLBACK"))


def find_opening(connection: psycopg.Connection) -> tuple[str, ...]:
    """Return the SQL that begins a transaction which reads, with the runner's own settings if it is a connection of the runner.

    Behind a pooler, no setting may outlive a transaction.
    """
    own = getattr(connection, "own_settings", "")
    return (_BEGIN, own) if own else (_BEGIN,)


def compose_settings(lock_timeout: str = "") -> str:
    """Return a query that sets what the text of a definition depends on, for the open transaction."""
    settings = SETTINGS | ({"lock_timeout": lock_timeout} if lock_timeout else {})
    return "SELECT " + ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in settings.items())


def compose_classes(version: int, *, of_relations: bool = False) -> tuple[list[ObjectClass], str]:
    """Return the classes of a version, or those of relations only, and the query for which of them exist: a boolean for each."""
    classes = [
        each for each in CLASSES if each.since <= version // 10000 <= each.until and (each.of_relation or not of_relations)
    ]
    return classes, "SELECT " + ", ".join(f"EXISTS (SELECT {each.trace})" for each in classes)


def _find_classes(
    connection: psycopg.Connection, *opening: str, only: Collection[int] = (), query: str = ""
) -> tuple[list[ObjectClass], Row]:
    """Return the classes that exist, and the row of a query, which is empty without one."""
    classes, present = compose_classes(connection.info.server_version, of_relations=bool(only))
    answers = list(ask(connection, _join(*opening, present, query)))
    row = answers.pop()[0] if query else ()
    return [each for each, is_present in zip(classes, answers[-1][0], strict=True) if is_present], row


def _read(
    connection: psycopg.Connection,
    classes: Sequence[ObjectClass],
    only: Collection[int],
    opening: tuple[str, ...] = (),
    ending: str = "",
) -> Catalog:
    version = connection.info.server_version
    queries = [_compose(each, only) for each in classes]
    objects, derived = dict[Key, str](), dict[Key, str]()
    with closing(ask(connection, _join(*opening, *queries, ending))) as answers:
        if opening:
            next(answers)  # of the settings
        for each, rows in zip(classes, answers, strict=True):
            _sort_in(each, rows, version, objects, derived)
    return Catalog(objects, version, derived)


def _compose(each: ObjectClass, only: Collection[int]) -> str:
    if only:
        return each.query.replace(ONLY, f"AND class.oid = ANY ('{{{','.join(map(str, only))}}}')")
    return _HASHED.format(each.query) if each.hashes else each.query


def _join(*statements: str) -> str:
    return ";\n".join(filter(None, statements))


def _sort_in(each: ObjectClass, rows: list[Any], version: int, objects: dict[Key, str], derived: dict[Key, str]) -> None:
    """Add the objects of a class; most texts are as every version writes them, which is found out for all at once."""
    normal = is_normal(rows, version)
    for kind, name, parent, definition in each.split(rows):
        if definition is None:
            continue
        key, text = Key(kind, name, parent), definition
        if not normal:
            key, text = Key(kind, write_names(name, version), write_names(parent, version)), normalise(kind, definition, version)
        if kind.startswith(DERIVED):
            derived[key._replace(kind=kind.removeprefix(DERIVED))] = text
        else:
            objects[key] = text


def ask(connection: psycopg.Connection, text: str) -> Generator[list[Any], None, None]:
    """Send statements as one message, and yield the rows of each query as soon as they are complete; raises psycopg.Error."""
    with connection.lock:
        pgconn, failed = connection.pgconn, None
        pgconn.send_query(text.encode())
        connection.wait(generators.send(pgconn))
        try:
            while (result := connection.wait(generators.fetch(pgconn))) is not None:
                if result.status == ExecStatus.FATAL_ERROR:
                    failed = result
                elif result.status == ExecStatus.TUPLES_OK:
                    transformer = Transformer(connection)
                    transformer.set_pgresult(result)
                    yield transformer.load_rows(0, result.ntuples, tuple)
        finally:
            while pgconn.transaction_status == TransactionStatus.ACTIVE and connection.wait(generators.fetch(pgconn)) is not None:
                pass
        if failed is not None:
            raise errors.error_from_result(failed, encoding="utf-8")
