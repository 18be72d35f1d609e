"""Forms of statements that PostgreSQL 14 does not have, each with the first version that has it.

Only forms that definitions of schemas contain, not every new word. A foreign key of a partitioned table that is NOT VALID (18)
cannot be recognised by its text. Source: the release notes, https://www.postgresql.org/docs/release/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewerForm:
    """A form of a statement; `example` is tested on each version."""

    since: int
    words: str
    node: str
    applies: Callable[[Node], bool]
    example: str
    prepare: str = ""
    """Statements that the example needs before it."""


def find_newer_forms(text: str, major: int) -> tuple[NewerForm, ...]:
    """Return the forms in some statements that a major version of PostgreSQL does not have; raises pglast.parser.ParseError."""
    from pglast.parser import parse_sql_json

    found = {
        form: None
        for name, node in _walk(json.loads(parse_sql_json(text)))
        for form in _BY_NODE.get(name, ())
        if form.since > major and form.applies(node)
    }
    return tuple(found)


def _walk(tree: Any) -> Iterator[tuple[str, Node]]:
    """Yield each node with its name, from the outside to the inside."""
    if isinstance(tree, dict):
        for name, node in tree.items():
            if isinstance(node, dict):
                yield name, node
            yield from _walk(node)
    elif isinstance(tree, list):
        for item in tree:
            yield from _walk(item)


def _is_not_enforced(node: Node) -> bool:
    checked = node.get("contype") in {"CONSTR_CHECK", "CONSTR_FOREIGN"}
    return node.get("contype") == "CONSTR_ATTR_NOT_ENFORCED" or (checked and not node.get("is_enforced"))


def _is_null_constraint(node: Node) -> bool:
    """Return True for NOT NULL with a column, which is a constraint of the table."""
    keys = node.get("keys", ())
    return node.get("contype") == "CONSTR_NOTNULL" and (
        bool(node.get("is_no_inherit")) or [key["String"]["sval"] for key in keys] not in ([], ["value"])
    )


def _has_option(name: str, value: str = "") -> Callable[[Node], bool]:
    """Return whether a DefElem is an option with a name and, if one is named, a value."""
    return lambda node: node.get("defname") == name and (not value or f"'{value}'" in str(node.get("arg")))


_T = "CREATE TABLE t (a int, b int, r int4range);"
FORMS = (
    NewerForm(18, "a virtual generated column", "Constraint", lambda node: node.get("generated_kind") == "v",
              "CREATE TABLE u (a int, g int GENERATED ALWAYS AS (a) VIRTUAL)"),
    NewerForm(18, "a constraint that is not enforced", "Constraint", _is_not_enforced,
              "ALTER TABLE t ADD CHECK (a > 1) NOT ENFORCED", _T),
    NewerForm(18, "NOT NULL as a constraint of a table", "Constraint", _is_null_constraint,
              "ALTER TABLE t ADD CONSTRAINT n NOT NULL a", _T),
    NewerForm(18, "WITHOUT OVERLAPS", "Constraint", lambda node: bool(node.get("without_overlaps")),
              "CREATE TABLE u (q int4range, r int4range, UNIQUE (q, r WITHOUT OVERLAPS))"),
    NewerForm(18, "PERIOD in a foreign key", "Constraint", lambda node: bool(node.get("fk_with_period")),
              "CREATE TABLE v (q int4range, r int4range, FOREIGN KEY (q, PERIOD r) REFERENCES u (q, PERIOD r))",
              "CREATE TABLE u (q int4range, r int4range, UNIQUE (q, r WITHOUT OVERLAPS));"),
    NewerForm(18, "ALTER CONSTRAINT ENFORCED", "ATAlterConstraint", lambda node: bool(node.get("alterEnforceability")),
              "ALTER TABLE u ALTER CONSTRAINT k NOT ENFORCED",
              "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE u (a int CONSTRAINT k REFERENCES t);"),
    NewerForm(18, "ALTER CONSTRAINT INHERIT", "ATAlterConstraint", lambda node: bool(node.get("alterInheritability")),
              "ALTER TABLE t ALTER CONSTRAINT t_a_not_null NO INHERIT", "CREATE TABLE t (a int NOT NULL);"),
    NewerForm(17, "SET EXPRESSION of a generated column", "AlterTableCmd",
              lambda node: node.get("subtype") == "AT_SetExpression",
              "ALTER TABLE t ALTER g SET EXPRESSION AS (a + 1)",
              "CREATE TABLE t (a int, g int GENERATED ALWAYS AS (a) STORED);"),
    NewerForm(17, "the privilege MAINTAIN", "AccessPriv", lambda node: node.get("priv_name") == "maintain",
              "GRANT MAINTAIN ON t TO PUBLIC", _T),
    NewerForm(17, "NOT NULL as a constraint of a domain", "AlterDomainStmt",
              lambda node: node.get("def", {}).get("Constraint", {}).get("contype") == "CONSTR_NOTNULL",
              "ALTER DOMAIN d ADD CONSTRAINT n NOT NULL", "CREATE DOMAIN d AS int;"),
    NewerForm(17, "a collation of the builtin provider", "DefElem", _has_option("provider", "builtin"),
              "CREATE COLLATION c (provider = builtin, locale = 'C')"),
    NewerForm(16, "STORAGE in the definition of a table", "ColumnDef", lambda node: bool(node.get("storage_name")),
              "CREATE TABLE u (a text STORAGE EXTERNAL)"),
    NewerForm(16, "CREATE STATISTICS without a name", "CreateStatsStmt", lambda node: not node.get("defnames"),
              "CREATE STATISTICS ON a, b FROM t", _T),
    NewerForm(15, "NULLS NOT DISTINCT", "Constraint", lambda node: bool(node.get("nulls_not_distinct")),
              "ALTER TABLE t ADD UNIQUE NULLS NOT DISTINCT (a)", _T),
    NewerForm(15, "NULLS NOT DISTINCT", "IndexStmt", lambda node: bool(node.get("nulls_not_distinct")),
              "CREATE UNIQUE INDEX ON t (a) NULLS NOT DISTINCT", _T),
    NewerForm(15, "columns after ON DELETE SET NULL or SET DEFAULT", "Constraint",
              lambda node: bool(node.get("fk_del_set_cols")),
              "CREATE TABLE u (a int, b int, FOREIGN KEY (a, b) REFERENCES t (a, b) ON DELETE SET NULL (a))",
              "CREATE TABLE t (a int, b int, UNIQUE (a, b));"),
    NewerForm(15, "security_invoker", "DefElem", _has_option("security_invoker"),
              "CREATE VIEW v WITH (security_invoker = true) AS SELECT 1"),
    NewerForm(15, "columns or conditions of a published table", "PublicationObjSpec",
              lambda node: not {"whereClause", "columns"}.isdisjoint(node.get("pubtable", ())),
              "CREATE PUBLICATION p FOR TABLE t WHERE (a > 1)", _T),
    NewerForm(15, "the tables of a schema in a publication", "PublicationObjSpec",
              lambda node: node.get("pubobjtype") in {"PUBLICATIONOBJ_TABLES_IN_SCHEMA", "PUBLICATIONOBJ_TABLES_IN_CUR_SCHEMA"},
              "CREATE PUBLICATION p FOR TABLES IN SCHEMA public"),
    NewerForm(15, "SET ACCESS METHOD", "AlterTableCmd", lambda node: node.get("subtype") == "AT_SetAccessMethod",
              "ALTER TABLE t SET ACCESS METHOD heap", _T),
    NewerForm(15, "an unlogged sequence", "CreateSeqStmt",
              lambda node: node.get("sequence", {}).get("relpersistence") == "u", "CREATE UNLOGGED SEQUENCE s"),
    NewerForm(15, "MERGE", "MergeStmt", lambda node: True,
              "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC MERGE INTO t USING t AS u ON t.a = u.a"
              " WHEN MATCHED THEN DO NOTHING; END", _T),
)  # fmt: skip
_BY_NODE = {node: [form for form in FORMS if form.node == node] for node in {form.node for form in FORMS}}
