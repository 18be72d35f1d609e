"""Import the revisions of Alembic: render them, prove the files on scratch, then write all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.alembic_import.events import AlembicImportFinished, AlembicImportPlanned, RevisionImported
from tasks.alembic_import.graph import AlembicRevision, arrange, name_versions, read_revisions
from tasks.alembic_import.places import AlembicProject
from tasks.alembic_import.process import AlembicError, AlembicFault, AlembicProcess, read_fault
from tasks.alembic_import.proof import ImportProof, RevisionStep, prove
from tasks.alembic_import.texts import RenderedRevision, clean_statements, compose_down, compose_up, has_statements
from tasks.checkout.writing import refuse_links, write_file
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError, RefusedError, UsageError
from tasks.runner.events import Event
from tasks.runner.files.checkout import read_migrations, show_path
from tasks.runner.files.versions import path_of
from tasks.runner.ledger.alembic import ALEMBIC_FILE, AlembicMapping, ImportedRevision, read_mapping, write_mapping
from tasks.runner.ledger.foreign import VersionTable

_STATE = "Nothing was written."
_TABS = "alembic upgrade --sql writes the tabs in its strings as spaces; the file has the tabs, as when Alembic runs it"
_OTHERS = "{folder} has {number} other migrations: the proof is without them, and all run in the order of their timestamps"
_RENDER = "Change them so that alembic upgrade --sql renders them; databases that have them are not affected."


@dataclass(frozen=True, slots=True)
class PlannedImport:
    """What is to be written: the files of the new revisions with their texts, and the mapping."""

    folder: Path
    plan: AlembicImportPlanned
    files: tuple[tuple[Path, str], ...]
    mapping: AlembicMapping

    @property
    def is_new(self) -> bool:
        """Return True if there is a revision that was not imported before."""
        return any(each.is_new for each in self.plan.revisions)


def plan_import(project: AlembicProject, folder: Path, server: ScratchServer, *, timeout_s: float = 600) -> PlannedImport:
    """Return the files that the revisions of a project become, proved on scratch.

    Raises RefusedError if a revision cannot be rendered, fails or has another result than in Alembic, or was edited since it
    was imported.
    """
    known = read_mapping(folder) or AlembicMapping()
    rendered, table = _render_project(project, tuple(known.revisions), timeout_s)
    _refuse_edited(rendered, known)
    versions = _choose_versions(folder, rendered, known)
    steps = [_make_step(each, versions) for each in rendered]
    new = [each for each in rendered if each.revision.id not in known.revisions]
    proof = prove(server, project, steps, schema=table.schema, timeout_s=timeout_s) if new else ImportProof()
    rendered = tuple(_judge_down(each, proof) for each in rendered)
    mapping = AlembicMapping(
        {each.revision.id: known.revisions.get(each.revision.id) or _describe(each, versions) for each in rendered},
        known.table if known.revisions else table,
    )
    files = tuple(
        (path, text)
        for each in rendered
        if each.revision.id not in known.revisions and (version := versions.get(each.revision.id))
        for path, text in (
            (path_of(folder / "up", version), compose_up(each, version)),
            (path_of(folder / "down", version), compose_down(each, version)),
        )
    )
    _refuse_existing(files)
    return PlannedImport(folder, _show_plan(project, folder, rendered, mapping, known, proof), files, mapping)


def write_import(planned: PlannedImport, *, apply: bool) -> Iterator[Event]:
    """Yield what the revisions become, and write it if `apply` is set: the files first, then the mapping that names them."""
    yield planned.plan
    path = planned.folder / ALEMBIC_FILE
    files = [*planned.files, (path, write_mapping(planned.mapping))] if planned.is_new else []
    if apply:
        refuse_links([path for path, _ in files], planned.folder)
        for path, text in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text.encode(), within=planned.folder)
    yield AlembicImportFinished(tuple(show_path(path) for path, _ in files), apply, not planned.plan.unproved)


def _render_project(
    project: AlembicProject, known: Sequence[str], timeout_s: float
) -> tuple[tuple[RenderedRevision, ...], VersionTable]:
    """Return the rendered revisions in order, and the version table."""
    with AlembicProcess(project, timeout_s=timeout_s) as process:
        try:
            answer = process.open()
            if answer["databases"]:
                raise RefusedError(
                    f"env.py is for several databases ({answer['databases']}), and a migrations folder is for one",
                    hint="Import them one by one, each with an env.py and an alembic.ini of its own.",
                    state=_STATE,
                )
            order = arrange(read_revisions(answer["revisions"]), known)
            if not order:
                raise RefusedError(f"{project.shown} has no revision", hint="Name another folder: --versions", state=_STATE)
            names = [each.id for each in order]
            ups = _check(process.ask({"render": names, "upgrade": True}), project)
            downs = _check(process.ask({"render": names[::-1], "upgrade": False}), project)
        except AlembicError as error:
            raise RefusedError(
                f"Alembic cannot read {project.shown}: {error}",
                hint="This is the last line of the traceback. alembic upgrade --sql head fails likewise; try it in "
                f"{show_path(project.folder)}.",
                state=_STATE,
            ) from error
    _refuse_failed(order, ups)
    return tuple(_read_rendered(each, ups, downs) for each in order), VersionTable(ups["table"], ups["schema"])


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


def _refuse_failed(order: Sequence[AlembicRevision], ups: Mapping[str, Any]) -> None:
    failed = tuple(f"{each.shown}: {read_fault(ups['errors'][each.id])}" for each in order if each.id in ups["errors"])
    if failed:
        number = f"{len(failed)} revisions" if len(failed) > 1 else "a revision"
        raise FilesError(f"{number} cannot be rendered offline:", failed, hint=f"Alembic shows the whole traceback. {_RENDER}")


def _read_rendered(revision: AlembicRevision, ups: Mapping[str, Any], downs: Mapping[str, Any]) -> RenderedRevision:
    (up, tabs), (down, more_tabs) = (_surround(each["statements"], revision.id) for each in (ups, downs))
    warnings = [_TABS] if tabs or more_tabs else []
    irreversible = ""
    error = downs["errors"].get(revision.id)
    if error is not None:
        fault = read_fault(error)
        irreversible, down = _explain_irreversible(fault), ()
        if fault.kind != "NotImplementedError" and not fault.raised:
            warnings.append(f"its downgrade cannot be rendered offline: {fault}")
    return RenderedRevision(revision, up, down, irreversible if up else "", tuple(warnings))


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


def _refuse_edited(rendered: Sequence[RenderedRevision], known: AlembicMapping) -> None:
    edited = tuple(
        f"{each.revision.shown}, imported as {before.version or 'no file, because it had no statement'}"
        for each in rendered
        if (before := known.revisions.get(each.revision.id))
        and before.source != _sum_file(each.revision.path)
        and before.sql != each.digest
    )
    if edited:
        raise FilesError(
            "these revisions were edited since they were imported:",
            edited,
            hint="Their files were not changed. Undo the edit, and write what it does as a new revision.",
        )


def _choose_versions(folder: Path, rendered: Sequence[RenderedRevision], known: AlembicMapping) -> dict[str, str]:
    """Return the versions of the revisions that have statements."""
    taken = _list_versions(folder)
    earlier = {name: each.version for name, each in known.revisions.items() if each.version}
    filled = [
        each.revision
        for each in rendered
        if not each.is_empty and (each.revision.id not in known.revisions or each.revision.id in earlier)
    ]
    return name_versions(filled, earlier, set(taken) - set(earlier.values()))


def _list_versions(folder: Path) -> frozenset[str]:
    """Return the versions that have a file; raises UsageError for a folder without up/ and down/."""
    if not folder.is_dir():
        return frozenset()
    migrations = read_migrations(folder)
    if migrations.flat and migrations.checksums:
        raise UsageError(
            f"{show_path(folder)} has no up/ and down/", hint="Clean it up first: inv db.cleanup-legacy", state=_STATE
        )
    return frozenset(migrations.checksums)


def _make_step(rendered: RenderedRevision, versions: Mapping[str, str]) -> RevisionStep:
    version = versions.get(rendered.revision.id)
    if version is None:
        return RevisionStep(rendered, None)
    up, down = compose_up(rendered, version), compose_down(rendered, version)
    return RevisionStep(rendered, RehearsedMigration(version, up, down, f"up/{version}.sql", f"down/{version}.sql"))


def _judge_down(rendered: RenderedRevision, proof: ImportProof) -> RenderedRevision:
    """Return a revision with what the proof found; a downgrade that does nothing cannot undo a change of the schema."""
    warnings = (*rendered.warnings, *proof.warnings.get(rendered.revision.id, ()))
    irreversible = rendered.irreversible
    if not rendered.is_empty and not rendered.down and not irreversible and rendered.revision.id not in proof.without_schema:
        irreversible = "the downgrade of the revision has no operations"
    return replace(rendered, warnings=warnings, irreversible=irreversible)


def _describe(rendered: RenderedRevision, versions: Mapping[str, str]) -> ImportedRevision:
    revision = rendered.revision
    return ImportedRevision(versions.get(revision.id, ""), revision.after, _sum_file(revision.path), rendered.digest)


def _sum_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _refuse_existing(files: Sequence[tuple[Path, str]]) -> None:
    """Raise FilesError if a file exists with another text; an interrupted import may have written some."""
    there = tuple(show_path(path) for path, text in files if path.exists() and path.read_bytes() != text.encode())
    if there:
        raise FilesError("these files exist with other contents:", there, hint="Move them away, and run the command again.")


def _show_plan(
    project: AlembicProject,
    folder: Path,
    rendered: Sequence[RenderedRevision],
    mapping: AlembicMapping,
    known: AlembicMapping,
    proof: ImportProof,
) -> AlembicImportPlanned:
    revisions = tuple(
        RevisionImported(
            each.revision.id,
            show_path(each.revision.path),
            mapping.revisions[each.revision.id].version,
            each.revision.id not in known.revisions,
            each.irreversible,
            each.warnings,
        )
        for each in rendered
    )
    others = _list_versions(folder) - {each.version for each in mapping.revisions.values()}
    warnings = (_OTHERS.format(number=len(others), folder=show_path(folder)),) if others and mapping != known else ()
    return AlembicImportPlanned(project.shown, revisions, proof.unproved, warnings)
