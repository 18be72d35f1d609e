"""The record of a step as commands of a pipeline: the guard follows the statements of the file, the rows follow their answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from tasks.runner.database.pipeline import PipelineCommand
from tasks.runner.database.session_settings import SESSION_DEFAULTS
from tasks.runner.ledger.guard import GuardParts, compose_parts
from tasks.runner.ledger.long_texts import LONG_TEXT
from tasks.runner.ledger.vouching import FileTexts
from tasks.runner.ledger.writing import APPLIED, COMPLETE_OWN_ROW, REVERTED, SEEDED, VARIES, Entry, Recorder, list_tables

_VARIES = ("note", *VARIES)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded of a step: of an applied migration its texts, of which the seed has a checksum only.

    `own_row` and `deallocates` are as in `Recorder.record_applied`.
    """

    action: str
    texts: FileTexts
    own_row: bool = False
    deallocates: bool = True

    @property
    def query(self) -> str:
        """Return the statement that writes the rows."""
        query = {"rollback": REVERTED, "seed": SEEDED}.get(self.action, APPLIED)
        return f"{query}{COMPLETE_OWN_ROW}" if self.own_row else query

    @property
    def may_prepare(self) -> bool:
        """Return True if the statement is that of most steps, and can have been prepared before."""
        return self.query == APPLIED and not self.deallocates


class PipelinedRecorder(Recorder):
    """A recorder whose records can be sent through a pipeline, too.

    The statement that records an applied migration, and its guard, are prepared in the first pipeline that needs them.
    """

    _names: tuple[bytes, bytes] | None = None
    """The names of the prepared guard and the prepared statement."""
    _settings: tuple[str, bytes] | None = None
    """The query that restores our own settings, and its name, once it is prepared."""
    _is_doubtful = True
    """Whether the guard has not found yet that nothing is to be checked."""

    def forget(self) -> None:
        """Prepare the statements again before they are used, those of pipelines too."""
        super().forget()
        self._names = self._settings = None

    def stores_in_parts(self, size: int) -> bool:
        """Return True if a file of this size is recorded with a text that is too long for one command."""
        return LONG_TEXT < size <= self._keep_text

    def list_guard(self, recording: Recording, before: Iterable[str]) -> list[PipelineCommand]:
        """Return the SQL `before`, which restores our settings, and the guard of a record; `take_guard` takes the last answer."""
        if recording.deallocates:
            self.forget()
        restoring = [each for text in before for each in self._list_restoring(text, recording)]
        parts = self._compose_guard(recording)
        lock = PipelineCommand(parts.lock.encode())
        query = f"SELECT {SESSION_DEFAULTS if self._returning else 'NULL'}, {parts.doubt}".encode()
        if not recording.may_prepare:
            return [*restoring, lock, PipelineCommand(query)]
        preparing: list[PipelineCommand] = []
        if self._names is None:
            self._count += 1
            guard, record = self._names = (b"migrate_check_%d" % self._count, b"migrate_record_%d" % self._count)
            preparing = [
                PipelineCommand(query, prepares=guard),
                PipelineCommand(self._compose_prepared(recording), prepares=record),
            ]
        return [*restoring, lock, *preparing, PipelineCommand(self._names[0], values=())]

    def take_guard(self, row: Sequence[str | None]) -> None:
        """Take the last answer of a guard: what a new session would start with, and whether there is something to check."""
        self.defaults, doubt = row
        self._is_doubtful = doubt != "f"

    def list_record(self, recording: Recording, entry: Entry) -> list[PipelineCommand]:
        """Return what writes the record of a step, after its guard."""
        values = self._fit(self._list_values(recording, entry))
        check = [PipelineCommand(self._compose_guard(recording).check.encode())] if self._is_doubtful else []
        if self._names is None or not recording.may_prepare:
            return [*check, PipelineCommand(self._compose(recording.query, _quote(values)).encode())]
        found = (values[name] for name in _VARIES)
        record = PipelineCommand(self._names[1], values=[None if value is None else str(value).encode() for value in found])
        return [*check, record]

    def _compose_guard(self, recording: Recording) -> GuardParts:
        return compose_parts(self.ledger.schema, tuple(list_tables(recording.query)))

    def _list_restoring(self, text: str, recording: Recording) -> list[PipelineCommand]:
        """Return what runs one statement that restores our settings; the query among them is prepared, being the longest."""
        if not text.startswith("SELECT ") or not recording.may_prepare:
            return [PipelineCommand(text.encode())]
        preparing: list[PipelineCommand] = []
        if self._settings is None:
            self._count += 1
            self._settings = text, b"migrate_settings_%d" % self._count
            preparing = [PipelineCommand(text.encode(), prepares=self._settings[1])]
        prepared, name = self._settings
        # That of a file with another lock_timeout is another one.
        return [*preparing, PipelineCommand(name, values=()) if text == prepared else PipelineCommand(text.encode())]

    def _compose_prepared(self, recording: Recording) -> bytes:
        values = self._fit(self._list_values(recording, Entry(recording.action, "finished")))
        parts = _quote(values) | {name: sql.SQL(f"${number}") for number, name in enumerate(_VARIES, 1)}
        return self._compose(recording.query, parts).encode()

    def _list_values(self, recording: Recording, entry: Entry) -> dict[str, object]:
        values = {"checksum": recording.texts.up_digest, **self._describe(entry)}
        return values if recording.action in ("rollback", "seed") else {**recording.texts.describe(self._keep_text), **values}


def _quote(values: Mapping[str, object]) -> dict[str, sql.Composable]:
    return {name: sql.Literal(value) for name, value in values.items()}
