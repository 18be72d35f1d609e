"""Reading the state of every version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from tasks.runner.command_lines import compose_command, describe_strange_name
from tasks.runner.database.addresses import describe_connection
from tasks.runner.events import (
    NOT_COMPARED,
    NOT_WRITTEN,
    Finding,
    StateCount,
    StatusRead,
    StatusRow,
)
from tasks.runner.files.checkout import read_migrations
from tasks.runner.files.schema_file import WRITE_HINT, describe_staleness
from tasks.runner.ledger.active_run import read_active_run
from tasks.runner.ledger.environment_label import check_environment
from tasks.runner.ledger.expected_schema import UNCOMPARED, parse_expectation, read_sum
from tasks.runner.ledger.line_ends import ignore_line_ends
from tasks.runner.ledger.reading import read_ledger
from tasks.runner.ledger.renames import read_renames
from tasks.runner.ledger.tables import BY_SCRIPT
from tasks.runner.ledger.view import view_ledger
from tasks.runner.planning.choice import MigrateGoal, choose
from tasks.runner.planning.edited import offer_redo
from tasks.runner.planning.faults import find_faults, find_unknown
from tasks.runner.planning.half_applied import find_absent, merge_findings
from tasks.runner.planning.sections import KIND as BOTH_DIRECTIONS
from tasks.runner.settings import LOCAL

if TYPE_CHECKING:
    from tasks.runner.events import (
        Event,
    )
    from tasks.runner.execution.migration_runner import MigrationRunner
    from tasks.runner.files.checkout import Migrations
    from tasks.runner.ledger.reading import Ledger

_OPEN = frozenset({"pending", "late"})
_AFTER_DEPLOY = "runs after the deployment"
_DETAILS = """
SELECT version, to_char(applied_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), coalesce(applied_by, ''), execution_time_ms
  FROM {ledger} WHERE version = ANY (%s)
"""


def read_status(runner: MigrationRunner, *, limit: int = 0) -> Iterator[Event]:
    """Yield the state of every version, in the order of history; with a limit, of the newest and all that are not applied."""
    migrations = read_migrations(runner.migrations_dir)
    with runner.read() as connection:
        database, server_version = describe_connection(connection), connection.info.server_version
        recorded = read_ledger(connection, partial=True)
        renames = read_renames(migrations.folder, migrations.checksums)
        ledger, _, ledger_findings = view_ledger(recorded, renames, migrations.checksums)
        ledger = ignore_line_ends(connection, ledger, migrations)
        check_environment(ledger, runner.belonging)
        choice = choose(migrations, ledger, MigrateGoal())
        found = merge_findings(find_absent(migrations, ledger), choice.findings)
        findings = _add_diffs(connection, ledger, migrations, found) if found else ()
        states = list_states(ledger, choice.versions, findings)
        newest = set(list(states)[-limit:])
        shown = [
            version
            for version, state in states.items()
            if not limit or version in newest or state != "applied" or _has_failed(version, ledger)
        ]
        details = _read_details(connection, ledger, shown)
        # These are not the state of a version.
        faults = find_faults(connection, recorded, migrations)
        named = [each for each in ledger_findings if each.refuses or each.version in ledger.newer_names]
        findings = merge_findings(faults, findings, named)
        findings += _find_drift(connection, ledger) if runner.watch_drift else ()
        findings += find_unknown(connection, ledger)
        findings += _find_stale_file(migrations, ledger, details) if runner.environment in ("", LOCAL) else ()
        run = read_active_run(connection)
        if run is not None and run.action == "migrate" and run.statement and not run.version:
            run = replace(run, version=_find_running(run.statement, migrations, choice.versions))
    rows = tuple(_build_row(version, states[version], details.get(version), ledger, migrations) for version in shown)
    yield StatusRead(
        runner.environment or ledger.environment,
        database,
        rows,
        findings,
        len(states),
        server_version=server_version,
        counts=tuple(StateCount(state, number) for state, number in Counter(states.values()).items()),
        run=run,
    )


def _add_diffs(
    connection: psycopg.Connection, ledger: Ledger, migrations: Migrations, findings: tuple[Finding, ...]
) -> tuple[Finding, ...]:
    from tasks.runner.planning.sources import add_diffs

    return add_diffs(connection, ledger, migrations, offer_redo(findings, ledger))


def _find_running(statement: str, migrations: Migrations, pending: tuple[str, ...]) -> str:
    """Return the pending version that contains a statement, if it is only one: the log of an open transaction is not visible."""
    from tasks.postgres.masking import mask_secrets

    found: list[str] = []
    for version in pending:
        with suppress(OSError):
            text = migrations.up_path(version).read_bytes().decode("utf-8", "replace")
            found += [version] if statement in " ".join(mask_secrets(text).split()) else []
    return found[0] if len(found) == 1 else ""


def _find_drift(connection: psycopg.Connection, ledger: Ledger) -> tuple[Finding, ...]:
    """Return a finding if the schema differs from the one that the last run recorded; none if that is unknown."""
    drift = compose_command("db.drift", env=ledger.environment)
    strange = describe_strange_name(ledger.environment)
    if ledger.expected == UNCOMPARED:
        message = "The schema was not compared with the migrations since a repair, a mark, or a redo with an edited down file."
        return (Finding(NOT_COMPARED, "", message, hint=f"Compare them: {drift}\n{strange}".rstrip()),)
    expectation = parse_expectation(ledger.expected)
    now = None if expectation is None else read_sum(connection)
    if expectation is None or now is None or not expectation.has_drifted(now):
        return ()
    hint = f"Show the differences: {drift}\n{strange}".rstrip()
    return (Finding("drifted", "", "The schema has drifted: it was changed outside the migrations.", hint=hint),)


def _find_stale_file(migrations: Migrations, ledger: Ledger, details: Mapping[str, tuple[Any, ...]]) -> tuple[Finding, ...]:
    """Return a finding if the schema file is out of date: of the checkout, so it is none of the other environments."""
    by_script = {version for version, (_, applied_by, _) in details.items() if BY_SCRIPT in applied_by}
    stale = describe_staleness(migrations, ledger.checksums)
    kind = "schema_file" if describe_staleness(migrations, ledger.checksums.keys() - by_script) else NOT_WRITTEN
    return (Finding(kind, "", stale, hint=WRITE_HINT),) if stale else ()


def list_states(ledger: Ledger, pending: tuple[str, ...], findings: tuple[Finding, ...]) -> dict[str, str]:
    """Return the state of every version: the applied ones in the order of their history, then the others by name."""
    states = dict.fromkeys(ledger.checksums, "applied") | dict.fromkeys(pending, "pending")
    states |= {finding.version: finding.kind for finding in findings if finding.kind != BOTH_DIRECTIONS}
    for version, attempt in ledger.attempts.items():
        if attempt.action != ("rollback" if version in ledger.checksums else "migrate"):
            continue
        if attempt.interrupted:
            states[version] = "interrupted"
        elif states.get(version) in _OPEN and attempt.error:
            states[version] = "failed"
    return {version: states.pop(version) for version in ledger.checksums} | dict(sorted(states.items()))


def _read_details(connection: psycopg.Connection, ledger: Ledger, versions: list[str]) -> Mapping[str, tuple[Any, ...]]:
    if not ledger.exists:
        return {}
    query = sql.SQL(_DETAILS).format(ledger=ledger.table())
    recorded = {ledger.recorded_name(version): version for version in versions}
    return {recorded[row[0]]: row[1:] for row in connection.execute(query, [list(recorded)])}


def _build_row(version: str, state: str, details: tuple[Any, ...] | None, ledger: Ledger, migrations: Migrations) -> StatusRow:
    attempt = ledger.attempts.get(version)
    note = ""
    if attempt is not None and state == "interrupted":
        note = f"{attempt.action}: {attempt.segments_done} of {attempt.segments_total} segments done"
    failed = _has_failed(version, ledger)
    if attempt is not None and failed:
        note = "; ".join(filter(None, (note, f"last attempt failed: {attempt.error.splitlines()[0]}")))
    if version in ledger.absorbed:
        note = f"absorbed by {ledger.absorbed[version]}"
    elif state == "applied" and ledger.checksums.get(version) is None and version not in ledger.newer_names:
        note = "recorded without a checksum"
    if version in migrations.after_deploy and version not in ledger.checksums:
        note = "; ".join(filter(None, (_AFTER_DEPLOY, note)))
    if details is None:
        return StatusRow(version, state, note=note, failed=failed)
    return StatusRow(version, state, details[0] or "", details[1], details[2], note, failed)


def _has_failed(version: str, ledger: Ledger) -> bool:
    """Return True if the last attempt on a version failed: to migrate it if it is pending, to roll it back if it is applied."""
    attempt = ledger.attempts.get(version)
    return bool(attempt and attempt.error and (version in ledger.checksums) == (attempt.action == "rollback"))
