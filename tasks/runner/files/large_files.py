"""Reading a large file once: its checksum, its index, and whether its parts can be read on their own."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tasks.postgres.section_marks import may_begin_section
from tasks.runner.errors import FilesError, Place
from tasks.runner.files.decoding import changes_encoding
from tasks.runner.parsing.large.script import MOST_WHOLE
from tasks.runner.parsing.large.text import BLOCK, BlockIndex, LargeText

_CARRIED = 8192
"""How much of a line is read together with the next block, in bytes: more than any mark has."""
_MARK_LINE = re.compile(
    rb"^[^\S\r\n]*(?:--|\#|/\*)[^\r\n]*(?:down|undo|rollback|revert|backward|drop below)[^\r\n]*", re.IGNORECASE | re.MULTILINE
)
_NAMED = (b"client_encoding", b"names", b"\\encoding")
_BEFORE_NAME = re.compile(rb"(?:\bset\s+(?:session\s+|local\s+)?|\breset\s+|\bset_config\s*\(\s*'|\\encoding)\Z")
"""What precedes the name of the setting in a statement that sets it."""
_EXCERPT = 200
_NEAR = 64


def read_large(path: Path, shown: str) -> LargeText | None:
    """Return the text of a large file; None for one that has to be read whole.

    That is one in another encoding than UTF-8, one that sets an encoding, and one that another tool's marks may divide. Raises
    OSError if it cannot be read, and FilesError if it is too large to be read whole.
    """
    scan = _Scan()
    with path.open("rb", buffering=0) as file:
        while block := _read_block(file.fileno()):
            scan.add(block)
    scan.end()
    if not scan.fault:
        return LargeText(path, shown, scan.size, scan.checksum.hexdigest(), scan.index)
    if scan.size > MOST_WHOLE:
        line, reason, hint = scan.fault
        raise FilesError(f"{shown}:{line} {reason}", (), hint=hint, place=Place(shown, line))
    return None


def _read_block(descriptor: int) -> bytes:
    """Return the next block, which only the end of the file shortens."""
    block = os.read(descriptor, BLOCK)
    while 0 < len(block) < BLOCK and (more := os.read(descriptor, BLOCK - len(block))):
        block += more
    return block


class _Scan:
    """What the blocks of a file have shown so far; `fault`: line, reason and hint of what only the whole text decides."""

    def __init__(self) -> None:
        self.checksum = hashlib.sha256()
        self.index = BlockIndex()
        self.size = 0
        self.fault: tuple[int, str, str] | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_ascii = True
        self._carried = b""

    def add(self, block: bytes) -> None:
        """Take the next block."""
        self.checksum.update(block)
        self.index.add(block)
        self.size += len(block)
        if self.fault:
            return
        is_ascii = block.isascii()
        if not (is_ascii and self._is_ascii):
            self._decode(block)
        self._is_ascii = is_ascii
        nul = block.find(b"\0")
        if nul >= 0:
            self._find(block, nul, "contains a NUL byte (U+0000), which PostgreSQL does not accept", "Save it as UTF-8.")
        data = self._carried + block
        self._search(data)
        self._carried = data[max(data.rfind(b"\n") + 1, len(data) - _CARRIED) :]

    def end(self) -> None:
        """Take the end of the file."""
        if not self.fault and not self._is_ascii:
            self._decode(b"", final=True)

    def _decode(self, block: bytes, *, final: bool = False) -> None:
        try:
            self._decoder.decode(block, final)
        except UnicodeDecodeError as error:
            hint = "Convert it: iconv -f ENCODING -t utf-8. A file of this size must be UTF-8."
            self._find(block, max(min(error.start, len(block) - 1), 0), "is not UTF-8", hint)

    def _search(self, data: bytes) -> None:
        lowered = data.lower()
        for start in _find_settings(lowered):
            if changes_encoding(data[start : start + _EXCERPT].decode(errors="replace")):
                hint = "Delete the line: a run sends UTF-8. A file of this size must be UTF-8."
                self._find(data, start, "sets client_encoding", hint)
        for line in _find_marks(data, lowered):
            hint = "Delete the line, if it is a comment; else divide the file into up/ and down/."
            self._find(data, line, "may begin a down section of another tool", hint)

    def _find(self, data: bytes, position: int, reason: str, hint: str) -> None:
        """Keep the first fault; the data ends with the last block of the index."""
        if not self.fault:
            self.fault = (self.index.lines[-1] - data.count(b"\n", position) + 1, reason, hint)


def _find_settings(lowered: bytes) -> Iterator[int]:
    """Yield where the beginnings of statements that may set client_encoding are."""
    for name in _NAMED:
        at = lowered.find(name)
        while at >= 0:
            end = at + len(name) if name.startswith(b"\\") else at
            match = _BEFORE_NAME.search(lowered, max(end - _NEAR, 0), end)
            if match is not None:
                words = lowered.rfind(b"select", max(match.start() - _NEAR, 0), match.start())
                yield words if words >= 0 else match.start()
            at = lowered.find(name, at + 1)


def _find_marks(data: bytes, lowered: bytes) -> Iterator[int]:
    if not any(sign in data for sign in (b"--", b"#", b"/*")):
        return
    if not any(word in lowered for word in (b"down", b"undo", b"rollback", b"revert", b"backward", b"drop below")):
        return
    for match in _MARK_LINE.finditer(data):
        if may_begin_section(match[0].decode(errors="replace")):
            yield match.start()
