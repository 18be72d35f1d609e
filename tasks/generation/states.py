"""The schema after migrations on scratch, with what the server left out of them."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.rehearsal.kept.schemas import NOTHING_KEPT, KeptSchema, KeptSchemas
from tasks.rehearsal.lacks import NotChecked, refuse_lacks
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.left_out import refuse_denied
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.replay.replay import state_after
from tasks.rehearsal.scratch.server import ScratchServer

UNWRITTEN = "Nothing was written."


def read_schema_state(
    server: ScratchServer,
    migrations: Sequence[RehearsedMigration],
    *,
    timeout_s: float | None = None,
    cached: bool = True,
    kept: KeptSchemas = NOTHING_KEPT,
) -> KeptSchema:
    """Return the schema after migrations, from and into the cache as in `state_after`.

    One that is kept needs no scratch database. Raises the error of the first that fails, LackError for what the server does not
    have, and RefusedError for statements that the role of the rehearsal may not run.
    """
    found = kept.find(migrations)
    if found is None:
        state = state_after(server, migrations, timeout_s=timeout_s, cached=cached)
        with state as scratch, Rehearsal(scratch) as rehearsal:
            found = read_state(rehearsal)
        kept.add(migrations, found)
    else:
        server.note_stand_ins(found.stand_ins)
    return found


def read_state(rehearsal: Rehearsal) -> KeptSchema:
    """Return the schema of the scratch database of a rehearsal; raises what `read_schema_state` does."""
    server = rehearsal.server
    # A statement without a text makes nothing, or only sets the owner, which is not compared.
    left_out = tuple(entry for entry in rehearsal.left_out if entry.text)
    lacking = [NotChecked(entry.shown, entry.lack) for entry in left_out if entry.lack]
    refuse_lacks(lacking, server.version, embedded=server.embedded, what="not compared")
    refuse_denied(left_out, state="Nothing was changed.")
    stand_ins = rehearsal.look(lambda connection: " ".join(server.find_stand_ins(connection)))
    return KeptSchema(rehearsal.read_catalog(), left_out, tuple(stand_ins.split()))
