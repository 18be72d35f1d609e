"""The advisory lock of runs, and the session that has it."""

from __future__ import annotations

import re

LOCK_KEY = 0x6D69677261746564
"""The advisory lock's key: the bytes of "migrated". Advisory locks are per database, so one key serves all."""
RUN_ID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""The pattern of a run's id, a UUID, in the name of each of its sessions."""
_NAME = re.compile(f"migrate-lock ({RUN_ID})")
LOCK_HOLDER = f"""
pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.classid = {LOCK_KEY >> 32} AND l.objid = {LOCK_KEY & 0xFFFFFFFF} AND l.objsubid = 1
"""
"""The FROM and WHERE of a query for the session that has the lock; `a` is its row of pg_stat_activity."""


def find_run_id(application_name: str) -> str:
    """Return the id of the run whose lock a session with this name has; empty if that is not the name of one.

    Each role can read the names of all sessions, and can choose the names of its own.
    """
    match = _NAME.fullmatch(application_name)
    return match[1] if match else ""
