"""What `child.py` records while revisions run on a scratch database: statements, and the answers to queries; loaded by path."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

import alembic
import sqlalchemy

_ROWCOUNT = "asks how many rows several statements changed"
_QUERY = "sqlalchemy/orm/query.py"
_DRIVER = "uses the connection of the driver"
_UNREADABLE = "asks for values that have no text"
_PACKAGES = tuple(str(Path(str(package.__file__)).parent) for package in (sqlalchemy, alembic))
_QUOTED = frozenset('"\\(),\t\n\v\f\r ')
"""The characters for which PostgreSQL quotes a field of a row: https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX."""


class OnlineRecorder:
    """What env.py and a revision execute on the scratch database, by part: before the revision, in it, after it."""

    def __init__(self) -> None:
        self.parts: dict[str, list[dict[str, Any]]] = {}
        self.part = ""
        """The part that runs; empty where nothing is recorded."""
        self.faults: dict[str, None] = {}
        """What the revision asks that a file cannot ask."""
        self.inspected = False
        self.asks = True
        """Whether a result can be read: not by an operation of Alembic."""
        self.results: list[tuple[Any, list[dict[str, Any]]]] = []
        """The context of each execution, which its result has, too, with its statements."""

    def begin(self) -> None:
        """Forget everything, and record what env.py executes before the revision."""
        self.parts, self.part, self.faults, self.inspected, self.results = {}, "first", {}, False, []

    def show(self) -> dict[str, Any]:
        """Return what was recorded, and record no more."""
        self.part = ""
        return {"parts": self.parts, "faults": list(self.faults), "inspected": self.inspected}

    def add(self, statement: dict[str, Any]) -> None:
        """Record a statement; of what env.py executes beside the revision, only what returns no rows."""
        if self.part == "revision" or statement["answer"] is None:
            self.parts.setdefault(self.part, []).append(statement)

    def add_count(self, context: Any, count: int) -> None:
        """Record that the revision reads how many rows a statement changed; -1 is the number of one that changes none."""
        statements = next((each for known, each in self.results if known is context), [])
        if len(statements) > 1:
            self.faults[_ROWCOUNT] = None
        elif statements and statements[0]["answer"] is None and count >= 0:
            statements[0]["count"] = count

    def listen_to(self, function: Callable[..., None]) -> Callable[..., None]:
        """Return the function of a revision, which is recorded."""

        def run(**arguments: Any) -> None:
            self.part = "revision"
            try:
                function(**arguments)
            finally:
                self.part = ""

        return run


def record_executions(recorder: OnlineRecorder) -> None:
    """Change SQLAlchemy so that executed statements are recorded."""
    from sqlalchemy import Engine, event

    def record(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if not recorder.part:
            return
        if is_inspection():
            recorder.inspected = True
            return
        driver = connection.connection.driver_connection
        raw = context is not None and context.no_parameters and not parameters
        rows = parameters if many else [None if raw else parameters]
        answer = read_answer(getattr(cursor, "_cursor", cursor)) if recorder.asks else None
        if answer == _UNREADABLE:
            recorder.faults[answer] = None
        texts = [insert_values(driver, statement, row) for row in rows]
        statements = [{"text": text, "alone": bool(driver.autocommit), "answer": answer, "count": None} for text in texts]
        for each in statements:
            recorder.add(each)
        if recorder.part == "revision":
            recorder.results.append((context, statements))

    migration: Any = import_module("alembic.runtime.migration").MigrationContext
    run_migrations = migration.run_migrations

    def run(self: Any, **arguments: Any) -> None:
        recorder.part = ""
        run_migrations(self, **arguments)
        recorder.part = "last"

    migration.run_migrations = run
    event.listen(Engine, "after_cursor_execute", record)
    watch_counts(import_module("sqlalchemy.engine.cursor").CursorResult, recorder)
    for name in ("cursor", "driver_connection", "dbapi_connection"):
        watch(import_module("sqlalchemy.pool.base")._ConnectionFairy, name, recorder, _DRIVER)


def watch(owner: Any, name: str, recorder: OnlineRecorder, fault: str) -> None:
    """Record a fault whenever code that is not SQLAlchemy's or Alembic's reads an attribute."""
    original = vars(owner)[name]

    def read(self: Any) -> Any:
        if recorder.part == "revision" and not is_of_package(sys._getframe(1)):
            recorder.faults[fault] = None
        return original.__get__(self, type(self))

    setattr(owner, name, property(read, getattr(original, "__set__", None)))


def watch_counts(result: Any, recorder: OnlineRecorder) -> None:
    """Record the numbers of changed rows that a revision reads; Query.update() and delete() of SQLAlchemy return them."""
    original = vars(result)["rowcount"]

    def read(self: Any) -> Any:
        count = original.__get__(self, type(self))
        frame = sys._getframe(1)
        if recorder.part == "revision" and (not is_of_package(frame) or frame.f_code.co_filename.endswith(_QUERY)):
            recorder.add_count(self.context, count)
        return count

    result.rowcount = property(read)


def is_of_package(frame: Any) -> bool:
    """Return True if a function is one of SQLAlchemy, Alembic, or these child modules."""
    name = frame.f_code.co_filename
    return bool(name.startswith(_PACKAGES) or name == __file__)


def is_inspection() -> bool:
    """Return True if SQLAlchemy itself asks for the schema, as an inspector or for `checkfirst`."""
    frame: Any = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.endswith(("sqlalchemy/engine/reflection.py", "sqlalchemy/dialects/postgresql/base.py")):
            return True
        frame = frame.f_back
    return False


def insert_values(driver: Any, statement: str, row: Any) -> str:
    """Return a statement with literals for its parameters, as the driver writes them."""
    import psycopg

    kind = psycopg.AsyncClientCursor if isinstance(driver, psycopg.AsyncConnection) else psycopg.ClientCursor
    return str(kind(driver).mogrify(statement, row))


def read_answer(cursor: Any) -> str | None:
    """Return the digest of the rows that a statement returned, None if it returns none.

    It is that of their sorted texts, as a `DO` block of the file computes it on the server.
    """
    result = cursor.pgresult
    if result is None or not result.nfields:
        return None
    if any(result.fformat(column) for column in range(result.nfields)):
        return _UNREADABLE
    return digest_rows([result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples))


def digest_rows(rows: Iterable[list[bytes | None]]) -> str:
    """Return the MD5 of rows."""
    texts = sorted(f"({','.join(map(write_field, row))})" for row in rows)
    return hashlib.md5("\n".join(texts).encode(), usedforsecurity=False).hexdigest()


def write_field(value: bytes | None) -> str:
    """Return a value as it is in the text of a row."""
    if value is None:
        return ""
    text = value.decode()
    if text and not _QUOTED & set(text):
        return text
    return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '""'))
