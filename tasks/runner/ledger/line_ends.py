"""Applied versions whose file differs only in line ends or a byte order mark from the text that was applied."""

from __future__ import annotations

from dataclasses import replace

import psycopg
from psycopg import sql

from tasks.postgres.representable import restore_text
from tasks.runner.errors import FilesError
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.files.checksums import is_same_text
from tasks.runner.files.decoding import skip_encoding
from tasks.runner.ledger.reading import Ledger


def ignore_line_ends(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations) -> Ledger:
    """Return the ledger with the checksum of the file for each version whose file is the same text.

    The checksums of the file in its variants show that without a stored text; the stored text shows it for mixed line ends.
    """
    files = migrations.checksums
    differing = {
        version: recorded
        for version, recorded in ledger.checksums.items()
        if recorded is not None and files.get(version, recorded) != recorded
    }
    same = {version for version, recorded in differing.items() if migrations.matches(version, recorded)}
    same |= _find_stored(connection, ledger, migrations, differing.keys() - same)
    if not same:
        return ledger
    return replace(ledger, checksums={**ledger.checksums, **{version: files[version] for version in same}})


def _find_stored(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, versions: set[str]) -> set[str]:
    """Return the versions whose stored text is that of the file."""
    if not versions or not ledger.complete:
        return set()
    recorded = {ledger.recorded_name(version): version for version in versions}
    query = sql.SQL("SELECT version, up_text FROM {} WHERE version = ANY (%s)").format(ledger.table("_scripts"))
    stored = {recorded[name]: restore_text(text) for name, text in connection.execute(query, [list(recorded)])}
    same = set()
    for version, text in stored.items():
        try:
            current = read_source(migrations.up_path(version))
        except FilesError:
            continue  # an edit that cannot be read is one
        # A file that was edited since its checksum was read is not the one that is compared.
        if current.checksum == migrations.checksums[version] and is_same_text(skip_encoding(text), current.text):
            same.add(version)
    return same
