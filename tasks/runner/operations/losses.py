"""Count the rows that a rollback loses, before it runs: an observation with a time limit, which never stops the rollback."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tasks.runner.database.own_connection import find_schemas
from tasks.runner.errors import RunnerError
from tasks.runner.events import Finding
from tasks.runner.planning.losses import read_losses

if TYPE_CHECKING:
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.planning.losses import Loss
    from tasks.runner.planning.plan import Plan

_LIMITS = "SET LOCAL statement_timeout = '2s'; SET LOCAL lock_timeout = '200ms'"
_TABLES = """
SELECT n.nspname::text, c.relname::text, greatest(c.reltuples, 0)::bigint
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
   AND CASE WHEN %(table)s = '' THEN n.nspname = %(schema)s
            ELSE c.oid = (SELECT o.oid FROM pg_class o JOIN pg_namespace s ON s.oid = o.relnamespace
                           WHERE o.relname = %(table)s AND s.nspname = ANY (%(schemas)s::text[])
                           ORDER BY array_position(%(schemas)s::text[], s.nspname::text) LIMIT 1) END
 ORDER BY 1, 2
"""


def add_losses(runner: MigrationRunner, plan: Plan) -> Plan:
    """Return the plan with a finding for each statement that removes rows, and how many."""
    losses = read_losses(plan)
    if not losses:
        return plan
    findings: list[Finding] = []
    try:
        with runner.read() as connection:
            connection.execute(_LIMITS.encode())
            for loss in losses:
                findings += _count(connection, loss)
    except (RunnerError, psycopg.Error):
        pass  # The rollback itself reports why the database cannot be read.
    return replace(plan, findings=(*plan.findings, *findings))


def _count(connection: psycopg.Connection, loss: Loss) -> list[Finding]:
    """Return a finding for each table that loses rows; a table that does not exist loses none."""
    schemas = [loss.schema] if loss.schema else find_schemas(connection)
    values = {"schema": loss.schema, "table": loss.table, "schemas": schemas}
    findings = []
    for schema, table, estimate in connection.execute(_TABLES, values).fetchall():
        rows = _count_rows(connection, sql.Identifier(schema, table), loss.column)
        if rows == 0:
            continue
        number = f"about {estimate:,}" if rows is None else f"{rows:,}"
        what, unit = (f"{table}.{loss.column}", "value") if loss.column else (table, "row")
        message = f"{loss.statement} on line {loss.line} removes {number} {unit}{'' if rows == 1 else 's'} of {what}"
        findings.append(Finding("loses rows", loss.version, message))
    return findings


def _count_rows(connection: psycopg.Connection, table: sql.Identifier, column: str) -> int | None:
    """Return how many rows a table has, or values a column; None if counting takes too long or is not allowed."""
    counted = sql.Identifier(column) if column else sql.SQL("*")
    try:
        with connection.transaction():
            row = connection.execute(sql.SQL("SELECT count({}) FROM {}").format(counted, table)).fetchone()
    except psycopg.errors.UndefinedColumn:
        return 0
    except psycopg.Error:
        if connection.closed:
            raise
        return None
    return None if row is None else int(row[0])
