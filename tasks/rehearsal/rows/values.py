"""Values for every type, as text in the server's input format.

https://www.postgresql.org/docs/current/datatype.html; pgvector's types: https://github.com/pgvector/pgvector
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tasks.rehearsal.rows.shapes import Type

_HEADER = 4
"""The modifier of a text type includes these bytes."""
_PRECISION_SHIFT, _SCALE_MASK = 16, 0x7FF
_DAYS = 27
_WORDS = (
    "a{n}@example.org",
    "https://example.org/{n}",
    "a{n}",
    "A{n}",
    "{n}",
    "#{n:06x}",
    "+1202555{n:04d}",
    "/a/{n}",
    "10.0.0.{n}",
)
_UUID = "00000000-0000-4000-8000-{n:012x}"


def suggest(type_: Type, modifier: int, n: int, types: Mapping[int, Type]) -> list[str]:
    """Return suggested values, the most common first, different for each `n`; an empty list for an unknown type."""
    if type_.kind == "d":
        base, own = type_.parts[0]
        return suggest(types[base], own, n, types) if base in types else []
    if type_.kind == "e":
        return [type_.labels[(n + shift) % len(type_.labels)] for shift in range(len(type_.labels))]
    if type_.kind in _COMPOSED:
        parts = [suggest(types[oid], own, n, types) if oid in types else [] for oid, own in type_.parts]
        return _COMPOSED[type_.kind](type_, parts, n, types) if parts and all(parts) else []
    made = _SCALARS.get(type_.name)
    if type_.name in _SIZED:
        return _SIZED[type_.name](n, modifier)
    return made(n) if made else []


def _write_text(n: int, modifier: int) -> list[str]:
    length = modifier - _HEADER if modifier >= _HEADER else 0
    uuid = _UUID.format(n=n)
    texts = [f"text {n}", *(word.format(n=n) for word in _WORDS), uuid, f"2024-01-{n % _DAYS + 1:02d}", "en", ""]
    if not length:
        return texts
    short = _count_in_letters(n)
    return [
        *(text for text in texts if text and len(text) <= length),
        short[-length:],
        short.upper()[-length:],
        str(n % 10),
        short.rjust(length, "a"),
    ]


def _count_in_letters(n: int) -> str:
    letters = ""
    while n >= 0:
        letters = chr(ord("a") + n % 26) + letters
        n = n // 26 - 1
    return letters


def _write_number(n: int, modifier: int) -> list[str]:
    if modifier < _HEADER:
        return [f"{n + 1}.5", "0", "0.5", "-1", "100"]
    precision, scale = (modifier - _HEADER) >> _PRECISION_SHIFT, (modifier - _HEADER) & _SCALE_MASK
    whole = precision - scale
    if whole <= 0:
        return [f"0.{(n + 1) % 10**scale:0{scale}d}", "0"]
    return [str((n + 1) % 10**whole), "0", f"{n % 10}.5" if scale else "1", "-1"]


def _write_bits(n: int, modifier: int) -> list[str]:
    size = modifier if modifier > 0 else 8
    return [f"{n % 2**size:0{size}b}"]


def _write_vector(n: int, modifier: int) -> list[str]:
    size = modifier if modifier > 0 else 3
    return ["[" + ",".join([str(n + 1), *["0.5"] * (size - 1)]) + "]"]


def _write_sparse(n: int, modifier: int) -> list[str]:
    return [f"{{1:{n + 1}}}/{modifier if modifier > 0 else 3}"]


def _write_integer(n: int) -> list[str]:
    return [str(n + 1), "0", "-1", "100"]


def _write_moment(n: int) -> list[str]:
    day = n % _DAYS + 1
    return [f"2024-01-{day:02d} 12:00:00+00", f"2023-06-{day:02d} 12:00:00+00", f"2030-06-{day:02d} 12:00:00+00"]


def _write_json(n: int) -> list[str]:
    return [f'{{"a": {n}}}', f"[{n}]", "{}", "[]", f'"a{n}"', str(n), "true"]


def _write_time(n: int) -> list[str]:
    return [f"{n % 24:02d}:00:00", "23:59:00"]


def _quote_array(_type: Type, parts: list[list[str]], _n: int, _types: Mapping[int, Type]) -> list[str]:
    first = parts[0][0]
    return ["{" + _quote(first, "\\") + "}", "{" + ",".join([_quote(first, "\\")] * 2) + "}", "{}"]


def _quote_record(_type: Type, parts: list[list[str]], _n: int, _types: Mapping[int, Type]) -> list[str]:
    return ["(" + ",".join(_quote(part[0], "\\") for part in parts) + ")"]


def _write_range(type_: Type, parts: list[list[str]], n: int, types: Mapping[int, Type]) -> list[str]:
    oid, modifier = type_.parts[0]
    low, high = (suggest(types[oid], modifier, 2 * n + add, types)[0] for add in (0, 1))
    return [f"[{_quote(low, chr(92))},{_quote(high, chr(92))})", "empty"]


def _write_ranges(_type: Type, parts: list[list[str]], _n: int, _types: Mapping[int, Type]) -> list[str]:
    return ["{" + parts[0][0] + "}", "{}"]


def _quote(text: str, escape: str) -> str:
    return '"' + text.replace(escape, escape * 2).replace('"', f'{escape}"') + '"'


_COMPOSED: dict[str, Callable[[Type, list[list[str]], int, Mapping[int, Type]], list[str]]] = {
    "a": _quote_array,
    "c": _quote_record,
    "r": _write_range,
    "m": _write_ranges,
}
_SIZED: dict[str, Callable[[int, int], list[str]]] = {
    "text": _write_text,
    "varchar": _write_text,
    "bpchar": _write_text,
    "citext": _write_text,
    "numeric": _write_number,
    "bit": _write_bits,
    "varbit": _write_bits,
    "vector": _write_vector,
    "halfvec": _write_vector,
    "sparsevec": _write_sparse,
}
_SCALARS: dict[str, Callable[[int], list[str]]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid", "xid", "xid8", "cid"), _write_integer),
    **dict.fromkeys(("float4", "float8"), lambda n: [f"{n}.5", "0.5", "0", "1", "-1", "100"]),
    **dict.fromkeys(("json", "jsonb"), _write_json),
    **dict.fromkeys(("timestamp", "timestamptz"), _write_moment),
    **dict.fromkeys(("time", "timetz"), _write_time),
    "date": lambda n: [text[:10] for text in _write_moment(n)],
    "interval": lambda n: [f"{n + 1} hours", "0"],
    "bool": lambda n: ["true", "false"] if n % 2 == 0 else ["false", "true"],
    "money": lambda n: [f"{n + 1}.00", "0"],
    "name": lambda n: [f"a{n}"],
    "char": lambda n: [chr(ord("a") + n % 26)],
    "bytea": lambda n: [f"\\x{n:08x}", "\\x"],
    "uuid": lambda n: [_UUID.format(n=n)],
    "xml": lambda n: [f"<a>{n}</a>"],
    "inet": lambda n: [f"10.0.{n // 256 % 256}.{n % 256}", f"2001:db8::{n:x}"],
    "cidr": lambda n: [f"10.{n // 256 % 256}.{n % 256}.0/24"],
    "macaddr": lambda n: [f"02:00:00:00:{n // 256 % 256:02x}:{n % 256:02x}"],
    "macaddr8": lambda n: [f"02:00:00:00:00:00:{n // 256 % 256:02x}:{n % 256:02x}"],
    "point": lambda n: [f"({n},1)"],
    "line": lambda n: [f"{{1,{n},1}}"],
    "lseg": lambda n: [f"[(0,{n}),(1,1)]"],
    "box": lambda n: [f"(({n},{n}),({n + 0.5},{n + 0.5}))"],
    "path": lambda n: [f"[(0,{n}),(1,1)]"],
    "polygon": lambda n: [f"((0,{n}),(1,1),(2,0))"],
    "circle": lambda n: [f"<({n},0),0.4>"],
    "tsvector": lambda n: [f"'a':1 'b{n}':2"],
    "tsquery": lambda n: [f"'a' & 'b{n}'"],
    "pg_lsn": lambda n: [f"0/{n:X}"],
    "regclass": lambda _: ["pg_class"],
    "regtype": lambda _: ["int4"],
    "regproc": lambda _: ["now"],
    "hstore": lambda n: [f'"a"=>"{n}"'],
    "ltree": lambda n: [f"a.b{n}"],
    "geometry": lambda n: [f"POINT({n % 90} 1)", f"SRID=4326;POINT({n % 90} 1)"],
    "geography": lambda n: [f"POINT({n % 90} 1)"],
}
