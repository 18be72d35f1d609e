"""The ledger as the files of a checkout see it: under their names, which may be newer or older than those in the database."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.renames import apply_renames, find_renames, read_renames
from tasks.runner.ledger.replaced import apply_replaced, find_newer_names

if TYPE_CHECKING:
    from tasks.runner.events import Finding
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Ledger
    from tasks.runner.ledger.renames import Rename, Renames


def read_renamed_ledger(
    connection: psycopg.Connection, migrations: Migrations
) -> tuple[Ledger, tuple[Rename, ...], tuple[Finding, ...]]:
    """Read the ledger, and return it as these migrations see it; see `view_ledger`."""
    recorded, renames = read_ledger(connection), read_renames(migrations.folder, migrations.checksums)
    ledger, todo, findings = view_ledger(recorded, renames, migrations.checksums)
    return ignore_line_ends(connection, ledger, migrations), todo, findings


def view_ledger(
    recorded: Ledger, renames: Renames, versions: Collection[str]
) -> tuple[Ledger, tuple[Rename, ...], tuple[Finding, ...]]:
    """Return the ledger under the names of a checkout, the rows that a run has to rename, and the findings about them."""
    renamed, todo = apply_renames(recorded, renames)
    ledger = apply_replaced(renamed, versions)
    return ledger, todo, (*find_renames(recorded, renames, todo), *find_newer_names(ledger))
