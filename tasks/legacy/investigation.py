"""Decide on scratch what becomes of each old file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tasks.legacy.downs import write_down
from tasks.legacy.judge import Judge
from tasks.legacy.model import Cleanup, Judged, LackingDown
from tasks.legacy.needs import find_platform_role
from tasks.legacy.neighbours import Neighbours, propose_folders
from tasks.legacy.ordering import ORDERS, Chosen, Order, Replays, choose_order, settle_dates
from tasks.legacy.proposal import propose_names
from tasks.legacy.reading.contents import OldTexts, read_texts
from tasks.legacy.reading.dates import FileDate, date_files
from tasks.legacy.reading.files import OldFile, list_ups
from tasks.legacy.reading.names import read_name
from tasks.legacy.verdicts import Classification, blank_records, find_records
from tasks.rehearsal.model import Outcome, RehearsedMigration, read_pair
from tasks.rehearsal.scratch import roles
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import FilesError
from tasks.runner.files.decoding import decode_source
from tasks.runner.files.versions import VERSION_PATTERN
from tasks.runner.ledger.renames import Renames, read_renames, read_targets

_REPEATABLE = "Flyway runs it after each change, and a migration runs once; if you need it, write one: inv db.new NAME"
_RUNS = 20_000
"""How many files are run in total to find an order, at most."""
_FEW_ORDERS = 4


def plan_cleanup(
    files: Sequence[OldFile],
    folder: Path,
    server: ScratchServer,
    *,
    sources: Sequence[Path] = (),
    write_downs: bool = False,
    timeout_s: float | None = None,
) -> Cleanup:
    """Decide on scratch what becomes of old files; the decisions of an interrupted run are kept.

    `sources` are the folders and files from which they were read.
    """
    decided = read_renames(folder, read_targets(folder))
    dates = date_files(files)
    known = [file for file in files if file.name.stem in decided.versions or file.name.stem in decided.superseded]
    if len(known) == len(files):
        return Cleanup(folder, tuple(_recall(file, dates[file.path], decided) for file in known))
    cleanup = _Investigation(server, files, folder, decided, timeout_s).run(dates, write_downs=write_downs)
    creators = dict.fromkeys(each.verdict.creator for each in cleanup.files if each.verdict.creator)
    return replace(cleanup, folders=propose_folders(creators, sources or [folder], folder))


class _Investigation:
    """Replays old files on scratch and classifies them."""

    def __init__(
        self, server: ScratchServer, files: Sequence[OldFile], folder: Path, decided: Renames, timeout_s: float | None
    ) -> None:
        self._server = server
        self._folder = folder
        # A file that is in up/ already keeps its version.
        kept = {
            file.name.stem for file in files if file.path.parent == folder / "up" and VERSION_PATTERN.fullmatch(file.path.stem)
        }
        self._given = {**decided.versions, **{name: name for name in kept}}
        self._timeout_s = timeout_s
        self._there = [path for path in list_ups(folder) if path not in {file.path for file in files}]
        self._migrations: dict[int, RehearsedMigration] = {}
        self._files: dict[int, OldFile] = {}
        self._texts: dict[int, OldTexts] = {}
        self._fixed: dict[int, Classification] = {}
        """The classifications that no replay decides; what these files would create must not help the others."""
        for index, path in enumerate(self._there):
            self._migrations[index] = _read_migration(OldFile(path, read_name(path.stem)), path.stem)
        for index, file in enumerate(files, len(self._there)):
            self._files[index] = file
            try:
                self._migrations[index] = _read_migration(file, file.name.stem)
                self._texts[index] = read_texts(file)
            except FilesError as error:
                self._fixed[index] = Classification("fails", f"is not an SQL file: {error.message.partition(chr(10))[0]}")
        self._fix()

    def _fix(self) -> None:
        """Classify the files that are not replayed: which cannot be split, run repeatedly, or belong to another platform."""
        known = {name for migration in self._migrations.values() for name in roles.find_created(migration.up)}
        administration = self._server.administer()
        known |= roles.list_roles(administration) - roles.list_usable(administration)
        for index, texts in self._texts.items():
            role = find_platform_role(self._migrations[index].up, known)
            if self._files[index].name.kind == "repeatable":
                self._fixed[index] = Classification("repeatable", _REPEATABLE)
            elif texts.fault:
                self._fixed[index] = Classification("fails", texts.fault)
            elif role is not None:
                reason = f"needs {role}, which {role.platform} has and no file creates"
                self._fixed[index] = Classification("needs", reason, need=role)

    def run(self, dates: Mapping[Path, FileDate], *, write_downs: bool) -> Cleanup:
        """Choose the order and classify each file in it."""
        default = self._order_by_name()
        replayed = frozenset(default)
        free = {index: file for index, file in self._files.items() if index in replayed and not self._recall_version(index)}
        limit = max(_FEW_ORDERS, min(ORDERS, _RUNS // max(len(default), 1)))
        with Replays(self._server, self._migrations, timeout_s=self._timeout_s) as replays:
            chosen = choose_order(replays.run, free, default, limit=limit)
            judge = self._make_judge(replays, exact=write_downs)
            verdicts = {**judge.judge(chosen), **self._fixed}
        lacking = dict.fromkeys(each.lack for outcome in judge.outcomes.values() for each in outcome.lacking)
        cleanup = replace(self._place(chosen, verdicts, dates), lacking=tuple(lacking))
        return self._add_downs(cleanup, chosen.order, judge.outcomes) if write_downs else cleanup

    def _make_judge(self, replays: Replays, *, exact: bool) -> Judge:
        fixed = [
            (self._files[index].name.stem, self._migrations[index].up, verdict)
            for index, verdict in self._fixed.items()
            if index in self._migrations
        ]
        neighbours = Neighbours(self._folder, self._files.values())
        return Judge(
            self._server,
            self._migrations,
            replays,
            fixed=fixed,
            outside=neighbours.find_creator,
            exact=exact,
            timeout_s=self._timeout_s,
        )

    def _add_downs(self, cleanup: Cleanup, order: Order, outcomes: Mapping[int, Outcome]) -> Cleanup:
        """Add a proposed down for each file without one, tried after the files that worked before it."""
        files = {each.file.path: each for each in cleanup.files}
        lacking: list[LackingDown] = []
        done: list[RehearsedMigration] = []
        for index in order:
            old = self._files.get(index)
            if outcomes[index].error is not None:
                continue
            if old and self._migrations[index].down is None and (judged := files[old.path]).version:
                down = write_down(self._server, done, outcomes[index], judged.version, timeout_s=self._timeout_s)
                files[old.path] = replace(judged, down=down.text, loses=down.loses)
                lacking += [LackingDown(judged.version, down.lack)] if down.lack else []
            done.append(self._migrations[index])
        return replace(cleanup, files=tuple(files.values()), no_downs=tuple(lacking))

    def _order_by_name(self) -> tuple[int, ...]:
        """Return the order: decided files by version, then the others by their names."""
        names = {index: path.stem for index, path in enumerate(self._there)}
        replayed = self._migrations.keys() - self._fixed.keys()
        names |= {index: self._recall_version(index) for index in self._files if index in replayed}
        fixed = sorted((version, index) for index, version in names.items() if version)
        free = [index for index, version in names.items() if not version]
        return (*(index for _, index in fixed), *sorted(free, key=lambda index: self._files[index].order))

    def _recall_version(self, index: int) -> str:
        return self._given.get(self._files[index].name.stem, "") if index in self._files else self._there[index].stem

    def _place(self, chosen: Chosen, verdicts: Mapping[int, Classification], dates: Mapping[Path, FileDate]) -> Cleanup:
        order = [index for index in (*chosen.order, *self._fixed) if index in self._files]
        kept = [self._files[index] for index in order if not verdicts[index].goes_aside and not verdicts[index].stops]
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
