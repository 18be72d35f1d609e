"""The status of several environments, read at once and put side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tasks.environments import Environment, list_environments, load_environment
from tasks.postgres.cluster import ServerError
from tasks.runner.errors import RunnerError
from tasks.runner.events import EnvironmentStatus, ErrorRaised, Event, StatusesRead, StatusRead

ALL = "all"
_MOST_AT_ONCE = 8


def read_overview(environments: Sequence[Environment], open_status: Callable[[Environment], Iterator[Event]]) -> Iterator[Event]:
    """Read the status of each environment in a thread of its own; one that cannot be reached is a column that says so."""
    with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
        columns = pool.map(lambda environment: _read_column(environment, open_status), environments)
        yield StatusesRead(tuple(columns))


def choose_environments(text: str) -> tuple[Environment, ...]:
    """Load the environments that are meant: those named with commas, or all of which it is known where they are."""
    if text != ALL:
        return tuple(load_environment(name.strip()) for name in text.split(",") if name.strip())
    return tuple(environment for environment in map(load_environment, list_environments()) if environment.is_configured)


def is_well(overview: StatusesRead) -> bool:
    """Tell whether every environment could be reached and holds nothing but applied versions. Pure."""
    return all(not column.error and all(row.state == "applied" for row in column.rows) for column in overview.environments)


def _read_column(environment: Environment, open_status: Callable[[Environment], Iterator[Event]]) -> EnvironmentStatus:
    told = ""
    try:
        for event in open_status(environment):
            if isinstance(event, StatusRead):
                return EnvironmentStatus(environment.name, "", event.rows)
            told = event.message if isinstance(event, ErrorRaised) else told
    except (RunnerError, ServerError) as error:
        return EnvironmentStatus(environment.name, told or error.message or "no answer", ())
    return EnvironmentStatus(environment.name, told or "no answer", ())
