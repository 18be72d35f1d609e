"""Create models on a scratch database, beside what the migrations make that models cannot express."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tasks.catalog import Catalog
from tasks.generation.states import read_schema_state
from tasks.models.importing import DdlStatement, Models
from tasks.models.names import split_name
from tasks.models.references import TableName
from tasks.postgres.extension_parts import find_provider
from tasks.postgres.quoting import quote_qualified
from tasks.postgres.targets import Node
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch import cache
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import Place, RunnerError

_BATCH = 200
"""The statements of one transaction: each locks what it makes or drops, and the table of locks has a limit.

https://www.postgresql.org/docs/current/runtime-config-locks.html
"""
_SHOWN = "the DDL of the models"
_DROPPED = {
    "table": "TABLE",
    "foreign table": "FOREIGN TABLE",
    "view": "VIEW",
    "materialized view": "MATERIALIZED VIEW",
}
_MISSING_TYPE = re.compile(r'type "(.+)" does not exist')
_UNDEFINED_OBJECT = "42704"
_REPEATABLE = {
    "CreateSchemaStmt": (re.compile(r"^CREATE\s+SCHEMA\s+(?!IF\s)", re.IGNORECASE), "CREATE SCHEMA IF NOT EXISTS "),
    "CreateExtensionStmt": (re.compile(r"^CREATE\s+EXTENSION\s+(?!IF\s)", re.IGNORECASE), "CREATE EXTENSION IF NOT EXISTS "),
    "CreateFunctionStmt": (re.compile(r"^CREATE\s+(?=FUNCTION|PROCEDURE)", re.IGNORECASE), "CREATE OR REPLACE "),
}
"""What listeners may create that the migrations have created before."""


@dataclass(frozen=True, slots=True)
class CreatedModels:
    """The models as a schema."""

    models: Models
    catalog: Catalog
    """The complete schema of the scratch database, with what the migrations make beside tables."""
    declared: frozenset[tuple[str, TableName]] = frozenset()
    """The types and sequences that the DDL of the models creates, each with its word in SQL."""
    left_out: tuple[LeftOut, ...] = field(default=())
    """The statements that the scratch server could not run, of the migrations too."""


def create_models(
    server: ScratchServer, base: Sequence[RehearsedMigration], before: Catalog, models: Models, *, timeout_s: float | None = None
) -> CreatedModels:
    """Create the tables of models in the state after `base`, from which all tables and views were dropped.

    So extensions, functions and types are there that models use and cannot express. `before` is the schema of that state.
    Raises RunnerError for a statement that fails.
    """
    declared = frozenset(_find_declared(models.statements))
    cleared = [*base, *_make_batches("cleared", list(_clear(before, models, declared)))]
    complete = [*cleared, *_make_batches("models", [*_create_schemas(models), *_list_ddl(models)])]
    names = cache.name_states(complete, server.version, server.state_key)
    if cache.find_longest(server.administer(), names)[0] < len(cleared):
        # It is cached: it is the same for the next change of the models.
        with state_after(server, cleared, timeout_s=timeout_s):
            pass
    try:
        state = read_schema_state(server, complete, timeout_s=timeout_s)
    except RunnerError as error:
        raise _explain(error, models) from error
    return CreatedModels(models, state.catalog, declared, state.left_out)


def _make_batches(name: str, statements: Sequence[str]) -> Iterator[RehearsedMigration]:
    rest = iter(statements)
    while batch := list(islice(rest, _BATCH)):
        yield RehearsedMigration(name, "".join(f"{text};\n" for text in batch), shown=_SHOWN)


def _clear(before: Catalog, models: Models, declared: frozenset[tuple[str, TableName]]) -> Iterator[str]:
    """Yield the statements that drop what the models create."""
    kept = {each.name for each in models.referred}
    for key, _ in sorted(before.list_unordered()):
        if key.kind in _DROPPED and split_name(key.name) not in kept:
            yield f"DROP {_DROPPED[key.kind]} IF EXISTS {key.name} CASCADE"
    for word, name in sorted(declared):
        yield f"DROP {word} IF EXISTS {quote_qualified(*name)} CASCADE"


def _create_schemas(models: Models) -> Iterator[str]:
    for schema in sorted({table.name[0] for table in models.tables} - {"public"}):
        yield f"CREATE SCHEMA IF NOT EXISTS {quote_qualified(schema)}"


def _list_ddl(models: Models) -> Iterator[str]:
    for statement in models.statements:
        yield _make_repeatable(statement) if not statement.target else statement.text


def _make_repeatable(statement: DdlStatement) -> str:
    for pattern, written in _REPEATABLE.values():
        text = pattern.sub(written, statement.text)
        if text != statement.text:
            return text
    return statement.text


def _find_declared(statements: Sequence[DdlStatement]) -> Iterator[tuple[str, TableName]]:
    """Yield the types and sequences that statements create."""
    for statement in statements:
        if not statement.target:
            yield from _read_created(statement.text)


def _read_created(text: str) -> Iterator[tuple[str, TableName]]:
    from pglast.parser import ParseError, parse_sql_json

    try:
        nodes = [each["stmt"] for each in json.loads(parse_sql_json(text))["stmts"]]
    except ParseError:
        return  # The server reports it.
    for node in nodes:
        ((kind, fields),) = node.items()
        if kind in {"CreateEnumStmt", "CreateRangeStmt"}:
            yield "TYPE", _read_parts(fields["typeName"])
        elif kind == "CreateDomainStmt":
            yield "DOMAIN", _read_parts(fields["domainname"])
        elif kind == "CompositeTypeStmt":
            yield "TYPE", _read_range(fields["typevar"])
        elif kind == "CreateSeqStmt":
            yield "SEQUENCE", _read_range(fields["sequence"])


def _read_parts(items: Sequence[Node]) -> TableName:
    *schema, name = (item["String"]["sval"] for item in items)
    return schema[-1] if schema else "public", name


def _read_range(node: Node) -> TableName:
    return node.get("schemaname", "public"), node["relname"]


def _explain(error: RunnerError, models: Models) -> RunnerError:
    """Return the error of a statement of the models with the table it is for, and what to do about it."""
    place = error.place
    if place is None or place.file != _SHOWN:
        return error
    statement = _find_statement(error, models)
    target = f"{statement.target}: " if statement and statement.target else ""
    return type(error)(
        f"the models cannot be created: {target}{error.message}",
        hint="\n".join(filter(None, (error.hint, _find_hint(error, models)))),
        state="Nothing was changed.",
        place=Place(", ".join(models.references), source=place.source),
        sqlstate=error.sqlstate,
    )


def _find_statement(error: RunnerError, models: Models) -> DdlStatement | None:
    """Return the statement whose text has the line in which an error is."""
    source = error.place.source.strip() if error.place else ""
    return next((each for each in models.statements if source and source in each.text), None)


def _find_hint(error: RunnerError, models: Models) -> str:
    match = _MISSING_TYPE.search(error.message) if error.sqlstate == _UNDEFINED_OBJECT else None
    if match is None:
        return ""
    kind = match[1].rpartition(".")[2].strip('"')
    columns = [
        f"{quote_qualified(*table.name)}.{column}"
        for table in models.tables
        for column, written in table.columns
        if re.match(rf"\W*{re.escape(kind)}\b", written, re.IGNORECASE)
    ]
    place = f"The column {columns[0]} has it. " if columns else ""
    if provider := find_provider(kind):
        return (
            f"{place}It is a type of the extension {provider}, which no migration creates: write that migration first,\n"
            f"{compose_command('db.new', f'enable_{provider}')} with CREATE EXTENSION IF NOT EXISTS {quote_qualified(provider)};"
        )
    return f"{place}PostgreSQL has no such type, and no migration creates it. Use another one, or write that migration first."
