"""The names that PostgreSQL would choose for constraints and indexes.

https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/commands/indexcmds.c (makeObjectName, ChooseRelationName)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.lint.model import LintContext, Node
from tasks.lint.rewriting.texts import list_tokens
from tasks.lint.schema import ColumnFacts, IndexFacts, SchemaFacts, TableFacts
from tasks.postgres.quoting import MAX_NAME_BYTES, quote_identifier, quote_qualified

_NO_COLUMN = ColumnFacts("", "")


def make_name(table: str, columns: Sequence[str], label: str) -> str:
    """Return `table_columns_label`, of which table and columns are shortened alike if it is too long."""
    first, second = table.encode(), "_".join(columns).encode()[:MAX_NAME_BYTES]
    free = MAX_NAME_BYTES - len(label.encode()) - 1 - (1 if second else 0)
    while len(first) + len(second) > free:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = [part.decode(errors="ignore") for part in (first, second) if part]
    return "_".join([*parts, label])


@dataclass(slots=True)
class NamesInUse:
    """The names of relations and constraints that exist before a file, or that its safe migration creates."""

    schema: SchemaFacts
    chosen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Collect the names; those of other schemas count too, because a different name is always correct."""
        for relation in (*self.schema.tables, *self.schema.index_tables):
            self.chosen.add(read_name(relation))
        for table in self.schema.tables.values():
            self.chosen.update(constraint.name for constraint in table.constraints if constraint.kind != "n")

    def choose(self, table: str, columns: Sequence[str], label: str) -> str:
        """Return a free name, and reserve it; a number follows the label if the name is in use."""
        number = 0
        while True:
            name = make_name(table, columns, f"{label}{number or ''}")
            if name not in self.chosen:
                self.chosen.add(name)
                return name
            number += 1


@dataclass(frozen=True, slots=True)
class TableTarget:
    """The table of a statement: as the statement names it, and the facts about it before the file."""

    schema: str
    name: str
    facts: TableFacts | None
    context: LintContext
    names: NamesInUse

    @property
    def sql(self) -> str:
        """Return the name as the statement has it."""
        return quote_qualified(self.schema, self.name)

    @property
    def partitioned(self) -> bool:
        """Return True for a partitioned table."""
        return self.facts is not None and self.facts.kind == "p"

    def column(self, name: str) -> ColumnFacts:
        """Return the facts about a column, empty if it is not known."""
        return self.facts.columns.get(name, _NO_COLUMN) if self.facts else _NO_COLUMN

    def beside(self, name: str) -> str:
        """Return a name in the schema of the table, as the statement would have it."""
        return quote_qualified(self.schema, name)

    def find_index(self, columns: Sequence[str]) -> IndexFacts | None:
        """Return an index that begins with these columns, in any order, and covers all rows."""
        for index in self.facts.indexes if self.facts else ():
            if index.valid and not index.predicate and set(index.columns[: len(columns)]) == set(columns):
                return index
        return None

    def find_named_index(self, name: str) -> IndexFacts | None:
        """Return the index of the table with this name."""
        return next((index for index in (self.facts.indexes if self.facts else ()) if read_name(index.name) == name), None)

    def list_partitions(self) -> list[TableFacts]:
        """Return the direct partitions, in order of their names."""
        tables = self.context.schema.tables.values() if self.context.schema else ()
        return [table for table in tables if self.facts is not None and self.facts.name in table.parents]


def find_table(context: LintContext, node: Node, names: NamesInUse) -> TableTarget:
    """Return the table that a RangeVar names."""
    schema, name = node.get("schemaname", ""), node["relname"]
    known = context.schema
    facts = known.tables.get(known.qualify(schema or None, name)) if known else None
    return TableTarget(schema, name, facts, context, names)


def read_name(qualified: str) -> str:
    """Return the last part of a name in SQL, without its quotes."""
    return list_tokens(qualified)[-1].text.removeprefix('"').removesuffix('"').replace('""', '"')


def read_schema_name(qualified: str) -> str:
    """Return the first part of a qualified name in SQL, with its quotes."""
    return list_tokens(qualified)[0].text


def quote_list(names: Sequence[str]) -> str:
    """Return names as SQL, separated by commas."""
    return ", ".join(quote_identifier(name) for name in names)


def read_strings(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the texts of a list of String nodes."""
    return tuple(node["String"]["sval"] for node in nodes)
