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
from tasks.checkout.writing import refuse_links, write_file
from tasks.legacy.headers import add_header, describe_version
from tasks.legacy.proposal import Placement, Proposal
from tasks.legacy.reading.contents import OldTexts, read_down, read_texts
from tasks.legacy.reading.files import OldFile
from tasks.runner.errors import FilesError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.versions import path_of
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
    old: OldFile | None = None
    """The old file of which the texts come; None for a file that is moved as it is."""
    is_down: bool = False

    @property
    def is_section(self) -> bool:
        """Return True if the target is written from a section of the source, which another move puts in its place."""
        return self.is_down and self.old is not None and self.source == self.old.path

    def complete(self, texts: OldTexts) -> bytes:
        """Return the bytes of the target."""
        data = (texts.down or b"") if self.is_down else texts.up
        return add_header(data, self.target.stem, self.description) if self.description else data


def apply_proposal(proposal: Proposal) -> Iterator[Act]:
    """Apply a proposal and yield the changes that were needed.

    Raises FilesError, before anything is changed, for a file that is gone, or whose target exists, and RefusedError for a link.
    """
    refuse_linked(proposal)
    moves = _list_moves(proposal)
    _check_places(moves)
    path = proposal.folder / RENAMES_FILE
    text = write_renames(_merge_renames(proposal)).encode()
    if not path.exists() or path.read_bytes() != text:
        write_file(path, text, within=proposal.folder)
        yield Act("wrote", path)
    for move in moves:
        yield from _apply_move(move)


def refuse_linked(proposal: Proposal) -> None:
    """Raise RefusedError if a file would be written or moved through a link."""
    folder, moves = proposal.folder, _list_moves(proposal)
    refuse_links([folder / RENAMES_FILE, *(move.target for move in moves)], folder)
    for move in moves:
        refuse_links([move.source], folder if folder in move.source.parents else move.source.parent.parent)


def _list_moves(proposal: Proposal) -> tuple[_Move, ...]:
    return tuple(move for placement in proposal.placements for move in _plan_moves(proposal.folder, placement))


def _plan_moves(folder: Path, placement: Placement) -> Iterator[_Move]:
    """Yield the moves of a placement, the down file first: a down file may not be left without its up file."""
    old = placement.file
    if not placement.version:
        for path, ending in ((old.down, ".down.sql"), (old.path, ".sql")):
            if path:
                yield _Move(path, folder / SUPERSEDED_FOLDER / (f"{old.name.stem}{ending}" if old.has_folder else path.name))
        return
    # A file that keeps its name may be applied under it: a header would change its checksum.
    renamed = placement.version != old.name.stem
    undoes = describe_version(placement.version, undoes=True) if renamed else ""
    if old.down or (old.path.exists() and read_texts(old).down is not None):
        yield _Move(old.down or old.path, path_of(folder / "down", placement.version), undoes, old, is_down=True)
    header = describe_version(placement.version) if renamed else ""
    yield _Move(old.path, path_of(folder / "up", placement.version), header, old)


def _check_places(moves: tuple[_Move, ...]) -> None:
    problems = []
    for move in moves:
        there, done = move.source.exists(), move.target.exists()
        if move.is_section and move.old:
            # Written by an interrupted run, or by another tool.
            there = there and done and move.target.read_bytes() != move.complete(read_texts(move.old))
            done = done or not there
        if there and done and not move.source.samefile(move.target):
            problems.append(f"{show_path(move.source)}: {show_path(move.target)} exists already")
        elif not there and not done:
            problems.append(f"{show_path(move.source)}: is gone")
    if problems:
        raise FilesError(
            "these files cannot be moved:", tuple(problems), hint="Check the folder, then run the command again without --apply."
        )


def _apply_move(move: _Move) -> Iterator[Act]:
    """Write the text of a file and move it, unless that is done; the text first, so that a file in its place is complete."""
    repository = Repository(_find_folder(move.source))
    if move.is_section:
        yield from _write_section(move)
        return
    path = move.source if move.source.exists() else move.target
    if move.old is not None:
        data = path.read_bytes()
        texts = read_down(move.old, data) if move.is_down else read_texts(replace(move.old, path=path, down=None))
        complete = move.complete(texts)
        if complete != data:
            write_file(path, complete)
            yield Act("wrote the up section of" if texts.split and not move.is_down else "wrote the header of", path)
    if move.source == move.target:
        return
    if move.source.exists():
        move.target.parent.mkdir(parents=True, exist_ok=True)
        if repository.tracks(move.source):
            repository.move(move.source, move.target)
        else:
            move.source.rename(move.target)
        if move.old is not None and move.old.has_folder and not any(move.source.parent.iterdir()):
            move.source.parent.rmdir()
        yield Act("moved", move.target)
    elif repository.tracks(move.source):
        repository.record_move(move.source, move.target)
        yield Act("recorded the move of", move.target)


def _write_section(move: _Move) -> Iterator[Act]:
    """Write the down section of a file that has both, before the file is reduced to its up section."""
    if move.old is None or not move.source.exists():
        return
    complete = move.complete(read_texts(move.old))
    if not move.target.exists():
        move.target.parent.mkdir(parents=True, exist_ok=True)
        write_file(move.target, complete)
        yield Act("wrote the down section into", move.target)


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
    complete = add_header(read_texts(old).up, version, describe_version(version))
    return None if complete == data else (hashlib.sha256(data).hexdigest(), hashlib.sha256(complete).hexdigest())


def _find_folder(path: Path) -> Path:
    """Return the nearest existing folder above a file: git keeps no empty ones."""
    return next(parent for parent in path.absolute().parents if parent.is_dir())
