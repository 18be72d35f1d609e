"""Render the revisions of a project: offline, and those that cannot be rendered so as they run on a scratch database."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.alembic_import.graph import AlembicRevision, arrange, read_revisions
from tasks.alembic_import.places import AlembicProject
from tasks.alembic_import.process import AlembicError, AlembicFault, AlembicProcess, read_fault
from tasks.alembic_import.recording import RecordedProject, propose_recording, record
from tasks.alembic_import.texts import RenderedRevision, clean_statements, has_statements
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError, RefusedError, UsageError
from tasks.runner.files.checkout import show_path
from tasks.runner.ledger.alembic import AlembicMapping
from tasks.runner.ledger.foreign import VersionTable

_ALL = "all"
_STATE = "Nothing was written."
_TABS = "alembic upgrade --sql writes the tabs in its strings as spaces; the file has the tabs, as when Alembic runs it"


def render_project(
    server: ScratchServer, project: AlembicProject, known: AlembicMapping, records: Sequence[str], *, timeout_s: float
) -> tuple[tuple[RenderedRevision, ...], VersionTable]:
    """Return the rendered revisions in order, and the version table.

    Those that `records` names, and those that were recorded before, become what they execute on scratch. Raises RefusedError if
    another one cannot be rendered.
    """
    with AlembicProcess(project, timeout_s=timeout_s) as process:
        try:
            answer = process.open()
            if answer["databases"]:
                raise RefusedError(
                    f"env.py is for several databases ({answer['databases']}), and a migrations folder is for one",
                    hint="Import them one by one, each with an env.py and an alembic.ini of its own.",
                    state=_STATE,
                )
            order = arrange(read_revisions(answer["revisions"]), tuple(known.revisions))
            if not order:
                raise RefusedError(f"{project.shown} has no revision", hint="Name another folder: --versions", state=_STATE)
            recorded = _choose_recorded(order, known, records)
            ups, downs = _render(process, project, [each.id for each in order], recorded)
        except AlembicError as error:
            raise RefusedError(
                f"Alembic cannot read {project.shown}: {error}",
                hint="This is the last line of the traceback. alembic upgrade --sql head fails likewise; try it in "
                f"{show_path(project.folder)}.\nIf env.py cannot run offline, add --record=all: then Alembic runs on scratch.",
                state=_STATE,
            ) from error
    _refuse_failed(order, ups, recorded)
    recording = RecordedProject()
    if any(each.id not in known.revisions or _is_edited(each, known) for each in order):
        undone = frozenset(name for name, error in downs["errors"].items() if _fails_offline(read_fault(error)))
        schema = ups.get("schema", "")
        recording = record(server, project, order, recorded, undone, schema=schema, timeout_s=timeout_s)
    table = VersionTable(ups["table"], ups["schema"]) if ups else recording.table
    return tuple(_read_rendered(each, ups, downs, recording) for each in order), table


def _choose_recorded(order: Sequence[AlembicRevision], known: AlembicMapping, records: Sequence[str]) -> frozenset[str]:
    """Return the revisions that are recorded; raises UsageError for an unknown one."""
    names = {each.id for each in order}
    unknown = [name for name in records if name not in names and name != _ALL]
    if unknown:
        raise UsageError(f"there is no revision {', '.join(unknown)}", hint="alembic history lists them.", state=_STATE)
    before = {name for name, each in known.revisions.items() if each.recorded}
    new = {name for name in names if name not in known.revisions}
    return frozenset(before | (new if _ALL in records and _ALL not in names else new & set(records)))


def _render(
    process: AlembicProcess, project: AlembicProject, names: Sequence[str], recorded: frozenset[str]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return what is rendered offline; nothing if all are recorded, and their downgrades cannot be rendered."""
    offline = [name for name in names if name not in recorded]
    ups = _check(process.ask({"render": offline, "upgrade": True}), project) if offline else {}
    try:
        return ups, _check(process.ask({"render": names[::-1], "upgrade": False}), project)
    except (AlembicError, RefusedError) as error:
        if offline:
            raise
        fault = error.fault if isinstance(error, AlembicError) else AlembicFault(error.message)
        return ups, {"statements": {}, "errors": {name: {"message": str(fault)} for name in names}}


def _is_edited(revision: AlembicRevision, known: AlembicMapping) -> bool:
    before = known.revisions.get(revision.id)
    return before is not None and before.source != sum_file(revision.path)


def sum_file(path: Path) -> str:
    """Return the checksum of the file of a revision."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _check(answer: dict[str, Any], project: AlembicProject) -> dict[str, Any]:
    """Return what was rendered; raises RefusedError if that is not what the revisions do."""
    fault = ""
    if answer["runs"] != 1:
        fault = f"env.py ran the revisions {answer['runs']} times" if answer["runs"] else "env.py ran no revision offline"
    elif answer["dialect"] != "postgresql":
        fault = f"the revisions are for {answer['dialect']}, not for PostgreSQL"
    elif not answer["only_statements"]:
        fault = "a revision or env.py writes into the output of Alembic itself"
    if fault:
        raise RefusedError(
            f"{project.shown} cannot be rendered offline: {fault}",
            hint="env.py must configure the context and run the revisions once if context.is_offline_mode().",
            state=_STATE,
        )
    return answer


def _refuse_failed(order: Sequence[AlembicRevision], ups: Mapping[str, Any], recorded: frozenset[str]) -> None:
    """Raise FilesError with all revisions that cannot be rendered."""
    errors = ups.get("errors", {})
    failed = [each for each in order if each.id in errors]
    if failed:
        number = f"{len(failed)} revisions" if len(failed) > 1 else "a revision"
        others = propose_recording([each.id for each in failed])
        raise FilesError(
            f"{number} cannot be rendered offline:",
            tuple(f"{each.shown}: {read_fault(errors[each.id])}" for each in failed),
            hint=f"Change the code so that alembic upgrade --sql renders all that it does; {others}",
        )


def _read_rendered(
    revision: AlembicRevision, ups: Mapping[str, Any], downs: Mapping[str, Any], recording: RecordedProject
) -> RenderedRevision:
    (up, tabs), (down, more_tabs) = (_surround(each.get("statements", {}), revision.id) for each in (ups, downs))
    warnings = [_TABS] if tabs or more_tabs else []
    recorded, undone = recording.upgrades.get(revision.id), recording.downgrades.get(revision.id)
    if recorded is not None:
        up = recorded.texts
        warnings.append(recorded.warning)
    irreversible = ""
    error = downs["errors"].get(revision.id)
    if undone is not None:
        down = undone.texts
        warnings.append(undone.warning)
    elif error is not None:
        fault = read_fault(error)
        irreversible, down = recording.irreversible.get(revision.id) or _explain_irreversible(fault), ()
        if recorded is None and _fails_offline(fault):
            warnings.append(f"its downgrade cannot be rendered offline: {fault}; --record={revision.id} runs it on scratch")
    return RenderedRevision(
        revision,
        up,
        down,
        irreversible if up else "",
        tuple(warnings),
        recorded=recorded is not None,
        recorded_down=undone is not None,
        asks=recorded is not None and recorded.asks,
    )


def _fails_offline(fault: AlembicFault) -> bool:
    """Return True for a downgrade that may succeed on a database: it has no `raise` of its own, and is there."""
    return fault.kind not in ("NotImplementedError", "missing") and not fault.raised


def _surround(rendered: Mapping[str, Any], revision: str) -> tuple[tuple[str, ...], bool]:
    """Return the statements of a revision with those that env.py runs before and after all, and whether they have tabs.

    A revision without statements has none of these either.
    """
    texts, tabs = clean_statements(rendered.get(revision, ()))
    if not has_statements(texts):
        return (), False
    first, last = (
        tuple(text for text in clean_statements(rendered.get(when, ()))[0] if has_statements([text]))
        for when in ("before", "after")
    )
    return (*first, *texts, *last), tabs


def _explain_irreversible(fault: AlembicFault) -> str:
    if fault.kind == "NotImplementedError" or fault.raised:
        return fault.text or f"its downgrade raises {fault.kind}"
    if fault.kind == "missing":
        return "the revision has no downgrade"
    return f"its downgrade cannot be rendered offline: {fault.message}"
