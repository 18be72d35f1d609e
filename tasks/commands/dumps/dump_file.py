"""A dump as a file: its beginning, which creates schemas and extensions, and the rest, which may be too large for memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.files.checkout import show_path

_STATE = "Nothing was changed."
_OTHER_FORMATS = (
    (b"PGDMP", "is in pg_dump's custom format, not SQL", "Convert it: pg_restore -f dump.sql {file}"),
    (b"\x1f\x8b", "is compressed with gzip", "Decompress it: gunzip -k {file}"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd", "Decompress it: unzstd {file}"),
    (b"BZh", "is compressed with bzip2", "Decompress it: bunzip2 -k {file}"),
    (b"PK\x03\x04", "is a zip file", "Decompress it: unzip {file}"),
)
_FIRST_TYPES = frozenset({"SCHEMA", "EXTENSION", "COMMENT", "DATABASE", "ACL"})
_ENTRY = re.compile(rb"-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: ")
"""The comment before each object, by which pg_dump names its type."""
_RESTRICT = re.compile(rb"\\restrict (\w+)\s*")
_POLICY_ROLES = re.compile(r"CREATE POLICY .* TO (.*?)(?: USING \(.*| WITH CHECK \(.*|;)?$")
_FOR_NEWER_SERVERS = b"SET transaction_timeout = 0;"
"""pg_dump 17 writes it, and a server of 16 does not know it."""
_LONGEST_BEGINNING = 1 << 20
_KEY_WITHIN = 1000
"""In bytes: pg_dump writes its key into the first lines."""


@dataclass(frozen=True, slots=True)
class DumpFile:
    """A dump: the text up to the first object that is neither a schema nor an extension, and where the rest begins."""

    path: Path
    beginning: str
    offset: int
    key: bytes
    """The key of its own `\\restrict`, empty if it has none."""
    roles: tuple[str, ...]
    """The roles that policies name, as SQL."""

    def read_rest(self) -> Iterator[bytes]:
        """Yield the lines of the rest, without its own commands of psql that begin and end a restriction: ours is in force."""
        own = {b"\\restrict " + self.key, b"\\unrestrict " + self.key} if self.key else set()
        with self.path.open("rb") as file:
            file.seek(self.offset)
            for line in file:
                if line.rstrip() not in own:
                    yield line


def open_dump(path: Path) -> DumpFile:
    """Read the beginning of a dump; raises UsageError if it is not SQL, and RunnerError if it cannot be read."""
    try:
        with path.open("rb") as file:
            first = file.read(8)
        _refuse_other_formats(path, first)
        return _read(path)
    except OSError as error:
        raise RunnerError(f"{show_path(path)} cannot be read: {error.strerror or error}", state=_STATE) from error


def _refuse_other_formats(path: Path, first: bytes) -> None:
    from tasks.runner.command_lines import quote_words

    if not first:
        raise UsageError(f"{show_path(path)} is empty", state=_STATE)
    for magic, what, hint in _OTHER_FORMATS:
        if first.startswith(magic):
            raise UsageError(f"{show_path(path)} {what}", hint=hint.format(file=quote_words(str(path))), state=_STATE)


def _read(path: Path) -> DumpFile:
    lines: list[bytes] = []
    key, offset, beginning = b"", 0, True
    roles: list[str] = []
    with path.open("rb") as file:
        for line in file:
            entry = _ENTRY.match(line)
            if beginning and entry and entry[1].decode() not in _FIRST_TYPES:
                beginning = False
            if beginning:
                restrict = _RESTRICT.fullmatch(line)
                key = restrict[1] if restrict and not key and offset < _KEY_WITHIN else key
                offset += len(line)
                if not restrict and line.strip() != _FOR_NEWER_SERVERS:
                    lines.append(line)
            elif line.startswith(b"CREATE POLICY ") and (policy := _POLICY_ROLES.match(line.decode(errors="replace").rstrip())):
                roles.append(policy[1])
            if beginning and offset > _LONGEST_BEGINNING:
                break
    if beginning:
        # Without objects, or not by pg_dump: all of it is run by psql.
        return DumpFile(path, "", 0, key, ())
    return DumpFile(path, b"".join(lines).decode(errors="replace"), offset, key, tuple(dict.fromkeys(roles)))
