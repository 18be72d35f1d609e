"""Models that were imported, written as DDL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import MetaData, event
from sqlalchemy.schema import AddConstraint
from sqlalchemy.sql.elements import conv

from .errors import WorkerError, describe
from .recording import DdlRecorder
from .tables import add_stubs, check_enums, check_types, choose_tables, make_dialect, name_table, write_type


def write(metadatas: list[Any], exclude: set[tuple[str, str]], server_version: int) -> dict[str, Any]:
    """Return the DDL of all tables, except some, for a version of the server, and what it does not show of them."""
    tables = choose_tables(metadatas, exclude)
    dialect = make_dialect(server_version)
    excluded = sorted({name_table(table) for metadata in metadatas for table in metadata.tables.values()} & exclude)
    referred = [each for each in add_stubs(tables) if (each["schema"], each["table"]) not in exclude]
    check_types(tables, dialect)
    check_enums(tables, dialect)
    recorder = DdlRecorder(dialect)
    _create(recorder, metadatas, tables, exclude)
    _run(_check_encoding, recorder.statements)
    return {
        "statements": _sort_indexes(recorder.statements),
        "tables": [_describe_table(table, dialect) for table in tables],
        "referred": referred,
        "excluded": excluded,
    }


def _create(recorder: Any, metadatas: list[Any], tables: list[Any], exclude: set[tuple[str, str]]) -> None:
    """Record the DDL of all tables; listeners of DDL events run as they do on a database."""
    chosen = {id(table) for table in tables}
    ready: set[int] = set()
    keys = [
        constraint
        for table in tables
        for constraint in sorted(table.foreign_key_constraints, key=lambda each: [column.name for column in each.columns])
        if name_table(constraint.referred_table) not in exclude
    ]
    for metadata in metadatas:
        own = [table for table in metadata.tables.values() if id(table) in chosen]
        ready.update(map(id, own))

        def add_keys(*_: Any, **_named: Any) -> None:
            _add_keys(recorder, keys, ready)

        with _listening(metadata, add_keys):
            _run(metadata.create_all, recorder, tables=own, checkfirst=False)
    _run(_add_keys, recorder, keys, None)


@contextmanager
def _listening(metadata: Any, listen: Callable[..., None]) -> Iterator[None]:
    """Call a function once the tables of a MetaData exist, and before its own listeners for that."""
    event.listen(metadata, "after_create", listen, insert=True)
    yield
    event.remove(metadata, "after_create", listen)


def _add_keys(recorder: Any, keys: list[Any], ready: set[int] | None) -> None:
    """Record the foreign keys between tables that exist, and take them from the list; without `ready`, all of them."""
    recorder.is_ours = True
    for key in list(keys):
        if ready is None or {id(key.table), id(key.referred_table)} <= ready:
            recorder.execute(AddConstraint(key))
            keys.remove(key)
    recorder.is_ours = False


def _sort_indexes(statements: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the statements with the indexes of each table in order: SQLAlchemy has them in a set."""
    ordered: list[dict[str, str]] = []
    start = 0
    for place, statement in enumerate([*statements, {"text": "", "for": ""}]):
        if not statement["text"].startswith(("CREATE INDEX ", "CREATE UNIQUE INDEX ")):
            ordered += sorted(statements[start:place], key=lambda each: each["text"])
            ordered += statements[place : place + 1]
            start = place + 1
    return ordered


def _check_encoding(statements: list[dict[str, str]]) -> None:
    """Raise UnicodeEncodeError for a text that is not Unicode: no server has it."""
    for statement in statements:
        statement["text"].encode()


def _run(create: Callable[..., None], *arguments: Any, **named: Any) -> None:
    try:
        create(*arguments, **named)
    except WorkerError as error:
        raise describe("listener_reads", error, name=error.answer.get("name", "")) from error
    except Exception as error:
        raise describe("not_written", error) from error


def _describe_table(table: Any, dialect: Any) -> dict[str, Any]:
    """Return what the catalog does not show: which names are the models' own, and which columns count up by default."""
    preparer = dialect.identifier_preparer
    constraints = [each for each in table.constraints if each.name is not None]
    named = [name for each in constraints if (name := preparer.format_constraint(each))]
    indexes = [preparer.format_index(each) for each in table.indexes if not _is_default_name(each, table.metadata)]
    column = table._autoincrement_column
    counts = column is not None and column.identity is None and column.server_default is None and column.default is None
    return {
        "schema": table.schema or "public",
        "name": table.name,
        "constraints": [_unquote(name) for name in named],
        "indexes": [_unquote(name) for name in indexes],
        "counting": column.name if counts else "",
        "unstored": [each.name for each in table.columns if each.computed is not None and each.computed.persisted is None],
        "columns": [[each.name, write_type(each, dialect)] for each in table.columns],
    }


def _is_default_name(index: Any, metadata: Any) -> bool:
    """Return True if an index has the name that SQLAlchemy makes where no other convention is set."""
    return isinstance(index.name, conv) and metadata.naming_convention.get("ix") == MetaData().naming_convention["ix"]


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
