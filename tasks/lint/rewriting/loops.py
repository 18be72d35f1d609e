"""Changes of many rows in batches: a DO block that goes through a table by its key, and commits after each batch.

https://www.postgresql.org/docs/current/plpgsql-transactions.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from tasks.lint.model import LintContext, Node
from tasks.lint.rewriting.names import NamesInUse, TableTarget, find_table, read_strings
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.lint.rewriting.texts import list_outer, list_tokens
from tasks.postgres.quoting import quote_identifier, quote_qualified

BATCH_ROWS = 5000
"""The rows of a batch: few enough that each lasts well under a second, and many enough that the commits do not dominate."""
BATCH_PAGES = 100
_NOTHING = "-- Nothing to undo: the column that the up file fills is dropped by an earlier file.\n"
_NOTICE = 100
"""After how many batches a notice shows the progress."""
_IDEMPOTENT = frozenset(
    {"lower", "upper", "initcap", "btrim", "ltrim", "rtrim", "trim", "abs", "date_trunc", "round", "coalesce"}
)
"""Functions that return the same when they are applied to their own result."""


@dataclass(frozen=True, slots=True)
class _RowChange:
    """An UPDATE or DELETE: its text up to its condition, its condition, and the name by which its columns are qualified."""

    head: str
    condition: str
    alias: str
    repeatable: bool
    """Whether the same rows can be changed again with the same result."""

    def within(self, limits: str) -> str:
        """Return the statement for the rows of a batch."""
        rest = f"\n  AND ({self.condition})" if self.condition else ""
        return f"{self.head}\nWHERE {limits}{rest};"


def change_in_batches(context: LintContext, kind: str, node: Node, text: str, names: NamesInUse) -> list[SafeStep]:
    """Return the step for an UPDATE or DELETE of many rows."""
    if node.get("withClause") or node.get("returningList") or node.get("returningClause"):
        raise NotRewritableError("a statement WITH … or RETURNING … cannot be divided into batches")
    table = find_table(context, node["relation"], names)
    step = loop(table, _read_change(kind, node, text))
    return [step]


def fill_column(table: TableTarget, column: str, value: str, condition: str) -> SafeStep:
    """Return the step that sets a column in batches, in the rows that meet a condition which it makes false."""
    change = _RowChange(f"UPDATE {table.sql}\nSET {quote_identifier(column)} = {value}", condition, table.sql, repeatable=True)
    step = loop(table, change)
    return SafeStep(f"fill {column} of {table.name}", step.up, _NOTHING)


def loop(table: TableTarget, change: _RowChange) -> SafeStep:
    """Return the step that applies a change in batches; its down is the author's."""
    if table.facts is None:
        raise NotRewritableError(f"the key of {table.sql} is not known")
    key = _find_key(table)
    if key:
        up = _loop_by_key(table, key, change) if change.repeatable else _loop_once(table, key, change)
    elif not change.repeatable or table.facts.kind != "r":
        raise NotRewritableError(f"{table.sql} has no key, by which batches could continue where they were interrupted")
    else:
        up = _loop_by_page(table, change)
    return SafeStep(f"change rows of {table.name}", up, touched=frozenset({("rows", table.name)}))


def _find_key(table: TableTarget) -> tuple[str, ...]:
    """Return the columns of the primary key, or of a unique index of columns that are not null."""
    facts = table.facts
    if facts is None or facts.primary_key:
        return facts.primary_key if facts else ()
    for index in facts.indexes:
        usable = index.unique and index.valid and not index.predicate and index.method == "btree" and all(index.columns)
        if usable and all(table.column(column).not_null for column in index.columns):
            return index.columns
    return ()


def _loop_by_key(table: TableTarget, key: Sequence[str], change: _RowChange) -> str:
    """Return a block that goes through all rows, also those that are inserted meanwhile."""
    names = _Variables(table, key)
    begin = f"SELECT {names.columns} INTO {names.list('first')} FROM {table.sql} ORDER BY {names.columns} LIMIT 1;"
    return names.write(change, begin, _find_last(table, names), "COMMIT;\n")


def _find_last(table: TableTarget, names: _Variables, until: str = "") -> str:
    limit = f" AND {names.row()} <= {until}" if until else ""
    return (
        f"SELECT {names.columns} INTO {names.list('last')} FROM (\n"
        f"    SELECT {names.columns} FROM {table.sql} WHERE {names.row()} >= {names.row('first')}{limit}\n"
        f"    ORDER BY {names.columns} LIMIT {BATCH_ROWS}\n"
        f") AS batch ORDER BY {', '.join(f'{column} DESC' for column in names.quoted)} LIMIT 1;"
    )


def _loop_once(table: TableTarget, key: Sequence[str], change: _RowChange) -> str:
    """Return statements that change each row once, also if they are interrupted: a table records how far they are.

    Rows beyond the last key at the beginning are new, and are not changed.
    """
    names = _Variables(table, key)
    progress = table.beside(table.names.choose(table.name, ["batches"], "progress"))
    done, until = ([f"{word}_{number}" for number in range(1, len(key) + 1)] for word in ("done", "until"))
    empty = [f"CAST(NULL AS {table.column(column).type}) AS {name}" for column, name in zip(key, done, strict=True)]
    ends = [f"{column} AS {name}" for column, name in zip(names.quoted, until, strict=True)]
    order = ", ".join(f"{column} DESC" for column in names.quoted)
    create = f"CREATE TABLE {progress} AS\nSELECT {', '.join([*empty, *ends])}\nFROM {table.sql} ORDER BY {order} LIMIT 1;\n\n"
    start = (
        f"SELECT {names.columns} INTO {names.list('first')} FROM {table.sql}\n"
        f"WHERE EXISTS (SELECT FROM {progress} WHERE done_1 IS NULL) ORDER BY {names.columns} LIMIT 1;\n"
        f"IF NOT FOUND THEN\n"
        f"    SELECT {names.columns} INTO {names.list('first')} FROM {table.sql}\n"
        f"    WHERE {names.row()} > (SELECT {', '.join(done)} FROM {progress}) ORDER BY {names.columns} LIMIT 1;\n"
        f"END IF;"
    )
    record = ", ".join(f"{name} = {value}" for name, value in zip(done, names.variables("last"), strict=True))
    last = _find_last(table, names, f"(SELECT {', '.join(until)} FROM {progress})")
    block = names.write(change, start, last, f"UPDATE {progress} SET {record};\nCOMMIT;\n")
    return f"{create}{block}\nDROP TABLE {progress};\n"


class _Variables:
    """The variables of a block, with names that the table does not have."""

    def __init__(self, table: TableTarget, key: Sequence[str]) -> None:
        self._table, self._key = table, key
        self.quoted = [quote_identifier(column) for column in key]
        self.columns = ", ".join(self.quoted)
        used = set(table.facts.columns) if table.facts else set()
        self._end = next(end for end in ("", *map(str, range(1, 100))) if not any(name.endswith(f"_key{end}") for name in used))

    def variables(self, word: str) -> list[str]:
        """Return the variables for the first or last key of a batch."""
        several = len(self._key) > 1
        return [
            f"{word}_{number}_key{self._end}" if several else f"{word}_key{self._end}" for number in range(1, len(self._key) + 1)
        ]

    def list(self, word: str) -> str:
        """Return these variables, separated by commas."""
        return ", ".join(self.variables(word))

    def row(self, word: str = "", alias: str = "") -> str:
        """Return the key, or these variables, as a value to compare."""
        prefix = f"{alias}." if alias else ""
        parts = self.variables(word) if word else [f"{prefix}{column}" for column in self.quoted]
        return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"

    def write(self, change: _RowChange, begin: str, find_last: str, commit: str) -> str:
        """Return the block: `begin` finds the first key, `find_last` the last key of each batch, and `commit` ends it."""
        key = self.row(alias=change.alias)
        limits = f"{key} >= {self.row('first')} AND {key} <= {self.row('last')}"
        declared = "".join(
            f"    {name} {self._table.sql}.{column}%TYPE;\n"
            for word in ("first", "last")
            for name, column in zip(self.variables(word), self.quoted, strict=True)
        )
        following = (
            f"SELECT {self.columns} INTO {self.list('first')} FROM {self._table.sql}\n"
            f"WHERE {self.row()} > {self.row('last')} ORDER BY {self.columns} LIMIT 1;\n"
        )
        counted = f"{change.within(limits)}\nGET DIAGNOSTICS batch_rows = ROW_COUNT;\n{commit}{_show_progress(self._table)}"
        body = indent(f"{find_last}\nEXIT WHEN NOT FOUND;\n{counted}{following}", "    ")
        return write_block(f"{declared}{_COUNTERS}", f"{begin}\nWHILE FOUND LOOP\n{body}END LOOP;\n")


_COUNTERS = "    batch_rows bigint;\n    changed_rows bigint := 0;\n    batches bigint := 0;\n"


def _show_progress(table: TableTarget) -> str:
    name = table.name.replace("'", "''").replace("%", "%%")
    return (
        "changed_rows := changed_rows + batch_rows;\nbatches := batches + 1;\n"
        f"IF batches % {_NOTICE} = 0 THEN\n    RAISE NOTICE '{name}: % rows changed', changed_rows;\nEND IF;\n"
    )


def write_block(declared: str, body: str) -> str:
    """Return a DO block, in quotes that its body does not contain."""
    tag = next(tag for tag in ("$$", *(f"$batches{number}$" for number in range(1, 100))) if tag not in body)
    return f"DO {tag}\nDECLARE\n{declared}BEGIN\n{indent(body, '    ')}END\n{tag};\n"


def _loop_by_page(table: TableTarget, change: _RowChange) -> str:
    """Return a block that goes through the pages that a table without a key has at the beginning.

    https://www.postgresql.org/docs/current/ddl-system-columns.html#DDL-SYSTEM-COLUMNS-CTID
    """
    alias = change.alias
    limits = (
        f"{alias}.ctid >= format('(%s,0)', first_page)::tid AND {alias}.ctid < format('(%s,0)', first_page + {BATCH_PAGES})::tid"
    )
    literal = table.sql.replace("'", "''")
    begin = f"pages := pg_relation_size('{literal}'::regclass) / current_setting('block_size')::bigint;\n"
    changed = f"{change.within(limits)}\nGET DIAGNOSTICS batch_rows = ROW_COUNT;\nCOMMIT;\n"
    body = f"{changed}{_show_progress(table)}first_page := first_page + {BATCH_PAGES};\n"
    declared = f"    first_page bigint := 0;\n    pages bigint;\n{_COUNTERS}"
    return write_block(declared, f"{begin}WHILE first_page < pages LOOP\n{indent(body, '    ')}END LOOP;\n")


def _read_change(kind: str, node: Node, text: str) -> _RowChange:
    """Return the parts of an UPDATE or DELETE; its parts in parentheses do not count."""
    outer = list(list_outer(list_tokens(text)))
    where = next((token for token in outer if token.text.lower() == "where"), None)
    relation = node["relation"]
    alias = relation.get("alias", {}).get("aliasname") or ""
    named = quote_identifier(alias) if alias else quote_qualified(relation.get("schemaname", ""), relation["relname"])
    head = text[: where.start].rstrip() if where else text.rstrip()
    condition = text[where.end :].strip() if where else ""
    if node.get("whereClause", {}).get("CurrentOfExpr"):
        raise NotRewritableError("WHERE CURRENT OF needs a cursor")
    return _RowChange(head, condition, named, kind == "DeleteStmt" or _is_repeatable(node))


def _is_repeatable(node: Node) -> bool:
    """Return True if an UPDATE sets no column from a value that it changes itself, so that it can run again."""
    targets = [item["ResTarget"] for item in node["targetList"]]
    changed = {target["name"] for target in targets}
    return not any(_depends(target.get("val", {}), changed) for target in targets)


def _depends(value: Any, changed: set[str]) -> bool:
    """Return True if an expression refers to one of the columns, other than in functions that may be repeated."""
    call = value.get("FuncCall") if isinstance(value, dict) else None
    if call and read_strings(call["funcname"])[-1] in _IDEMPOTENT and "ColumnRef" in call.get("args", [{}])[-1]:
        return False
    coalesce = value.get("CoalesceExpr") if isinstance(value, dict) else None
    if coalesce and "ColumnRef" in coalesce["args"][0]:
        return any(_depends(item, changed) for item in coalesce["args"][1:])
    return any(
        read_strings([each for each in fields if "String" in each])[-1:] == (name,)
        for fields in _find_references(value)
        for name in changed
    )


def _find_references(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for item in value:
            yield from _find_references(item)
    elif isinstance(value, dict):
        if "ColumnRef" in value:
            yield value["ColumnRef"]["fields"]
        for item in value.values():
            yield from _find_references(item)
