"""The script of a plan as a file that only its owner may read: it contains the statements with their passwords."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.console.cells import clean
from tasks.console.lines import INDENT, Line, count
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import RunnerError

if TYPE_CHECKING:
    from tasks.console.lines import Style
    from tasks.runner.events import Event, SqlWritten

STDOUT = "-"
SQL_HELP = "write one script for psql that does what the run would do, and change nothing; - is standard output"


def keep_script(events: Iterable[Event], file: str, *, json: bool) -> Iterator[Event]:
    """Yield events, and write the script among them to a file; with `json`, a script for standard output stays in its event."""
    from tasks.runner.events import SqlWritten

    for event in events:
        if not isinstance(event, SqlWritten) or (json and file == STDOUT):
            yield event
            continue
        if file == STDOUT:
            sys.stdout.write(event.sql)
            sys.stdout.flush()
        else:
            write_private(Path(file), event.sql.encode())
        yield replace(event, sql="", file=file)


def write_private(path: Path, data: bytes) -> None:
    """Write a file for its owner, all of it or nothing; raises RunnerError if that is not possible.

    A device or a pipe is written to, and a link is refused.
    """
    try:
        if path.is_symlink() and path.is_file():
            raise RunnerError(f"{path} is a link", hint="Name the file itself with --sql.", state="Nothing was changed.")
        if path.exists() and not path.is_file():
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise RunnerError(
            f"{path} cannot be written: {error.strerror}", hint="Name another file with --sql.", state="Nothing was changed."
        ) from error


def _replace(path: Path, data: bytes) -> None:
    import secrets  # with hashlib and hmac, which take long to import

    temporary = path.with_name(f".sql-{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def format_sql(event: SqlWritten, _style: Style) -> list[Line]:
    """Return the lines for a script that was written."""
    wrote = f"📄 Wrote {clean(event.file)}: {count(event.steps, 'migration')}"
    if event.file == STDOUT:
        return [Line(f"📄 Wrote the script of {count(event.steps, 'migration')} to standard output", "dim")]
    return [Line(wrote, "dim"), Line(f"{INDENT}Next:  psql {quote_words(f'--file={event.file}')} URL")]
