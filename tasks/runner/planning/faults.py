"""What prevents a run from trusting the ledger that it reads, or from creating one."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psycopg

from tasks.runner.errors import FilesError
from tasks.runner.events import Finding
from tasks.runner.files.checkout import Migrations, read_migrations
from tasks.runner.ledger.damage import find_damage
from tasks.runner.ledger.elsewhere import describe_distant_ledgers, find_distant_ledgers
from tasks.runner.ledger.reading import Ledger
from tasks.runner.planning.unrecorded import find_unrecorded


def find_folder_faults(connection: psycopg.Connection, ledger: Ledger, folder: Path) -> tuple[Finding, ...]:
    """Return the findings of `find_faults` for the migrations of a folder, which may not exist."""
    migrations = None
    with suppress(FilesError):
        migrations = read_migrations(folder)
    return find_faults(connection, ledger, migrations)


def find_faults(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations | None) -> tuple[Finding, ...]:
    """Return the findings about the ledger as it is recorded, most of which refuse a run.

    They are: tables that were emptied or dropped; no ledger, but one in a schema that search_path does not reach; no ledger, but
    tables or another tool's record of these migrations (which are None if there are no files).
    """
    if ledger.helpers or ledger.checksums:
        return find_damage(connection, ledger)
    distant = find_distant_ledgers(connection, ledger)
    if distant:
        return (describe_distant_ledgers(ledger, distant),)
    try:
        return tuple(find_unrecorded(connection, migrations)) if migrations else ()
    except FilesError:
        return ()  # the plan reports it
