"""The header of a migration, as the template has it."""

from __future__ import annotations

import codecs
import re

_LINE = re.compile(rb"[ \t]*--[ \t]*(migration|description)[ \t]*:", re.IGNORECASE)
_COMMENT_OR_BLANK = re.compile(rb"[ \t]*(?:--.*)?\r?\n?")


def add_header(data: bytes, version: str, description: str) -> bytes:
    """Return the bytes of a file with the missing header lines before them; the rest is unchanged."""
    bom = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    body = data[len(bom) :]
    present = _find_lines(body)
    lines = [
        f"-- {name}: {text}".encode()
        for name, text in (("Migration", f"{version}.sql"), ("Description", description))
        if name.lower().encode() not in present
    ]
    if not lines:
        return data
    newline = b"\r\n" if body.partition(b"\n")[0].endswith(b"\r") else b"\n"
    blank = b"" if present else newline
    return bom + b"".join(line + newline for line in lines) + blank + body


def describe_version(version: str, *, undoes: bool = False) -> str:
    """Return a description made from the words of a version."""
    words = version.partition("_")[2].replace("_", " ").replace("-", " ")
    return f"Undo: {words}" if undoes else words[:1].upper() + words[1:]


def _find_lines(body: bytes) -> set[bytes]:
    """Return the names of the header lines in the comments before the first statement."""
    present = set()
    for line in body.splitlines(keepends=True):
        if not _COMMENT_OR_BLANK.fullmatch(line):
            break
        match = _LINE.match(line)
        if match:
            present.add(match[1].lower())
    return present
