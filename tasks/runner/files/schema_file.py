"""migrations/schema.sql as a value: the migrations, and the SQL of the schema that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.runner.errors import FilesError, Place
from tasks.runner.files.checkout import Migrations
from tasks.runner.files.versions import VERSION_PATTERN

NAME = "schema.sql"
_FIRST = "-- The schema that these migrations make. Written by `inv db.migrate` on a local database; read it, do not edit it.\n"
_VERSION = re.compile(rf"-- (?P<version>{VERSION_PATTERN.pattern}) sha256:(?P<digest>[0-9a-f]{{16}})(?P<rows> writes rows)?")
_DIGEST_LENGTH = 16


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

    Raises FilesError if it is not as `write` returns it.
    """
    text = text.replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    found = [_VERSION.fullmatch(line) for line in lines]
    if f"{first}\n" != _FIRST or None in found:
        line = 1 if f"{first}\n" != _FIRST else found.index(None) + 2
        raise FilesError(
            f"{shown}:{line} is not as `inv db.migrate` writes it",
            (),
            hint="Resolve a conflict by taking either side, then run inv db.migrate locally: it regenerates the file.",
            place=Place(shown, line),
        )
    matches = [match for match in found if match is not None]
    return SchemaFile(
        body,
        {match["version"]: match["digest"] for match in matches},
        frozenset(match["version"] for match in matches if match["rows"]),
    )


def find_outdated(schema: SchemaFile, migrations: Migrations) -> tuple[str, ...]:
    """Return the versions of a schema file that are missing from the migrations folder, or have another text there."""
    return tuple(version for version, digest in sorted(schema.checksums.items()) if not migrations.matches(version, digest))
