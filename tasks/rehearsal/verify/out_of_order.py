"""Run a late migration in order and after all applied ones, and compare the schemas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tasks.catalog import Catalog, compare, read_catalog
from tasks.rehearsal.errors import ScratchError
from tasks.rehearsal.events import RehearsalFinding
from tasks.rehearsal.findings import find_changes, find_error
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.database.session import connect
from tasks.runner.errors import RunnerError

_HINT = "Create it again with a new timestamp (inv db.new), or change it so that the order does not matter."
_DEFERRED_HINT = "Mark those behind it too, create them again later (inv db.new), or change it so that the order does not matter."


def try_out_of_order(
    server: ScratchServer, selection: Selection, version: str, *, timeout_s: float | None
) -> Iterator[RehearsalFinding]:
    """Yield what goes wrong, or differs, if a late version runs after all applied migrations instead of in order.

    So does one that runs after the deployment, with respect to the migrations behind it.
    """
    in_order, last = selection.list_orders(version)
    deferred = selection.is_deferred(version)
    fails_late = (
        "a migration fails when those marked after-deploy run after all others"
        if deferred
        else "fails when it runs late, after all applied migrations"
    )
    catalogs: list[Catalog] = []
    for migrations, message in ((in_order, "a migration after it fails when it runs in order"), (last, fails_late)):
        try:
            catalogs.append(_read_state(server, migrations, timeout_s))
        except ScratchError:
            raise
        except RunnerError as error:
            yield find_error("late_fails", message, error, server.url)
    if len(catalogs) == 2:
        message = "running it late produces a different schema than running it in order"
        yield from find_changes("late_differs", message, compare(*catalogs), hint=_DEFERRED_HINT if deferred else _HINT)


def _read_state(server: ScratchServer, migrations: Sequence[RehearsedMigration], timeout_s: float | None) -> Catalog:
    with (
        state_after(server, migrations, timeout_s=timeout_s) as database,
        connect(database.url, name="migrate-verify") as connection,
    ):
        return read_catalog(connection)
