"""The tables of models that were imported, chosen and checked for what cannot be created."""

from __future__ import annotations

import inspect
import sys
from itertools import zip_longest
from typing import Any

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.exc import NoReferencedColumnError, NoReferencedTableError, UnsupportedCompilationError
from sqlalchemy.schema import CreateIndex, CreateTable

from .errors import WorkerError

_FIRST_VIRTUAL = (18,)


def choose_tables(metadatas: list[Any], exclude: set[tuple[str, str]]) -> list[Any]:
    """Return the tables, each name once; raises WorkerError for two different ones."""
    chosen: dict[tuple[str, str], Any] = {}
    for metadata in metadatas:
        for table in metadata.tables.values():
            name = name_table(table)
            if name in exclude:
                continue
            other = chosen.setdefault(name, table)
            if other is not table and _compose(other) != _compose(table):
                raise WorkerError("two_tables", table=show_name(table), places=_describe_two(other, table))
    if not chosen:
        raise WorkerError("all_excluded")
    return list(chosen.values())


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
    dialect = make_dialect(0)
    name = dialect.identifier_preparer.format_table(table)
    try:
        texts = [str(CreateTable(table, include_foreign_key_constraints=[]).compile(dialect=dialect))]
        texts += sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in table.indexes)
    except Exception as error:
        # What cannot be compiled is reported later, with its column.
        texts = [str(error)]
    # No schema is the schema public.
    texts = [text.replace(f" {name} (", f" {'.'.join(name_table(table))} (", 1) for text in texts]
    keys = sorted(f"{key.parent.name}: {key._get_colspec().removeprefix('public.')}" for key in table.foreign_keys)
    return [*texts, *keys, str(table.comment), *(str(column.comment) for column in table.columns)]


def check_types(tables: list[Any], dialect: Any) -> None:
    """Raise WorkerError with all columns whose type PostgreSQL's dialect cannot write."""
    bad = []
    for table in tables:
        for column in table.columns:
            try:
                write_type(column, dialect)
            except Exception as error:
                kind = type(column.type)
                reason = "" if isinstance(error, UnsupportedCompilationError) else str(error).partition("\n")[0]
                bad.append([f"{show_name(table)}.{column.name}", f"{kind.__module__}.{kind.__qualname__}", reason])
    if bad:
        raise WorkerError("bad_types", columns=bad)


def check_enums(tables: list[Any], dialect: Any) -> None:
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
            place, written = f"{show_name(table)}.{column.name}", write_type(column, dialect).rstrip("[]")
            other, where = found.setdefault(written, (list(labels), place))
            if other != list(labels):
                raise WorkerError("two_enums", name=name, places=[where, place], labels=[other, list(labels)])


def make_dialect(server_version: int) -> Any:
    """Return PostgreSQL's dialect as it is after a connection to a server of a version; 0 is the newest one."""
    # Named parameters: with another style, percent signs would be doubled.
    make: Any = PGDialect
    dialect = make(paramstyle="named")
    dialect.server_version_info = (server_version // 10000 or 18, server_version % 10000)
    # What the dialect finds out when it connects.
    dialect._backslash_escapes = False
    dialect.supports_virtual_generated_columns = dialect.server_version_info >= _FIRST_VIRTUAL
    return dialect


def write_type(column: Any, dialect: Any) -> str:
    """Return the type of a column as DDL."""
    compiler = getattr(dialect, "type_compiler_instance", None) or dialect.type_compiler
    return str(compiler.process(column.type, type_expression=column))


def name_table(table: Any) -> tuple[str, str]:
    """Return the schema and the name of a table."""
    return str(table.schema or "public"), str(table.name)


def show_name(table: Any) -> str:
    """Return the name of a table for a message."""
    return ".".join(name_table(table))


def add_stubs(tables: list[Any]) -> list[dict[str, str]]:
    """Add the tables to which foreign keys refer by a name that no models have, so that the keys can be written; return them."""
    known = {id(table) for table in tables}
    named = {name_table(table) for table in tables}
    referred: list[dict[str, str]] = []
    for table in tables:
        for key in sorted(table.foreign_keys, key=lambda each: str(each.parent.name)):
            place = f"{show_name(table)}.{key.parent.name}"
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
                if id(target) not in known and name_table(target) not in named:
                    schema, name = name_table(target)
                    referred.append({"place": place, "schema": schema, "table": name})
    return referred


def _split(specification: str) -> tuple[str | None, str, str]:
    """Return the schema, table and column of `schema.table.column`."""
    parts = specification.split(".")
    if len(parts) == 1:
        return None, parts[0], ""
    return ".".join(parts[:-2]) or None, parts[-2], parts[-1]
