"""A forecast as one value: what people read begins with its sum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from tasks.forecast.events import ForecastFailed, ForecastFinished, ForecastStarted, RelationFacts, StatementForecast
from tasks.forecast.ranking import rank
from tasks.runner.events import Event
from tasks.runner.events.numbers import OpenTransaction


@dataclass(frozen=True)
class CompleteForecast(Event):
    """All events of a forecast, for people: programs get the events one by one."""

    kind: ClassVar[str] = "complete_forecast"
    started: ForecastStarted
    statements: tuple[StatementForecast, ...]
    finished: ForecastFinished
    failures: tuple[ForecastFailed, ...] = ()

    @cached_property
    def ranked(self) -> tuple[StatementForecast, ...]:
        """Return the statements, the worst first."""
        return tuple(sorted(self.statements, key=rank))

    @cached_property
    def facts(self) -> Mapping[str, RelationFacts]:
        """Return what is known of each relation, by its name."""
        return {each.relation: each for each in self.finished.relations}

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """Return the tables of partitions, by the names of these."""
        return {each.relation: each.partition_of for each in self.finished.relations if each.partition_of}

    @cached_property
    def sessions(self) -> Mapping[int, OpenTransaction]:
        """Return the open transactions that are in the way, by the process ids of their sessions."""
        return {each.pid: each for each in self.finished.sessions}

    @cached_property
    def not_known(self) -> Mapping[str, tuple[StatementForecast, ...]]:
        """Return what is not known, as sentences, with the statements that each concerns; none for what concerns all."""
        found: dict[str, list[StatementForecast]] = {text: [] for text in self.started.not_known}
        for statement in sorted(self.statements, key=lambda each: (each.version, each.number)):
            for text in statement.not_known:
                if text not in self.started.not_known:
                    found.setdefault(text, []).append(statement)
        return {text: tuple(statements) for text, statements in found.items()}


@dataclass
class _ForecastParts:
    started: ForecastStarted | None = None
    statements: list[StatementForecast] = field(default_factory=list)
    failures: list[ForecastFailed] = field(default_factory=list)


def collect(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events with those of a forecast as one, after its start, which is yielded twice: at once, and as part of it."""
    parts = _ForecastParts()
    for event in events:
        match event:
            case ForecastStarted():
                parts.started = event
                yield event
            case StatementForecast():
                parts.statements.append(event)
            case ForecastFailed():
                parts.failures.append(event)
            case ForecastFinished() if parts.started:
                yield CompleteForecast(parts.started, tuple(parts.statements), event, tuple(parts.failures))
            case _:
                yield event
