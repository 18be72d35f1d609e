"""Replacing parts of a ledger that call code outside pg_catalog, as a part of repair: nothing else can be read before."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import psycopg

from tasks.postgres.quoting import quote_qualified
from tasks.runner.database.session import is_pooled, run_sql
from tasks.runner.errors import PlanChangedError
from tasks.runner.events import RepairProposed
from tasks.runner.execution.migration_runner import MigrationRunner
from tasks.runner.identity import read_revision
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.ownership import TableFault, list_faults
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.refusal import ForeignCodeError, describe_fault
from tasks.runner.ledger.replacing import compose_replacing, list_objects
from tasks.runner.ledger.tables import TABLES
from tasks.runner.ledger.writing import Entry, Recorder

REPLACING = "replace code"
"""The change of a repair that concerns a table, whose name it has in place of a version."""
_DIGEST_LENGTH = 16


def propose_replacing(faults: Sequence[TableFault]) -> tuple[RepairProposed, ...]:
    """Return the changes that would replace what calls foreign code, one for each table."""
    proposals = []
    for table in dict.fromkeys(fault.table for fault in faults):
        found = [describe_fault(fault) for fault in faults if fault.table == table]
        what = f"{'; '.join(found)}: create it again, so that it calls pg_catalog only"
        digest = hashlib.sha256(what.encode()).hexdigest()[:_DIGEST_LENGTH]
        proposals.append(RepairProposed(table, REPLACING, what, digest=digest))
    return tuple(proposals)


def replace_code(connection: psycopg.Connection, runner: MigrationRunner, confirmed: Collection[RepairProposed]) -> None:
    """Replace what was confirmed in one transaction, and log that; the caller has the lock of the run.

    Raises PlanChangedError if that is no longer what calls foreign code: of several tables, all have to be confirmed.
    """
    with connection.transaction():
        faults = _lock(connection)
        if not faults or propose_replacing(faults) != tuple(confirmed):
            raise PlanChangedError(
                "what would be replaced is not what was confirmed, which has to be all of it",
                hint="Run the command again to see the changes as they are now.",
                state="Nothing was changed.",
            )
        run_sql(connection, compose_replacing(faults[0].schema, list_objects(faults)))
        ledger = read_ledger(connection)
        check_environment(ledger, runner.belonging)
        recorder = Recorder(connection, ledger, runner.identity, read_revision(runner.migrations_dir), not is_pooled(connection))
        for proposal in confirmed:
            recorder.log(Entry("repair", "finished", note=f"{proposal.change} {proposal.version}"))


def _lock(connection: psycopg.Connection) -> tuple[TableFault, ...]:
    """Lock the tables that call foreign code, and return what calls it; nothing if something else is wrong by then."""
    try:
        read_ledger(connection)
    except ForeignCodeError as error:
        schema = error.faults[0].schema
        tables = ", ".join(f"ONLY {quote_qualified(schema, table)}" for table in sorted({each.table for each in error.faults}))
        run_sql(connection, f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        found = list_faults(connection, schema, TABLES)
        return found if found == error.faults else ()
    return ()
