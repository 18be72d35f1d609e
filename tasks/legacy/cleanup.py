"""Show what becomes of old files, and apply it on request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.checkout.writing import write_file
from tasks.legacy.apply import apply_proposal, refuse_linked
from tasks.legacy.events import CleanupFinished, CleanupPlanned, FileChanged, OldFileJudged
from tasks.legacy.model import Cleanup, Judged
from tasks.legacy.references import find_references
from tasks.rehearsal.lacks import compose_ways
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import FilesError
from tasks.runner.events import Event
from tasks.runner.files.checkout import show_path
from tasks.runner.files.versions import path_of


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """What a clean-up was started with: the arguments for its next command, and the sub-folders that it does not read."""

    apply: bool = False
    folders: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def clean_up(cleanup: Cleanup, server: ScratchServer, options: CleanupOptions) -> Iterator[Event]:
    """Yield what becomes of each file, and apply it if that is asked for.

    Raises FilesError, before anything is changed, if a file must be fixed first.
    """
    stopping = [each for each in cleanup.files if each.stops]
    if cleanup.files:
        yield _show_plan(cleanup, server)
    if options.apply and stopping:
        raise _refuse(cleanup, stopping, options)
    if options.apply and cleanup.files:
        refuse_linked(cleanup.proposal)
        # Before anything is moved, so that none is lost if the run is interrupted.
        yield from _write_downs(cleanup)
        for act in apply_proposal(cleanup.proposal):
            yield FileChanged(act.what, show_path(act.path))
    placed = sum(bool(each.version) and not each.stops for each in cleanup.files)
    aside = len(cleanup.files) - placed - len(stopping)
    following = "" if options.apply else _compose_next(cleanup, bool(stopping), options)
    yield CleanupFinished(placed, aside, len(stopping), options.apply, options.unread, following)


def _show_plan(cleanup: Cleanup, server: ScratchServer) -> CleanupPlanned:
    return CleanupPlanned(
        show_path(cleanup.folder),
        tuple(_show(each) for each in cleanup.files),
        cleanup.orders,
        server.version,
        server.without,
        tuple(each.version for each in cleanup.files if each.down),
        tuple(lack.version for lack in cleanup.no_downs),
        find_references(cleanup.proposal),
        tuple(map(str, cleanup.lacking)),
        compose_ways(cleanup.lacking, server.version, embedded=server.embedded) if cleanup.lacking else "",
        tuple(lack.reason for lack in cleanup.no_downs),
        tuple(f"{each.version}: {each.loses}" for each in cleanup.files if each.loses),
    )


def _refuse(cleanup: Cleanup, stopping: list[Judged], options: CleanupOptions) -> FilesError:
    waiting = sum(not each.faults for each in stopping)
    problems = [f"{show_path(each.file.path)}: {text}" for each in stopping for text in each.faults]
    if waiting:
        problems.append(f"{waiting} more file{'s' if waiting > 1 else ''} need{'' if waiting > 1 else 's'} what these create")
    hint = "Fix them, or put _ before the name of a file that is not needed: such files are ignored."
    if cleanup.folders:
        hint = f"Include the files that create it: {_compose(cleanup.folders, options, '--apply')}\n{hint}"
    return FilesError("fix these files first:", tuple(problems), hint=hint)


def _compose_next(cleanup: Cleanup, stops: bool, options: CleanupOptions) -> str:
    """Return the command to run next; empty if the files must be changed first."""
    if cleanup.folders:
        return _compose(cleanup.folders, options)
    return "" if stops else _compose(options.folders, options, "--apply")


def _compose(folders: tuple[str, ...], options: CleanupOptions, *more: str) -> str:
    named = [word for folder in folders for word in ("--folder", folder)]
    return compose_command("db.cleanup-legacy", *named, *options.flags, *more)


def _write_downs(cleanup: Cleanup) -> Iterator[Event]:
    for each in cleanup.files:
        path = path_of(cleanup.folder / "down", each.version) if each.down else None
        if path is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, each.down.encode(), within=cleanup.folder)
            yield FileChanged("wrote, for review,", show_path(path))


def _show(each: Judged) -> OldFileJudged:
    return OldFileJudged(
        show_path(each.file.path),
        "" if each.stops else each.version,
        f"{each.date.at:%Y-%m-%dT%H:%M:%SZ}",
        each.date.source,
        each.verdict.kind,
        each.verdict.reason,
        each.order,
        tuple(note for note in (each.note, *each.records, each.date.notice) if note),
        each.stops,
    )
