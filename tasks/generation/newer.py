"""Refuse what the oldest server that runs the migrations does not have."""

from __future__ import annotations

from tasks.generation.states import UNWRITTEN
from tasks.postgres.newer_forms import find_newer_forms
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.sql_diff import Pair
from tasks.runner.errors import RefusedError

_MAJOR = 10000


def refuse_newer(server: ScratchServer, pair: Pair) -> None:
    """Raise RefusedError for statements that scratch has, and that do not run on the oldest version that runs the migrations."""
    oldest = server.oldest_version // _MAJOR
    if oldest >= server.version // _MAJOR:
        return
    forms = find_newer_forms(pair.written.write() + "\n" + pair.undone.write(), oldest)
    if not forms:
        return
    lines = dict.fromkeys(f"  {form.words}: PostgreSQL {form.since} and later" for form in forms)
    raise RefusedError(
        f"the migration would not run on PostgreSQL {oldest}, which does not have:\n" + "\n".join(lines),
        hint=f"Describe the schema without it, or set OLDEST_POSTGRES={max(form.since for form in forms)} once no environment "
        "has an older version.",
        state=UNWRITTEN,
    )
