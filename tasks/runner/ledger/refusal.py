"""The refusal of tables through which others could run code: what is wrong with them, and the statements that settle it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from tasks.postgres.quoting import quote_identifier, quote_qualified
from tasks.runner.errors import RefusedError
from tasks.runner.ledger.ownership import TableFault
from tasks.runner.ledger.replacing import is_replaceable

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
_MOST_NAMED = 5
_REPLACE = "Replace what this tool created by what calls pg_catalog only: inv db.repair"


class ForeignCodeError(RefusedError):
    """What this tool created in a ledger calls code outside pg_catalog, and nothing else is wrong with it: `faults`."""

    def __init__(self, faults: Sequence[TableFault], message: str) -> None:
        super().__init__(message, hint=_REPLACE, state="Nothing was changed.")
        self.faults = tuple(faults)


def refuse(faults: Iterable[TableFault], *, what: str = "ledger") -> RefusedError:
    """Return the refusal to use tables with these faults, of which there is one or more."""
    known = list(faults)
    shown = known[:_MOST_NAMED]
    lines = [describe_fault(fault) for fault in shown]
    more = [f"and {len(known) - len(shown)} more"] if len(known) > len(shown) else []
    begin = f"the {what} is not used, because others could change it or run code through it:"
    message = "\n".join([begin, *lines, *more])
    if all(map(is_replaceable, known)):
        return ForeignCodeError(known, message)
    hints = dict.fromkeys(_REPLACE if is_replaceable(fault) else _REMEDIES[fault.kind](fault) for fault in shown)
    return RefusedError(message, hint="\n".join(hints), state="Nothing was changed.")


def describe_fault(fault: TableFault) -> str:
    """Return what is wrong with a table, in one line."""
    table = quote_qualified(fault.schema, fault.table) if fault.table else f"schema {quote_identifier(fault.schema)}"
    name = quote_identifier(fault.name)
    kind, _ = _KINDS.get(fault.detail, ("relation", ""))
    return {
        "schema": f"{table} belongs to {_describe_owner(fault)}",
        "owner": f"{table} belongs to {_describe_owner(fault)}",
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


def _describe_owner(fault: TableFault) -> str:
    return (
        f"{fault.owner}, which is neither the current user {fault.user}, the owner of the database, a superuser, "
        f"nor a role that was granted to {fault.user}"
    )


def _settle_owner(fault: TableFault) -> str:
    owner, user = quote_identifier(fault.owner), quote_identifier(fault.user)
    if fault.table:
        altered = f"ALTER {_KINDS.get(fault.detail, ('', 'TABLE'))[1]} {quote_qualified(fault.schema, fault.table)}"
        unknown = f"{altered} RENAME TO {quote_identifier(f'{fault.table}_of_others')};"
    else:
        altered = f"ALTER SCHEMA {quote_identifier(fault.schema)}"
        unknown = f"{altered} RENAME TO {quote_identifier(f'{fault.schema}_of_others')};"
    return (
        f"If {owner} may change what this tool does here, one of these settles it:\n"
        f"  GRANT {owner} TO {user};\n"
        f"  {altered} OWNER TO {user};\n"
        f"  LEDGER_OWNER={fault.owner}   (a setting, for managed servers)\n"
        f"If not, look at it first; it is out of the way after:\n"
        f"  {unknown}"
    )


def _rename(fault: TableFault) -> str:
    _, word = _KINDS.get(fault.detail, ("", "TABLE"))
    table = quote_qualified(fault.schema, fault.table)
    return f"Rename it, so that a new table can take its place:\n  ALTER {word} {table} RENAME TO {fault.table}_before;"


def _run(text: Callable[[str, str, TableFault], str]) -> Callable[[TableFault], str]:
    """Return a function that returns a statement for a fault, from the quoted names of the table and of the part."""

    def compose(fault: TableFault) -> str:
        return f"  {text(quote_qualified(fault.schema, fault.table), quote_identifier(fault.name), fault)}"

    return compose


_REMEDIES: dict[str, Callable[[TableFault], str]] = {
    "schema": _settle_owner,
    "owner": _settle_owner,
    "kind": _rename,
    "type": _rename,
    "collation": _rename,
    "trigger": _run(lambda table, name, _: f"DROP TRIGGER {name} ON {table};"),
    "foreign key": _run(lambda _, name, fault: f"ALTER TABLE {fault.detail} DROP CONSTRAINT {name};"),
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
"""What settles each kind of fault."""
