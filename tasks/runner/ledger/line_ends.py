"""Applied versions whose file differs only in line ends or a byte order mark from the text that was applied."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from tasks.runner.errors import FilesError
from tasks.runner.files.checkout import read_source
from tasks.runner.files.checksums import is_same_text

if TYPE_CHECKING:
    from tasks.runner.files.checkout import Migrations
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
    if not differing:
        return ledger
    same = {version for version, recorded in differing.items() if migrations.matches(version, recorded)}
    same |= _find_stored(connection, ledger, migrations, differing.keys() - same)
    if not same:
        return ledger
    return replace(ledger, checksums={**ledger.checksums, **{version: files[version] for version in same}})


def _find_stored(connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, versions: set[str]) -> set[str]:
    """Return the versions whose stored text, if it is the one that was applied, is that of the file."""
    from tasks.runner.files.decoding import skip_encoding
    from tasks.runner.ledger.vouching import Trust, read_stored

    same = set()
    for version, stored in read_stored(connection, ledger, versions).items():
        if stored.up is None or stored.judge_up(ledger.checksums[version]).trust != Trust.VOUCHED:
            continue
        try:
            current = read_source(migrations.up_path(version))
        except FilesError:
            continue  # an edit that cannot be read is one
        # A file that was edited since its checksum was read is not the one that is compared.
        if current.checksum == migrations.checksums[version] and is_same_text(skip_encoding(stored.up), current.text):
            same.add(version)
    return same
