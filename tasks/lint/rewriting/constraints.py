"""Constraints that are added without checking the rows, and validated in a later transaction.

https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tasks.lint.model import Node
from tasks.lint.rewriting.indexes import index_columns
from tasks.lint.rewriting.names import TableTarget, quote_list, read_name, read_schema_name, read_strings
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.lint.rewriting.texts import list_tokens
from tasks.lint.schema import TableFacts
from tasks.postgres.quoting import quote_identifier, quote_qualified

_NOT_VALID = re.compile(r"\s+not\s+valid\s*\Z", re.IGNORECASE)
_PARTITIONED_FOREIGN_KEYS = 180000
"""Since 18, a foreign key of a partitioned table can be NOT VALID: https://www.postgresql.org/docs/release/18.0/"""


def add_constraint(table: TableTarget, node: Node, body: str, column: str = "") -> list[SafeStep] | None:
    """Return the steps for a constraint, or None if it does no harm; `body` is its text without its name.

    `column` is the column whose definition contains it, if any.
    """
    kind = node["contype"]
    if kind == "CONSTR_FOREIGN":
        return _add_foreign_key(table, node, body, column)
    if kind == "CONSTR_CHECK" and not node.get("skip_validation"):
        name = node.get("conname") or table.names.choose(table.name, _list_checked(node, table), "check")
        return validate_later(table, name, body)
    if kind in ("CONSTR_UNIQUE", "CONSTR_PRIMARY") and not node.get("indexname"):
        return _add_key(table, node, column)
    return _use_index(table, node, body) if kind == "CONSTR_PRIMARY" else None


def validate_later(table: TableTarget, name: str, body: str) -> list[SafeStep]:
    """Return the steps that add a constraint NOT VALID and validate it, each in a file of its own."""
    return _validate_later(f"TABLE {table.sql}", table.name, name, body)


def constrain_domain(node: Node, text: str) -> list[SafeStep]:
    """Return the steps for a constraint of a domain, with a name."""
    name = node.get("def", {}).get("Constraint", {}).get("conname", "")
    if not name:
        raise NotRewritableError("the constraint of the domain has no name")
    domain = read_strings(node["typeName"])
    return _validate_later(f"DOMAIN {quote_qualified(*domain)}", domain[-1], name, _read_body(text))


def _read_body(text: str) -> str:
    """Return what follows the name of a constraint."""
    tokens = list_tokens(text)
    place = next(place for place, token in enumerate(tokens) if token.text.lower() == "constraint")
    return text[tokens[place + 1].end :].strip()


def _validate_later(what: str, owner: str, name: str, body: str) -> list[SafeStep]:
    add = f"ALTER {what} ADD CONSTRAINT {quote_identifier(name)} {body} NOT VALID;\n"
    drop = f"ALTER {what} DROP CONSTRAINT {quote_identifier(name)};\n"
    validate = f"ALTER {what} VALIDATE CONSTRAINT {quote_identifier(name)};\n"
    touched = frozenset({("constraint", owner, name)})
    return [
        SafeStep(f"add {name}", add, drop, touched=touched),
        SafeStep(f"validate {name}", validate, drop + add, touched=touched),
    ]


def _add_foreign_key(table: TableTarget, node: Node, body: str, column: str) -> list[SafeStep] | None:
    columns = [column] if column else list(read_strings(node.get("fk_attrs", ())))
    steps = []
    if table.find_index(columns) is None and not table.partitioned:
        steps.append(index_columns(table, columns))
    if node.get("skip_validation") and not steps:
        return None
    name = node.get("conname") or table.names.choose(table.name, columns, "fkey")
    reference = f"FOREIGN KEY ({quote_list(columns)}) {body}" if column else body
    if node.get("skip_validation"):
        return [*steps, validate_later(table, name, _NOT_VALID.sub("", reference))[0]]
    if table.partitioned and table.context.server_version < _PARTITIONED_FOREIGN_KEYS:
        return _add_to_partitions(table, name, reference)
    return [*steps, *validate_later(table, name, reference)]


def _add_to_partitions(table: TableTarget, name: str, body: str) -> list[SafeStep]:
    """Return the steps for a foreign key of a partitioned table: first on each partition, then on the parent.

    https://www.postgresql.org/docs/current/ddl-partitioning.html
    """
    partitions = table.list_partitions()
    if not partitions or any(partition.kind != "r" for partition in partitions):
        raise NotRewritableError("a foreign key of partitions of partitions must be written by hand")
    quoted = quote_identifier(name)

    def write(text: str) -> str:
        return "".join(f"ALTER TABLE {partition.name} {text};\n" for partition in partitions)

    add, drop = write(f"ADD CONSTRAINT {quoted} {body} NOT VALID"), write(f"DROP CONSTRAINT {quoted}")
    validate = write(f"VALIDATE CONSTRAINT {quoted}")
    whole = f"ALTER TABLE {table.sql} ADD CONSTRAINT {quoted} {body};\n"
    undo = f"ALTER TABLE {table.sql} DROP CONSTRAINT {quoted};\n"
    touched = frozenset({("constraint", table.name, name)})
    return [
        SafeStep(f"add {name} to partitions", add, drop, touched=touched),
        SafeStep(f"validate {name} of partitions", validate, drop + add, touched=touched),
        SafeStep(f"add {name}", whole, undo + add + validate, alone_down=True, touched=touched),
    ]


def _list_checked(node: Node, table: TableTarget) -> list[str]:
    """Return the column of a CHECK for its name: the only one that its expression refers to, or nothing."""
    found = {
        fields[-1]
        for fields in _find_columns(node.get("raw_expr", {}))
        if table.facts is None or fields[-1] in table.facts.columns
    }
    return list(found) if len(found) == 1 else []


def _find_columns(node: object) -> list[tuple[str, ...]]:
    """Return the column references of an expression."""
    if isinstance(node, list):
        return [found for item in node for found in _find_columns(item)]
    if not isinstance(node, dict):
        return []
    reference = node.get("ColumnRef")
    if reference is not None:
        strings = [item for item in reference["fields"] if "String" in item]
        return [read_strings(strings)] if strings else []
    return [found for item in node.values() for found in _find_columns(item)]


def require_value(table: TableTarget, column: str) -> list[SafeStep]:
    """Return the steps that make a column NOT NULL: a validated CHECK spares SET NOT NULL the scan.

    https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-SET-DROP-NOT-NULL
    """
    quoted, touched = quote_identifier(column), frozenset({("notnull", table.name, column)})
    head = f"ALTER TABLE {table.sql}"
    body, clear = f"CHECK ({quoted} IS NOT NULL)", f"{head} ALTER COLUMN {quoted} DROP NOT NULL;\n"
    if _is_checked(table, column):
        return [SafeStep(f"require {column}", f"{head} ALTER COLUMN {quoted} SET NOT NULL;\n", clear, touched=touched)]
    name = table.names.choose(table.name, [column, "not_null"], "check")
    added, validated = validate_later(table, name, body)
    set_it = f"{head} ALTER COLUMN {quoted} SET NOT NULL;\n{head} DROP CONSTRAINT {quote_identifier(name)};\n"
    undo = added.up + validated.up + clear
    # A column of a partition keeps its own NOT NULL, for example that of a primary key.
    undo += "".join(f"ALTER TABLE {each.name} ALTER COLUMN {quoted} DROP NOT NULL;\n" for each in table.list_partitions())
    last = SafeStep(f"require {column} of {table.name}", set_it, undo, alone_down=True, touched=touched)
    return [added, validated, last]


def _is_checked(table: TableTarget, column: str) -> bool:
    """Return True if a validated CHECK shows that a column is not null."""
    wanted = f"CHECK (({quote_identifier(column)} IS NOT NULL))"
    constraints = table.facts.constraints if table.facts else ()
    return any(each.kind == "c" and each.validated and each.definition == wanted for each in constraints)


def _add_key(table: TableTarget, node: Node, column: str) -> list[SafeStep]:
    """Return the steps for UNIQUE or PRIMARY KEY: an index that is built CONCURRENTLY becomes that of the constraint."""
    columns = [column] if column else list(read_strings(node.get("keys", ())))
    if node.get("without_overlaps"):
        raise NotRewritableError("a constraint WITHOUT OVERLAPS cannot use an existing index")
    primary = node["contype"] == "CONSTR_PRIMARY"
    named = () if primary else (*columns, *read_strings(node.get("including", ())))
    name = node.get("conname") or table.names.choose(table.name, named, "pkey" if primary else "key")
    kind, storage = "PRIMARY KEY" if primary else "UNIQUE", _write_storage(node)
    attributes = (" DEFERRABLE" if node.get("deferrable") else "") + (" INITIALLY DEFERRED" if node.get("initdeferred") else "")
    touched = frozenset({("constraint", table.name, name)})
    needed = [each for each in columns if primary and not table.column(each).not_null]
    steps = [step for each in needed for step in require_value(table, each)]
    undo = f"ALTER TABLE {table.sql} DROP CONSTRAINT {quote_identifier(name)};\n"
    keys = f"({quote_list(columns)}){storage}"
    if table.partitioned:
        up = _key_of_partitions(table, name, kind, keys, columns, attributes)
    else:
        up = _key_with_index(table.sql, name, kind, keys, attributes)
    return [*steps, SafeStep(f"add {name}", up, undo, touched=touched)]


def _use_index(table: TableTarget, node: Node, body: str) -> list[SafeStep] | None:
    """Return the steps for PRIMARY KEY USING INDEX, which makes the columns of the index NOT NULL; None if they are."""
    index = table.find_named_index(node["indexname"])
    needed = [each for each in index.columns if not table.column(each).not_null] if index else []
    steps = [step for each in needed for step in require_value(table, each)]
    if not steps:
        return None
    name = node.get("conname") or node["indexname"]
    up = f"ALTER TABLE {table.sql} ADD CONSTRAINT {quote_identifier(name)} {body};\n"
    return [*steps, SafeStep(f"add {name}", up, touched=frozenset({("constraint", table.name, name)}))]


def _key_with_index(table: str, name: str, kind: str, keys: str, attributes: str) -> str:
    quoted = quote_identifier(name)
    return (
        f"CREATE UNIQUE INDEX CONCURRENTLY {quoted} ON {table} {keys};\n"
        f"ALTER TABLE {table} ADD CONSTRAINT {quoted} {kind} USING INDEX {quoted}{attributes};\n"
    )


def _key_of_partitions(table: TableTarget, name: str, kind: str, keys: str, columns: Sequence[str], attributes: str) -> str:
    """Return the statements for a key of a partitioned table: those of the partitions are attached to it."""
    partitions: list[TableFacts] = table.list_partitions()
    if any(partition.kind != "r" for partition in partitions):
        raise NotRewritableError("a key of partitions of partitions must be written by hand")
    parts = [f"ALTER TABLE ONLY {table.sql} ADD CONSTRAINT {quote_identifier(name)} {kind} {keys}{attributes};\n"]
    attached = []
    for partition in partitions:
        schema = read_schema_name(partition.name)
        label = ((), "pkey") if kind == "PRIMARY KEY" else (columns, "key")
        own = table.names.choose(read_name(partition.name), *label)
        parts.append(_key_with_index(partition.name, own, kind, keys, attributes))
        attached.append(f"ALTER INDEX {table.beside(name)} ATTACH PARTITION {schema}.{quote_identifier(own)};\n")
    return "".join([*parts, *attached])


def _write_storage(node: Node) -> str:
    """Return what follows the columns of a key, in the order that CREATE INDEX needs."""
    parts = []
    if node.get("including"):
        parts.append(f"INCLUDE ({quote_list(read_strings(node['including']))})")
    if node.get("nulls_not_distinct"):
        parts.append("NULLS NOT DISTINCT")
    if node.get("options"):
        parts.append(f"WITH ({', '.join(_write_option(option['DefElem']) for option in node['options'])})")
    if node.get("indexspace"):
        parts.append(f"TABLESPACE {quote_identifier(node['indexspace'])}")
    return "".join(f" {part}" for part in parts)


def _write_option(element: Node) -> str:
    argument = element.get("arg", {})
    value = argument.get("Integer", {}).get("ival", 0) if "Integer" in argument else None
    if value is None:
        value = next(
            (argument[kind][field] for kind, field in (("Float", "fval"), ("String", "sval")) if kind in argument), "true"
        )
    return f"{element['defname']} = {value}"
