"""What prevents a run from trusting the ledger that it reads, or from creating one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.errors import FilesError
from tasks.runner.events import NOT_KNOWN, Finding
from tasks.runner.files.checkout import read_migrations
from tasks.runner.ledger.damage import find_damage
from tasks.runner.ledger.tables import TABLE

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Ledger

_UNKNOWN = {"_log": "failed and interrupted attempts, the run in progress", "_meta": "the environment and drift"}
"""What the tables beside schema_migrations contain that a status or a plan depends on."""


def find_folder_faults(connection: psycopg.Connection, ledger: Ledger, folder: Path) -> tuple[Finding, ...]:
    """Return the findings of `find_faults` for the migrations of a folder, which may not exist."""
    migrations = None
    with suppress(FilesError):
        migrations = read_migrations(folder)
    return find_faults(connection, ledger, migrations)


def find_unknown(connection: psycopg.Connection, ledger: Ledger) -> tuple[Finding, ...]:
    """Return a finding about the parts of a status and a plan that the current user has no privilege to read."""
    unknown = [suffix for suffix in _UNKNOWN if suffix in ledger.unreadable]
    if not unknown:
        return ()
    from tasks.runner.ledger.privileges import compose_select, describe_unreadable

    row = connection.execute("SELECT current_user::text").fetchone()
    tables = [f"{TABLE}{suffix}" for suffix in unknown]
    grant = compose_select(ledger.schema, tables, row[0] if row else "")
    message = f"{', '.join(_UNKNOWN[suffix] for suffix in unknown)} are {describe_unreadable(ledger.schema, unknown)}"
    hint = f"The owner of the ledger can grant it, or name the role in LEDGER_READERS:\n  {grant};"
    return (Finding(NOT_KNOWN, "", message, hint=hint),)


def find_faults(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations | None) -> tuple[Finding, ...]:
    """Return the findings about the ledger as it is recorded, most of which refuse a run.

    They are: tables that were emptied or dropped; no ledger, but one in a schema that search_path does not reach; no ledger, but
    tables or another tool's record of these migrations (which are None if there are no files).
    """
    if ledger.helpers or ledger.checksums:
        return find_damage(connection, ledger)
    from tasks.runner.ledger.elsewhere import describe_distant_ledgers
    from tasks.runner.planning.unrecorded import find_unrecorded, read_surroundings

    found = read_surroundings(connection, ledger)
    if found.distant:
        return (describe_distant_ledgers(ledger, found.distant),)
    try:
        return tuple(find_unrecorded(connection, migrations, found)) if migrations else ()
    except FilesError:
        return ()  # the plan reports it
