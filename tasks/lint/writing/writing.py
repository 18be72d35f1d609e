"""Replace pending files by their safe migrations, which are proved on scratch before anything is written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tasks.checkout.writing import refuse_links, write_file
from tasks.lint.engine import LintKnowledge, build_contexts, check_file
from tasks.lint.events import LintKept, LintRewritten
from tasks.lint.files import read_file
from tasks.lint.model import LintedFile, SafeFile
from tasks.lint.replaying import replay_files
from tasks.lint.rewriting import NotRewritableError, rewrite_file
from tasks.lint.writing.missing_downs import write_missing_downs
from tasks.lint.writing.proving import prove
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.rehearsal.selection import Selection
from tasks.runner.errors import Place, RefusedError, RunnerError
from tasks.runner.events import Event
from tasks.runner.files.checkout import Migrations, show_path
from tasks.runner.files.versions import next_timestamp

_UNCHANGED = "Nothing was written."
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMP = 14


@dataclass(frozen=True, slots=True)
class PlannedRewrite:
    """The files that replace a pending file, each with its version; the first one has that of the file."""

    version: str
    shown: str
    replaced: str
    """The text of the file."""
    files: tuple[tuple[str, SafeFile], ...]


@dataclass(frozen=True, slots=True)
class PlannedRewrites:
    """The files that are replaced, and those that are kept, each with the reason."""

    rewrites: tuple[PlannedRewrite, ...] = ()
    kept: tuple[LintKept, ...] = ()


def refuse_applied(selection: Selection, versions: Collection[str], applied: Mapping[str, Collection[str]]) -> None:
    """Raise RefusedError for a file to replace that an environment has applied; `applied` are the versions by environment."""
    for migration in selection.list_chosen():
        names = [name for name, there in applied.items() if migration.name in there]
        if migration.name in versions and names:
            raise RefusedError(
                f"{migration.shown or migration.name} is applied in {', '.join(names)}, and an applied file must not change",
                hint="Undo it there first, or write the change as a new migration: inv db.new",
                state=_UNCHANGED,
                place=Place(migration.shown or migration.name),
            )


def plan_rewrites(
    server: ScratchServer,
    selection: Selection,
    known: LintKnowledge,
    applied: Mapping[str, Collection[str]],
    *,
    timeout_s: float | None = None,
) -> PlannedRewrites:
    """Return what replaces the chosen files with findings, proved on scratch.

    Raises RefusedError as `refuse_applied` does, and RunnerError if a safe migration does not prove to be one.
    """
    files = [file for file in map(_read, selection.list_chosen()) if file is not None]
    checked = [(context, check_file(context, {}).findings) for context in build_contexts(files, known)]
    found = [(context, findings) for context, findings in checked if findings]
    refuse_applied(selection, {context.file.version for context, _ in found}, applied)
    current, rewrites, kept = selection, [], []
    for context, findings in found:
        version = context.file.version
        try:
            safe = rewrite_file(context, findings)
            base = current.list_before(version)
            safe = write_missing_downs(server, base, version, safe, timeout_s=timeout_s)
        except NotRewritableError as error:
            kept.append(LintKept(version, context.file.shown, str(error)))
            continue
        names = [each.name for each in current.migrations]
        planned = PlannedRewrite(version, context.file.shown, context.file.text, _name(version, safe, names))
        current = _replace_and_prove(server, current, planned, timeout_s)
        rewrites.append(planned)
    _check_clean(server, current, rewrites, known, timeout_s)
    return PlannedRewrites(tuple(rewrites), tuple(kept))


def _read(migration: RehearsedMigration) -> LintedFile | None:
    """Return a file, or None for one that cannot be read, which is a finding."""
    with suppress(RunnerError):
        return read_file(migration)
    return None


def _name(version: str, files: Sequence[SafeFile], versions: Sequence[str]) -> tuple[tuple[str, SafeFile], ...]:
    """Return the versions of the files: in the seconds after the first if these are free, else after all versions."""
    after = min((each[:_TIMESTAMP] for each in versions if each > version), default="")
    stamps = _count_on(version, len(files) - 1)
    if after and stamps and stamps[-1] >= after:
        stamps = _count_on(max(versions), len(files) - 1)
    names = [version, *(f"{stamp}_{file.description}" for stamp, file in zip(stamps, files[1:], strict=True))]
    return tuple(zip(names, files, strict=True))


def _count_on(version: str, count: int) -> list[str]:
    """Return the timestamps that follow that of a version."""
    stamps = [version[:_TIMESTAMP]]
    for _ in range(count):
        stamps.append(next_timestamp(_EARLIEST, stamps[-1]))
    return stamps[1:]


def _make_migrations(planned: PlannedRewrite) -> list[RehearsedMigration]:
    return [
        RehearsedMigration(
            version,
            _add_name(version, file.up) if number else file.up,
            _add_name(version, file.down) if number else file.down,
            f"{planned.shown} (part {number + 1})" if number else planned.shown,
            after_deploy="-- migrate: after-deploy" in file.up,
        )
        for number, (version, file) in enumerate(planned.files)
    ]


def _add_name(version: str, text: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"-- Migration: {version}.sql{newline}{text}"


def _replace_and_prove(
    server: ScratchServer, selection: Selection, planned: PlannedRewrite, timeout_s: float | None
) -> Selection:
    """Return the selection with the new files; raises RunnerError if they are not proved to be safe ones."""
    made = _make_migrations(planned)
    replaced = next(each for each in selection.migrations if each.name == planned.version)
    following = [each for each in selection.migrations if each.name > planned.version]
    try:
        prove(server, selection.list_before(planned.version), replaced, made, following, timeout_s=timeout_s)
    except NotRewritableError as error:
        raise RunnerError(
            f"the safe migration for {planned.shown} does not prove to be one: {error}",
            hint="Write it by hand: inv db.lint prints the safe migration of each finding.",
            state=_UNCHANGED,
            place=Place(planned.shown),
        ) from error
    migrations = sorted([*(each for each in selection.migrations if each != replaced), *made], key=lambda each: each.name)
    chosen = sorted({*selection.chosen, *(each.name for each in made)})
    return replace(selection, migrations=tuple(migrations), chosen=tuple(chosen))


def _check_clean(
    server: ScratchServer,
    selection: Selection,
    rewrites: Sequence[PlannedRewrite],
    known: LintKnowledge,
    timeout_s: float | None,
) -> None:
    """Raise RunnerError if a lint of the new files finds something."""
    versions = {version for planned in rewrites for version, _ in planned.files}
    if not versions:
        return
    fresh = replay_files(server, selection, timeout_s=timeout_s)
    fresh = replace(fresh, numbers=known.numbers, pending=known.pending, server_version=known.server_version)
    files = [file for file in map(_read, selection.list_chosen()) if file is not None]
    for context in build_contexts(files, fresh):
        findings = check_file(context, {}).findings if context.file.version in versions else []
        if findings:
            first = findings[0]
            raise RunnerError(
                f"the safe migration does not lint clean: {first.file}:{first.line}: {first.rule}: {first.message}",
                hint="Write it by hand: inv db.lint prints the safe migration of each finding.",
                state=_UNCHANGED,
                place=Place(first.file, first.line),
            )


def write_rewrites(migrations: Migrations, planned: PlannedRewrites) -> Iterator[Event]:
    """Write the files, the first of each migration last, so that no statement is lost if the process is killed.

    Raises RefusedError for a flat folder, which has no place for down files, and for a file that is reached through a link.
    """
    yield from planned.kept
    if planned.rewrites and migrations.flat:
        raise RefusedError(
            f"{show_path(migrations.folder)} has no up/ and down/",
            hint="Clean it up first: inv db.cleanup-legacy",
            state=_UNCHANGED,
        )
    for rewrite in planned.rewrites:
        texts = [
            (path, text)
            for made in reversed(_make_migrations(rewrite))
            for path, text in ((migrations.down_path(made.name), made.down or ""), (migrations.up_path(made.name), made.up))
        ]
        refuse_links([path for path, _ in texts], migrations.folder)
        _refuse_change(migrations, rewrite)
        for path, text in texts:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, text.encode(), within=migrations.folder)
        yield LintRewritten(rewrite.version, rewrite.shown, tuple(version for version, _ in rewrite.files))


def _refuse_change(migrations: Migrations, rewrite: PlannedRewrite) -> None:
    """Raise RefusedError if the bytes of a file are not those of the text that was rewritten."""
    if migrations.up_path(rewrite.version).read_bytes() != rewrite.replaced.encode():
        raise RefusedError(
            f"{rewrite.shown} is not in UTF-8, or has changed since it was read",
            hint="Save it in UTF-8, and run the same command again.",
            state="This file was not changed.",
            place=Place(rewrite.shown),
        )
