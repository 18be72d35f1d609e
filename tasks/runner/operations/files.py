"""The migrations of a checkout or an image, read without a database, and so without importing the driver."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.runner.events import FilesRead
from tasks.runner.files.checkout import read_migrations
from tasks.runner.identity import LEDGER_FORMAT, TOOL_VERSION

if TYPE_CHECKING:
    from tasks.runner.events import Event


def list_files(migrations_dir: Path) -> Iterator[Event]:
    """Yield the migrations of a folder with their checksums."""
    checksums = read_migrations(migrations_dir).checksums
    yield FilesRead(tuple(checksums), tuple(checksums.values()), TOOL_VERSION, LEDGER_FORMAT)
