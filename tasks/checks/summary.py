"""What the settings contain for an environment, without any connection."""

from __future__ import annotations

from tasks.config.environments import Environment
from tasks.runner.database.addresses import describe_database
from tasks.runner.events import EnvironmentKnown
from tasks.runner.settings import LOCAL, name_fly_app


def describe_environment(environment: Environment) -> EnvironmentKnown:
    """Return the description of an environment from its settings alone."""
    url = environment.settings.database_url
    if url:
        reached = f"by URL: {describe_database(url)}"
    elif environment.fly_app:
        reached = f"on Fly: the app {environment.fly_app}"
    elif environment.name == LOCAL:
        reached = "the embedded PostgreSQL in .postgres/"
    else:
        name = environment.name
        reached = f"not configured: set {name_fly_app(name)} in .env, or DATABASE_URL in .env.{name}"
    return EnvironmentKnown(environment.name, reached, environment.guarded, len(environment.alert_urls))
