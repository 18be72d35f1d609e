"""migrations/schema.sql as a value: which migrations it stands for, and the SQL that makes their schema. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.runner.errors import FilesError, Place

NAME = "schema.sql"
_FIRST = "-- The schema that these migrations make. Written by `inv db.migrate` on a local database; read it, do not edit it.\n"
_VERSION = re.compile(r"-- (?P<version>\d{14}_\S+) sha256:(?P<digest>[0-9a-f]{16})(?P<rows> writes rows)?")
_DIGEST_LENGTH = 16


@dataclass(frozen=True, slots=True)
class SchemaFile:
    """Hold the SQL of a schema, the migrations that made it with their checksums, and which of those write rows too."""

    body: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    writing: frozenset[str] = frozenset()

    @property
    def body_line(self) -> int:
        """Return the line of the file in which the SQL begins, from 1."""
        return len(self.checksums) + 3

    def write(self) -> str:
        """Give the text of the file; a line for each migration, so that two branches that add one merge like their files."""
        lines = [
            f"-- {version} sha256:{checksum[:_DIGEST_LENGTH]}{' writes rows' if version in self.writing else ''}\n"
            for version, checksum in sorted(self.checksums.items())
        ]
        return "".join([_FIRST, *lines, "\n", self.body])


def parse_schema_file(text: str, shown: str) -> SchemaFile:
    """Read the text of a file that `write` gave; raises FilesError for another."""
    text = text.replace("\r\n", "\n")
    head, _, body = text.partition("\n\n")
    first, *lines = head.split("\n")
    found = [_VERSION.fullmatch(line) for line in lines]
    if f"{first}\n" != _FIRST or None in found:
        line = 1 if f"{first}\n" != _FIRST else found.index(None) + 2
        raise FilesError(
            f"{shown}:{line} is not as `inv db.migrate` writes it",
            (),
            hint="Resolve a conflict by taking either side, then run inv db.migrate on a local database: it writes it anew.",
            place=Place(shown, line),
        )
    matches = [match for match in found if match is not None]
    return SchemaFile(
        body,
        {match["version"]: match["digest"] for match in matches},
        frozenset(match["version"] for match in matches if match["rows"]),
    )


def find_outdated(schema: SchemaFile, checksums: Mapping[str, str]) -> tuple[str, ...]:
    """List the versions of a schema file which the migrations folder does not have, or has with another text."""
    return tuple(
        version
        for version, digest in sorted(schema.checksums.items())
        if checksums.get(version, "")[:_DIGEST_LENGTH] != digest[:_DIGEST_LENGTH]
    )
