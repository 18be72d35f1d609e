"""The registry of events: every event is defined once, with its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeVar


@dataclass(frozen=True, slots=True)
class Event:
    """The base of all events: frozen dataclasses that `@event` names."""

    kind: ClassVar[str]
    """The name of the class in JSON."""


E = TypeVar("E", bound=Event)

EVENTS: dict[str, type[Event]] = {}
"""The events of all modules imported so far, by kind."""


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
