"""Another type for a column without rewriting the table under a lock: a second column, which a trigger keeps equal.

The rows get it in batches, indexes and constraints are built beside the old ones, and the columns are exchanged after the deploy.
A CHECK that is not validated yet applies from the beginning, so that few files are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from tasks.lint.model import Node
from tasks.lint.rewriting.constraints import validate_later
from tasks.lint.rewriting.indexes import drop_concurrently, make_concurrent, parse_node
from tasks.lint.rewriting.loops import fill_column
from tasks.lint.rewriting.names import TableTarget, make_name, read_name
from tasks.lint.rewriting.steps import NotRewritableError, SafeStep
from tasks.lint.rewriting.texts import list_outer, list_tokens
from tasks.lint.schema import ColumnFacts, IndexFacts, TableConstraint
from tasks.postgres.quoting import quote_identifier
from tasks.postgres.tokens import tokenize
from tasks.rehearsal.sql_diff.altering import is_assignable

_SEQUENCE = re.compile(r"nextval\('((?:[^']|'')+)'::regclass\)")
_ATTRIBUTES = re.compile(r"(?: (?:NOT )?DEFERRABLE)?(?: INITIALLY (?:DEFERRED|IMMEDIATE))?\Z")
_LITERAL = re.compile("'(?:[^']|'')*'")
_LAST = "zz_"
"""Triggers run in the order of their names: https://www.postgresql.org/docs/current/trigger-definition.html"""


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A column, the new one beside it, and what depends on the old one."""

    table: TableTarget
    facts: ColumnFacts
    new: str
    type: str
    value: str
    """The new value, from columns of the table."""
    given: bool
    """Whether the statement has a USING."""
    indexes: tuple[tuple[IndexFacts, str], ...]
    """Those without a constraint, each with the name of the new one."""
    constraints: tuple[tuple[TableConstraint, str], ...]
    required: str
    """The name of the CHECK that shows that the new column has no NULL; empty if it may have."""

    @property
    def old(self) -> str:
        return quote_identifier(self.facts.name)

    @property
    def head(self) -> str:
        return f"ALTER TABLE {self.table.sql}"

    def rename(self, text: str) -> str:
        """Return a definition of the catalog for the new column."""
        return rename_identifier(text, self.facts.name, self.new)


def change_type(table: TableTarget, command: Node, text: str) -> list[SafeStep]:
    """Return the steps for an ALTER COLUMN … TYPE."""
    exchange = _plan(table, command, text)
    touched = frozenset({("type", table.name, exchange.facts.name)})
    checks, keys = _list_steps(exchange, "c"), _list_steps(exchange, "f")
    prepare = _prepare(exchange, [added for added, *validated in checks if validated])
    first = [added for added, *validated in keys if validated]
    # Rows may violate what is not validated, so that these cannot be written when it applies.
    last = [steps[0] for steps in (*checks, *keys) if len(steps) == 1]
    built = [_fill(exchange), *(steps[1] for steps in (*checks, *keys) if len(steps) > 1), *_build_indexes(exchange), *last]
    return [prepare, *first, *built, SafeStep(
        f"exchange {exchange.facts.name} of {table.name}",
        _exchange(exchange),
        _exchange_back(exchange, prepare.up),
        after_deploy=True,
        touched=touched,
    )]  # fmt: skip


def _plan(table: TableTarget, command: Node, text: str) -> _Exchange:
    name = command["name"]
    facts = table.column(name)
    _refuse(table, facts, name)
    names, known = table.names, table.facts
    new = next(
        each
        for each in (f"{name[:50]}_new", *(f"{name[:50]}_new{number}" for number in range(1, 100)))
        if known and each not in known.columns
    )
    tokens = list(list_outer(list_tokens(text)))
    words = [token.text.lower() for token in tokens]
    start = tokens[words.index("type")].end
    using = next((token for token in tokens if token.text.lower() == "using"), None)
    type_text = text[start : using.start if using else None].strip()
    # Without a USING, values that are too long must fail as they do in ALTER TYPE: a cast would cut them.
    value = text[using.end :].strip() if using else quote_identifier(name)
    constraints = tuple(each for each in (known.constraints if known else ()) if each.kind != "n" and name in _mention(each))
    own = {each.name for each in constraints if each.kind in "pu"}
    indexes = [
        each for each in (known.indexes if known else ()) if read_name(each.name) not in own and _has(each.definition, name)
    ]
    return _Exchange(
        table, facts, new, type_text, value, using is not None,
        tuple((each, names.choose(read_name(each.name), (), "new")) for each in indexes),
        tuple((each, names.choose(each.name, (), "new")) for each in constraints),
        names.choose(table.name, [new, "not_null"], "check") if facts.not_null else "",
    )  # fmt: skip


def _mention(constraint: TableConstraint) -> tuple[str, ...]:
    return constraint.columns


def _refuse(table: TableTarget, facts: ColumnFacts, name: str) -> None:
    """Raise NotRewritableError for a column that cannot be exchanged with another one."""
    known, schema = table.facts, table.context.schema
    if known is None or schema is None or not facts.type:
        raise NotRewritableError(f"the column {name} of {table.sql} is not known")
    if facts.identity or facts.generated:
        raise NotRewritableError(f"{name} is an identity or generated column")
    if known.kind != "r" or known.parents:
        raise NotRewritableError(f"{table.sql} is not an ordinary table")
    users = (use.user for use in schema.uses if use.used == known.name and use.column == name)
    user = next((user for user in users if not user.startswith("constraint ")), None)
    if user:
        raise NotRewritableError(f"{user} uses {name}")
    for other in schema.tables.values():
        for key in other.constraints:
            if key.kind == "f" and key.references == known.name and name in key.referenced:
                raise NotRewritableError(f"the foreign key {key.name} of {other.name} refers to {name}")
    if any(each.kind == "x" and name in each.columns for each in known.constraints):
        raise NotRewritableError(f"an exclusion constraint contains {name}")


def _prepare(exchange: _Exchange, checks: Sequence[SafeStep]) -> SafeStep:
    """Return the step that adds the column with its checks, and the trigger that keeps it equal."""
    table = exchange.table
    name = table.names.choose(f"{_LAST}{table.name}", (exchange.facts.name,), "copy")
    quoted, routine = quote_identifier(name), table.beside(name)
    body = f"BEGIN\n    NEW.{quote_identifier(exchange.new)} := {qualify_columns(exchange.value, 'NEW')};\n    RETURN NEW;\nEND\n"
    tag = "$$" if "$$" not in body else "$copy$"
    up = (
        f"{exchange.head} ADD COLUMN {quote_identifier(exchange.new)} {exchange.type};\n"
        f"{''.join(check.up for check in checks)}\n"
        f"CREATE FUNCTION {routine}() RETURNS trigger LANGUAGE plpgsql AS {tag}\n{body}{tag};\n\n"
        f"CREATE TRIGGER {quoted} BEFORE INSERT OR UPDATE ON {table.sql}\n    FOR EACH ROW EXECUTE FUNCTION {routine}();\n"
    )
    down = f"{_drop_copying(exchange, name)}{exchange.head} DROP COLUMN {quote_identifier(exchange.new)};\n"
    return SafeStep(f"add {exchange.new} to {table.name}", up, down)


def _drop_copying(exchange: _Exchange, name: str) -> str:
    return f"DROP TRIGGER {quote_identifier(name)} ON {exchange.table.sql};\nDROP FUNCTION {exchange.table.beside(name)}();\n"


def _fill(exchange: _Exchange) -> SafeStep:
    new = quote_identifier(exchange.new)
    condition = f"{new} IS NULL" if exchange.given else f"{new} IS NULL AND {exchange.old} IS NOT NULL"
    return fill_column(exchange.table, exchange.new, exchange.value, condition)


def _build_indexes(exchange: _Exchange) -> Iterator[SafeStep]:
    """Yield the steps for the indexes of the new column, also for those of keys."""
    for index, name in exchange.indexes:
        yield _build(exchange, index, name)
    for constraint, name in exchange.constraints:
        if constraint.kind in "pu":
            yield _build(exchange, _find_index(exchange, constraint), name)


def _build(exchange: _Exchange, index: IndexFacts, name: str) -> SafeStep:
    before, _, after = index.definition.partition(" USING ")
    where = exchange.rename(after)
    unique = "UNIQUE " if before.startswith("CREATE UNIQUE") else ""
    up = f"CREATE {unique}INDEX {quote_identifier(name)} ON {exchange.table.sql} USING {where}"
    return SafeStep(f"create {name}", make_concurrent(up) + ";\n", drop_concurrently(exchange.table.beside(name)))


def _find_index(exchange: _Exchange, constraint: TableConstraint) -> IndexFacts:
    facts = exchange.table.facts
    for index in facts.indexes if facts else ():
        if read_name(index.name) == constraint.name:
            return index
    raise NotRewritableError(f"the index of {constraint.name} is not known")


def _list_steps(exchange: _Exchange, kind: str) -> list[list[SafeStep]]:
    """Return for each CHECK or foreign key of the new column the step that adds it, and the one that validates it."""
    found = []
    if kind == "c" and exchange.required:
        found.append(validate_later(exchange.table, exchange.required, _require(exchange)))
    for constraint, name in exchange.constraints:
        if constraint.kind == kind:
            body = exchange.rename(constraint.definition.removesuffix(" NOT VALID"))
            steps = validate_later(exchange.table, name, body)
            found.append(steps if constraint.validated else steps[:1])
    return found


def _require(exchange: _Exchange) -> str:
    return f"CHECK ({quote_identifier(exchange.new)} IS NOT NULL)"


def _exchange(exchange: _Exchange) -> str:
    """Return the statements that drop the old column and rename the new one and its indexes and constraints."""
    head, new = exchange.head, quote_identifier(exchange.new)
    name = _name_copying(exchange)
    parts = [_drop_copying(exchange, name), *(_own(exchange, exchange.new)), f"{head} DROP COLUMN {exchange.old};\n",
             f"{head} RENAME COLUMN {new} TO {exchange.old};\n"]  # fmt: skip
    if exchange.required:
        parts.append(f"{head} ALTER COLUMN {exchange.old} SET NOT NULL;\n")
        parts.append(f"{head} DROP CONSTRAINT {quote_identifier(exchange.required)};\n")
    if exchange.facts.default:
        parts.append(f"{head} ALTER COLUMN {exchange.old} SET DEFAULT {_convert_default(exchange)};\n")
    return "".join([*parts, *_rename_all(exchange, back=False)])


def _convert_default(exchange: _Exchange) -> str:
    """Return the default of the new column: a literal of the old type becomes one of the new type."""
    literal, _, type_ = exchange.facts.default.rpartition("::")
    converts = "." in type_ and type_ == exchange.facts.type and _LITERAL.fullmatch(literal)
    return f"{literal}::{exchange.type}" if converts else exchange.facts.default


def _rename_all(exchange: _Exchange, *, back: bool) -> Iterator[str]:
    """Yield the statements that rename the new indexes and constraints to the names of the old ones, or back."""
    table, head = exchange.table, exchange.head
    for index, name in exchange.indexes:
        old = quote_identifier(read_name(index.name))
        names = (table.beside(name), old) if not back else (_beside_quoted(table, old), quote_identifier(name))
        yield f"ALTER INDEX {names[0]} RENAME TO {names[1]};\n"
    for constraint, name in exchange.constraints:
        old, new = quote_identifier(constraint.name), quote_identifier(name)
        if constraint.kind in "cf":
            yield f"{head} RENAME CONSTRAINT {old if back else new} TO {new if back else old};\n"
        elif back:
            keys = exchange.rename(_find_index(exchange, constraint).definition.partition(" USING ")[2])
            yield f"{head} DROP CONSTRAINT {old};\nCREATE UNIQUE INDEX {new} ON {table.sql} USING {keys};\n"
        else:
            yield f"{head} ADD CONSTRAINT {old} {_kind(constraint)} USING INDEX {new}{_attributes(constraint)};\n"


def _exchange_back(exchange: _Exchange, prepare: str) -> str:
    """Return the statements that make the old column of the new one, which rewrites the table."""
    head, new, old = exchange.head, quote_identifier(exchange.new), exchange.old
    # Between enums there is no cast but that through text.
    through = "::text" if "." in exchange.facts.type else ""
    cast = "" if is_assignable(exchange.type, exchange.facts.type) else f"{through}::{exchange.facts.type}"
    parts = [
        "-- It keeps out the application while it writes all rows.\n",
        f"{head} RENAME COLUMN {old} TO {new};\n",
        *_rename_all(exchange, back=True),
        f"{head} ALTER COLUMN {new} DROP NOT NULL;\n" if exchange.required else "",
        f"{head} ADD CONSTRAINT {quote_identifier(exchange.required)} {_require(exchange)};\n" if exchange.required else "",
        f"{head} ALTER COLUMN {new} DROP DEFAULT;\n" if exchange.facts.default else "",
        f"{head} ADD COLUMN {old} {exchange.facts.type};\n",
        f"UPDATE {exchange.table.sql} SET {old} = {new}{cast};\n",
        f"{head} ALTER COLUMN {old} SET NOT NULL;\n" if exchange.facts.not_null else "",
        f"{head} ALTER COLUMN {old} SET DEFAULT {exchange.facts.default};\n" if exchange.facts.default else "",
        *_own(exchange, exchange.facts.name),
        *(f"{index.definition};\n" for index, _ in exchange.indexes),
    ]
    for constraint, _ in exchange.constraints:
        parts.append(f"{head} ADD CONSTRAINT {quote_identifier(constraint.name)} {constraint.definition};\n")
    return "".join([*parts, "\n", prepare[prepare.index("CREATE FUNCTION") :]])


def _own(exchange: _Exchange, column: str) -> Iterator[str]:
    """Yield the statement that makes the sequence of a serial column that of another column."""
    match = _SEQUENCE.fullmatch(exchange.facts.default)
    if match and match[1].endswith(f"{exchange.facts.name}_seq"):
        yield f"ALTER SEQUENCE {match[1]} OWNED BY {exchange.table.sql}.{quote_identifier(column)};\n"


def _name_copying(exchange: _Exchange) -> str:
    return make_name(f"{_LAST}{exchange.table.name}", (exchange.facts.name,), "copy")


def _kind(constraint: TableConstraint) -> str:
    return "PRIMARY KEY" if constraint.kind == "p" else "UNIQUE"


def _attributes(constraint: TableConstraint) -> str:
    match = _ATTRIBUTES.search(constraint.definition)
    return match[0] if match else ""


def _beside_quoted(table: TableTarget, quoted: str) -> str:
    return f"{quote_identifier(table.schema)}.{quoted}" if table.schema else quoted


def rename_identifier(text: str, old: str, new: str) -> str:
    """Return a definition, as the catalog writes it, with another name for a column."""
    quoted = quote_identifier(old)
    return "".join(
        quote_identifier(new) if token.text == quoted and token.kind in ("word", "identifier") else token.text
        for token in tokenize(text)
    )


def _has(definition: str, name: str) -> bool:
    keys = definition.partition(" USING ")[2]
    return rename_identifier(keys, name, f"{name}_new") != keys


def qualify_columns(expression: str, prefix: str) -> str:
    """Return an expression in which the columns are those of a record."""
    head = "SELECT "
    node = parse_node(f"{head}{expression}", "SelectStmt")
    data = f"{head}{expression}".encode()
    for place in sorted(_find_places(node["targetList"]), reverse=True):
        data = data[:place] + f"{prefix}.".encode() + data[place:]
    return data.decode()[len(head) :]


def _find_places(value: Any) -> Iterator[int]:
    if isinstance(value, list):
        yield from chain.from_iterable(map(_find_places, value))
    elif isinstance(value, dict):
        reference = value.get("ColumnRef")
        if reference is not None and len(reference["fields"]) == 1:
            yield reference.get("location", 0)
        for item in value.values():
            yield from _find_places(item)
