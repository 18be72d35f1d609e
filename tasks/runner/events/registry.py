"""The registry of events: every event is defined once, with its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import ClassVar, TypeVar

EVENT_FORMAT = 1
"""The version of the events. The first event of a run carries it, and a reader refuses a newer one."""


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events: frozen dataclasses that `@event` names."""

    kind: ClassVar[str] = ""
    """The name of the class in JSON; empty if programs do not get the event."""


E = TypeVar("E", bound=Event)

EVENTS: dict[str, type[Event]] = {}
"""The events of all modules imported so far, by kind."""
EVENT_MODULES = tuple(
    f"tasks.runner.events.{name}"
    for name in (
        "registry",
        "runs",
        "findings",
        "status",
        "json_lines",
        "running",
        "values",
        "answers",
        "locking",
        "queries",
        "numbers",
    )
)
"""The modules of this package, those that most commands need first."""


def load_events() -> Mapping[str, type[Event]]:
    """Return the events by kind: those of this package, and those of the other modules that are imported."""
    for module in EVENT_MODULES:
        import_module(module)
    return EVENTS


def event(kind: str) -> Callable[[type[E]], type[E]]:
    """Return a decorator that registers a class as the event of this kind.

    Raises TypeError if another event has the kind.
    """

    def register(cls: type[E]) -> type[E]:
        if kind in EVENTS:
            raise TypeError(f"{cls.__qualname__} and {EVENTS[kind].__qualname__} are both events of the kind {kind!r}")
        cls.kind = kind
        EVENTS[kind] = cls
        return cls

    return register
