"""A part of the worker program: models that were imported, checked and written as DDL.

No driver and no database is needed: https://docs.sqlalchemy.org/en/20/faq/metadata_schema.html (how to get DDL as text).
It is loaded by its path, and imports nothing of this project.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from os.path import realpath
from pathlib import Path
from typing import Any

_FIRST_VIRTUAL = (18,)
_MOST_TEXT = 1000


class WorkerError(Exception):
    """Models that cannot be used: a word for the kind of the error, and what its message needs."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.answer = {"error": kind, **details}


def write(metadatas: list[Any], exclude: set[tuple[str, str]], server_version: int) -> dict[str, Any]:
    """Return the DDL of all tables, except some, for a version of the server, and what it does not show of them."""
    tables = _choose_tables(metadatas, exclude)
    dialect = _make_dialect(server_version)
    excluded = sorted({_name(table) for metadata in metadatas for table in metadata.tables.values()} & exclude)
    referred = [each for each in _add_stubs(tables) if (each["schema"], each["table"]) not in exclude]
    _check_types(tables, dialect)
    _check_enums(tables, dialect)
    recorder = _make_recorder(dialect)
    _create(recorder, metadatas, tables, exclude)
    _run(_check_encoding, recorder.statements)
    return {
        "statements": _sort_indexes(recorder.statements),
        "tables": [_describe_table(table, dialect) for table in tables],
        "referred": referred,
        "excluded": excluded,
    }


def describe(kind: str, error: BaseException, **details: Any) -> WorkerError:
    """Return an error of the application's code, with its place there and the last line of the traceback."""
    last = traceback.format_exception_only(error)[-1].strip()
    last = last if len(last) <= _MOST_TEXT else f"{last[:_MOST_TEXT]}…"
    file, line, source = _find_place(error)
    return WorkerError(kind, last=last, file=file, line=line, source=source, **details)


def _find_place(error: BaseException) -> tuple[str, int, str]:
    import sqlalchemy

    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0, (error.text or "").strip()
    libraries = tuple({realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
    inner = (__file__[: -len("_ddl.py")], "<", *(str(Path(str(module.__file__)).parent) for module in (importlib, sqlalchemy)))
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith(inner)]
    own = [frame for frame in frames if not realpath(frame.filename).startswith(libraries)]
    chosen = (own or frames)[-1:]
    return (chosen[0].filename, chosen[0].lineno or 0, chosen[0].line or "") if chosen else ("", 0, "")


def _choose_tables(metadatas: list[Any], exclude: set[tuple[str, str]]) -> list[Any]:
    """Return the tables, each name once; raises WorkerError for two different ones."""
    chosen: dict[tuple[str, str], Any] = {}
    for metadata in metadatas:
        for table in metadata.tables.values():
            name = _name(table)
            if name in exclude:
                continue
            other = chosen.setdefault(name, table)
            if other is not table and _compose(other) != _compose(table):
                raise WorkerError("two_tables", table=_show(table), places=_describe_two(other, table))
    if not chosen:
        raise WorkerError("all_excluded")
    return list(chosen.values())


def _name(table: Any) -> tuple[str, str]:
    return str(table.schema or "public"), str(table.name)


def _show(table: Any) -> str:
    return ".".join(_name(table))


def _describe_two(first: Any, second: Any) -> list[str]:
    """Return what two tables of one name are, for a message: their classes, their columns, or what differs in their DDL."""
    places = [_locate(first), _locate(second)]
    if places[0] != places[1]:
        return places
    parts = [[line.strip() for text in _compose(table) for line in text.splitlines()] for table in (first, second)]
    one, two = next(pair for pair in zip_longest(*parts, fillvalue="") if pair[0] != pair[1])
    return [f"{places[0]}: {one or two}", f"{places[1]}: {two or 'without that'}"]


def _locate(table: Any) -> str:
    """Return the class that is mapped to a table, if it can be found, for a message."""
    registries: list[Any] = [
        registry
        for module in list(sys.modules.values())
        for registry in (getattr(value, "registry", None) for value in list(vars(module).values()) if inspect.isclass(value))
        if registry is not None and hasattr(registry, "mappers")
    ]
    for registry in registries:
        for mapper in registry.mappers:
            if mapper.local_table is table:
                return f"{mapper.class_.__module__}.{mapper.class_.__qualname__}"
    return ", ".join(column.name for column in table.columns)


def _compose(table: Any) -> list[str]:
    """Return the DDL of a table without what is not decided by its definition alone."""
    from sqlalchemy.schema import CreateIndex, CreateTable

    dialect = _make_dialect(0)
    name = dialect.identifier_preparer.format_table(table)
    try:
        texts = [str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=dialect))]
        texts += sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)
    except Exception as error:
        # What cannot be compiled is reported later, with its column.
        texts = [str(error)]
    # No schema is the schema public.
    texts = [text.replace(f" {name} (", f" {'.'.join(_name(table))} (", 1) for text in texts]
    keys = sorted(f"{key.parent.name}: {key._get_colspec().removeprefix('public.')}" for key in table.foreign_keys)
    return [*texts, *keys, str(table.comment), *(str(column.comment) for column in table.columns)]


def _make_dialect(server_version: int) -> Any:
    from sqlalchemy.dialects.postgresql.base import PGDialect

    # Named parameters: with another style, percent signs would be doubled.
    make: Any = PGDialect
    dialect = make(paramstyle="named")
    dialect.server_version_info = (server_version // 10000 or 18, server_version % 10000)
    # What the dialect finds out when it connects.
    dialect._backslash_escapes = False
    dialect.supports_virtual_generated_columns = dialect.server_version_info >= _FIRST_VIRTUAL
    return dialect


def _check_types(tables: list[Any], dialect: Any) -> None:
    """Raise WorkerError with all columns whose type PostgreSQL's dialect cannot write."""
    from sqlalchemy.exc import UnsupportedCompilationError

    bad = []
    for table in tables:
        for column in table.columns:
            try:
                _write_type(column, dialect)
            except Exception as error:
                kind = type(column.type)
                reason = "" if isinstance(error, UnsupportedCompilationError) else str(error).partition("\n")[0]
                bad.append([f"{_show(table)}.{column.name}", f"{kind.__module__}.{kind.__qualname__}", reason])
    if bad:
        raise WorkerError("bad_types", columns=bad)


def _write_type(column: Any, dialect: Any) -> str:
    compiler = getattr(dialect, "type_compiler_instance", None) or dialect.type_compiler
    return str(compiler.process(column.type, type_expression=column))


def _check_enums(tables: list[Any], dialect: Any) -> None:
    """Raise WorkerError for two enums of one name with different labels: only one of them would be created."""
    found: dict[str, tuple[list[str], str]] = {}
    for table in tables:
        for column in table.columns:
            kind = column.type.dialect_impl(dialect)
            kind = getattr(kind, "item_type", kind)
            kind = getattr(kind, "impl", kind)
            labels, name = getattr(kind, "enums", None), getattr(kind, "name", None)
            if not labels or not name or not getattr(kind, "native_enum", True):
                continue
            place, written = f"{_show(table)}.{column.name}", _write_type(column, dialect).rstrip("[]")
            other, where = found.setdefault(written, (list(labels), place))
            if other != list(labels):
                raise WorkerError("two_enums", name=name, places=[where, place], labels=[other, list(labels)])


def _add_stubs(tables: list[Any]) -> list[dict[str, str]]:
    """Add the tables to which foreign keys refer by a name that no models have, so that the keys can be written; return them."""
    from sqlalchemy import Column, Table
    from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError

    known = {id(table) for table in tables}
    named = {_name(table) for table in tables}
    referred: list[dict[str, str]] = []
    for table in tables:
        for key in sorted(table.foreign_keys, key=lambda each: str(each.parent.name)):
            place = f"{_show(table)}.{key.parent.name}"
            try:
                target = key.column.table
            except NoReferencedTableError:
                schema, name, column = _split(key._get_colspec())
                stub = Table(name, table.metadata, schema=schema)
                if column and column not in stub.columns:
                    stub.append_column(Column(column, key.parent.type))
                if (schema or "public", name) not in named:
                    referred.append({"place": place, "schema": schema or "public", "table": name})
            except NoReferencedColumnError as error:
                raise WorkerError("no_column", place=place, reason=str(error)) from error
            else:
                if id(target) not in known and _name(target) not in named:
                    schema, name = _name(target)
                    referred.append({"place": place, "schema": schema, "table": name})
    return referred


def _split(specification: str) -> tuple[str | None, str, str]:
    """Return the schema, table and column of `schema.table.column`."""
    parts = specification.split(".")
    if len(parts) == 1:
        return None, parts[0], ""
    return ".".join(parts[:-2]) or None, parts[-2], parts[-1]


class _NoResult:
    """The result of a statement that is recorded and not run: any use of it is an error."""

    def __getattr__(self, name: str) -> Any:
        raise WorkerError("reads", name=name)

    def __iter__(self) -> Iterator[Any]:
        raise WorkerError("reads", name="rows")


def _make_recorder(dialect: Any) -> Any:
    """Return a connection that records the SQL of what is executed."""
    from sqlalchemy.engine.mock import MockConnection

    class DdlRecorder(MockConnection):
        def __init__(self) -> None:
            super().__init__(dialect, self._record)
            self.statements: list[dict[str, str]] = []
            self.is_ours = False

        def _record(self, construct: Any, *parameters: Any, **_named: Any) -> _NoResult:
            if self.is_ours or not _adds_foreign_key(construct):
                statement = {"text": _compile(construct, parameters, dialect), "for": _name_target(construct)}
                # An enum of two MetaData is one.
                if not type(construct).__name__.startswith("Create") or statement not in self.statements:
                    self.statements.append(statement)
            return _NoResult()

        def exec_driver_sql(self, statement: str, *_parameters: Any, **_options: Any) -> _NoResult:
            return self._record(statement)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            raise WorkerError("reads", name=name)

    return DdlRecorder()


def _compile(construct: Any, parameters: tuple[Any, ...], dialect: Any) -> str:
    """Return the SQL of what is executed.

    Foreign keys follow when all tables exist: they may form cycles, or refer to other models.
    """
    from sqlalchemy.schema import DDL, CreateTable
    from sqlalchemy.sql.elements import TextClause

    if isinstance(construct, str):
        return construct.strip()
    if type(construct) is CreateTable:
        construct = CreateTable(construct.element, include_foreign_key_constraints=[])
    if hasattr(construct, "element") or isinstance(construct, DDL):
        return str(construct.compile(dialect=dialect)).strip()
    if parameters and isinstance(parameters[0], dict):
        # The types of the parameters of a text are not known before they have values.
        bind = construct.bindparams if isinstance(construct, TextClause) else construct.params
        construct = bind(**parameters[0])
    return str(construct.compile(dialect=dialect, compile_kwargs={"literal_binds": True})).strip()


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


def _adds_foreign_key(construct: Any) -> bool:
    from sqlalchemy import ForeignKeyConstraint
    from sqlalchemy.schema import AddConstraint

    return isinstance(construct, AddConstraint) and isinstance(construct.element, ForeignKeyConstraint)


def _name_target(construct: Any) -> str:
    """Return what a statement is for, for a message; empty for a statement of a listener."""
    element = getattr(construct, "element", None)
    table = getattr(element, "table", element)
    return _show(table) if hasattr(table, "columns") and hasattr(table, "schema") else ""


def _create(recorder: Any, metadatas: list[Any], tables: list[Any], exclude: set[tuple[str, str]]) -> None:
    """Record the DDL of all tables; listeners of DDL events run as they do on a database."""
    chosen = {id(table) for table in tables}
    ready: set[int] = set()
    keys = [
        constraint
        for table in tables
        for constraint in sorted(table.foreign_key_constraints, key=lambda each: [column.name for column in each.columns])
        if _name(constraint.referred_table) not in exclude
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
    from sqlalchemy import event

    event.listen(metadata, "after_create", listen, insert=True)
    yield
    event.remove(metadata, "after_create", listen)


def _add_keys(recorder: Any, keys: list[Any], ready: set[int] | None) -> None:
    """Record the foreign keys between tables that exist, and take them from the list; without `ready`, all of them."""
    from sqlalchemy.schema import AddConstraint

    recorder.is_ours = True
    for key in list(keys):
        if ready is None or {id(key.table), id(key.referred_table)} <= ready:
            recorder.execute(AddConstraint(key))
            keys.remove(key)
    recorder.is_ours = False


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
        "columns": [[each.name, _write_type(each, dialect)] for each in table.columns],
    }


def _is_default_name(index: Any, metadata: Any) -> bool:
    """Return True if an index has the name that SQLAlchemy makes where no other convention is set."""
    from sqlalchemy import MetaData
    from sqlalchemy.sql.elements import conv

    return isinstance(index.name, conv) and metadata.naming_convention.get("ix") == MetaData().naming_convention["ix"]


def _unquote(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name
