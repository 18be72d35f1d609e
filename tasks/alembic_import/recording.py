"""Revisions as they run: what Alembic executes on a scratch database, for those that cannot be rendered offline."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tasks.alembic_import.graph import AlembicRevision
from tasks.alembic_import.places import AlembicProject
from tasks.alembic_import.process import AlembicError
from tasks.alembic_import.replicas import AlembicReplica
from tasks.alembic_import.texts import MARK_COMMAND, clean_statements, end_statement
from tasks.alembic_import.transactions import BEGIN, COMMIT
from tasks.postgres.quoting import show_literal
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import FilesError, RefusedError
from tasks.runner.ledger.foreign import VersionTable
from tasks.runner.parsing import read_script

_STATE = "Nothing was written."
_CHANGING = frozenset({"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"})
_RETURNING = _CHANGING | {"SelectStmt"}
"""The statements whose rows a WITH query can have: https://www.postgresql.org/docs/current/queries-with.html."""
_Replicate = Callable[[ExitStack], AlembicReplica]
_SAVEPOINT = re.compile(r"(SAVEPOINT|RELEASE SAVEPOINT|ROLLBACK TO SAVEPOINT) (\w+)")
_RECORDED = "recorded: the file is what Alembic runs on scratch after the revisions before it"
_ASKS = "{recorded}, and fails where its queries have other answers than there"
_INSPECTS = "{recorded}; it inspects the schema, which is the one that those make"
_COUNT = """\
DO {tag}
#variable_conflict use_column
DECLARE
    migrate_count bigint;
BEGIN
{query};
    GET DIAGNOSTICS migrate_count = ROW_COUNT;
    IF migrate_count <> {answer} THEN
        RAISE EXCEPTION USING
            MESSAGE = {message},
            HINT = {hint};
    END IF;
END
{tag}"""
_CHECK = """\
DO {tag}
#variable_conflict use_column
DECLARE
    migrate_digest text;
BEGIN
    WITH migrate_answer AS (
{query}
    )
    SELECT md5(coalesce(string_agg(migrate_answer::text, E'\\n' ORDER BY migrate_answer::text COLLATE "C"), ''))
    INTO migrate_digest FROM migrate_answer;
    IF migrate_digest <> '{answer}' THEN
        RAISE EXCEPTION USING
            MESSAGE = {message},
            HINT = {hint};
    END IF;
END
{tag}"""


@dataclass(frozen=True, slots=True)
class RecordedDirection:
    """The statements of an upgrade or a downgrade, with a check in the place of each query whose answer the revision reads."""

    texts: tuple[str, ...]
    warning: str
    asks: bool
    """Whether there is such a check."""


@dataclass(frozen=True, slots=True)
class RecordedProject:
    """The recorded revisions by id, and the version table."""

    upgrades: Mapping[str, RecordedDirection] = field(default_factory=dict)
    downgrades: Mapping[str, RecordedDirection] = field(default_factory=dict)
    irreversible: Mapping[str, str] = field(default_factory=dict)
    """Why a downgrade that was to be recorded is not."""
    table: VersionTable = field(default_factory=VersionTable)


def record(
    server: ScratchServer,
    project: AlembicProject,
    order: Sequence[AlembicRevision],
    wanted: frozenset[str],
    downs: frozenset[str],
    *,
    schema: str,
    timeout_s: float,
) -> RecordedProject:
    """Run Alembic on a scratch database, and return what the `wanted` revisions execute, also on the way down those in `downs`.

    Raises RefusedError if an upgrade fails there, and FilesError for those that do what a file cannot.
    """
    if not wanted:
        return RecordedProject()
    last = _count_up_to(order, wanted)
    replicate = partial(AlembicReplica, server, project, schema, timeout_s, records=True)
    answers = _run_upgrades(replicate, order[:last])
    chosen = [each for each in order[:last] if each.id in wanted]
    faults = tuple(f"{each.shown}: {fault}" for each in chosen for fault in _find_faults(answers[each.id]))
    if faults:
        raise FilesError(
            "these revisions do what no file can do as they do it:",
            faults,
            hint="Change them so that alembic upgrade --sql renders what they do; databases that have them are not affected.",
        )
    upgrades = {each.id: _read_direction(each, answers[each.id], upgrade=True) for each in chosen}
    undone = _run_downgrades(replicate, order[:last], downs & wanted)
    faults_down = {name: answer.get("fault") or next(_find_faults(answer), "") for name, answer in undone.items()}
    irreversible = {name: fault for name, fault in faults_down.items() if fault}
    downgrades = {
        each.id: _read_direction(each, undone[each.id], upgrade=False)
        for each in chosen
        if each.id in undone.keys() - irreversible.keys()
    }
    end = answers[order[last - 1].id]
    return RecordedProject(upgrades, downgrades, irreversible, VersionTable(end["table"], end["schema"]))


def _run_upgrades(
    replicate: Callable[[ExitStack], AlembicReplica], order: Sequence[AlembicRevision]
) -> dict[str, dict[str, Any]]:
    """Return what revisions execute, by id; raises RefusedError."""
    answers: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        replica = replicate(stack)
        for each in order:
            try:
                answers[each.id] = replica.run(each.id)
            except AlembicError as error:
                raise RefusedError(
                    f"Alembic itself fails at {each.shown}, so that no revision can be recorded: {error}",
                    hint="This is the last line of the traceback. alembic upgrade head fails likewise on an empty database.",
                    state=_STATE,
                ) from error
    return answers


def _run_downgrades(replicate: _Replicate, order: Sequence[AlembicRevision], wanted: frozenset[str]) -> dict[str, dict[str, Any]]:
    """Return what the downgrades of the `wanted` revisions execute, or the `fault` of one that fails, by id.

    As in the proof, one that fails ends the way down, which then begins again before it.
    """
    answers: dict[str, dict[str, Any]] = {}
    end = _count_up_to(order, wanted)
    while end:
        with ExitStack() as stack:
            replica = replicate(stack)
            replica.advance([each.id for each in order[:end]])
            for each in reversed(order[:end]):
                try:
                    answers[each.id] = replica.run(each.id, upgrade=False)
                except AlembicError as error:
                    answers[each.id] = {"fault": f"its downgrade fails with Alembic: {error.fault.message}"}
                    break
        end = _count_up_to(order[:end], wanted - answers.keys())
    return {name: answer for name, answer in answers.items() if name in wanted}


def _count_up_to(order: Sequence[AlembicRevision], wanted: frozenset[str]) -> int:
    """Return how many revisions are up to the last that is wanted; 0 without one."""
    return max((number for number, each in enumerate(order, 1) if each.id in wanted), default=0)


def propose_recording(names: Sequence[str]) -> str:
    """Return the end of a hint: with which flags revisions are recorded."""
    return (
        "databases that have them are not affected.\n"
        f"Or add {quote_words(*(f'--record={name}' for name in names))}\n"
        "The file is then what Alembic runs on scratch, and fails where its queries have other answers than there."
    )


def _find_faults(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a revision does that a file cannot."""
    yield from answer["faults"]
    for each in answer["parts"].get("revision", ()):
        if not _asks(each):
            continue
        kinds = [statement.kind for statement in read_script(end_statement(each["text"]), file="", version="").statements]
        if len(kinds) != 1 or kinds[0] not in (_RETURNING if each["answer"] is not None else _CHANGING):
            shown = " ".join(each["text"].split())[:80]
            yield f"reads the answer to a statement that is no single query: {shown}"


def _asks(statement: Mapping[str, Any]) -> bool:
    """Return True for a statement whose rows, or whose number of changed rows, the revision reads."""
    return statement["answer"] is not None or statement["count"] is not None


def _read_direction(revision: AlembicRevision, answer: Mapping[str, Any], *, upgrade: bool) -> RecordedDirection:
    parts = answer["parts"]
    own = list(_drop_savepoints(parts.get("revision", ())))
    warning = _RECORDED
    asks = any(_asks(each) for each in own)
    if asks:
        warning = _ASKS.format(recorded=_RECORDED)
    elif answer["inspected"]:
        warning = _INSPECTS.format(recorded=_RECORDED)
    statements = [*parts.get("first", ()), *own, *parts.get("last", ())] if own else []
    if not upgrade:
        warning = f"its downgrade is {warning}"
    return RecordedDirection(tuple(_write(revision, statements, upgrade=upgrade)), warning, asks)


def _drop_savepoints(statements: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield statements without savepoints, and without those that were rolled back to one."""
    kept: list[Mapping[str, Any]] = []
    begun: dict[str, int] = {}
    for each in statements:
        match = _SAVEPOINT.fullmatch(each["text"])
        if match is None:
            kept.append(each)
        elif match[1] == "SAVEPOINT":
            begun[match[2]] = len(kept)
        elif match[1] == "ROLLBACK TO SAVEPOINT":
            del kept[begun.get(match[2], len(kept)) :]
    yield from kept


def _write(revision: AlembicRevision, statements: Iterable[Mapping[str, Any]], *, upgrade: bool) -> Iterator[str]:
    """Yield the statements, with COMMIT and BEGIN around those that run outside of a transaction."""
    alone = False
    for each in statements:
        if each["alone"] != alone:
            alone = each["alone"]
            yield COMMIT if alone else BEGIN
        for text in clean_statements([(each["text"], each["text"])])[0]:
            yield _write_check(revision, text, each, upgrade=upgrade) if _asks(each) else text


def _write_check(revision: AlembicRevision, query: str, statement: Mapping[str, Any], *, upgrade: bool) -> str:
    """Return a statement that runs another one, and fails if its rows, or their number, are not those that the revision got."""
    tag = next(tag for number in range(len(query)) if (tag := f"$check{number or ''}$") not in query)
    counts = statement["answer"] is None
    reason = "changes another number of rows here than on scratch"
    reason = reason if counts else "queries rows, which differ here from those on scratch"
    return (_COUNT if counts else _CHECK).format(
        tag=tag,
        query=query,
        answer=statement["count"] if counts else statement["answer"],
        message=show_literal(f"revision {revision.id} of Alembic {reason}"),
        hint=show_literal(
            f"Let Alembic run it on this database (alembic upgrade {revision.id}), then record it: {MARK_COMMAND}"
            if upgrade
            else f"Undo it on this database by hand, then remove its record: {MARK_COMMAND} --unmark"
        ),
    )
