"""Rules about a file as a whole, about indexes, and about foreign keys."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.lint.model import LintContext, LintedFile, LintedStatement, LintFinding, Node
from tasks.lint.schema import SchemaFacts
from tasks.lint.trees import find_line, list_commands, list_constraints, list_targets, qualify_range, read_names


def find_missing_down(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding if there is no down file."""
    if context.file.down is None:
        message = f"there is no down file {context.file.shown_down}".rstrip() + ", so the migration cannot be rolled back"
        yield LintFinding(context.file.shown, 1, "missing-down", message, context.file.version)


def find_kept_invalid_index(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each CREATE INDEX CONCURRENTLY IF NOT EXISTS."""
    for statement in context.file.statements:
        node = statement.node
        if statement.kind == "IndexStmt" and node.get("concurrent") and node.get("if_not_exists"):
            name, relation = node.get("idxname", ""), qualify_range(node["relation"], context.schema)
            message = (
                f"IF NOT EXISTS keeps an invalid index {name} that a failed CREATE INDEX CONCURRENTLY left behind: "
                "the statement succeeds, and queries cannot use the index"
            )
            yield LintFinding(
                context.file.shown,
                statement.line,
                "concurrently-if-not-exists",
                message,
                context.file.version,
                statement.number,
                relation,
                name=name,
            )


def find_full_rewrite(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each VACUUM FULL and CLUSTER of a table."""
    for statement in context.file.statements:
        options = [each.get("DefElem", {}).get("defname") for each in statement.node.get("options", ())]
        if statement.kind == "ClusterStmt" or (statement.kind == "VacuumStmt" and "full" in options):
            verb = "CLUSTER" if statement.kind == "ClusterStmt" else "VACUUM FULL"
            for relation in list_targets(statement, context.schema) or ("",):
                message = f"{verb} writes all of {relation or 'each table'} while its readers and writers wait"
                yield LintFinding(
                    context.file.shown, statement.line, "full-rewrite", message, context.file.version, statement.number, relation
                )


def find_unindexed_foreign_key(context: LintContext) -> Iterator[LintFinding]:
    """Yield a finding for each new foreign key whose columns are not the first of an index."""
    schema = context.schema
    if schema is None:
        return
    for statement in context.file.statements:
        for command, constraint, columns in _list_foreign_keys(statement):
            relation = qualify_range(statement.node["relation"], schema)
            if _is_indexed(context, schema, relation, columns):
                continue
            target = qualify_range(constraint["pktable"], schema)
            message = (
                f"no index begins with {', '.join(columns)}: each DELETE and each change of the key in {target} reads "
                f"the whole table {relation}"
            )
            yield LintFinding(
                context.file.shown,
                find_line(statement, command),
                "foreign-key-without-index",
                message,
                context.file.version,
                statement.number,
                relation,
                columns[0] if len(columns) == 1 else "",
                constraint.get("conname", ""),
                command,
            )


def _list_foreign_keys(statement: LintedStatement) -> Iterator[tuple[int, Node, tuple[str, ...]]]:
    """Yield the foreign keys that a statement adds: the number of the command, the constraint, and the referencing columns."""
    if statement.kind not in ("AlterTableStmt", "CreateStmt"):
        return
    elements = [each.get("def", {}) for each in list_commands(statement)] or statement.node.get("tableElts", ())
    for number, element in enumerate(elements):
        command = number if statement.kind == "AlterTableStmt" else -1
        if "Constraint" in element:
            constraint = element["Constraint"]
            if constraint.get("contype") == "CONSTR_FOREIGN":
                yield command, constraint, read_names(constraint.get("fk_attrs"))
        for constraint in list_constraints(element.get("ColumnDef", {})):
            if constraint.get("contype") == "CONSTR_FOREIGN":
                yield command, constraint, (element["ColumnDef"]["colname"],)


def _is_indexed(context: LintContext, schema: SchemaFacts, relation: str, columns: tuple[str, ...]) -> bool:
    """Return True if an index of the table begins with the columns, in any order: one that exists, or that is pending."""
    table = schema.tables.get(relation)
    known = [
        each.columns
        for each in (table.indexes if table else ())
        if each.valid and each.method in ("btree", "hash") and _covers_all(each.predicate, columns)
    ]
    pending = [keys for file in (context.file, *context.later) for keys in _list_new_indexes(file, schema, relation)]
    return any(set(keys[: len(columns)]) == set(columns) for keys in (*known, *pending))


def _covers_all(predicate: str, columns: tuple[str, ...]) -> bool:
    """Return True for an index on all rows, or on all in which a column of the foreign key is not null."""
    return not predicate or predicate in {f"({column} IS NOT NULL)" for column in columns}


def _list_new_indexes(file: LintedFile, schema: SchemaFacts, relation: str) -> Iterator[tuple[str, ...]]:
    """Yield the columns of the indexes that a file creates on a table, those of constraints included."""
    for statement in file.statements:
        if "relation" not in statement.node or statement.kind not in ("IndexStmt", "AlterTableStmt", "CreateStmt"):
            continue
        if qualify_range(statement.node["relation"], schema) != relation:
            continue
        if statement.kind == "IndexStmt" and not _is_partial(statement.node):
            yield tuple(each["IndexElem"].get("name", "") for each in statement.node.get("indexParams", ()))
        elements = [each.get("def", {}) for each in list_commands(statement)] or statement.node.get("tableElts", ())
        for element in elements:
            constraint, column = element.get("Constraint", {}), element.get("ColumnDef", {})
            if constraint.get("contype") in ("CONSTR_UNIQUE", "CONSTR_PRIMARY"):
                yield read_names(constraint.get("keys"))
            if any(each.get("contype") in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") for each in list_constraints(column)):
                yield (column["colname"],)


def _is_partial(node: Node) -> bool:
    """Return True for an index that leaves out rows other than those in which a column is null."""
    test = node.get("whereClause", {})
    return bool(test) and test.get("NullTest", {}).get("nulltesttype") != "IS_NOT_NULL"
