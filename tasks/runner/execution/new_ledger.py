"""Creating an empty ledger on purpose."""

from __future__ import annotations

from tasks.runner.database.run_lock import RunLock
from tasks.runner.database.session import connect
from tasks.runner.identity import Identity
from tasks.runner.ledger.creation import ensure_ledger
from tasks.runner.ledger.environment_label import Belonging, check_environment, record_environment
from tasks.runner.ledger.reading import read_ledger


def create_ledger(url: str, identity: Identity, run: Belonging, lock: RunLock, owner: str, readers: tuple[str, ...] = ()) -> None:
    """Create the ledger's tables under the lock, and record the environment.

    `owner` and `readers` are the settings LEDGER_OWNER and LEDGER_READERS.
    """
    try:
        for _ in lock.acquire():
            continue
        with connect(url, name=f"migrate-run {identity.run_id}", ledger_owner=owner) as connection:
            ledger = read_ledger(connection)
            check_environment(ledger, run)
            if not ledger.helpers:
                ledger = ensure_ledger(connection, ledger, readers)
            if ledger.complete:
                record_environment(connection, ledger, run)
    finally:
        lock.release()
