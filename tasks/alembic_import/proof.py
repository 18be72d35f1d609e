"""The proof: Alembic itself runs on one scratch database, our files run on another, and both are compared after each revision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from functools import partial

from tasks.alembic_import.places import AlembicProject
from tasks.alembic_import.process import AlembicError
from tasks.alembic_import.recording import propose_recording
from tasks.alembic_import.replicas import AlembicReplica, Columns, ScratchState, find_different, list_differences, read_state
from tasks.alembic_import.texts import RenderedRevision
from tasks.rehearsal.model import Direction, RehearsedMigration
from tasks.rehearsal.replay.rehearsal import Rehearsal
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.database.session import connect
from tasks.runner.errors import RefusedError

_STATE = "Nothing was written."
_MOST_LINES = 20
_MOST_RESTARTS = 10
_UNCHANGED = "databases that have it are not affected."


@dataclass(frozen=True, slots=True)
class RevisionStep:
    """A revision, with its migration unless it has no statement."""

    rendered: RenderedRevision
    migration: RehearsedMigration | None

    @property
    def id(self) -> str:
        """Return the id of the revision."""
        return self.rendered.revision.id


@dataclass(slots=True)
class ImportProof:
    """What was found out; `unproved` is why Alembic's own result is not known, empty if everything was compared."""

    unproved: str = ""
    warnings: dict[str, list[str]] = field(default_factory=dict)
    """By revision."""
    irreversible: dict[str, str] = field(default_factory=dict)
    """Why a recorded downgrade is not written, by revision."""
    without_schema: set[str] = field(default_factory=set)
    """The revisions whose upgrade changes no schema."""

    def warn(self, revision: str, text: str) -> None:
        """Add a warning about a revision."""
        self.warnings.setdefault(revision, []).append(text)


def prove(
    server: ScratchServer, project: AlembicProject, steps: Sequence[RevisionStep], *, schema: str, timeout_s: float
) -> ImportProof:
    """Compare the results of our files with those of Alembic, after each revision upwards, and then downwards.

    What cannot be undone ends the way down; then both begin again before it. Raises RefusedError for the first file that fails,
    or has another result. `schema` is that of the version table.
    """
    proof = ImportProof()
    end, restarts = len(steps), -1
    while end and restarts < _MOST_RESTARTS:
        with ExitStack() as stack:
            pair = _Pair(partial(AlembicReplica, server, project, schema, timeout_s, stack), server, timeout_s, proof, stack)
            for step in steps[:end]:
                pair.go_up(step, compares=restarts < 0)
            end = 0 if proof.unproved else _count_undone(steps, pair.go_down(steps[:end]))
        restarts += 1
    if end:
        proof.warn(steps[end - 1].id, "its downgrade, and those before it, were not compared with those of Alembic")
    return proof


def _count_undone(steps: Sequence[RevisionStep], end: int) -> int:
    """Return how many revisions are up to the last before `end` whose downgrade can be tried; 0 if there is none."""
    return max((number for number in range(1, end + 1) if steps[number - 1].rendered.down), default=0)


def find_unrepeatable(server: ScratchServer, steps: Sequence[RevisionStep], *, timeout_s: float) -> frozenset[str]:
    """Return the recorded revisions whose file fails after it was undone: its queries have other answers then."""
    return frozenset(
        step.id
        for number, step in enumerate(steps)
        if step.rendered.asks and not step.rendered.irreversible and not _is_repeatable(server, steps[: number + 1], timeout_s)
    )


def _is_repeatable(server: ScratchServer, steps: Sequence[RevisionStep], timeout_s: float) -> bool:
    with server.make() as database, Rehearsal(database, timeout_s=timeout_s) as rehearsal:
        for step in steps:
            if step.migration is not None:
                rehearsal.run(step.migration, "up")
        last = steps[-1]
        if last.migration is None:
            return True
        if last.rendered.down:
            rehearsal.run(last.migration, "down")
        return rehearsal.run(last.migration, "up").error is None


class _Pair:
    """Two scratch databases: one on which Alembic runs, and one on which our files run."""

    def __init__(
        self,
        replicate: Callable[[], AlembicReplica],
        server: ScratchServer,
        timeout_s: float,
        proof: ImportProof,
        stack: ExitStack,
    ) -> None:
        self._server = server
        self._proof = proof
        self._replicate = replicate
        self._original = replicate()
        ours = stack.enter_context(server.make())
        self._rehearsal = stack.enter_context(Rehearsal(ours, timeout_s=timeout_s))
        self._reader = stack.enter_context(connect(ours.url, name="migrate-alembic"))
        self._states: tuple[ScratchState, ScratchState] | None = None
        """What both contained when they were compared last; None if a file has run since."""
        self._second: AlembicReplica | None = None
        self._varying: Columns = frozenset()
        self._done: list[str] = []
        self._before = self._read_ours().catalog

    def go_up(self, step: RevisionStep, *, compares: bool) -> None:
        """Apply a revision on both, and compare them."""
        proof = self._proof
        self._done.append(step.id)
        self._states = None
        self._run_file(step, "up")
        if not proof.unproved:
            try:
                self._original.run(step.id)
            except AlembicError as error:
                proof.unproved = f"Alembic itself fails at {step.rendered.revision.shown}: {error}"
        if not compares:
            return
        actual = self._read_ours()
        if actual.catalog == self._before:
            proof.without_schema.add(step.id)
        self._before = actual.catalog
        if not proof.unproved:
            self._compare_up(step, actual)

    def go_down(self, steps: Sequence[RevisionStep]) -> int:
        """Undo revisions from the last one on, and return how many are before the first that cannot be undone."""
        for number in reversed(range(len(steps))):
            step = steps[number]
            if step.rendered.irreversible:
                return number
            self._varying |= find_different(*(self._states or (self._original.read(), self._read_ours())))
            try:
                self._original.run(step.id, upgrade=False)
            except AlembicError as error:
                self._proof.warn(step.id, f"its downgrade fails with Alembic too: {error}")
                return number
            try:
                self._compare_down(step)
            except RefusedError as error:
                if not step.rendered.recorded_down:
                    raise
                self._proof.irreversible[step.id] = f"as it was recorded, {error.message.partition(chr(10))[0].rstrip(':')}"
                return number
        return 0

    def _compare_down(self, step: RevisionStep) -> None:
        if step.rendered.down:
            self._run_file(step, "down")
        # A sequence may have counted rows of other runs.
        one, other = (replace(state, sequences={}) for state in (self._original.read(), self._read_ours()))
        self._states = (one, other)
        differences = list(list_differences(one, other, self._varying))
        if differences:
            raise _refuse(step, differences, "downgrade")

    def _compare_up(self, step: RevisionStep, actual: ScratchState) -> None:
        wanted = self._original.read()
        self._states = (wanted, actual)
        if not any(list_differences(wanted, actual, self._varying)):
            return
        found = self._find_varying(wanted)
        differences = list(list_differences(wanted, actual, self._varying))
        if differences:
            raise _refuse(step, differences, "upgrade")
        shown = ", ".join(f"{name}.{column}" for name, column in sorted(found))
        self._proof.warn(step.id, f"these values differ at each run of Alembic, so they are not compared: {shown}")

    def _find_varying(self, wanted: ScratchState) -> Columns:
        """Run Alembic a second time, and return the new columns whose values differ."""
        self._second = self._second or self._replicate()
        with suppress(AlembicError):  # Then what differs is reported as a difference.
            self._second.advance(self._done)
        found = find_different(wanted, self._second.read()) - self._varying
        self._varying |= found
        return found

    def _read_ours(self) -> ScratchState:
        return read_state(self._reader, self._server)

    def _run_file(self, step: RevisionStep, direction: Direction) -> None:
        if step.migration is None:
            return
        trial = self._rehearsal.run(step.migration, direction)
        for text in trial.unchecked:
            self._proof.warn(step.id, f"not checked on scratch: {text}")
        if trial.error is not None:
            first = f"{trial.error.hint}\n" if trial.error.hint else ""
            raise RefusedError(
                f"the SQL of {step.rendered.revision.shown} fails on scratch: {trial.error.message}",
                hint=f"{first}Change the revision so that alembic upgrade --sql renders what it does; "
                f"{_end_hint(step, direction)}",
                state=_STATE,
                place=trial.error.place,
            )


def _refuse(step: RevisionStep, differences: Sequence[str], what: str) -> RefusedError:
    more = [f"… and {len(differences) - _MOST_LINES} more"] if len(differences) > _MOST_LINES else []
    lines = "\n".join(f"  {line}" for line in (*differences[:_MOST_LINES], *more))
    how = "as it was recorded" if step.rendered.recorded and what == "upgrade" else "rendered offline"
    return RefusedError(
        f"the {what} of {step.rendered.revision.shown}, {how}, has another result than in Alembic:\n{lines}",
        hint="Does it ask the database, or whether it runs offline? Change the revision so that alembic upgrade --sql renders\n"
        f"all that it does; {_end_hint(step, 'up' if what == 'upgrade' else 'down')}",
        state=_STATE,
    )


def _end_hint(step: RevisionStep, direction: Direction) -> str:
    return _UNCHANGED if step.rendered.recorded or direction == "down" else propose_recording([step.id])
