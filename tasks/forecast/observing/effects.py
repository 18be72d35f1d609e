"""Look at a scratch database after each statement: locks from a second session, relations from the session of the statement."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import psycopg
from psycopg import pq

from tasks.forecast.observing.outside import COMMITTING, KnownLocks, find_counted_locks, find_known_locks
from tasks.forecast.observing.relations import (
    INDEXES,
    Counts,
    Detail,
    ScratchSchema,
    compose_details,
    compose_resolving,
    read_details,
)
from tasks.forecast.observing.sampling import BEGIN_SAMPLE, END_SAMPLE, FewRows, find_sample
from tasks.rehearsal.replay.scratch_run import ScratchRun
from tasks.rehearsal.scratch.server import ScratchDatabase
from tasks.runner.parsing import Statement

_LOCKS = """
SELECT l.relation::int8, l.mode FROM pg_locks l JOIN pg_database d ON d.oid = l.database
 WHERE l.pid = %s AND d.datname = %s AND l.locktype = 'relation' AND l.granted
"""
_FLUSH = "SELECT pg_catalog.pg_stat_force_next_flush()"
_FLUSHES_SINCE = 150000
"""https://www.postgresql.org/docs/15/monitoring-stats.html#MONITORING-STATS-FUNCTIONS"""
_NOTHING = Counts()
_MAY_BE_REFUSED = frozenset({"ReindexStmt", "ClusterStmt", *COMMITTING})
"""Statements whose text does not always show that the server refuses them in a transaction: that of a partitioned table."""

Lock = tuple[int, str]
"""The oid of a relation and a mode."""


@dataclass(frozen=True, slots=True)
class StatementEffects:
    """What a statement did, by oids: relations that existed before its file, and `locks` that its transaction did not have.

    `held` are all locks of its transaction; `transactional` is False if there is none after the statement.
    """

    transactional: bool
    locks: frozenset[Lock] = frozenset()
    held: frozenset[Lock] = frozenset()
    rewritten: frozenset[int] = frozenset()
    counts: dict[int, Counts] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()
    dropped_columns: dict[int, frozenset[int]] = field(default_factory=dict)
    changed: frozenset[int] = frozenset()
    """The relations whose rows in pg_class its transaction wrote."""
    known: KnownLocks = field(default_factory=KnownLocks)
    """For a statement outside a transaction: its locks are from the table of facts."""
    sampled: dict[int, Counts] = field(default_factory=dict)
    """What it did to a few rows, if it changed none: its conditions match no generated row."""

    @property
    def rows(self) -> dict[int, Counts]:
        """Return what it does to rows where its conditions match some."""
        return self.sampled or self.counts

    @property
    def scanned(self) -> set[int]:
        """Return the relations that it scans, those for a few rows only if it does not use them otherwise."""
        added = {oid: each for oid, each in self.sampled.items() if oid not in self.counts}
        return {oid for oid, each in (self.counts | added).items() if each.scans > 0}


class EffectObserver:
    """The observer of the statements of one file on one scratch database; `effects` are by the offsets of the statements."""

    def __init__(self, database: ScratchDatabase, schema: ScratchSchema) -> None:
        self._database = database
        self._schema = schema
        self._by_name = {relation.name: relation for relation in schema.relations.values() if relation.kind in INDEXES}
        self._filenodes = {oid: relation.filenode for oid, relation in schema.relations.items()}
        self._counts: dict[int, Counts] = {}
        self._outside: dict[int, Counts] = {}
        self._held: frozenset[Lock] = frozenset()
        self._changed: set[int] = set()
        self._gone: set[int] = set()
        self._replaces: dict[int, int] = {}
        self._dropped: dict[int, frozenset[int]] = {}
        self._known = KnownLocks()
        self.effects: dict[int, StatementEffects] = {}

    def before(self, run: ScratchRun, statement: Statement) -> None:
        """Look before a statement."""
        if run.connection.info.transaction_status != pq.TransactionStatus.IDLE:
            return
        # What the session did before must not count for this statement.
        self._flush(run)
        self._held, self._counts, self._changed = frozenset(), {}, set()
        self._outside, self._known = {}, KnownLocks()
        if not statement.transactional or statement.kind in _MAY_BE_REFUSED:
            details = self._read(run, None, own=False)
            self._outside = {oid: detail.counts for oid, detail in details.items()}
            self._known = find_known_locks(self._schema, statement, lambda name: self._resolve(run, name))

    def after(self, run: ScratchRun, statement: Statement) -> None:
        """Look after a statement."""
        if run.connection.info.transaction_status == pq.TransactionStatus.IDLE:
            self._flush(run)
            self._note(statement, None, run, own=False, held=frozenset())
            return
        held = self._read_locks(run)
        self._note(statement, frozenset(oid for oid, _ in held), run, own=True, held=held)
        sample = find_sample(statement)
        if sample is not None and self._changed_nothing(run, statement, sample):
            self._try(run, statement, sample)

    def _note(
        self, statement: Statement, oids: frozenset[int] | None, run: ScratchRun, *, own: bool, held: frozenset[Lock]
    ) -> None:
        found = self._read(run, oids, own=own)
        before = self._counts if own else self._outside
        known = self._schema.relations.keys()
        looked_at = known if oids is None else known & {self._replaces.get(oid, oid) for oid in oids}
        gone = looked_at - {self._replaces.get(oid, oid) for oid in found} - self._gone
        self._gone |= gone
        self._find_replacements(found)
        details = {self._replaces.get(oid, oid): detail for oid, detail in found.items()}
        held = frozenset((self._replaces.get(oid, oid), mode) for oid, mode in held)
        changed = {oid for oid, detail in details.items() if detail.changed and oid in known}
        self.effects[statement.offset] = StatementEffects(
            own,
            frozenset(lock for lock in held - self._held if lock[0] in known),
            frozenset(lock for lock in held if lock[0] in known),
            frozenset(oid for oid, detail in details.items() if self._is_rewritten(oid, detail)),
            {oid: each.counts.since(before.get(oid, _NOTHING)) for oid, each in details.items() if oid in known},
            frozenset(gone & self._gone),
            dict(self._find_dropped(details)),
            frozenset(changed - self._changed),
        )
        if not own:
            self._add_known(statement)
        self._filenodes |= {oid: detail.filenode for oid, detail in details.items()}
        self._held, self._changed = held, changed
        self._counts = {oid: detail.counts for oid, detail in details.items()}

    def _changed_nothing(self, run: ScratchRun, statement: Statement, sample: FewRows) -> bool:
        """Return True if a statement changed no row of its target, which existed before its file."""
        target = self._resolve(run, sample.target)
        counts = self.effects[statement.offset].counts
        written = (counts.get(oid, _NOTHING).written for oid in self._schema.list_tree(target))
        return target in self._schema.relations and not any(written)

    def _try(self, run: ScratchRun, statement: Statement, sample: FewRows) -> None:
        """Run a statement on a few rows, note what that locks and reads in addition, and roll it back.

        It may fail, on a constraint for example: then nothing is noted.
        """
        run.read_between(BEGIN_SAMPLE)
        try:
            text = sample.compose(run.read_between(sample.rows) if sample.rows else None)
            before = self._read_counts(run, frozenset())
            run.read_between(text)
            held = self._read_locks(run)
            after = self._read_counts(run, held)
            counts = {oid: each.since(before.get(oid, _NOTHING)) for oid, each in after.items() if oid in self._schema.relations}
        except psycopg.Error:
            held, counts = frozenset(), {}
        finally:
            run.read_between(END_SAMPLE)
        effects = self.effects[statement.offset]
        known = frozenset((self._replaces.get(oid, oid), mode) for oid, mode in held)
        known = frozenset(lock for lock in known if lock[0] in self._schema.relations)
        self.effects[statement.offset] = replace(
            effects, locks=effects.locks | known - self._held, held=effects.held | known, sampled=counts
        )
        self._counts = self._read_counts(run, frozenset())

    def _read_counts(self, run: ScratchRun, locks: frozenset[Lock]) -> dict[int, Counts]:
        details = self._read(run, frozenset(oid for oid, _ in locks or self._read_locks(run)), own=True)
        return {self._replaces.get(oid, oid): detail.counts for oid, detail in details.items()}

    def _find_replacements(self, found: dict[int, Detail]) -> None:
        """Find the indexes that were rebuilt as another object of the same name: by ALTER COLUMN TYPE, for example."""
        for oid, detail in found.items():
            replaced = self._by_name.get(detail.name) if detail.kind in INDEXES and oid not in self._filenodes else None
            if replaced is not None and replaced.oid in self._gone and oid not in self._replaces:
                self._replaces = {new: old for new, old in self._replaces.items() if old != replaced.oid} | {oid: replaced.oid}
                self._gone.discard(replaced.oid)

    def _is_rewritten(self, oid: int, detail: Detail) -> bool:
        return detail.kind in "rmi" and oid in self._schema.relations and detail.filenode != self._filenodes[oid]

    def _add_known(self, statement: Statement) -> None:
        """Add the known locks of a statement outside a transaction, on the relations that existed before its file."""
        effects, relations = self.effects[statement.offset], self._schema.relations
        counted = find_counted_locks(self._schema, effects.counts) if statement.kind in COMMITTING else frozenset()
        locks = frozenset(lock for lock in self._known.locks | counted if lock[0] in relations)
        briefly = frozenset(lock for lock in self._known.briefly if lock[0] in relations)
        self.effects[statement.offset] = replace(effects, locks=locks, held=locks, known=replace(self._known, briefly=briefly))

    def _find_dropped(self, details: dict[int, Detail]) -> dict[int, frozenset[int]]:
        found: dict[int, frozenset[int]] = {}
        for oid, detail in details.items():
            columns = self._schema.columns.get(oid)
            new = detail.dropped & columns.keys() - self._dropped.get(oid, frozenset()) if columns else frozenset()
            if new:
                found[oid] = new
                self._dropped[oid] = detail.dropped
        return found

    def _read(self, run: ScratchRun, oids: frozenset[int] | None, *, own: bool) -> dict[int, Detail]:
        return read_details(run.read_between(compose_details(oids, own=own)))

    def _read_locks(self, run: ScratchRun) -> frozenset[Lock]:
        pid = run.connection.info.backend_pid
        rows = self._database.server.administer().execute(_LOCKS, [pid, self._database.name])
        return frozenset((oid, mode) for oid, mode in rows)

    def _resolve(self, run: ScratchRun, name: str) -> int:
        oid = int(run.read_between(compose_resolving(name)) or 0)
        return self._replaces.get(oid, oid)

    def _flush(self, run: ScratchRun) -> None:
        if run.connection.info.server_version >= _FLUSHES_SINCE:
            run.read_between(_FLUSH)
