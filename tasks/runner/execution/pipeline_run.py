"""Running files of one transaction each through a pipeline: the record and the COMMIT of a file are sent with the next file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import psycopg

from tasks.runner.database.pipeline import Pipeline, PipelineCommand
from tasks.runner.database.session import read_encoding, roll_back
from tasks.runner.events import Event
from tasks.runner.execution.pipelined_file import PipelinedFile, fits_pipeline
from tasks.runner.ledger.pipelined_record import PipelinedRecorder, Recording
from tasks.runner.ledger.vouching import FileTexts
from tasks.runner.planning.failures import is_lost

if TYPE_CHECKING:
    from tasks.runner.execution.context import RunContext
    from tasks.runner.execution.statement_run import StatementRun
    from tasks.runner.ledger.writing import Entry
    from tasks.runner.planning.plan import Step

_COMMIT = PipelineCommand(b"COMMIT")
_MAY_DEALLOCATE = frozenset({"DeallocateStmt", "DiscardStmt", "DoStmt", "CallStmt", "ExecuteStmt", "SelectStmt", ""})
"""The kinds of statements that may deallocate prepared statements; the empty one is a text that was not parsed."""


class FileRun(Protocol):
    """The run of a file of one transaction."""

    step: Step
    statements: StatementRun
    committing: bool

    def list_probe(self) -> tuple[str, ...]:
        """Return SQL that raises an error if others may have the locks of the file, one statement each."""

    def list_begin(self) -> tuple[str, ...]:
        """Return the SQL that begins the transaction, one statement each."""

    def list_before_ledger(self) -> tuple[str, ...]:
        """Return the SQL that precedes the record, one statement each."""


class PipelineRun:
    """The pipeline of a run, in which the server begins the next file as soon as it has committed the one before.

    The COMMIT of a file is sent after the answers to its statements, and after the look at the lock; an error of it, or of the
    record, belongs to that file, and keeps the server from beginning the next one.
    `choose_following` returns the run of the file to send ahead, if there is one.
    `prepare_following` is called while the server is busy with the current file, for what does not depend on its result.
    """

    def __init__(
        self,
        context: RunContext,
        recorder: PipelinedRecorder,
        choose_following: Callable[[], FileRun | None],
        prepare_following: Callable[[], None],
    ) -> None:
        self._context = context
        self._recorder = recorder
        self._choose_following = choose_following
        self._prepare_following = prepare_following
        self._pipeline = Pipeline(context.connection)
        self._sent: tuple[FileRun, PipelinedFile] | None = None

    def takes(self, step: Step) -> bool:
        """Return True if a step can run in the pipeline."""
        if self._context.pooled or not Pipeline.is_supported():
            return False
        if any(self._recorder.stores_in_parts(each.size) for each in (step.source, step.source.down) if each is not None):
            return False
        conforming = self._context.connection.pgconn.parameter_status(b"standard_conforming_strings") == b"on"
        return fits_pipeline(step.script, conforming=conforming)

    def has_begun(self, run: FileRun) -> bool:
        """Return True if a file was sent ahead."""
        return self._sent is not None and self._sent[0] is run

    def confirm(self) -> bool:
        """Return False, out of the pipeline, if a file that was sent ahead does not run, because others may have its locks."""
        assert self._sent is not None
        file = self._sent[1]
        if not file.has_probe:
            return True
        try:
            self._pipeline.finish(file.take_count(), stop=self._context.stop)
        except psycopg.Error:
            self.abandon()
            with suppress(psycopg.Error):
                roll_back(self._context.connection)
            return False
        except BaseException:
            self.abandon()
            raise
        return True

    def run(self, run: FileRun, build_entry: Callable[[], Entry]) -> Iterator[Event]:
        """Run and record a file; raises psycopg.Error, out of the pipeline, if the server refuses a part of that."""
        try:
            file = self._begin(run)
            self._prepare_following()
            answered = file.take_count()
            for statement in run.step.script.segments[0].statements:
                count = answered + file.take_count() - 1
                yield from run.statements.read(statement, self._pipeline, before=count)
                answered = 0
                file.send_more()
                self._context.lock.ask()
            run.statements.statement = None
            self._pipeline.finish(answered + file.take_count(), stop=self._context.stop)
            self._recorder.take_guard(self._pipeline.row)
            self._context.lock.check()
            self._commit(run, build_entry)
        except psycopg.Error:
            self.abandon()
            # After an error of the server, nothing is committed.
            run.committing = run.committing and is_lost(self._context.connection)
            raise
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Leave the pipeline, if the session is in one, and cancel what is not answered."""
        self._sent = None
        if self._pipeline.is_open:
            self._recorder.forget()
            self._pipeline.abandon()

    def _begin(self, run: FileRun) -> PipelinedFile:
        """Send the beginning of a file, unless it was sent ahead."""
        if self._sent is None or self._sent[0] is not run:
            if not self._pipeline.belongs_to(self._context.connection):
                self._pipeline = Pipeline(self._context.connection)
            self._send(run, self._make_file(run, ()))
        assert self._sent is not None
        return self._sent[1]

    def _commit(self, run: FileRun, build_entry: Callable[[], Entry]) -> None:
        """Send the record and the COMMIT of a file, and the beginning of the following one; wait for the COMMIT only."""
        pipeline = self._pipeline
        commands = [*self._recorder.list_record(describe_recording(run.step), build_entry()), _COMMIT]
        run.committing = True
        pipeline.send(*commands)
        pipeline.flush()
        following = self._choose_following()
        file = self._make_file(following, following.list_probe()) if following is not None else None
        if following is None or file is None:
            self._sent = None
            pipeline.synchronize()
        else:
            self._send(following, file)
        self._context.lock.ask()
        pipeline.finish(len(commands))
        if pipeline.tag != b"COMMIT":
            raise psycopg.InternalError("the transaction was rolled back")
        run.committing = False
        if following is None:
            pipeline.leave()

    def _make_file(self, run: FileRun, probe: Iterable[str]) -> PipelinedFile:
        return PipelinedFile(
            self._pipeline,
            run.step.script.segments[0].statements,
            probe=map(_encode, probe),
            opening=map(_encode, run.list_begin()),
            closing=self._recorder.list_guard(describe_recording(run.step), run.list_before_ledger()),
            encoding=read_encoding(self._context.connection),
        )

    def _send(self, run: FileRun, file: PipelinedFile) -> None:
        self._pipeline.enter()
        if not file.send():
            # A large record leaves no room, but it must be answered all the same.
            self._pipeline.request_answers()
        self._sent = run, file


def _encode(text: str) -> PipelineCommand:
    return PipelineCommand(text.encode())


def describe_recording(step: Step) -> Recording:
    """Return what is recorded of a step."""
    source = step.source
    return Recording(
        step.action,
        FileTexts(source, source.down),
        own_row=step.action == "migrate" and step.script.records_itself,
        deallocates=not _MAY_DEALLOCATE.isdisjoint(step.script.kinds),
    )
