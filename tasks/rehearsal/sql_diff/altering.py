"""The statements that change an object in place, without losing rows.

https://www.postgresql.org/docs/current/sql-altertable.html, sql-altertype.html, sql-altersequence.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from tasks.catalog import Key
from tasks.rehearsal.sql_diff.creating import add_column, create_object
from tasks.rehearsal.sql_diff.details.parameters import alter_view, change_parameters
from tasks.rehearsal.sql_diff.kinds.domains import DOMAIN_CHECK, DOMAIN_DEFAULT, alter_check, alter_domain
from tasks.rehearsal.sql_diff.kinds.generators import write_block
from tasks.rehearsal.sql_diff.kinds.other_kinds import WRAPPER, alter_options
from tasks.rehearsal.sql_diff.kinds.sequences import alter_sequence, list_options, move_identity
from tasks.rehearsal.sql_diff.names import list_names, split_list
from tasks.rehearsal.sql_diff.shapes import Column, parse_column, parse_table, read_attributes

_FAMILIES = (
    r"smallint|integer|bigint|numeric\b.*|real|double precision",
    r"text|character.*|name",
    r"date|timestamp.*",
    r"jsonb?",
    r"bit.*",
    r"money|numeric\b.*",
)
"""Groups of types between which assignment casts exist: https://www.postgresql.org/docs/current/catalog-pg-cast.html."""
_NUMBERS = re.compile(r"smallint|integer|bigint|numeric\b.*|real|double precision")
_TO_TEXT = re.compile(r"text|character varying.*|character.*")
_TARGET = re.compile(r"ALTER COLUMN (\d+) SET STATISTICS (\d+)")
_SETTINGS = re.compile(r" WITH \((?P<settings>\w[^()]*)\)(?= WHERE | TABLESPACE |$)")


def alter_object(key: Key, before: str, after: str, *, newest: bool) -> list[str] | None:
    """Return the statements that change an object in place; None if it must be recreated.

    `newest` is True if both schemas are of PostgreSQL 17 or later.
    """
    if key.kind == "column":
        return _alter_column(key, before, after, newest=newest)
    if key.kind in {"default", DOMAIN_DEFAULT, "sequence owner", "replica identity", "clustering", "comment"}:
        return create_object(key, after, {})
    alter = _ALTER.get(key.kind)
    return alter(key, before, after) if alter else None


def _alter_column(key: Key, before: str, after: str, *, newest: bool) -> list[str] | None:
    old, new = parse_column(before)[0], parse_column(after)[0]
    start = f"ALTER TABLE {key.parent} ALTER COLUMN {key.name}"
    actions: list[str] = []
    if old.expression != new.expression or old.storage != new.storage:
        if new.expression is None and old.storage == "STORED":
            actions.append("DROP EXPRESSION")
        elif newest and old.storage == new.storage:
            actions.append(f"SET EXPRESSION AS ({new.expression})")
        else:
            return None
    if old.identity and not new.identity:
        actions.append("DROP IDENTITY")
    if (old.type, old.collation) != (new.type, new.collation):
        actions.append(_change_type(key.name, old, new))
    if old.required != new.required:
        actions.append("SET NOT NULL" if new.required else "DROP NOT NULL")
    moves = move_identity(key, old, new) if old.identity and new.identity and old.options != new.options else []
    changes = _change_identity(old, new)
    return [*(f"{start} {action}" for action in actions), *moves, *(f"{start} {action}" for action in changes)]


def _change_type(name: str, old: Column, new: Column) -> str:
    collation = f" COLLATE {new.collation}" if new.collation else ""
    return f"TYPE {new.type}{collation}{_cast(name, old.type, new.type) if new.expression is None else ''}"


def _cast(name: str, old: str, new: str) -> str:
    """Return no USING if there is an assignment cast, which rejects values that are too long."""
    return "" if is_assignable(old, new) else f" USING {convert_value(name, old, new)}"


def convert_value(value: str, old: str, new: str) -> str:
    """Return a value in another type: as an assignment converts it, else by a cast, through text where there is none.

    The server does not read the text of a boolean as a number, that of a number other than 0 and 1 as a boolean, and that of a
    range as a multirange.
    """
    if is_assignable(old, new):
        return value
    if old == "boolean" and _NUMBERS.fullmatch(new):
        return f"{value}::integer" + ("" if new == "integer" else f"::{new}")
    if new == "boolean" and _NUMBERS.fullmatch(old):
        return f"{value} <> 0"
    if old.endswith("range") and new == old.replace("range", "multirange"):
        return f"{value}::{new}"
    if old.endswith("multirange") and new == old.replace("multirange", "range"):
        return f"range_merge({value})"
    return f"{value}::text::{new}"


def keeps_generated(key: Key, before: Mapping[Key, str], after: Mapping[Key, str]) -> bool:
    """Return True for a virtual generated column that becomes a plain one, and gets its values from columns that stay."""
    old, new = parse_column(before[key])[0], parse_column(after[key])[0]
    if old.storage != "VIRTUAL" or new.expression is not None:
        return False
    sources = (Key("column", name, key.parent) for name in list_names(old.expression or ""))
    return all(before.get(source) == after.get(source) for source in sources if source in before)


def fill_generated(key: Key, before: str, after: str, objects: Mapping[Key, str]) -> list[str]:
    """Return the statement that creates such a column with its values."""
    old, new = parse_column(before)[0], parse_column(after)[0]
    value = convert_value(f"({old.expression})::{old.type}", old.type, new.type)
    statements = [add_column(key, replace(new, required=False).write(), objects, None)]
    statements.append(f"UPDATE {key.parent} SET {key.name} = {value}")
    statements += [f"ALTER TABLE {key.parent} ALTER COLUMN {key.name} SET NOT NULL"] if new.required else []
    return [f"-- keeps the values of the generated column\n{write_block(statements)}"]


def is_assignable(old: str, new: str) -> bool:
    """Return True if there is an assignment cast from one type to another; those of arrays are those of their elements."""
    if new.endswith("[]"):
        return old.endswith("[]") and is_assignable(old.removesuffix("[]"), new.removesuffix("[]"))
    base_old, base_new = old.partition("(")[0], new.partition("(")[0]
    families = any(re.fullmatch(family, old) and re.fullmatch(family, new) for family in _FAMILIES)
    return base_old == base_new or families or bool(_TO_TEXT.fullmatch(new))


def _change_identity(old: Column, new: Column) -> list[str]:
    if not new.identity or (old.identity, old.options) == (new.identity, new.options):
        return []
    if not old.identity:
        return [f"ADD GENERATED {new.identity} AS IDENTITY" + (f" ({new.options})" if new.options else "")]
    options = list_options(new.options or "")
    first = options.get("MAXVALUE", "-1") if options.get("INCREMENT BY", "1").startswith("-") else options.get("MINVALUE", "1")
    steps = [f"SET GENERATED {new.identity}"]
    for name, default in (("INCREMENT BY", "1"), ("MINVALUE", ""), ("MAXVALUE", ""), ("START WITH", ""), ("CACHE", "1")):
        value = options.get(name) or default or (first if name == "START WITH" else "")
        steps.append(f"SET {name} {value}" if value else f"SET NO {name}")
    steps.append("SET CYCLE" if "CYCLE" in (new.options or "") else "SET NO CYCLE")
    return [" ".join(steps)]


def _alter_table(key: Key, before: str, after: str) -> list[str] | None:
    old, new = parse_table(before), parse_table(after)
    if old is None or new is None or old.fixed != new.fixed:
        return None
    actions = []
    if old.type != new.type:
        actions.append(f"OF {new.type}" if new.type else "NOT OF")
    if old.unlogged != new.unlogged:
        actions.append("SET UNLOGGED" if new.unlogged else "SET LOGGED")
    actions += change_parameters(*(table.settings.split(", ") if table.settings else [] for table in (old, new)))
    if old.tablespace != new.tablespace:
        actions.append(f"SET TABLESPACE {new.tablespace or 'pg_default'}")
    return [f"ALTER TABLE {key.name} {action}" for action in actions]


def _alter_type(key: Key, before: str, after: str) -> list[str] | None:
    if before.startswith("AS ENUM (") and after.startswith("AS ENUM ("):
        return _alter_enum(key, split_list(before[9:-1]), split_list(after[9:-1]))
    if before.startswith("AS (") and after.startswith("AS ("):
        return _alter_composite(key, before, after)
    return None


def _alter_enum(key: Key, old: list[str], new: list[str]) -> list[str] | None:
    if [label for label in new if label in old] != old:
        return None
    statements, known = [], list(old)
    for place, label in enumerate(new):
        if label in known:
            continue
        where = f" AFTER {new[place - 1]}" if place else f" BEFORE {known[0]}" if known else ""
        statements.append(f"ALTER TYPE {key.name} ADD VALUE {label}{where if where and label != new[-1] else ''}")
        known.insert(place, label)
    return statements


def _alter_composite(key: Key, before: str, after: str) -> list[str] | None:
    was, now = read_attributes(before), read_attributes(after)
    kept = [name for name in was if name in now]
    if list(now)[: len(kept)] != kept:
        return None
    actions = [f"DROP ATTRIBUTE {name}" for name in was if name not in now]
    actions += [f"ALTER ATTRIBUTE {name} TYPE {now[name]}" for name in kept if was[name] != now[name]]
    actions += [f"ADD ATTRIBUTE {name} {now[name]}" for name in now if name not in was]
    return [f"ALTER TYPE {key.name} {action}" for action in actions]


def _alter_routine(key: Key, before: str, after: str) -> list[str] | None:
    return [after.rstrip()] if before.partition("\n LANGUAGE ")[0] == after.partition("\n LANGUAGE ")[0] else None


def _alter_constraint(key: Key, before: str, after: str) -> list[str] | None:
    return [f"ALTER TABLE {key.parent} VALIDATE CONSTRAINT {key.name}"] if before == f"{after} NOT VALID" else None


def _alter_row_security(key: Key, before: str, after: str) -> list[str]:
    parts = (f"{'' if part in after else off}{part}" for part, off in (("ENABLE", ""), ("FORCE", "NO ")))
    enable, force = parts
    enable = enable if "ENABLE" in after else "DISABLE"
    return [f"ALTER TABLE {key.name} {enable} ROW LEVEL SECURITY, {force} ROW LEVEL SECURITY"]


def _alter_index(key: Key, before: str, after: str) -> list[str] | None:
    """Return the statements that change the settings and statistics targets, which do not require to build the index again."""
    (old, _, was), (new, _, now) = (definition.partition(";\nALTER INDEX ") for definition in (before, after))
    statements = [f"ALTER INDEX {key.name} {action}" for action in change_parameters(*map(_list_settings, (old, new)))]
    partitioned = " ON ONLY " in new
    if _SETTINGS.sub("", old) != _SETTINGS.sub("", new) or (partitioned and statements):
        return None
    old_targets, new_targets = dict(_TARGET.findall(was)), dict(_TARGET.findall(now))
    targets = dict.fromkeys(old_targets, "-1") | new_targets
    changed = [number for number, target in targets.items() if old_targets.get(number) != target]
    return statements + [f"ALTER INDEX {key.name} ALTER COLUMN {number} SET STATISTICS {targets[number]}" for number in changed]


def _list_settings(definition: str) -> list[str]:
    match = _SETTINGS.search(definition)
    return split_list(match["settings"]) if match else []


_ALTER: dict[str, Callable[[Key, str, str], list[str] | None]] = {
    "table": _alter_table,
    "type": _alter_type,
    "domain": alter_domain,
    DOMAIN_CHECK: alter_check,
    "sequence": alter_sequence,
    "function": _alter_routine,
    "procedure": _alter_routine,
    "constraint": _alter_constraint,
    "index": _alter_index,
    "row security": _alter_row_security,
    **dict.fromkeys(("view", "materialized view"), alter_view),
    "server": alter_options,
    WRAPPER: alter_options,
    "extension": lambda key, before, after: [f"ALTER EXTENSION {key.name} SET {after}"],
}
