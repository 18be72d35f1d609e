"""Whether the rules need to see what the statements of a file do on scratch, or its text and the schema show the same."""

from __future__ import annotations

from collections import Counter

from tasks.lint.model import LintedFile, LintedStatement, Node
from tasks.lint.schema import SchemaFacts
from tasks.lint.trees import list_commands, list_constraints, list_targets, read_names

_CHANGING_ROWS = frozenset({"UpdateStmt", "DeleteStmt"})
_WITHOUT_LOCKS = frozenset({"VariableSetStmt", "CommentStmt", "SelectStmt"})
_LOCKING_NO_OTHER = frozenset(
    {
        "AlterEnumStmt",
        "AlterSeqStmt",
        "CompositeTypeStmt",
        "CreateDomainStmt",
        "CreateEnumStmt",
        "CreateFunctionStmt",
        "CreateRangeStmt",
        "CreateSchemaStmt",
        "CreateSeqStmt",
        "CreateTrigStmt",
        "GrantStmt",
        "IndexStmt",
        "ViewStmt",
    }
)
"""The statements that get ACCESS EXCLUSIVE on no existing table: https://www.postgresql.org/docs/current/explicit-locking.html"""
_LOCKING_ITS_TABLE = frozenset(
    {
        "AT_AddColumn",
        "AT_AddConstraint",
        "AT_ColumnDefault",
        "AT_DisableRowSecurity",
        "AT_DropNotNull",
        "AT_EnableRowSecurity",
        "AT_SetNotNull",
        "AT_ValidateConstraint",
    }
)
_DROPPED_ALONE = frozenset({"OBJECT_FUNCTION", "OBJECT_INDEX", "OBJECT_SEQUENCE", "OBJECT_TRIGGER", "OBJECT_TYPE", "OBJECT_VIEW"})
_RENAMED_ALONE = frozenset({"OBJECT_COLUMN", "OBJECT_INDEX", "OBJECT_TABLE", "OBJECT_TABCONSTRAINT"})
_CASCADE = "DROP_CASCADE"
_WRITING_NO_ROW = frozenset(
    {"CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_NOTNULL", "CONSTR_NULL", "CONSTR_PRIMARY", "CONSTR_UNIQUE"}
)


def depends_on_effects(file: LintedFile, schema: SchemaFacts | None) -> bool:
    """Return True if a rule looks at what a statement of the file did on scratch, and could not know it without.

    That is a change of rows or of a type, a new column whose values may be written, and a transaction of several statements whose
    locks do not follow from their texts. `schema` is that before the file.
    """
    if any(_writes(statement) for statement in file.statements):
        return True
    locking = [each for each in file.statements if each.transactional and each.kind not in _WITHOUT_LOCKS]
    segments = Counter(each.segment for each in locking)
    return any(segments[each.segment] > 1 and not _shows_locks(each, schema) for each in locking)


def _writes(statement: LintedStatement) -> bool:
    """Return True if a statement may change rows, or write a table again."""
    if statement.kind in _CHANGING_ROWS:
        return True
    for command in list_commands(statement):
        if command.get("subtype") == "AT_AlterColumnType":
            return True
        if command.get("subtype") == "AT_AddColumn" and _has_values(command.get("def", {}).get("ColumnDef", {})):
            return True
    return False


def _has_values(column: Node) -> bool:
    """Return True if a new column may have other values than one constant."""
    if read_names(column.get("typeName", {}).get("names"))[-1:] in {("serial",), ("bigserial",), ("smallserial",)}:
        return True
    for each in list_constraints(column):
        default = each.get("raw_expr", {})
        is_constant = "A_Const" in default or "A_Const" in default.get("TypeCast", {}).get("arg", {})
        if each.get("contype") not in _WRITING_NO_ROW and not (each.get("contype") == "CONSTR_DEFAULT" and is_constant):
            return True
    return False


def _shows_locks(statement: LintedStatement, schema: SchemaFacts | None) -> bool:
    """Return True if a statement gets ACCESS EXCLUSIVE on exactly the tables that its text names, or on none."""
    if statement.kind in _LOCKING_NO_OTHER:
        return True
    if statement.kind == "CreateStmt":
        return "partbound" not in statement.node
    if schema is None:
        return False
    targets = list_targets(statement, schema)
    related = {name for table in schema.tables.values() if table.parents for name in (table.name, *table.parents)}
    node = statement.node
    if not related.isdisjoint(targets) or node.get("behavior") == _CASCADE:
        return False
    if statement.kind == "DropStmt":
        references = _list_kinds(targets, schema)
        return node.get("removeType") in _DROPPED_ALONE or (node.get("removeType") == "OBJECT_TABLE" and "f" not in references)
    if statement.kind == "RenameStmt":
        of_table = node.get("renameType") != "OBJECT_COLUMN" or node.get("relationType") == "OBJECT_TABLE"
        return of_table and node.get("renameType") in _RENAMED_ALONE
    if statement.kind != "AlterTableStmt" or node.get("objtype") != "OBJECT_TABLE":
        return False
    return all(_locks_its_table(each, targets, schema) for each in list_commands(statement))


def _locks_its_table(command: Node, targets: tuple[str, ...], schema: SchemaFacts) -> bool:
    """Return True for a command that gets ACCESS EXCLUSIVE on its table only, as the rule about locks takes it to do."""
    kind = command.get("subtype")
    if kind not in ("AT_DropColumn", "AT_DropConstraint"):
        return kind in _LOCKING_ITS_TABLE
    if command.get("behavior") == _CASCADE:
        return False
    if kind == "AT_DropColumn":
        return "f" not in _list_kinds(targets, schema, column=command["name"])
    kinds = _list_kinds(targets, schema, name=command["name"])
    return bool(kinds) and "f" not in kinds


def _list_kinds(targets: tuple[str, ...], schema: SchemaFacts, *, name: str = "", column: str = "") -> set[str]:
    """Return the kinds of the constraints of tables, of a certain name or on a certain column."""
    tables = [schema.tables[target] for target in targets if target in schema.tables]
    return {
        each.kind
        for table in tables
        for each in table.constraints
        if (not name or each.name == name) and (not column or column in each.columns)
    }
