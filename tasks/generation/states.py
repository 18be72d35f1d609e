"""The schema after migrations on scratch, with what the server left out of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasks.catalog import Catalog, read_catalog, restrict
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import LeftOut, refuse_denied
from tasks.rehearsal.replay.replay import read_left_out, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect

UNWRITTEN = "Nothing was written."


@dataclass(frozen=True, slots=True)
class SchemaState:
    """A schema, and the statements of excluded extensions that would have made more of it."""

    catalog: Catalog
    left_out: tuple[LeftOut, ...] = ()


def read_schema_state(
    server: ScratchServer,
    migrations: Sequence[RehearsedMigration],
    *,
    timeout_s: float | None = None,
    check: Callable[[], None] = lambda: None,
    cached: bool = True,
) -> SchemaState:
    """Return the schema after migrations, from and into the cache as in `state_after`, which calls `check` too.

    Raises the error of the first that fails, LackError for what the server does not have, and RefusedError for statements that
    the role of the rehearsal may not run.
    """
    with state_after(server, migrations, timeout_s=timeout_s, check=check, cached=cached) as scratch:
        # A statement without a text makes nothing, or only sets the owner, which is not compared.
        left_out = tuple(entry for entry in read_left_out(scratch) if entry.text)
        lacking = [NotChecked(entry.shown, entry.lack) for entry in left_out if entry.lack]
        refuse_lacks(lacking, server.version, embedded=server.embedded, what="not compared")
        refuse_denied(left_out, state=UNWRITTEN)
        with connect(scratch.url, name="migrate-generate") as connection:
            catalog = restrict(read_catalog(connection), server.target_version)
    return SchemaState(catalog, left_out)
