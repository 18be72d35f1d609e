"""The revisions of Alembic in one line: their order, and the versions that they become."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasks.runner.errors import FilesError, UsageError
from tasks.runner.files.checkout import show_path
from tasks.runner.files.versions import newest_timestamp, next_timestamp, to_snake_case

_CREATED = re.compile(r"^Create Date:\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?[+-]\d\d:?\d\d|Z)?)", re.MULTILINE)
_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_]?(\d\d)[-_]?(\d\d)(?:[-_T]?(\d\d)[-_]?(\d\d)(?:[-_]?(\d\d))?)?(?!\d)")
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""The date of a first revision without one."""
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class AlembicRevision:
    """A revision: its id, the revisions that come directly before it, its file, and its description."""

    id: str
    after: tuple[str, ...]
    path: Path
    doc: str = ""
    created: datetime | None = None

    @property
    def shown(self) -> str:
        """Return the revision with its file, to print."""
        return f"{self.id} ({show_path(self.path)})"


def read_revisions(answers: Iterable[Mapping[str, Any]]) -> tuple[AlembicRevision, ...]:
    """Return the revisions that Alembic found."""
    return tuple(
        AlembicRevision(
            each["revision"],
            tuple(each["after"]),
            Path(each["path"]),
            each["doc"],
            _read_date(each["text"], Path(each["path"]).stem),
        )
        for each in answers
    )


def arrange(revisions: Iterable[AlembicRevision], known: Sequence[str] = ()) -> tuple[AlembicRevision, ...]:
    """Return revisions in an order in which each comes after those before it: of several, the one that was created first.

    The `known` ones come first, in their order. Raises FilesError if a new one belongs between these, or if one of these is gone.
    """
    by_id = {each.id: each for each in revisions}
    _refuse_gone([name for name in known if name not in by_id])
    placed = dict.fromkeys(known)
    for name in known:
        inserted = [before for before in by_id[name].after if before not in placed]
        if inserted:
            raise FilesError(
                "a revision was inserted before one that is imported already:",
                tuple(f"{by_id[before].shown} is before {by_id[name].shown}" for before in inserted),
                hint="Databases have the later one without it. Write what it does as a new revision after the last one.",
            )
    left = {name: each for name, each in by_id.items() if name not in placed}
    while left:
        ready = [each for each in left.values() if all(before in placed for before in each.after)]
        chosen = min(ready, key=lambda each: (each.created or _EARLIEST, each.path.name, each.id))
        placed[chosen.id] = None
        del left[chosen.id]
    return tuple(by_id[name] for name in placed)


def _refuse_gone(gone: Sequence[str]) -> None:
    if gone:
        raise FilesError(
            "these revisions are imported already, and Alembic has them no more:",
            tuple(gone),
            hint="Name the folder that has them with --versions. If they were squashed into one revision, do not import it:\n"
            "the migrations that exist do what it does.",
        )


def name_versions(revisions: Sequence[AlembicRevision], known: Mapping[str, str], taken: Iterable[str]) -> dict[str, str]:
    """Return the version of each revision: its date, or the second after the version before if that is not earlier.

    The `known` ones keep theirs. No timestamp of the versions that are `taken` is used twice; but an import that was interrupted
    may have written the same versions.
    """
    used = {version[:14]: version for version in taken}
    named: dict[str, str] = {}
    last: str | None = None
    for each in revisions:
        version = known.get(each.id, "")
        if not version:
            timestamp = next_timestamp(each.created or _EARLIEST, last)
            while used.get(timestamp, "") not in ("", f"{timestamp}_{_describe(each)}"):
                timestamp = next_timestamp(_EARLIEST, timestamp)
            version = f"{timestamp}_{_describe(each)}"
        named[each.id] = version
        used[version[:14]] = version
        last = newest_timestamp([version, *([last] if last else [])])
    return named


def _describe(each: AlembicRevision) -> str:
    """Return the description of a version from the first line of a revision, or else from the name of its file."""
    stem = _IN_NAME.sub("", each.path.stem).replace(each.id, "")
    for text in (each.doc, stem, f"revision {each.id}"):
        with suppress(UsageError):
            description = to_snake_case(re.sub(r"[^\w\s-]+", " ", re.sub(r"^[\W\d_]+", "", text.strip())))
            return description[:_LONGEST].strip("_")
    return "revision"


def _read_date(text: str, stem: str) -> datetime | None:
    """Return when a revision was created, in UTC if its time zone is known: by its first lines, or else by its file's name."""
    match = _CREATED.search(text)
    if match:
        with suppress(ValueError):
            created = datetime.fromisoformat(match[1].replace(" +", "+").replace(" -", "-"))
            return created.astimezone(UTC) if created.tzinfo else created.replace(tzinfo=UTC)
    named = _IN_NAME.search(stem)
    if named:
        with suppress(ValueError):
            return datetime.strptime("".join(part or "00" for part in named.groups()), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return None
