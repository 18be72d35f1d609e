"""Which conversions of a column's type keep every value, and what the others lose.

Only those are listed that keep all values: a conversion that is not known counts as one that loses some. A value counts as kept
if the converted one is accepted and the same. Checks of domains are constraints, which refuse rows and lose none.
https://www.postgresql.org/docs/current/datatype.html, https://www.postgresql.org/docs/current/catalog-pg-cast.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tasks.rehearsal.sql_diff.names import last_part

Labels = Mapping[str, tuple[str, ...]]
"""The labels of each enum by the name of its type."""

_SHAPE = re.compile(r'(?P<head>(?:"(?:[^"]|"")*"|[^"(\[])+)(?:\((?P<limits>[^()]*)\))?(?P<tail>[^"()\[]*)(?P<array>(?:\[\])*)')
_TEXT, _VARCHAR, _CHAR, _NUMERIC = "text", "character varying", "character", "numeric"
_STAMP, _ZONED = "timestamp without time zone", "timestamp with time zone"
_TIME, _ZONED_TIME, _INTERVAL = "time without time zone", "time with time zone", "interval"
_TEXTS = frozenset({_TEXT, _VARCHAR, "citext"})
"""Types that any value can be converted to, and back."""
_WIDER: Mapping[str, frozenset[str]] = {
    "smallint": frozenset({"integer", "bigint", _NUMERIC, "real", "double precision"}),
    # A real is exact up to 2^24, a double precision up to 2^53.
    "integer": frozenset({"bigint", _NUMERIC, "double precision"}),
    "bigint": frozenset({_NUMERIC}),
    "oid": frozenset({"bigint"}),
    "real": frozenset({"double precision"}),
    "date": frozenset({_STAMP, _ZONED}),
    _STAMP: frozenset({_ZONED}),
    _TIME: frozenset({_ZONED_TIME, _INTERVAL}),
    "cidr": frozenset({"inet"}),
    "jsonb": frozenset({"json"}),
    "boolean": frozenset({"smallint", "integer", "bigint", _NUMERIC, "real", "double precision"}),
    "money": frozenset({_NUMERIC}),
    "int4range": frozenset({"int8range", "int4multirange"}),
    **{f"{name}range": frozenset({f"{name}multirange"}) for name in ("int8", "num", "ts", "tstz", "date")},
    "int4multirange": frozenset({"int8multirange"}),
    "bit": frozenset({"bit varying"}),
    # Blanks at the end of a character(n) are padding.
    _CHAR: frozenset({"bpchar"}),
}
_DIGITS = {"boolean": 1, "smallint": 5, "integer": 10, "bigint": 19}
_LENGTHS = {"smallint": 6, "integer": 11, "bigint": 20, "boolean": 5, "uuid": 36, "name": 63}
"""The characters that the longest value of a type has as a text."""
_FRACTIONS = frozenset({_STAMP, _ZONED, _TIME, _ZONED_TIME, _INTERVAL})
_MICROSECONDS = 6
"""The digits of a second that are stored without a limit."""
_REASONS = {
    ("json", "jsonb"): "which keeps neither the order of keys nor equal ones",
    (_ZONED, _STAMP): "which keeps no time zone",
    (_ZONED, "date"): "which keeps no time",
    (_STAMP, "date"): "which keeps no time",
    ("double precision", "real"): "which keeps fewer digits",
    (_NUMERIC, "double precision"): "which keeps fewer digits",
    (_NUMERIC, "real"): "which keeps fewer digits",
}
_ANY = "which cannot represent every value"


@dataclass(frozen=True, slots=True)
class _Type:
    """A type in SQL: `numeric(10,2)[]` has the name numeric, the limits 10 and 2, and is an array."""

    name: str
    limits: tuple[str, ...] = ()
    is_array: bool = False

    @property
    def bare(self) -> str:
        """Return the name without a schema, for the types of extensions."""
        return last_part(self.name) if "." in self.name else self.name

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the limits that are numbers."""
        return tuple(int(limit) for limit in self.limits if limit.lstrip("-").isdigit())


def explain_narrowing(old: str, new: str, labels: Labels, new_labels: Labels) -> str:
    """Return what a column loses when its type is changed, as the end of a sentence; an empty text if it keeps every value."""
    was, now = _parse(old), _parse(new)
    if was == now:
        return ""
    if was.is_array == now.is_array:
        was, now = (_Type(each.name, each.limits) for each in (was, now))
        kept = _keeps(was, now, labels, new_labels)
    else:
        kept = now.bare in _TEXTS and not now.limits and not now.is_array
    return "" if kept else _REASONS.get((was.name, now.name), _ANY)


def _parse(text: str) -> _Type:
    match = _SHAPE.fullmatch(text)
    if match is None:
        return _Type(text)
    limits = tuple(limit.strip() for limit in (match["limits"] or "").split(",") if limit.strip())
    return _Type(f"{match['head']}{match['tail']}".strip(), limits, bool(match["array"]))


def _keeps(was: _Type, now: _Type, labels: Labels, new_labels: Labels) -> bool:
    """Return True if a conversion of single values keeps them all."""
    if now.name in new_labels:
        return was.name in labels and set(labels[was.name]) <= set(new_labels[now.name])
    if now.name in {_VARCHAR, _CHAR} and now.limits:
        return _keeps_length(was, now, labels)
    if now.name == _NUMERIC and now.limits:
        return _keeps_digits(was, now)
    if now.name in _FRACTIONS and now.limits:
        return _keeps_fraction(was, now)
    if now.bare in _TEXTS:
        return True
    if was.name == now.name or (now.name == _INTERVAL and was.name.startswith(f"{_INTERVAL} ")):
        return not now.limits or (now.name == "bit varying" and was.numbers <= now.numbers and bool(was.limits))
    wider = now.name in _WIDER.get(was.name, ())
    return wider and (not now.limits or (was.numbers or (1,)) <= now.numbers)


def _keeps_length(was: _Type, now: _Type, labels: Labels) -> bool:
    if was.name in labels:
        length: int | None = max(map(_measure, labels[was.name]), default=0)
    elif was.name == _CHAR or (was.name == _VARCHAR and now.name == _VARCHAR):
        length = was.numbers[0] if was.numbers else None
    else:
        length = _LENGTHS.get(was.name)
    return length is not None and length <= now.numbers[0]


def _measure(label: str) -> int:
    return len(label[1:-1].replace("''", "'"))


def _keeps_digits(was: _Type, now: _Type) -> bool:
    precision, scale = (*now.numbers, 0)[:2]
    if was.name == _NUMERIC and was.limits:
        old_precision, old_scale = (*was.numbers, 0)[:2]
        return scale >= old_scale and precision - scale >= old_precision - old_scale
    return was.name in _DIGITS and scale >= 0 and precision - scale >= _DIGITS[was.name]


def _keeps_fraction(was: _Type, now: _Type) -> bool:
    if was.name != now.name and now.name not in _WIDER.get(was.name, ()):
        return False
    own = 0 if was.name == "date" else was.numbers[0] if was.numbers else _MICROSECONDS
    return now.numbers[0] >= own
