"""Changes of the range of a sequence, which the server refuses while the value of the sequence is outside of the new range.

The value is data: it is kept if the new range contains it, and moved to the nearest value otherwise.
https://www.postgresql.org/docs/current/sql-altersequence.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.catalog import Key
from tasks.postgres.quoting import quote_identifier, show_literal, unquote_identifier
from tasks.postgres.tokens import tokenize
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.shapes import Column

_LEAST = {"smallint": -(2**15), "integer": -(2**31), "bigint": -(2**63)}
_NUMBER = re.compile(r"(START WITH|INCREMENT BY|MINVALUE|MAXVALUE|CACHE) (-?\d+)")
_TYPE = re.compile(r"AS (smallint|integer|bigint)\b")


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a sequence may have."""

    type: str
    least: int
    most: int
    descends: bool


def list_options(text: str) -> dict[str, str]:
    """Return the options of a sequence that are numbers."""
    return dict(_NUMBER.findall(text))


def fit_value(value: str, old: str, new: str) -> str:
    """Return an expression for the value of a sequence, moved into the range of another definition if that is narrower."""
    was, now = _read_range(old), _read_range(new)
    if was.least < now.least:
        value = f"greatest({value}, {now.least})"
    return f"least({value}, {now.most})" if was.most > now.most else value


def alter_sequence(key: Key, before: str, after: str) -> list[str]:
    """Return the statements that change a sequence."""
    old, new = before.removeprefix("UNLOGGED "), after.removeprefix("UNLOGGED ")
    statements = []
    if old != new:
        was, now = _read_range(old), _read_range(new)
        larger = min(was.type, now.type, key=_LEAST.__getitem__)
        statements += _move(was, now, key.name, f"ALTER SEQUENCE {key.name} AS {larger} MINVALUE {{}} MAXVALUE {{}}")
        statements.append(f"ALTER SEQUENCE {key.name} {new}{'' if new.endswith(' CYCLE') else ' NO CYCLE'}")
    if before.startswith("UNLOGGED ") != after.startswith("UNLOGGED "):
        statements.append(f"ALTER SEQUENCE {key.name} SET {'UNLOGGED' if new != after else 'LOGGED'}")
    return statements


def move_identity(key: Key, old: Column, new: Column) -> list[str]:
    """Return the statements that rename the sequence of an identity column, and move its value into the new range."""
    was_named, name = (column.sequence or name_identity(key) for column in (old, new))
    renames = [f"ALTER SEQUENCE {was_named} RENAME TO {last_part(name)}"] if was_named != name else []
    widen = f"ALTER TABLE {key.parent} ALTER COLUMN {key.name} SET MINVALUE {{}} SET MAXVALUE {{}}"
    was, now = (_read_range(f"AS {column.type} {column.options or ''}") for column in (old, new))
    return renames + _move(was, now, name, widen)


def name_identity(key: Key) -> str:
    """Return the name of the sequence of an identity column, unless another one was chosen."""
    parts = [token.text for token in tokenize(key.parent) if token.text != "."]
    bare = map(unquote_identifier, (parts[-1], key.name))
    return ".".join([*parts[:-1], quote_identifier(f"{'_'.join(bare)}_seq")])


def _read_range(text: str) -> Range:
    found = _TYPE.search(text)
    kind = found[1] if found else "bigint"
    options = list_options(text)
    descends = options.get("INCREMENT BY", "1").startswith("-")
    least = _LEAST[kind] if descends else 1
    most = -1 if descends else -(_LEAST[kind] + 1)
    return Range(kind, int(options.get("MINVALUE", least)), int(options.get("MAXVALUE", most)), descends)


def _move(old: Range, new: Range, name: str, widen: str) -> list[str]:
    statements = []
    if new.least > old.most or new.most < old.least:
        statements.append(widen.format(min(old.least, new.least), max(old.most, new.most)))
    # A value at the end of the range is the last one that was returned; one at its beginning is still to be returned.
    for value, sign, is_narrower, is_end in (
        (new.least, "<", new.least > old.least, new.descends),
        (new.most, ">", new.most < old.most, not new.descends),
    ):
        if is_narrower:
            call = f"pg_catalog.setval({show_literal(name)}, {value}, {str(is_end).lower()})"
            statements.append(f"SELECT {call} FROM {name} WHERE last_value {sign} {value}")
    return statements
