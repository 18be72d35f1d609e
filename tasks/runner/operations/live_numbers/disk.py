"""The free disk of a server, where this process can see the disk of its data directory."""

from __future__ import annotations

import shutil
from pathlib import Path

import psycopg

_START_TOLERANCE_S = 60
_QUERY = """
SELECT (SELECT setting FROM pg_settings WHERE name = 'data_directory'), current_setting('port'),
       extract(epoch FROM pg_postmaster_start_time())::bigint
"""
"""Only superusers and members of pg_read_all_settings see the data directory."""
_PID_FILE = "postmaster.pid"
_START_LINE, _PORT_LINE = 2, 3
"""https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/pidfile.h"""


def read_free_bytes(connection: psycopg.Connection) -> tuple[int | None, str]:
    """Return the free bytes of the disk with the data directory, or None and why they are not known.

    The directory counts if its server is the one of the connection: another one may have a directory of the same name here.
    """
    directory, port, started = connection.execute(_QUERY).fetchone() or (None, "", 0)
    if not directory:
        return None, "the free disk of the server is not known: the role must not see its data directory (pg_read_all_settings)"
    try:
        lines = (Path(directory) / _PID_FILE).read_text(encoding="utf-8").splitlines()
        known = lines[_PORT_LINE] == port and abs(int(lines[_START_LINE]) - started) <= _START_TOLERANCE_S
        if known:
            return shutil.disk_usage(directory).free, ""
    except (OSError, ValueError, IndexError):
        pass
    return None, "the free disk of the server is not known: its data directory is not on this machine"
