"""Events as JSON lines."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from tasks.runner.events.registry import EVENTS, Event


def to_json(event: Event) -> str:
    """Return an event as one line of JSON."""
    return json.dumps({"kind": event.kind, **asdict(event)}, ensure_ascii=False)


def from_json(line: str) -> Event:
    """Return the event of a JSON line; unknown fields are ignored.

    Raises ValueError if the line is not the JSON of a registered event.
    """
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {line[:80]!r}") from error
    if not isinstance(data, dict) or str(data.get("kind")) not in EVENTS:
        raise ValueError(f"not an event: {line[:80]!r}")
    event: Event = _build(EVENTS[data["kind"]], data)
    return event


@cache
def _read_hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _build(hint: Any, value: Any) -> Any:
    """Return parsed JSON as a value of the type that a hint names."""
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"expected {hint.__name__}, got {value!r}")
        hints = _read_hints(hint)
        try:
            return hint(**{f.name: _build(hints[f.name], value[f.name]) for f in fields(hint) if f.name in value})
        except TypeError as error:
            raise ValueError(f"{hint.__name__}: {error}") from error
    if get_origin(hint) is tuple:
        return tuple(_build(get_args(hint)[0], item) for item in value)
    if get_origin(hint) is UnionType:
        if value is None:
            return None
        return _build(next(kind for kind in get_args(hint) if kind is not NoneType), value)
    return value
