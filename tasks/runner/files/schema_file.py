"""migrations/schema.sql as a value: the migrations, and the SQL of the schema that they make."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from tasks.runner.errors import FilesError, Place
from tasks.runner.files.checkout import Migrations, read_source
from tasks.runner.files.versions import VERSION_PATTERN

NAME = "schema.sql"
_FIRST = "-- The schema that these migrations make. Written by `inv db.migrate` on a local database; read it, do not edit it.\n"
_VERSION = re.compile(rf"-- (?P<version>{VERSION_PATTERN.pattern}) sha256:(?P<digest>[0-9a-f]{{16}})(?P<rows> writes rows)?")
_DIGEST_LENGTH = 16
_CONFLICT = re.compile(r"^<<<<<<< .*\n(?:.*\n)*?>>>>>>> ", re.MULTILINE)
"""What Git leaves in a file that it could not merge: https://git-scm.com/docs/git-merge#_how_conflicts_are_presented"""
_MOST_NAMED = 3
WRITE_HINT = "Write it from the files: inv db.schema"


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """The SQL of a schema, the checksums of the migrations that made it, and the versions that also write rows."""

    body: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    writing: frozenset[str] = frozenset()

    def write(self) -> str:
        """Return the text of the file, with a line for each migration, so that branches merge as their migrations do."""
        lines = [
            f"-- {version} sha256:{checksum[:_DIGEST_LENGTH]}{' writes rows' if version in self.writing else ''}\n"
            for version, checksum in sorted(self.checksums.items())
        ]
        return "".join([_FIRST, *lines, "\n", self.body])


def parse_schema_file(text: str, shown: str) -> SchemaFile:
    """Parse the text of a schema file.

    Line ends that a checkout converted are read as they were: `write` writes no carriage return. Raises FilesError if it is not
    as `write` returns it.
    """
    text = text.replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    found = [_VERSION.fullmatch(line) for line in lines]
    if f"{first}\n" != _FIRST or None in found:
        line = 1 if f"{first}\n" != _FIRST else found.index(None) + 2
        raise _refuse(f"{shown}:{line} is not as `inv db.migrate` writes it", shown, line)
    if conflict := _CONFLICT.search(text):
        line = text.count("\n", 0, conflict.start()) + 1
        raise _refuse(f"{shown}:{line} begins a conflict of a merge", shown, line)
    matches = [match for match in found if match is not None]
    return SchemaFile(
        body,
        {match["version"]: match["digest"] for match in matches},
        frozenset(match["version"] for match in matches if match["rows"]),
    )


def find_outdated(schema: SchemaFile, migrations: Migrations) -> tuple[str, ...]:
    """Return the versions of a schema file that are missing from the migrations folder, or have another text there."""
    return tuple(version for version, digest in sorted(schema.checksums.items()) if not migrations.matches(version, digest))


def describe_staleness(migrations: Migrations, applied: Collection[str]) -> str:
    """Return why the schema file of a folder is out of date; "" if it is not, or if there is none.

    It may contain versions that are not applied yet, but not lack one that is `applied` and in the folder.
    """
    path = migrations.folder / NAME
    if migrations.flat or not path.exists():
        return ""
    try:
        source = read_source(path)
        schema = parse_schema_file(source.text, source.shown)
    except FilesError as error:
        return error.message
    outdated = find_outdated(schema, migrations)
    if outdated:
        return f"{source.shown} was made from other migrations than those of up/: {name_versions(outdated)}"
    lacking = sorted((migrations.checksums.keys() & applied) - schema.checksums.keys())
    return f"{source.shown} is out of date: it does not contain {name_versions(lacking)}" if lacking else ""


def name_versions(versions: Collection[str]) -> str:
    """Return the first of some versions, and how many more there are."""
    named = ", ".join(list(versions)[:_MOST_NAMED])
    more = len(versions) - _MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _refuse(message: str, shown: str, line: int) -> FilesError:
    hint = f"After a merge conflict, or if it was edited by hand, it need not be repaired. {WRITE_HINT}"
    return FilesError(message, (), hint=hint, place=Place(shown, line))
