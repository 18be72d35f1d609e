"""SQL expressions that generate the values of a column from a number, with about the width that the live column has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

from tasks.rehearsal.rows.shapes import ColumnToFill, Shapes, Type
from tasks.rehearsal.rows.values import suggest

_HEADER = 4
_PRECISION_SHIFT, _SCALE_MASK = 16, 0x7FF
_DIGEST = 32
_SUGGESTED = 40
_DAYS = 730
_LONGEST = 200_000
_RANDOM_TEXT = "(SELECT string_agg(md5(x::text), '') FROM generate_series(1, 1024) AS x)"
"""Evaluated once for a statement, because it refers to nothing outside."""
_DEFAULT_WIDTHS = {"text": 24, "varchar": 24, "citext": 24, "bpchar": 12, "json": 90, "jsonb": 90, "bytea": 32, "tsvector": 120}


@dataclass(frozen=True, slots=True)
class ColumnForm:
    """How the values of a column are to look: their average width in bytes, how many differ, and whether they ascend."""

    width: int
    distinct: int
    ordered: bool = False
    type_name: str = "text"
    """The type as SQL, with its modifier."""
    literals: tuple[str, ...] = ()
    """Values that statements of the pending files compare the column with, or the only ones that its constraints allow."""
    exclusive: bool = False
    """Whether no other values than the literals are allowed."""


def default_width(type_: Type) -> int:
    """Return the width that is assumed for values of a type without statistics."""
    return _DEFAULT_WIDTHS.get(type_.name, 32)


def compose_value(column: ColumnToFill, form: ColumnForm, key: str, shapes: Shapes) -> sql.Composed | None:
    """Return the expression of a value, where `key` is the SQL of a number from 0 to `distinct` - 1; None for an unknown type."""
    cast = sql.SQL("::" + form.type_name)
    listed = sql.SQL("(ARRAY[{}])[1 + ({} % {})::int]").format(
        sql.SQL(", ").join(sql.Literal(each) for each in form.literals), sql.SQL(key), sql.Literal(max(len(form.literals), 1))
    )
    if form.exclusive and form.literals:
        return sql.SQL("{}").format(listed) + cast
    base = _find_base(column.type, column.modifier, shapes)
    made = _compose(base[0], base[1], form, key, shapes)
    if made is None:
        return None
    if form.literals and form.distinct > 1:
        count = min(len(form.literals), max(form.distinct - 1, 1))
        return sql.SQL("CASE WHEN {} < {} THEN {}{} ELSE ({}){} END").format(
            sql.SQL(key), sql.Literal(count), listed, cast, made, cast
        )
    return sql.SQL("({})").format(made) + cast


def _compose(type_: Type, modifier: int, form: ColumnForm, key: str, shapes: Shapes) -> sql.Composable | None:
    if type_.name in _SIMPLE:
        return sql.SQL(_SIMPLE[type_.name].replace("{k}", key).replace("{d}", str(max(form.distinct, 1))))
    if type_.name in _SIZED:
        return sql.SQL(_SIZED[type_.name](form, modifier, key))
    if type_.kind == "e" and type_.labels:
        labels = sql.SQL(", ").join(sql.Literal(label) for label in type_.labels)
        return sql.SQL("(ARRAY[{}])[1 + ({} % {})::int]").format(labels, sql.SQL(key), sql.Literal(len(type_.labels)))
    if type_.kind == "a":
        return _compose_array(type_, form, key, shapes)
    suggested = [suggest(type_, modifier, n, shapes.types)[:1] for n in range(_SUGGESTED)]
    texts = list(dict.fromkeys(each[0] for each in suggested if each))
    if not texts:
        return None
    values = sql.SQL(", ").join(sql.Literal(text) for text in texts)
    return sql.SQL("(ARRAY[{}])[1 + ({} % {})::int]").format(values, sql.SQL(key), sql.Literal(len(texts)))


def _compose_array(type_: Type, form: ColumnForm, key: str, shapes: Shapes) -> sql.Composable | None:
    """Return the expression of an array: elements of 12 bytes, as many as the width allows, from a few thousand values."""
    oid, modifier = type_.parts[0]
    element = shapes.types.get(oid)
    if element is None:
        return None
    count = max(1, min((form.width - 24) // 12, 64))
    names = [f"(({key} * {number + 3} + {number}) % 5000)" for number in range(count)]
    own = ColumnForm(8, 5000)
    made = [_compose(*_find_base(element, modifier, shapes), own, name, shapes) for name in names]
    parts = [each for each in made if each is not None]
    return sql.SQL("ARRAY[{}]").format(sql.SQL(", ").join(parts)) if parts else None


def _find_base(type_: Type, modifier: int, shapes: Shapes) -> tuple[Type, int]:
    """Return the type and modifier that a domain is based on, or the type itself."""
    while type_.kind == "d" and type_.parts and type_.parts[0][0] in shapes.types:
        (oid, modifier), *_ = type_.parts
        type_ = shapes.types[oid]
    return type_, modifier


def _write_text(form: ColumnForm, modifier: int, key: str) -> str:
    """Return the expression of a text: hexadecimal digits, in the order of the numbers if the column is in order."""
    width = max(form.width - 1, 1)
    if modifier >= _HEADER:
        width = min(width, modifier - _HEADER)
    digits = len(f"{max(form.distinct, 1):x}")
    if form.ordered or width < digits + 4:
        head = f"lpad(to_hex({key}), {digits}, '0')"
        return head if width <= digits else f"{head} || {_write_tail(key, width - digits)}"
    return (
        f"left(md5(({key})::text), {width})" if width <= _DIGEST else f"md5(({key})::text) || {_write_tail(key, width - _DIGEST)}"
    )


def _write_tail(key: str, width: int) -> str:
    if width <= _DIGEST:
        return f"right(md5(({key})::text), {width})"
    width = min(width, _LONGEST)
    text = _RANDOM_TEXT if width <= _DIGEST * 512 else f"repeat({_RANDOM_TEXT}, {width // (_DIGEST * 512) + 1})"
    return f"substr({text}, 1 + (({key}) * 7919 % 8192)::int, {width})"


def _write_json(form: ColumnForm, _modifier: int, key: str) -> str:
    """Return the expression of an object with a number, up to twelve short texts, and a long one for the rest of the width."""
    pairs = max(0, min((form.width - 20) // 44, 12))
    texts = "".join(f', "k{number}": "\' || md5(({key} + {number})::text) || \'"' for number in range(pairs))
    rest = form.width - 20 - 44 * pairs
    long = f', "text": "\' || {_write_tail(key, rest)} || \'"' if rest > _DIGEST * 2 else ""
    return f"'{{\"id\": ' || ({key})::text || '{texts}{long}}}'"


def _write_numeric(_form: ColumnForm, modifier: int, key: str) -> str:
    if modifier < _HEADER:
        return f"({key})::numeric + 0.25"
    precision, scale = (modifier - _HEADER) >> _PRECISION_SHIFT, (modifier - _HEADER) & _SCALE_MASK
    return f"(({key}) % {10 ** min(precision, 17)})::numeric / {10 ** min(scale, precision)}"


def _write_bytes(form: ColumnForm, _modifier: int, key: str) -> str:
    text = _write_text(ColumnForm(2 * max(form.width - 1, 1) + 1, form.distinct), -1, key)
    return f"decode(rpad({text}, {2 * max(form.width - 1, 1)}, '0'), 'hex')"


def _write_words(form: ColumnForm, _modifier: int, key: str) -> str:
    words = [f"'w' || (({key} * {number + 7} + {number}) % 8000)" for number in range(max(1, min(form.width // 12, 60)))]
    return f"array_to_tsvector(ARRAY[{', '.join(words)}])"


def _write_vector(_form: ColumnForm, modifier: int, key: str) -> str:
    """Return the expression of a vector of random numbers, other ones for each row."""
    size = modifier if modifier > 0 else 3
    return f"ARRAY(SELECT random()::real FROM generate_series(1, {size} + 0 * ({key})::int))"


def _write_uuid(form: ColumnForm, _modifier: int, key: str) -> str:
    if form.ordered:
        return f"(lpad(to_hex({key}), 12, '0') || left(md5(({key})::text), 20))"
    return f"md5(({key})::text)"


_SIZED: dict[str, Callable[[ColumnForm, int, str], str]] = {
    **dict.fromkeys(("text", "varchar", "bpchar", "citext", "name"), _write_text),
    **dict.fromkeys(("json", "jsonb"), _write_json),
    **dict.fromkeys(("vector", "halfvec"), _write_vector),
    "numeric": _write_numeric,
    "bytea": _write_bytes,
    "tsvector": _write_words,
    "uuid": _write_uuid,
}
_SIMPLE: dict[str, str] = {
    "int2": "{k} % 32768",
    **dict.fromkeys(("int4", "int8", "oid"), "{k} + 1"),
    **dict.fromkeys(("float4", "float8"), "({k})::float8 + 0.25"),
    "bool": "({k}) % 2 = 0",
    "timestamptz": f"now() - interval '{_DAYS} days' * (1 - ({{k}})::float8 / {{d}})",
    "timestamp": f"localtimestamp - interval '{_DAYS} days' * (1 - ({{k}})::float8 / {{d}})",
    "date": "current_date - (({d} - {k}) % 200000)::int",
    "time": "time '00:00' + interval '1 millisecond' * ({k})",
    "timetz": "timetz '00:00+00' + interval '1 millisecond' * ({k})",
    "interval": "interval '1 second' * ({k})",
    "money": "(({k}) % 1000000)::int::money",
    "inet": "inet '10.0.0.0' + ({k})",
    "macaddr": "lpad(to_hex({k}), 12, '0')",
    "macaddr8": "lpad(to_hex({k}), 16, '0')",
    "char": "chr(97 + (({k}) % 26)::int)",
    "point": "point(({k})::float8, 1)",
    "xml": "'<a>' || ({k}) || '</a>'",
}
