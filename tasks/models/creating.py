"""Create models on a scratch database, beside what the migrations make that models cannot express."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from tasks.catalog import Catalog
from tasks.generation.states import read_state
from tasks.models.importing import DdlStatement, Models
from tasks.models.names import split_name
from tasks.models.references import TableName
from tasks.postgres.extension_parts import find_provider
from tasks.postgres.quoting import quote_qualified
from tasks.postgres.targets import Node
from tasks.rehearsal.kept.schemas import KeptSchema, KeptSchemas
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import run_forward, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import Place, RefusedError, RunnerError
from tasks.runner.planning.hints import FIX_FILE

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
    stand_ins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Creation:
    """The creation of models in the state after all migrations of a checkout, from which all tables and views are dropped.

    So extensions, functions and types are there that models use and cannot express. `before` is the schema of that state.
    """

    server: ScratchServer
    base: Sequence[RehearsedMigration]
    before: Catalog
    models: Models
    kept: KeptSchemas
    timeout_s: float | None

    def run(self, rehearsal: Rehearsal | None) -> CreatedModels:
        """Create the models, in a database in the state before if there is one; raises RunnerError for a statement that fails."""
        declared = frozenset(_find_declared(self.models.statements))
        clearing = [*_make_batches("cleared", _clear(self.before, self.models, declared))]
        creating = [*_make_batches("models", [*_create_schemas(self.models), *_list_ddl(self.models)])]
        complete = [*self.base, *clearing, *creating]
        state = self.kept.find(complete)
        if state is None:
            state = self._create(rehearsal, clearing, creating)
            self.kept.add(complete, state)
        return CreatedModels(self.models, state.catalog, declared, state.left_out, state.stand_ins)

    def _create(
        self, rehearsal: Rehearsal | None, clearing: Sequence[RehearsedMigration], creating: Sequence[RehearsedMigration]
    ) -> KeptSchema:
        if rehearsal is not None:
            return self._run(rehearsal, [*clearing, *creating])
        # The state without tables is cached: it is the same for the next change of the models.
        with (
            state_after(self.server, [*self.base, *clearing], timeout_s=self.timeout_s) as database,
            Rehearsal(database, timeout_s=self.timeout_s) as opened,
        ):
            return self._run(opened, creating)

    def _run(self, rehearsal: Rehearsal, migrations: Sequence[RehearsedMigration]) -> KeptSchema:
        error = run_forward(rehearsal, migrations)[-1]
        if error is not None:
            raise _explain(error, self.models)
        return read_state(rehearsal)


def _make_batches(name: str, statements: Iterable[str]) -> Iterator[RehearsedMigration]:
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
    kind = RefusedError if isinstance(error, RefusedError) else RunnerError
    hint = "" if error.hint == FIX_FILE else error.hint
    return kind(
        f"the models cannot be created: {target}{error.message}",
        hint="\n".join(filter(None, (hint, _find_hint(error, models)))) or "Correct the models, then run the command again.",
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
