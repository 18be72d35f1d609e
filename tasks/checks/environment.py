"""Check an environment: local checks first, up to the first failure that the next checks depend on."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.config.environments import Environment, find_database_url
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import RunnerError
from tasks.runner.events import CheckMade, ProbeRead
from tasks.runner.signals import Stop


def check_environment(environment: Environment, stop: Stop, *, start: bool) -> tuple[CheckMade, ...]:
    """Return the results of all checks up to the first failure that others depend on."""
    if environment.fly_app:
        from tasks.checks.fly import check_fly

        return tuple(check_fly(environment, stop, start=start))
    return tuple(_check_url(environment, stop))


def _check_url(environment: Environment, stop: Stop) -> Iterator[CheckMade]:
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.operations.probe import probe

    name = "DATABASE_URL"
    try:
        url = find_database_url(environment)
        yield CheckMade(name, True, "set" if environment.settings.database_url else "not needed: the embedded PostgreSQL")
        name = "database"
        folder = environment.settings.migrations_dir
        runner = MigrationRunner(url, migrations_dir=folder, environment=environment.name, stop=stop)
        for event in probe(runner):
            if isinstance(event, ProbeRead):
                yield from event.checks
    except (RunnerError, ServerError) as error:
        yield CheckMade(name, False, error.message, error.hint)
