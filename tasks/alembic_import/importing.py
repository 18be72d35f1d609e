"""Import the revisions of Alembic: render them, prove the files on scratch, then write all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.alembic_import.events import AlembicImportFinished, AlembicImportPlanned, RevisionImported
from tasks.alembic_import.graph import name_versions
from tasks.alembic_import.places import AlembicProject
from tasks.alembic_import.proof import ImportProof, RevisionStep, find_unrepeatable, prove
from tasks.alembic_import.rendering import render_project, sum_file
from tasks.alembic_import.texts import RenderedRevision, compose_down, compose_up
from tasks.checkout.writing import refuse_links, write_file
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError, UsageError
from tasks.runner.events import Event
from tasks.runner.files.checkout import read_migrations, show_path
from tasks.runner.files.versions import path_of
from tasks.runner.ledger.alembic import ALEMBIC_FILE, AlembicMapping, ImportedRevision, read_mapping, write_mapping

_STATE = "Nothing was written."
_ONCE = "after its downgrade, the upgrade gets other answers than where it was recorded"
_OTHERS = "{folder} has {number} other migrations: the proof is without them, and all run in the order of their timestamps"


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


def plan_import(
    project: AlembicProject, folder: Path, server: ScratchServer, *, records: Sequence[str] = (), timeout_s: float = 600
) -> PlannedImport:
    """Return the files that the revisions of a project become, proved on scratch.

    Those in `records`, or each if it contains `all`, become what Alembic runs on scratch. Raises RefusedError if another revision
    cannot be rendered, and for one that fails, has another result than in Alembic, or was edited since it was imported.
    """
    known = read_mapping(folder) or AlembicMapping()
    rendered, table = render_project(server, project, known, records, timeout_s=timeout_s)
    _refuse_edited(rendered, known)
    versions = _choose_versions(folder, rendered, known)
    steps = [_make_step(each, versions) for each in rendered]
    new = [each for each in rendered if each.revision.id not in known.revisions]
    proof = prove(server, project, steps, schema=table.schema, timeout_s=timeout_s) if new else ImportProof()
    once = find_unrepeatable(server, steps, timeout_s=timeout_s) if new else frozenset()
    rendered = tuple(_judge_down(each, proof, once) for each in rendered)
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


def _refuse_edited(rendered: Sequence[RenderedRevision], known: AlembicMapping) -> None:
    edited = tuple(
        f"{each.revision.shown}, imported as {before.version or 'no file, because it had no statement'}"
        for each in rendered
        if (before := known.revisions.get(each.revision.id))
        and before.source != sum_file(each.revision.path)
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


def _judge_down(rendered: RenderedRevision, proof: ImportProof, once: frozenset[str]) -> RenderedRevision:
    """Return a revision with what the proof found; a downgrade that does nothing cannot undo a change of the schema."""
    warnings = (*rendered.warnings, *proof.warnings.get(rendered.revision.id, ()))
    irreversible = rendered.irreversible
    if not rendered.is_empty and not rendered.down and not irreversible and rendered.revision.id not in proof.without_schema:
        irreversible = "the downgrade of the revision has no operations"
    if rendered.revision.id in once:
        irreversible = _ONCE
    irreversible = proof.irreversible.get(rendered.revision.id, irreversible)
    return replace(rendered, warnings=warnings, irreversible=irreversible)


def _describe(rendered: RenderedRevision, versions: Mapping[str, str]) -> ImportedRevision:
    revision = rendered.revision
    version, source = versions.get(revision.id, ""), sum_file(revision.path)
    return ImportedRevision(version, revision.after, source, rendered.digest, rendered.recorded)


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
