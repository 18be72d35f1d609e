"""The refusal of tables through which others could run code: what is wrong with them, and the statements that settle it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.runner.errors import RefusedError
from tasks.runner.ledger.replacing import is_replaceable

if TYPE_CHECKING:
    from tasks.runner.ledger.ownership import TableFault

_KINDS = {
    "v": ("view", "VIEW"),
    "m": ("materialized view", "MATERIALIZED VIEW"),
    "f": ("foreign table", "FOREIGN TABLE"),
    "p": ("partitioned table", "TABLE"),
    "i": ("index", "INDEX"),
    "I": ("partitioned index", "INDEX"),
    "S": ("sequence", "SEQUENCE"),
    "c": ("composite type", "TYPE"),
    "partition": ("partition", "TABLE"),
    "typed": ("table of a composite type", "TABLE"),
    "temporary": ("temporary table", "TABLE"),
}
"""By pg_class.relkind, or what a table is: the words for it, and what ALTER calls it.
https://www.postgresql.org/docs/current/catalog-pg-class.html"""
_OWNED = ("schema", "owner")
"""The kinds of faults that consist in the owner."""
_MOST_NAMED = 5
_REPLACE = "Create these parts again, so that they call pg_catalog only: inv db.repair"


class ForeignCodeError(RefusedError):
    """What this tool created in a ledger calls code outside pg_catalog, and nothing else is wrong with it: `faults`."""

    def __init__(self, faults: Sequence[TableFault], message: str) -> None:
        super().__init__(message, hint=_REPLACE, state="Nothing was changed.")
        self.faults = tuple(faults)


def refuse(faults: Iterable[TableFault], *, what: str = "ledger") -> RefusedError:
    """Return the refusal to use tables with these faults, of which there is one or more."""
    known = list(faults)
    owned = [fault for fault in known if fault.kind in _OWNED]
    shown = [fault for fault in known if fault.kind not in _OWNED][:_MOST_NAMED]
    lines = dict.fromkeys([*map(_describe_owner, _group_by_owner(owned)), *map(describe_fault, shown)])
    unnamed = len(known) - len(owned) - len(shown)
    more = [f"and {unnamed} more"] if unnamed else []
    begin = f"the {what} is not used, because others could change it or run code through it:"
    message = "\n".join([begin, *lines, *more])
    if all(map(is_replaceable, known)):
        return ForeignCodeError(known, message)
    return RefusedError(message, hint="\n".join(_settle(owned, shown)), state="Nothing was changed.")


def _settle(owned: Sequence[TableFault], others: Sequence[TableFault]) -> list[str]:
    """Return what settles faults of owners and others. A table that has to be renamed needs no trusted owner."""
    renamed = {fault.table for fault in others if _REMEDIES[fault.kind] is _rename}
    owners = _group_by_owner([fault for fault in owned if fault.table not in renamed])
    renames = [_rename(fault) for fault in others if fault.table in renamed]
    rest = [fault for fault in others if fault.table not in renamed]
    statements = dict.fromkeys(_REMEDIES[fault.kind](fault) for fault in rest if not is_replaceable(fault))
    heading = f"Remove what can run code{' from the tables that keep their names' if owners else ''}:"
    replaced = [_REPLACE] if any(map(is_replaceable, rest)) else []
    return [
        *map(_settle_owner, owners),
        *dict.fromkeys(renames),
        *([heading, *statements] if statements else []),
        *replaced,
    ]


def _group_by_owner(faults: Sequence[TableFault]) -> list[list[TableFault]]:
    return [[fault for fault in faults if fault.owner == owner] for owner in dict.fromkeys(fault.owner for fault in faults)]


def describe_fault(fault: TableFault) -> str:
    """Return what is wrong with a table, in one line."""
    table = _name(fault)
    name = quote_identifier(fault.name)
    kind, _ = _KINDS.get(fault.detail, ("relation", ""))
    return {
        "schema": _describe_owner([fault]),
        "owner": _describe_owner([fault]),
        "kind": f"{table} is not an ordinary table: {kind}",
        "type": f"column {name} of {table} has a type that is not built in: {fault.detail}",
        "collation": f"column {name} of {table} has a collation that is not built in: {fault.detail}",
        "trigger": f"{table} has a trigger: {name} runs {fault.detail} of {fault.owner}",
        "foreign key": f"{fault.detail} of {fault.owner} references {table} with an action that changes rows: {name}",
        "rule": f"{table} has a rule: {name}",
        "policy": f"{table} has a row-level security policy: {name}",
        "parent": f"{table} inherits from {fault.detail}",
        "child": f"{fault.detail} inherits from {table}",
        "cast": f"there is a cast of the rows of {table} to {fault.detail}",
        "default": f"the default of column {name} of {table} calls {fault.detail}",
        "generated": f"the generated column {name} of {table} calls {fault.detail}",
        "constraint": f"the constraint {name} of {table} calls {fault.detail}",
        "index": f"the index {name} of {table} calls {fault.detail}",
        "statistics": f"the statistics object {name} of {table} calls {fault.detail}",
    }[fault.kind]


def _name(fault: TableFault) -> str:
    return quote_qualified(fault.schema, fault.table) if fault.table else f"schema {quote_identifier(fault.schema)}"


def _describe_owner(faults: Sequence[TableFault]) -> str:
    """Return that a schema and tables belong to one role that is not trusted."""
    owner, user = faults[0].owner, faults[0].user
    names = ", ".join(
        quote_qualified(fault.schema, fault.table) if fault.table else f"schema {quote_identifier(fault.schema)}"
        for fault in faults
    )
    return (
        f"{names} {'belongs' if len(faults) == 1 else 'belong'} to {owner}, which is neither the current user {user}, "
        f"the owner of the database, a superuser, nor a role that was granted to {user}"
    )


def _settle_owner(faults: Sequence[TableFault]) -> str:
    """Return what makes the owner of a schema and tables a trusted one, and what moves them out of the way.

    A role cannot be granted to one of its own members. https://www.postgresql.org/docs/current/sql-grant.html
    """
    owner, user = faults[0].owner, quote_identifier(faults[0].user)
    granted = [] if faults[0].is_member else [f"  GRANT {quote_identifier(owner)} TO {user};"]
    return "\n".join(
        [
            f"If {owner} may change what this tool does here, trust it by one of these, the last one for managed servers:",
            *granted,
            *(f"  {_alter(fault)} OWNER TO {user};" for fault in faults),
            f"  LEDGER_OWNER={shlex.quote(owner)}",
            "If not, find out who created it, and rename it out of the way:",
            *(f"  {_alter(fault)} RENAME TO {quote_identifier(f'{fault.table or fault.schema}_of_others')};" for fault in faults),
        ]
    )


def _alter(fault: TableFault) -> str:
    """Return the beginning of the statement that changes a table or, if the fault has no table, the schema."""
    if fault.table:
        return f"ALTER {_KINDS.get(fault.detail, ('', 'TABLE'))[1]} {quote_qualified(fault.schema, fault.table)}"
    return f"ALTER SCHEMA {quote_identifier(fault.schema)}"


def _rename(fault: TableFault) -> str:
    new = quote_identifier(f"{fault.table}_before")
    return f"Rename it, so that a new table can take its place:\n  {_alter(fault)} RENAME TO {new};"


def _run(text: Callable[[str, str, TableFault], str]) -> Callable[[TableFault], str]:
    """Return a function that returns a statement for a fault, from the quoted names of the table and of the part."""

    def compose(fault: TableFault) -> str:
        return f"  {text(quote_qualified(fault.schema, fault.table), quote_identifier(fault.name), fault)}"

    return compose


_REMEDIES: dict[str, Callable[[TableFault], str]] = {
    "kind": _rename,
    "type": _rename,
    "collation": _rename,
    "trigger": _run(lambda table, name, _: f"DROP TRIGGER {name} ON {table};"),
    "foreign key": _run(
        lambda _, name, fault: (
            f"ALTER TABLE {fault.detail} DROP CONSTRAINT {name};  -- as {quote_identifier(fault.owner)} or a superuser"
        )
    ),
    "rule": _run(lambda table, name, _: f"DROP RULE {name} ON {table};"),
    "policy": _run(lambda table, name, _: f"DROP POLICY {name} ON {table};"),
    "parent": _run(lambda table, _, fault: f"ALTER TABLE {table} NO INHERIT {fault.detail};"),
    "child": _run(lambda table, _, fault: f"ALTER TABLE {fault.detail} NO INHERIT {table};"),
    "cast": _run(lambda table, _, fault: f"DROP CAST ({table} AS {fault.detail});"),
    "default": _run(lambda table, name, _: f"ALTER TABLE {table} ALTER COLUMN {name} DROP DEFAULT;"),
    "generated": _run(lambda table, name, _: f"ALTER TABLE {table} DROP COLUMN {name};"),
    "constraint": _run(lambda table, name, _: f"ALTER TABLE {table} DROP CONSTRAINT {name};"),
    "index": _run(lambda _, name, fault: f"DROP INDEX {quote_identifier(fault.schema)}.{name};"),
    "statistics": _run(lambda _, name, fault: f"DROP STATISTICS {quote_identifier(fault.schema)}.{name};"),
}
"""What settles each kind of fault, except an owner."""
