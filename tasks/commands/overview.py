"""Read the status of several environments at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from tasks.config.environments import LOCAL, PROJECT, Environment, list_environments, load_environment
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.events import NOT_KNOWN, EnvironmentStatus, ErrorRaised, Event, HistoryRead, StatusesRead, StatusRead
from tasks.runner.redaction import redact

ALL = "all"
_MOST_AT_ONCE = 8


def choose_environments(text: str) -> tuple[Environment, ...]:
    """Return the environments that are named (comma-separated), or all that are configured.

    The process's own DATABASE_URL counts for `local` alone where there are several: they cannot all be that one database.
    Raises UsageError where there is none, or one of them is not known.
    """
    named = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    names = list_environments() if ALL in named else named
    chosen = tuple(load_environment(name, process_url=name == LOCAL or len(names) == 1) for name in names)
    if ALL in named:
        chosen = tuple(environment for environment in chosen if _is_available(environment))
    if not chosen:
        raise UsageError("no environment selected", hint="See inv env.list for the environments.", state="Nothing was changed.")
    return chosen


def read_overview(environments: Sequence[Environment], open_status: Callable[[Environment], Iterator[Event]]) -> StatusesRead:
    """Read the status of each environment in a thread of its own; an error becomes the text of its column."""
    with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
        columns = tuple(pool.map(lambda environment: _read_column(environment, open_status), environments))
    return StatusesRead(columns, len(_list_versions(columns)))


def read_histories(
    environments: Sequence[Environment], open_history: Callable[[Environment], Iterator[Event]]
) -> tuple[HistoryRead, ...]:
    """Read the log of each environment in a thread of its own; an error becomes the reason why it is not known."""
    with ThreadPoolExecutor(max_workers=_MOST_AT_ONCE) as pool:
        return tuple(pool.map(lambda environment: _read_history(environment, open_history), environments))


def _read_history(environment: Environment, open_history: Callable[[Environment], Iterator[Event]]) -> HistoryRead:
    reason = "no answer"
    try:
        for event in open_history(environment):
            if isinstance(event, HistoryRead):
                return replace(event, environment=environment.name)
            if isinstance(event, ErrorRaised):
                reason = event.message
    except (RunnerError, ServerError) as error:
        reason = error.message or reason
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    return HistoryRead(environment.name, "", (), unknown=redact(reason, environment.settings.database_url))


def limit_rows(overview: StatusesRead, limit: int) -> StatusesRead:
    """Return the overview with the newest `limit` versions of all environments, and all that are not applied; 0 keeps all."""
    if not limit:
        return overview
    kept = set(_list_versions(overview.environments)[-limit:])
    kept |= {row.version for column in overview.environments for row in column.rows if row.state != "applied" or row.failed}
    columns = tuple(
        replace(column, rows=tuple(row for row in column.rows if row.version in kept)) for column in overview.environments
    )
    return replace(overview, environments=columns)


def is_well(overview: StatusesRead) -> bool:
    """Return True if every environment could be reached, has only applied versions, and has not drifted."""
    return all(
        not column.error and not column.drifted and all(row.state == "applied" for row in column.rows)
        for column in overview.environments
    )


def _is_available(environment: Environment) -> bool:
    """Return True if there is a database to read; the embedded one is not created only to be read."""
    if environment.name == LOCAL and not environment.settings.database_url:
        return (PROJECT / ".postgres" / "data").exists()
    return environment.is_configured


def _list_versions(columns: Sequence[EnvironmentStatus]) -> list[str]:
    return sorted({row.version for column in columns for row in column.rows})


def _read_column(environment: Environment, open_status: Callable[[Environment], Iterator[Event]]) -> EnvironmentStatus:
    """Return the column of one environment; no error in it may hide the others."""
    message, hint = "no answer", ""
    try:
        for event in open_status(environment):
            if isinstance(event, StatusRead):
                drifted = any(finding.kind == "drifted" for finding in event.findings)
                unknown = next((finding.message for finding in event.findings if finding.kind == NOT_KNOWN), "")
                return EnvironmentStatus(
                    environment.name, "", event.rows, drifted=drifted, run=event.run, unknown=unknown, counts=event.counts
                )
            if isinstance(event, ErrorRaised):
                message, hint = event.message, event.hint
    except (RunnerError, ServerError) as error:
        message, hint = error.message or message, error.hint or hint
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
    url = environment.settings.database_url
    return EnvironmentStatus(environment.name, redact(message, url), (), redact(hint, url))
