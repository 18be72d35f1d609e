"""Check an environment: local checks first, up to the first failure that the next checks depend on."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from tasks.config.environments import PROJECT, Environment, find_database_url
from tasks.postgres.server.cluster import ServerError
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade, ProbeRead
from tasks.runner.settings import SHARED_FILE
from tasks.runner.signals import Stop

_OTHERS = {"read": stat.S_IROTH | stat.S_IRGRP, "write": stat.S_IWOTH | stat.S_IWGRP}


def check_environment(environment: Environment, stop: Stop, *, start: bool) -> tuple[CheckMade, ...]:
    """Return the results of all checks up to the first failure that others depend on."""
    files = tuple(check_files(environment.name))
    if environment.fly_app:
        from tasks.checks.fly import check_fly

        return (*files, *check_fly(environment, stop, start=start))
    return (*files, *_check_url(environment, stop))


def check_files(environment: str, project: Path = PROJECT) -> Iterator[CheckMade]:
    """Yield a warning for each .env file of an environment that other accounts of this machine may read or write."""
    for path in (project / SHARED_FILE, project / f"{SHARED_FILE}.{environment}"):
        mode = path.stat().st_mode if path.is_file() else 0
        may = [verb for verb, bits in _OTHERS.items() if mode & bits]
        if may:
            found = f"other accounts of this machine may {' and '.join(may)} {path.name}, which can contain passwords"
            yield CheckMade("files", True, found, f"chmod 600 {quote_words(path.name)}", warning=True)


def _check_url(environment: Environment, stop: Stop) -> Iterator[CheckMade]:
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.operations.probe import probe

    name = "DATABASE_URL"
    try:
        url = find_database_url(environment)
        yield CheckMade(name, True, "set" if environment.settings.database_url else "not needed: the embedded PostgreSQL")
        name = "database"
        folder = environment.settings.migrations_dir
        readers = environment.settings.ledger_readers
        runner = MigrationRunner(url, migrations_dir=folder, environment=environment.name, stop=stop, ledger_readers=readers)
        for event in probe(runner):
            if isinstance(event, ProbeRead):
                yield from event.checks
    except (RunnerError, ServerError) as error:
        yield CheckMade(name, False, error.message, error.hint)
