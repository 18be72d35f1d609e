"""Apply a proposal: write renames.toml first, then move each file and add its header.

There is no journal: each act looks at what is there and does what is missing, so that a run that was killed at any moment is
completed by the same command, and a second run changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.checkout.git import Repository
from tasks.checkout.writing import write_file
from tasks.legacy.headers import add_header, describe_version
from tasks.legacy.proposal import Placement, Proposal
from tasks.runner.errors import FilesError
from tasks.runner.files.checkout import show_path
from tasks.runner.ledger.renames import RENAMES_FILE, Renames, read_renames, write_renames

SUPERSEDED_FOLDER = "_superseded"
"""Where superseded files are moved; names that begin with _ are ignored by every run."""


@dataclass(frozen=True, slots=True)
class Act:
    """A change that was made to a file."""

    what: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Move:
    source: Path
    target: Path
    description: str = ""
    """The description in the header; empty for a file without a new header."""


def apply_proposal(proposal: Proposal) -> Iterator[Act]:
    """Apply a proposal and yield the changes that were needed.

    Raises FilesError, before anything is changed, for a file that is gone, or whose target exists.
    """
    moves = tuple(move for placement in proposal.placements for move in _plan_moves(proposal.folder, placement))
    _check_places(moves)
    path = proposal.folder / RENAMES_FILE
    text = write_renames(_merge_renames(proposal)).encode()
    if not path.exists() or path.read_bytes() != text:
        write_file(path, text)
        yield Act("wrote", path)
    for move in moves:
        yield from _apply_move(move)


def _plan_moves(folder: Path, placement: Placement) -> Iterator[_Move]:
    """Yield the moves of a placement, the down file first: a down file may not be left without its up file."""
    old = placement.file
    if not placement.version:
        yield from (_Move(path, folder / SUPERSEDED_FOLDER / path.name) for path in (old.down, old.path) if path)
        return
    name = f"{placement.version}.sql"
    # A file that keeps its name may be applied under it: a header would change its checksum.
    renamed = placement.version != old.name.stem
    if old.down:
        yield _Move(old.down, folder / "down" / name, describe_version(placement.version, undoes=True) if renamed else "")
    yield _Move(old.path, folder / "up" / name, describe_version(placement.version) if renamed else "")


def _check_places(moves: tuple[_Move, ...]) -> None:
    problems = []
    for move in moves:
        there, done = move.source.exists(), move.target.exists()
        if there and done and not move.source.samefile(move.target):
            problems.append(f"{show_path(move.source)}: {show_path(move.target)} exists already")
        elif not there and not done:
            problems.append(f"{show_path(move.source)}: is gone")
    if problems:
        raise FilesError(
            "these files cannot be moved:", tuple(problems), hint="Check the folder, then run the command again without --apply."
        )


def _apply_move(move: _Move) -> Iterator[Act]:
    """Add the header of a file and move it, unless that is done; the header first, so that a file in its place is complete."""
    repository = Repository(_find_folder(move.source))
    path = move.source if move.source.exists() else move.target
    if move.description:
        data = path.read_bytes()
        complete = add_header(data, move.target.stem, move.description)
        if complete != data:
            write_file(path, complete)
            yield Act("wrote the header of", path)
    if move.source == move.target:
        return
    if move.source.exists():
        move.target.parent.mkdir(parents=True, exist_ok=True)
        if repository.tracks(move.source):
            repository.move(move.source, move.target)
        else:
            move.source.rename(move.target)
        yield Act("moved", move.target)
    elif repository.tracks(move.source):
        repository.record_move(move.source, move.target)
        yield Act("recorded the move of", move.target)


def _merge_renames(proposal: Proposal) -> Renames:
    """Return the earlier renames with those of the proposal."""
    folder = proposal.folder
    planned = {placement.version for placement in proposal.placements}
    there = {path.stem for path in (folder / "up").glob("*.sql")}
    before = read_renames(folder, planned | there)
    headers = dict(before.headers)
    for placement in proposal.placements:
        pair = _sum_header(placement)
        if pair:
            headers[placement.file.name.stem] = pair
    return replace(
        before,
        versions={**before.versions, **proposal.renames},
        headers=headers,
        superseded={**before.superseded, **proposal.superseded},
    )


def _sum_header(placement: Placement) -> tuple[str, str] | None:
    """Return the checksums of a file before and after its header, None if they do not differ or it was moved."""
    old, version = placement.file, placement.version
    if not version or version == old.name.stem or not old.path.exists():
        return None
    data = old.path.read_bytes()
    complete = add_header(data, version, describe_version(version))
    return None if complete == data else (hashlib.sha256(data).hexdigest(), hashlib.sha256(complete).hexdigest())


def _find_folder(path: Path) -> Path:
    """Return the nearest existing folder above a file: git keeps no empty ones."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())
