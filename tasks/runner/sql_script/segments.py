"""The steps of a plan as lines for psql: each segment in a transaction with its record in the ledger, as in a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tasks.postgres.quoting import quote_qualified
from tasks.postgres.representable import fit_comments
from tasks.runner.database.session_settings import SessionState
from tasks.runner.ledger.guard import compose_guard
from tasks.runner.ledger.reading import Ledger
from tasks.runner.ledger.tables import TABLE
from tasks.runner.ledger.vouching import FileTexts
from tasks.runner.ledger.writing import Entry
from tasks.runner.parsing import Segment, Statement
from tasks.runner.planning.plan import Step, checksum_segments
from tasks.runner.planning.separations import describe_separations
from tasks.runner.sql_script.alone import write_alone
from tasks.runner.sql_script.checks import StateChecks, isolate, release_lock, take_lock
from tasks.runner.sql_script.psql_text import quote_text, write_condition, write_copy, write_echo, write_statement
from tasks.runner.sql_script.recorder import STARTED_AT, ScriptRecorder

SET_ENCODING = "SET client_encoding = 'UTF8';"
_SETS_MODE = re.compile(r"SET\s+(?:(?:LOCAL|SESSION)\s+)?(?:TRANSACTION\b|transaction_)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StepWriter:
    """The writer of the steps of a script."""

    ledger: Ledger
    recorder: ScriptRecorder
    state: SessionState
    encoding: str
    """That of the database."""

    @property
    def checks(self) -> StateChecks:
        """Return the checks of the ledger."""
        return StateChecks(self.ledger)

    def write(self, step: Step, expected: str) -> list[str]:
        """Return the lines of a step, before which the rows of the ledger must have the digest `expected`."""
        own_ms = step.script.lock_timeout_ms
        if own_ms not in (None, self.state.lock_timeout_ms):
            return replace(self, state=replace(self.state, lock_timeout_ms=own_ms)).write(step, expected)
        head = ["", f"-- {step.version}: {step.source.shown.encode('ascii', 'replace').decode()}"]
        if step.script.single_transaction and not step.separated and not step.done:
            return [*head, STARTED_AT, *self._write_single(step, expected)]
        return [*head, STARTED_AT, *self._write_divided(step, expected)]

    def begin(self, lines: Iterable[str], segment: Segment | None = None) -> list[str]:
        """Return the lines that begin a transaction, take the lock, and run others under our own settings."""
        state = self.state
        inside = isolate(lines, server_version=state.server_version, lock_timeout_ms=state.lock_timeout_ms)
        opening = [f"{part};" for part in state.begin(segment.begin if segment else "").split("; ")]
        return [*opening, *(self._write_modes(segment) if segment else ()), take_lock(), *inside]

    def settle(self, *, ends: bool, prepares: bool = False) -> str:
        """Return the SQL that puts our own settings in force for the record, as in a run; psql keeps the encoding."""
        text = f"{self.state.before_ledger(ends=ends, prepares=prepares)};"
        return f"{text} {SET_ENCODING}"

    def _write_single(self, step: Step, expected: str) -> Iterator[str]:
        (segment,) = step.script.segments
        yield from self.begin(self.checks.check_step(step, expected), segment)
        done = [*self._write_statements(step, segment), *self._record(step, 1), write_echo(f"Applied {step.version}")]
        yield from write_condition("migrate_todo", done, ["ROLLBACK;", _write_skip(step)])

    def _write_divided(self, step: Step, expected: str) -> Iterator[str]:
        """Yield the lines of a step of several segments, which continues after those that are committed."""
        yield from self.begin([*self.checks.check_step(step, expected), *self.checks.read_attempt(step)])
        yield from write_condition(
            "migrate_todo",
            [*self._log_start(step), *self._write_segments(step, expected), write_echo(f"Applied {step.version}")],
            ["ROLLBACK;", _write_skip(step)],
        )

    def _log_start(self, step: Step) -> Iterator[str]:
        """Yield the lines that log that the step starts or resumes, and commit."""
        yield self.settle(ends=False)
        total = len(step.script.segments)
        with self.recorder.collect() as collected:
            for done in range(total + 1):
                self.recorder.log(_build_entry(step, "started", done), commits=True)
        # One row for each number of committed segments, of which the script runs one.
        for done in range(total + 1):
            yield f"SELECT :migrate_done OPERATOR(pg_catalog.=) {done} AS migrate_here \\gset"
            started = collected[done]
            resumed = started.replace("'started'", "'resumed'", 1)
            yield from write_condition("migrate_here", write_condition("migrate_resumed", [resumed], [started]))

    def _write_segments(self, step: Step, expected: str) -> Iterator[str]:
        segments = step.script.segments
        for index, segment in enumerate(segments):
            yield f"SELECT :migrate_done OPERATOR(pg_catalog.<=) {index} AS migrate_here \\gset"
            checks = [*self.checks.check_step(step, expected), *self.checks.check_attempt(step, index)]
            lines: list[str] = []
            if segment.transactional:
                lines += [*self.begin(checks, segment), *self._write_statements(step, segment)]
            else:
                lines += [take_lock(session=True), *self.begin(checks), "COMMIT;"]
                lines += write_alone(segment.statements[0], self._write_statement(step, segment.statements[0]), self.state)
                lines += self.begin(checks)
            lines += self._record(step, index + 1)
            if not segment.transactional and index + 1 < len(segments):
                lines.append(release_lock())
            lines.append("\\set migrate_unsure false")
            repeated = [line for each in segment.statements if each.session for line in self._write_statement(step, each)]
            yield from write_condition("migrate_here", lines, repeated)
        yield f"SELECT :migrate_done OPERATOR(pg_catalog.=) {len(segments)} AS migrate_here \\gset"
        ended = [*self.begin(self.checks.check_step(step, expected)), *self._record(step, len(segments))]
        yield from write_condition("migrate_here", ended)

    def _write_statements(self, step: Step, segment: Segment) -> Iterator[str]:
        """Yield the statements of a segment, but those that set the mode of its transaction, which come before the lock."""
        modes = _count_modes(segment)
        for statement in segment.statements[modes:]:
            yield from self._write_statement(step, statement)

    def _write_modes(self, segment: Segment) -> list[str]:
        return [f"{statement.text};" for statement in segment.statements[: _count_modes(segment)]]

    def _write_statement(self, step: Step, statement: Statement) -> list[str]:
        text = fit_comments(statement.text, self.encoding)
        # As in a run: an earlier statement can have changed it.
        before = [] if text.isascii() and statement.data.isascii() else [SET_ENCODING]
        if statement.kind == "CopyStmt" and statement.copy_data is not None:
            return [*before, write_copy(text, statement.data)]
        return [*before, write_statement(text, parsed=step.script.parsed)]

    def _record(self, step: Step, done: int) -> list[str]:
        """Return the lines that record a segment, and commit."""
        last = done == len(step.script.segments)
        prepares = any(statement.kind == "PrepareStmt" for statement in step.script.statements)
        before = self.settle(ends=last, prepares=prepares)
        with self.recorder.collect() as collected:
            if last:
                texts = FileTexts(step.source, step.source.down)
                entry = replace(_build_entry(step, "finished", done), duration_ms=0)
                self.recorder.record_applied(entry, texts, own_row=step.script.records_itself, before=before.removesuffix(";"))
            else:
                self.recorder.log(_build_entry(step, "started", done), commits=True)
        if last:
            return collected
        return [before, *self._suppress_own_row(step), *collected]

    def _suppress_own_row(self, step: Step) -> list[str]:
        """Return the deletion of the row that a file of several segments inserted itself, as a run deletes it."""
        if not step.script.records_itself:
            return []
        table = quote_qualified(self.ledger.schema, TABLE)
        return [
            f"{compose_guard(self.ledger.schema, [TABLE])};",
            f"DELETE FROM {table} WHERE version = {quote_text(step.version)};",
        ]


def _build_entry(step: Step, outcome: str, done: int) -> Entry:
    return Entry(
        step.action,
        outcome,
        step.version,
        done,
        len(step.script.segments),
        "" if outcome == "finished" else checksum_segments(step.script, done),
        note=describe_separations(step.script, step.separated),
    )


def _count_modes(segment: Segment) -> int:
    """Return how many statements at the beginning are SETs up to the last that sets the mode of the transaction.

    They must come before any query. https://www.postgresql.org/docs/current/sql-set-transaction.html
    """
    last = 0
    for number, statement in enumerate(segment.statements, 1):
        if statement.kind != "VariableSetStmt":
            break
        if _SETS_MODE.match(statement.text):
            last = number
    return last


def _write_skip(step: Step) -> str:
    return write_echo(f"Skipping {step.version} (already applied)")
