"""Events as JSON lines: written by one function, and read by one."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, Protocol, cast, get_args, get_origin, get_type_hints

from tasks.runner.events.answers import (
    AdoptionWritten,
    CatalogRead,
    EnvironmentsListed,
    FilesRead,
    HistoryRead,
    OutcomeRead,
    ProbeRead,
    StatusesRead,
    StatusRead,
)
from tasks.runner.events.running import (
    ConnectionLost,
    ErrorRaised,
    FilesFound,
    Heartbeat,
    IndexAdvanced,
    LockAwaited,
    NoticeRaised,
    PlanMade,
    RepairProposed,
    Retried,
    RunFinished,
    RunStarted,
    SchemaWritten,
    Skipped,
    StatementFinished,
    StatementStarted,
    StepFailed,
    StepFinished,
    StepStarted,
    Waiting,
)

WireEvent = (
    RunStarted
    | FilesFound
    | Skipped
    | PlanMade
    | LockAwaited
    | StepStarted
    | StatementStarted
    | StatementFinished
    | Waiting
    | IndexAdvanced
    | Retried
    | NoticeRaised
    | StepFinished
    | StepFailed
    | RunFinished
    | SchemaWritten
    | StatusRead
    | HistoryRead
    | RepairProposed
    | Heartbeat
    | FilesRead
    | CatalogRead
    | AdoptionWritten
    | ConnectionLost
    | OutcomeRead
    | EnvironmentsListed
    | ProbeRead
    | StatusesRead
    | ErrorRaised
)


class Answer(Protocol):
    """An event that only some operations have, and that never crosses a wire: a frozen dataclass in their own room."""

    @property
    def kind(self) -> str:
        """Name what the event says."""


Event = WireEvent | Answer

_CLASSES: dict[str, type[WireEvent]] = {event.kind: event for event in get_args(WireEvent)}


def to_json(event: Event) -> str:
    """Write an event as one line of JSON."""
    return json.dumps({"kind": event.kind, **asdict(cast("WireEvent", event))}, ensure_ascii=False)


def from_json(line: str) -> WireEvent:
    """Read an event from its JSON line; raises ValueError for anything else, and ignores fields it does not know."""
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {line[:80]!r}") from error
    if not isinstance(data, dict) or str(data.get("kind")) not in _CLASSES:
        raise ValueError(f"no event: {line[:80]!r}")
    event: WireEvent = _build(_CLASSES[data["kind"]], data)
    return event


@cache
def _read_hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _build(hint: Any, value: Any) -> Any:
    """Make the value that a type hint describes out of plain JSON."""
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, dict):
            raise ValueError(f"{hint.__name__} expected, got {value!r}")
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
