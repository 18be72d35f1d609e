"""Clean up a folder of old files: decide on scratch what becomes of each, show it, and apply it on request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.checkout.writing import write_file
from tasks.legacy.apply import apply_proposal, refuse_linked
from tasks.legacy.contents import OldTexts, contains_both_directions, read_texts
from tasks.legacy.dates import FileDate, date_files
from tasks.legacy.downs import write_down
from tasks.legacy.events import CleanupFinished, CleanupPlanned, FileChanged, OldFileJudged
from tasks.legacy.files import OldFile, list_sql, read_old_files
from tasks.legacy.folders import count_unread, list_folders
from tasks.legacy.judge import Judge
from tasks.legacy.names import read_name
from tasks.legacy.ordering import Chosen, Order, Replays, choose_order, settle_dates
from tasks.legacy.proposal import Placement, Proposal, propose_names
from tasks.legacy.verdicts import Classification, blank_records, find_records
from tasks.rehearsal.model import Outcome, RehearsedMigration, read_pair
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError, UsageError
from tasks.runner.events import Event
from tasks.runner.files.checkout import show_path
from tasks.runner.files.decoding import decode_source
from tasks.runner.files.versions import VERSION_PATTERN, path_of
from tasks.runner.ledger.renames import Renames, read_renames, read_targets

_REPEATABLE = "Flyway runs it after each change, and a migration runs once; if you need it, write one: inv db.new NAME"
SCRIPTS = "scripts"
"""The folder beside the migrations in which a project keeps SQL that people ran by hand."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The classification of an old file; `version` is empty if it gets none."""

    file: OldFile
    date: FileDate
    verdict: Classification
    version: str = ""
    order: str = ""
    down: str = ""
    """The proposed down of a file without one."""
    records: tuple[str, ...] = ()
    """The statements that record the file in a ledger, which no run accepts."""
    note: str = ""
    """What is done with the text of the file."""

    @property
    def faults(self) -> tuple[str, ...]:
        """Return what must be fixed in the file before the proposal can be applied."""
        return (*((self.verdict.reason,) if self.verdict.kind == "fails" else ()), *self.records)


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What becomes of all old files, in the order in which they run."""

    folder: Path
    files: tuple[Judged, ...]
    orders: int = 0
    no_downs: tuple[str, ...] = ()
    """The versions for which no down was found, if downs were to be written."""

    @property
    def proposal(self) -> Proposal:
        """Return the proposal to apply."""
        return Proposal(self.folder, tuple(Placement(each.file, each.version, each.verdict.reason) for each in self.files))


def find_old_files(named: Sequence[str], migrations: Path) -> tuple[OldFile, ...]:
    """Read the old files of the named folders and files, by default those of the migrations folder and scripts/.

    Raises UsageError for a missing folder or file, and FilesError for files that cannot be part of a history.
    """
    paths = [Path(name) for name in named]
    scripts = migrations.parent / SCRIPTS
    if not paths:
        paths = [migrations, *([scripts] if scripts.is_dir() and list_sql(scripts) else [])]
    absent = [show_path(path) for path in paths if not path.exists()]
    if absent:
        raise UsageError(
            f"there is no {' and no '.join(absent)}",
            hint="Name the folder of the old files with --folder.",
            state="Nothing was changed.",
        )
    folders = [path for path in paths if path.is_dir()]
    files = [path for path in paths if not path.is_dir()]
    files += [path for folder in folders[1:] for path in list_sql(folder)]
    more = [file for folder in folders for file in list_folders(folder)]
    if migrations in folders:
        # Files of another tool that were copied to up/ as they are.
        more += [OldFile(path, read_name(path.stem)) for path in _list_ups(migrations) if contains_both_directions(path)]
    return read_old_files(folders[0] if folders else migrations, *files, more=more)


def _list_ups(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "up").glob("*.sql") if path.is_file())


def count_unread_sql(named: Sequence[str], migrations: Path, files: Iterable[OldFile]) -> tuple[str, ...]:
    """Return the sub-folders with SQL that is not part of the clean-up, each with the number of files."""
    folders = [Path(name) for name in named] or [migrations, migrations.parent / SCRIPTS]
    counts = count_unread([path for path in folders if path.is_dir()], files)
    return tuple(f"{show_path(place)} ({number} SQL file{'s' if number > 1 else ''})" for place, number in sorted(counts.items()))


def plan_cleanup(
    files: Sequence[OldFile], folder: Path, server: ScratchServer, *, write_downs: bool = False, timeout_s: float | None = None
) -> Cleanup:
    """Decide on scratch what becomes of old files; the decisions of an interrupted run are kept."""
    decided = read_renames(folder, read_targets(folder))
    dates = date_files(files)
    known = [file for file in files if file.name.stem in decided.versions or file.name.stem in decided.superseded]
    if len(known) == len(files):
        return Cleanup(folder, tuple(_recall(file, dates[file.path], decided) for file in known))
    return _Investigation(server, files, folder, decided, timeout_s).run(dates, write_downs=write_downs)


def clean_up(cleanup: Cleanup, server: ScratchServer, *, apply: bool, unread: tuple[str, ...] = ()) -> Iterator[Event]:
    """Yield what becomes of each file, and apply it if `apply` is set.

    Raises FilesError, before anything is changed, if a file must be fixed first.
    """
    stopping = [each for each in cleanup.files if each.faults]
    if cleanup.files:
        shown = tuple(_show(each) for each in cleanup.files)
        downs = tuple(each.version for each in cleanup.files if each.down)
        yield CleanupPlanned(
            show_path(cleanup.folder), shown, cleanup.orders, server.version, server.without, downs, cleanup.no_downs
        )
    if apply and stopping:
        raise FilesError(
            "fix these files first:",
            tuple(f"{show_path(each.file.path)}: {text}" for each in stopping for text in each.faults),
            hint="Fix them, or put _ before the name of a file that is not needed: such files are ignored.",
        )
    if apply and cleanup.files:
        refuse_linked(cleanup.proposal)
        # Before anything is moved, so that none is lost if the run is interrupted.
        yield from _write_downs(cleanup)
        for act in apply_proposal(cleanup.proposal):
            yield FileChanged(act.what, show_path(act.path))
    placed = sum(bool(each.version) and not each.faults for each in cleanup.files)
    yield CleanupFinished(placed, len(cleanup.files) - placed - len(stopping), len(stopping), apply, unread)


def _write_downs(cleanup: Cleanup) -> Iterator[Event]:
    for each in cleanup.files:
        path = path_of(cleanup.folder / "down", each.version) if each.down else None
        if path is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_file(path, each.down.encode(), within=cleanup.folder)
            yield FileChanged("wrote, for review,", show_path(path))


class _Investigation:
    """Replays old files on scratch and classifies them."""

    def __init__(
        self, server: ScratchServer, files: Sequence[OldFile], folder: Path, decided: Renames, timeout_s: float | None
    ) -> None:
        self._server = server
        self._folder = folder
        # A file that is in up/ already keeps its version.
        kept = {file.name.stem: file.name.stem for file in files if file.path.parent == folder / "up"}
        self._given = {**decided.versions, **kept}
        self._timeout_s = timeout_s
        self._there = [path for path in _list_ups(folder) if path not in {file.path for file in files}]
        self._migrations: dict[int, RehearsedMigration] = {}
        self._files: dict[int, OldFile] = {}
        self._texts: dict[int, OldTexts] = {}
        self._unreadable: dict[int, Classification] = {}
        for index, path in enumerate(self._there):
            self._migrations[index] = _read_migration(OldFile(path, read_name(path.stem)), path.stem)
        for index, file in enumerate(files, len(self._there)):
            self._files[index] = file
            try:
                self._migrations[index] = _read_migration(file, file.name.stem)
                self._texts[index] = read_texts(file)
            except FilesError as error:
                self._unreadable[index] = Classification("fails", f"is not an SQL file: {error.message.partition(chr(10))[0]}")

    def run(self, dates: Mapping[Path, FileDate], *, write_downs: bool) -> Cleanup:
        """Choose the order and classify each file in it."""
        default = self._order_by_name()
        free = {
            index: file for index, file in self._files.items() if index in self._migrations and not self._recall_version(index)
        }
        with Replays(self._server, self._migrations, timeout_s=self._timeout_s) as replays:
            chosen = choose_order(replays.run, free, default)
            judge = Judge(self._server, self._migrations, replays, timeout_s=self._timeout_s)
            verdicts = {**judge.judge(chosen), **self._list_fixed()}
        cleanup = self._place(chosen, verdicts, dates)
        return self._add_downs(cleanup, chosen.order, judge.outcomes) if write_downs else cleanup

    def _list_fixed(self) -> dict[int, Classification]:
        """Return the classifications that no replay decides."""
        faults = {index: Classification("fails", texts.fault) for index, texts in self._texts.items() if texts.fault}
        repeatable = {
            index: Classification("repeatable", _REPEATABLE)
            for index, file in self._files.items()
            if file.name.kind == "repeatable"
        }
        return {**repeatable, **faults, **self._unreadable}

    def _add_downs(self, cleanup: Cleanup, order: Order, outcomes: Mapping[int, Outcome]) -> Cleanup:
        """Add a proposed down for each file without one, tried after the files that worked before it."""
        files = {each.file.path: each for each in cleanup.files}
        lacking: list[str] = []
        done: list[RehearsedMigration] = []
        for index in order:
            old = self._files.get(index)
            if outcomes[index].error is not None:
                continue
            if old and self._migrations[index].down is None and (judged := files[old.path]).version:
                down = write_down(self._server, done, outcomes[index], judged.version, timeout_s=self._timeout_s)
                files[old.path] = replace(judged, down=down)
                lacking += [] if down else [judged.version]
            done.append(self._migrations[index])
        return replace(cleanup, files=tuple(files.values()), no_downs=tuple(lacking))

    def _order_by_name(self) -> tuple[int, ...]:
        """Return the order: decided files by version, then the others by their names."""
        names = {index: path.stem for index, path in enumerate(self._there)}
        names |= {index: self._recall_version(index) for index in self._files if index in self._migrations}
        fixed = sorted((version, index) for index, version in names.items() if version)
        free = [index for index, version in names.items() if not version]
        return (*(index for _, index in fixed), *sorted(free, key=lambda index: self._files[index].order))

    def _recall_version(self, index: int) -> str:
        return self._given.get(self._files[index].name.stem, "") if index in self._files else self._there[index].stem

    def _place(self, chosen: Chosen, verdicts: Mapping[int, Classification], dates: Mapping[Path, FileDate]) -> Cleanup:
        order = [index for index in (*chosen.order, *self._unreadable) if index in self._files]
        kept = [self._files[index] for index in order if not verdicts[index].goes_aside and verdicts[index].kind != "fails"]
        taken = [path.stem for path in self._there]
        settled = settle_dates([self._files[index] for index in order], dates)
        newest = max(taken, default="")
        floor = {path: _raise_date(date, newest) for path, date in settled.items()}
        versions = propose_names(kept, floor, taken=taken, given=self._given)
        judged = []
        for index in order:
            file = self._files[index]
            version = versions.get(file.path, "")
            records = tuple(_describe_records(self._read_text(index), version)) if version else ()
            reason = chosen.reasons.get(index, "") if version else ""
            note = self._texts[index].note if version and index in self._texts else ""
            judged.append(Judged(file, dates[file.path], verdicts[index], version, reason, records=records, note=note))
        return Cleanup(self._folder, tuple(judged), chosen.tried)

    def _read_text(self, index: int) -> str:
        return decode_source(self._texts[index].up, "").text if index in self._texts else ""


def _read_migration(file: OldFile, name: str) -> RehearsedMigration:
    pair = read_pair(name, file.path, file.down)
    texts = read_texts(file)
    down = None if texts.down is None else decode_source(texts.down, pair.shown_down or pair.shown).text
    return replace(pair, up=blank_records(decode_source(texts.up, pair.shown).text), down=down)


def _recall(file: OldFile, date: FileDate, decided: Renames) -> Judged:
    version = decided.versions.get(file.name.stem, "")
    if version:
        return Judged(file, date, Classification("works", "decided before, in renames.toml"), version)
    return Judged(file, date, Classification("superseded", decided.superseded[file.name.stem]))


def _raise_date(date: FileDate, newest: str) -> FileDate:
    """Return a date for a file after the existing migrations: new files run after them."""
    if not VERSION_PATTERN.fullmatch(newest):
        return date
    last = datetime.strptime(newest[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return replace(date, at=max(date.at, last + timedelta(seconds=1)))


def _describe_records(text: str, version: str) -> Iterator[str]:
    """Yield the statements that record a file under a name that a run refuses."""
    for line, record in find_records(text):
        if f"'{version}'" in record and "version" in record.lower():
            continue
        yield f"line {line} writes into schema_migrations, which a run would refuse: delete it, a run records each file itself"


def _show(each: Judged) -> OldFileJudged:
    return OldFileJudged(
        show_path(each.file.path),
        "" if each.faults else each.version,
        f"{each.date.at:%Y-%m-%dT%H:%M:%SZ}",
        each.date.source,
        each.verdict.kind,
        each.verdict.reason,
        each.order,
        tuple(note for note in (each.note, *each.records, each.date.notice) if note),
        bool(each.faults),
    )
