"""Make db.status agree with a comparison of the schema and a replay: its result becomes the expected schema."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from tasks.commands.dispatch import open_events
from tasks.postgres.server.cluster import ServerError
from tasks.runner.errors import RunnerError
from tasks.runner.events import CatalogRead
from tasks.runner.operations.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.config.environments import Environment
    from tasks.options import Options
    from tasks.rehearsal.drift.drift import Drift
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.signals import Stop


def settle(environment: Environment, options: Options, stop: Stop, read: CatalogRead, found: Drift) -> None:
    """Record the result of a comparison where db.status reports another one; the comparison does not depend on it."""
    from tasks.rehearsal.drift.drift import compose_settlement

    request = compose_settlement(read, found)
    if request is not None:
        with suppress(RunnerError):
            for _ in open_events(environment, request, options, stop, []):
                pass


def compare_and_settle(
    environment: Environment, options: Options, stop: Stop, files: Migrations, rehearse: Callable[[], ScratchServer]
) -> None:
    """Compare the schema with a replay after an adoption, and record the result; the adoption does not depend on it."""
    from tasks.rehearsal.drift.drift import find_drift

    with suppress(RunnerError, ServerError, psycopg.Error, OSError):
        events = open_events(environment, Request("catalog"), options, stop, [])
        read = next((event for event in events if isinstance(event, CatalogRead)), None)
        if read is not None and read.status:
            with rehearse() as server:
                settle(environment, options, stop, read, find_drift(read, files, server))
