"""The schema after the statements of migration files, as far as the parser's trees show it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.runner.errors import RunnerError
from tasks.runner.files.checkout import read_migrations, read_source
from tasks.templates.forms import GRAMMAR
from tasks.templates.known_schema import KnownSchema, KnownTable
from tasks.templates.object_names import name_foreign_key, name_unique

if TYPE_CHECKING:
    from tasks.runner.parsing import Statement

_MENTIONS = ("table", "function", "extension")
_SERIAL = {"smallserial": "smallint", "serial2": "smallint", "serial": "integer", "serial4": "integer"}
_SERIAL |= {"bigserial": "bigint", "serial8": "bigint"}
"""The types that these stand for: https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL"""


def read_known_schema(folder: Path, description: str, *functions: str) -> KnownSchema:
    """Return what the up files of a folder create, of those files that may be about the words of a description.

    They contain the beginning of such a word, which is the same in singular and plural, or one of `functions`. So most of many
    files are not parsed. Files that cannot be read are left out: `inv db.migrate` reports them.
    """
    words = {word for word in description.split("_") if len(word) > 2} - GRAMMAR
    beginnings = {word[:4] for word in words} | {name.lower() for name in functions}
    reader = SchemaReader()
    has_tables = False
    with suppress(RunnerError, OSError):
        migrations = read_migrations(folder)
        for version in migrations.checksums:
            path = migrations.up_path(version)
            lowered = path.read_bytes().lower()
            has_tables = has_tables or (b"create" in lowered and b"table" in lowered)
            if any(word.encode() in lowered for word in _MENTIONS) and any(part.encode() in lowered for part in beginnings):
                with suppress(RunnerError):
                    reader.read(read_source(path).text, file=path.name, version=version)
    return KnownSchema(tuple(reader.tables.values()), frozenset(reader.functions), frozenset(reader.extensions), has_tables)


@dataclass
class SchemaReader:
    """The state of a schema after the statements that were read so far."""

    tables: dict[tuple[str, str], KnownTable] = field(default_factory=dict)
    functions: set[tuple[str, str]] = field(default_factory=set)
    extensions: set[str] = field(default_factory=set)
    _path: tuple[str, ...] = ()

    def read(self, text: str, *, file: str, version: str) -> None:
        """Apply the statements of a file; one that cannot be run changes nothing."""
        from tasks.runner.parsing import ScriptError, read_script
        from tasks.runner.parsing.created_extensions import list_created_extensions

        try:
            script = read_script(text, file=file, version=version)
        except ScriptError:
            return
        self._path = ()
        self.extensions |= set(list_created_extensions(text))
        for statement in script.statements:
            node, apply = _parse(statement.text), self._appliers.get(statement.kind)
            if node is not None and apply is not None:
                apply(node)
            else:
                self._create_other(statement)

    def _create_other(self, statement: Statement) -> None:
        from tasks.runner.parsing.created_tables import list_statement_tables

        for schema, name in list_statement_tables(statement):
            self._put(KnownTable(self._place(schema), name))

    def _set_path(self, node: Any) -> None:
        if node.name == "search_path":
            names = [getattr(getattr(each, "val", None), "sval", "") for each in node.args or ()]
            self._path = tuple(name for name in names if name not in ("", "$user", "public"))

    def _create_table(self, node: Any) -> None:
        relation = node.relation
        if relation.relpersistence == "t" or (node.if_not_exists and self._find(relation) in self.tables):
            return
        elements = node.tableElts or ()
        whole = not (node.inhRelations or node.ofTypename) and all(
            _name(each) in ("ColumnDef", "Constraint") for each in elements
        )
        table = KnownTable(self._place(relation.schemaname or ""), relation.relname, {}, partitioned=node.partspec is not None)
        for element in elements:
            table = _add_element(table, element)
        self._put(table if whole else replace(table, columns=None))

    def _alter_table(self, node: Any) -> None:
        table = self.tables.get(self._find(node.relation))
        if table is None:
            return
        whole = table.columns is not None
        for command in node.cmds or ():
            table = _alter(table, command)
        self._put(table if whole else replace(table, columns=None))

    def _create_index(self, node: Any) -> None:
        table = self.tables.get(self._find(node.relation))
        if table is not None and node.idxname:
            self._put(replace(table, names=table.names | {node.idxname}))

    def _rename(self, node: Any) -> None:
        kind = node.renameType.name
        if kind == "OBJECT_FUNCTION":
            self._forget_function([part.sval for part in node.object.objname])
        table = self.tables.get(self._find(node.relation)) if node.relation is not None else None
        if table is None:
            return
        if kind == "OBJECT_TABLE":
            del self.tables[table.schema, table.name]
            self._put(replace(table, name=node.newname))
        elif kind == "OBJECT_COLUMN" and table.columns is not None:
            columns = {node.newname if name == node.subname else name: each for name, each in table.columns.items()}
            self._put(replace(table, columns=columns))

    def _move(self, node: Any) -> None:
        table = self.tables.get(self._find(node.relation)) if node.relation is not None else None
        if table is not None and node.objectType.name == "OBJECT_TABLE":
            del self.tables[table.schema, table.name]
            self._put(replace(table, schema=node.newschema))

    def _drop(self, node: Any) -> None:
        for dropped in node.objects or ():
            if node.removeType.name == "OBJECT_TABLE":
                *schema, name = [part.sval for part in dropped]
                self.tables.pop((self._place(schema[-1] if schema else ""), name), None)
            elif node.removeType.name == "OBJECT_INDEX":
                for table in tuple(self.tables.values()):
                    self._put(replace(table, names=table.names - {dropped[-1].sval}))
            elif node.removeType.name == "OBJECT_FUNCTION":
                self._forget_function([part.sval for part in dropped.objname])
            elif node.removeType.name == "OBJECT_EXTENSION":
                self.extensions.discard(dropped.sval)

    def _create_function(self, node: Any) -> None:
        returned = [part.sval for part in node.returnType.names] if node.returnType else []
        if returned[-1:] == ["trigger"] and not node.parameters:
            *schema, name = [part.sval for part in node.funcname]
            self.functions.add((self._place(schema[-1] if schema else ""), name))

    def _forget_function(self, parts: list[str]) -> None:
        *schema, name = parts
        self.functions.discard((self._place(schema[-1] if schema else ""), name))

    def _put(self, table: KnownTable) -> None:
        self.tables[table.schema, table.name] = table

    def _find(self, relation: Any) -> tuple[str, str]:
        return self._place(relation.schemaname or ""), relation.relname

    def _place(self, schema: str) -> str:
        return schema or next(iter(self._path), "")

    @cached_property
    def _appliers(self) -> dict[str, Callable[[Any], None]]:
        """Return what applies a statement of each kind of the parser's tree."""
        return {
            "VariableSetStmt": self._set_path,
            "CreateStmt": self._create_table,
            "AlterTableStmt": self._alter_table,
            "IndexStmt": self._create_index,
            "RenameStmt": self._rename,
            "AlterObjectSchemaStmt": self._move,
            "DropStmt": self._drop,
            "CreateFunctionStmt": self._create_function,
        }


def _alter(table: KnownTable, command: Any) -> KnownTable:
    """Return a table after an action of ALTER TABLE."""
    kind, columns = command.subtype.name, dict(table.columns or {})
    if kind in ("AT_AddColumn", "AT_AddConstraint"):
        return _add_element(table, command.def_)
    if kind == "AT_DropColumn":
        columns.pop(command.name, None)
    elif kind == "AT_AlterColumnType":
        columns[command.name] = _write_type(command.def_)
    elif kind == "AT_DropConstraint":
        return replace(table, names=table.names - {command.name})
    elif kind == "AT_SetNotNull":
        return replace(table, required=table.required | {command.name})
    elif kind == "AT_DropNotNull":
        return replace(table, required=table.required - {command.name})
    return replace(table, columns=columns)


def _add_element(table: KnownTable, element: Any) -> KnownTable:
    """Return a table with a column, or with a constraint."""
    if _name(element) == "Constraint":
        return _add_constraint(table, element, tuple(part.sval for part in element.keys or element.fk_attrs or ()))
    if _name(element) == "ColumnDef":
        table = replace(table, columns={**(table.columns or {}), element.colname: _write_type(element)})
        for constraint in element.constraints or ():
            table = _add_constraint(table, constraint, (element.colname,))
    return table


def _add_constraint(table: KnownTable, constraint: Any, columns: tuple[str, ...]) -> KnownTable:
    kind = constraint.contype.name
    if kind in ("CONSTR_PRIMARY", "CONSTR_NOTNULL"):
        table = replace(table, required=table.required | set(columns), key=columns if kind == "CONSTR_PRIMARY" else table.key)
    compose = {"CONSTR_UNIQUE": name_unique, "CONSTR_FOREIGN": name_foreign_key}.get(kind)
    name = constraint.conname or (compose(table.name, *columns) if compose else "")
    return replace(table, names=table.names | {name} - {""})


def _parse(text: str) -> Any:
    from pglast import parse_sql
    from pglast.parser import ParseError

    try:
        return parse_sql(text)[0].stmt
    except (ParseError, RecursionError, IndexError):
        return None


def _write_type(column: Any) -> str:
    from pglast.stream import RawStream

    if column.typeName is None:
        return ""
    written = str(RawStream()(column.typeName))
    return _SERIAL.get(written, written)


def _name(node: Any) -> str:
    return type(node).__name__
