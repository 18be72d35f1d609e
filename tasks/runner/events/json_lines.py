"""Events as JSON lines. A line may come from a machine that is not trusted, so its size, depth and types are checked."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from tasks.runner.events.registry import EVENT_MODULES, Event, load_events

LONGEST_LINE = 64 * 1024 * 1024
"""The characters that a line may have at most: enough for the schema and the scripts of 10 000 migrations."""

_SHOWN = 80
_LARGEST = 2**63
"""Integers of PostgreSQL are smaller, and so are all counts and durations."""
_EXIT_CODES = range(1, 256)


class _Escapes(dict[int, str]):
    """A table for str.translate(), which grows with each character that is looked up."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = character if character.isprintable() else json.dumps(character)[1:-1]
        return self[code]


_ESCAPES = _Escapes()


class WrongEventError(ValueError):
    """A line is an event, but not as this tool writes it."""


def to_json(event: Event) -> str:
    """Return an event as one line of JSON, with an escape for each character that is not printable.

    A terminal obeys control characters (C1 too) and direction marks. For a JSON parser an escape is the same character.
    """
    text = json.dumps({"kind": event.kind, **_flatten(event)}, ensure_ascii=False)
    return text if text.isprintable() else text.translate(_ESCAPES)


def is_record(value: object) -> bool:
    """Return True for a dataclass or a named tuple, and for a value of one."""
    return is_dataclass(value) or hasattr(value, "_fields")


@cache
def list_fields(cls: type) -> dict[str, bool]:
    """Return the fields of a dataclass or of a named tuple by name, and whether they are required."""
    if is_dataclass(cls):
        return {field.name: field.default is MISSING and field.default_factory is MISSING for field in fields(cls)}
    names: tuple[str, ...] = getattr(cls, "_fields", ())
    return {name: name not in getattr(cls, "_field_defaults", {}) for name in names}


def _flatten(value: Any) -> Any:
    """Return a value as JSON has it: dataclasses and named tuples as objects."""
    if is_record(value):
        cls: type = type(value)
        return {name: _flatten(getattr(value, name)) for name in list_fields(cls)}
    if isinstance(value, list | tuple):
        return [_flatten(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _flatten(item) for name, item in value.items()}
    return value


def from_json(line: str) -> Event:
    """Return the event of a JSON line; unknown fields are ignored.

    Raises WrongEventError for an event with a wrong field, and for a line that is too long or nested too deeply; and ValueError
    for any other line that is not the JSON of a registered event.
    """
    if len(line) > LONGEST_LINE:
        raise WrongEventError(f"a line with more than {LONGEST_LINE} characters")
    oddities: list[str] = []
    try:
        data = json.loads(line, object_pairs_hook=lambda pairs: _build_object(pairs, oddities), parse_constant=oddities.append)
    except RecursionError:
        raise WrongEventError("a line that is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not JSON: {line[:_SHOWN]!r}") from error
    kind = data.get("kind") if isinstance(data, dict) else None
    known = load_events()
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"not an event: {line[:_SHOWN]!r}")
    if oddities:
        raise WrongEventError(f"{kind}: {oddities[0]}")
    event: Event = _build(known[kind], data, kind)
    return event


def _build_object(pairs: list[tuple[str, Any]], oddities: list[str]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) < len(pairs):
        oddities.append("a key occurs twice in an object")
    return built


@cache
def read_field_types(cls: type) -> dict[str, Any]:
    """Return the types of the fields of an event, or of a part of one, by name."""
    # The modules import the types of each other's fields only for the type checker.
    load_events()
    names = {name: value for module in EVENT_MODULES for name, value in vars(sys.modules[module]).items()}
    return get_type_hints(cls, localns=names)


def _build(hint: Any, value: Any, where: str) -> Any:
    """Return parsed JSON as a value of the type that a hint names; `where` is its place in the event, for an error."""
    if isinstance(hint, type) and is_record(hint):
        return _build_record(hint, value, where)
    origin = get_origin(hint)
    if origin is tuple:
        return _build_tuple(get_args(hint), value, where)
    if origin is UnionType:
        kind = next(kind for kind in get_args(hint) if kind is not NoneType)
        return None if value is None else _build(kind, value, where)
    if not _fits(hint if origin is None else origin, value):
        raise WrongEventError(f"{where}: expected {getattr(hint, '__name__', hint)}, got {_describe(value)}")
    return value


def _build_record(hint: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise WrongEventError(f"{where}: expected an object, got {_describe(value)}")
    hints = read_field_types(hint)
    if value.get("exit_code", 1) not in _EXIT_CODES:
        raise WrongEventError(f"{where}.exit_code: {_describe(value['exit_code'])} is not the exit code of an error")
    given = {name: _build(hints[name], value[name], f"{where}.{name}") for name in list_fields(hint) if name in value}
    try:
        return hint(**given)
    except (TypeError, ValueError) as error:
        raise WrongEventError(f"{where}: {error}") from error


def _build_tuple(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    """Return a tuple of any length, or of exactly as many values as there are kinds."""
    if not isinstance(value, list):
        raise WrongEventError(f"{where}: expected a list, got {_describe(value)}")
    if kinds[-1] is Ellipsis:
        return tuple(_build(kinds[0], item, where) for item in value)
    if len(value) != len(kinds):
        raise WrongEventError(f"{where}: expected {len(kinds)} values, got {len(value)}")
    return tuple(_build(kind, item, where) for kind, item in zip(kinds, value, strict=True))


def _fits(hint: Any, value: Any) -> bool:
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and abs(value) < _LARGEST
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST
    return hint is Any or isinstance(value, dict if hint is Mapping else hint)


def _describe(value: Any) -> str:
    """Return a value to print; of an object or a list only what it is, because it may be of any size."""
    names = {dict: "an object", list: "a list", NoneType: "null"}
    return names.get(type(value)) or repr(value if not isinstance(value, str) else value[:_SHOWN])[:_SHOWN]
