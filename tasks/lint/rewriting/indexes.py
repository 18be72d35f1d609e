"""Indexes that are built and dropped without keeping out writes.

https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.lint.model import LintContext, Node
from tasks.lint.rewriting.names import NamesInUse, TableTarget, find_table, quote_list, read_name, read_schema_name, read_strings
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep, Touched
from tasks.lint.rewriting.texts import list_tokens
from tasks.lint.schema import TableFacts
from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.runner.parsing.checks import suggest_index_name


def create_index(context: LintContext, node: Node, text: str, names: NamesInUse) -> list[SafeStep]:
    """Return the steps for a CREATE INDEX: CONCURRENTLY, and without IF NOT EXISTS, which would keep an invalid index."""
    table = find_table(context, node["relation"], names)
    name = node.get("idxname") or names.choose(*_divide_name(node))
    body = text[_find_word(text, "on") :]
    unique = "UNIQUE " if node.get("unique") else ""
    touched = frozenset({("index", name)})
    if table.partitioned:
        return [_create_partitioned(table, unique, name, body, touched)]
    up = f"CREATE {unique}INDEX CONCURRENTLY {quote_identifier(name)} {body};\n"
    return [SafeStep(f"create {name}", up, drop_concurrently(table.beside(name)), touched=touched)]


def drop_concurrently(name: str) -> str:
    """Return the statement that drops an index."""
    return f"DROP INDEX CONCURRENTLY {name};\n"


def index_columns(table: TableTarget, columns: Sequence[str]) -> SafeStep:
    """Return the step that creates an index on some columns."""
    name = table.names.choose(table.name, columns, "idx")
    up = f"CREATE INDEX CONCURRENTLY {quote_identifier(name)} ON {table.sql} ({quote_list(columns)});\n"
    return SafeStep(f"create {name}", up, drop_concurrently(table.beside(name)), extra=True)


def drop_index(context: LintContext, node: Node) -> list[SafeStep]:
    """Return the steps for a DROP INDEX, one for each index; the down creates it as it was."""
    if node.get("behavior") == "DROP_CASCADE":
        raise NotRewritableError("DROP INDEX … CASCADE cannot run CONCURRENTLY")
    schema = context.schema
    steps = []
    for item in node["objects"]:
        parts = read_strings(item["List"]["items"])
        facts = (
            schema.tables.get(schema.index_tables.get(schema.qualify(parts[0] if parts[1:] else None, parts[-1]), ""))
            if schema
            else None
        )
        if facts is not None and facts.kind == "p":
            raise NotRewritableError("the index of a partitioned table cannot be dropped CONCURRENTLY")
        absent = "IF EXISTS " if node.get("missing_ok") else ""
        up = f"DROP INDEX CONCURRENTLY {absent}{quote_qualified(*parts)};\n"
        steps.append(SafeStep(f"drop {parts[-1]}", up, _recreate(facts, parts[-1]), touched=frozenset({("index", parts[-1])})))
    return steps


def _recreate(facts: TableFacts | None, name: str) -> str | None:
    """Return the statement that creates an index as it is in the schema; None if that is not known."""
    for index in facts.indexes if facts else ():
        if read_name(index.name) == name:
            return make_concurrent(index.definition) + ";\n"
    return None


def make_concurrent(definition: str) -> str:
    """Return the definition of an index, from pg_get_indexdef, as one that is built CONCURRENTLY."""
    return definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)


def _create_partitioned(table: TableTarget, unique: str, name: str, body: str, touched: frozenset[Touched]) -> SafeStep:
    """Return the step for an index of a partitioned table: built on each partition, and then attached to that of the parent.

    https://www.postgresql.org/docs/current/ddl-partitioning.html#DDL-PARTITIONING-DECLARATIVE-MAINTENANCE
    """
    partitions = table.list_partitions()
    if any(partition.kind != "r" for partition in partitions):
        raise NotRewritableError("an index on partitions of partitions must be written by hand")
    after_table = body[_end_of_table(body) :]
    columns = _name_columns(f"CREATE INDEX ON x{after_table}")
    parts = [f"CREATE {unique}INDEX {quote_identifier(name)} ON ONLY {table.sql}{after_table};\n"]
    attached = []
    for partition in partitions:
        schema = read_schema_name(partition.name)
        own = table.names.choose(read_name(partition.name), columns, "idx")
        parts.append(f"CREATE {unique}INDEX CONCURRENTLY {quote_identifier(own)} ON {partition.name}{after_table};\n")
        attached.append(f"ALTER INDEX {table.beside(name)} ATTACH PARTITION {schema}.{quote_identifier(own)};\n")
    return SafeStep(f"create {name}", "".join([*parts, *attached]), f"DROP INDEX {table.beside(name)};\n", touched=touched)


def _name_columns(text: str) -> list[str]:
    """Return the parts of an index's name that stand for its columns."""
    return _divide_name(parse_node(text, "IndexStmt"))[1]


def parse_node(text: str, kind: str) -> Node:
    """Return the node of a statement."""
    import json

    from pglast.parser import parse_sql_json

    node: Node = json.loads(parse_sql_json(text))["stmts"][0]["stmt"][kind]
    return node


def _divide_name(node: Node) -> tuple[str, list[str], str]:
    """Return table, columns and label of the name that PostgreSQL would choose for an index."""
    whole = suggest_index_name({**node, "relation": {"relname": ""}}).removesuffix("_idx").removeprefix("_")
    return node["relation"]["relname"], [whole] if whole else [], "idx"


def _find_word(text: str, word: str) -> int:
    return next(token.start for token in list_tokens(text) if token.text.lower() == word)


def _end_of_table(body: str) -> int:
    """Return where the name of the table ends in the part of a CREATE INDEX that begins with ON."""
    tokens = list_tokens(body)
    place = 2 if tokens[1].text.lower() == "only" else 1
    while tokens[place + 1].text == ".":
        place += 2
    return tokens[place].end
