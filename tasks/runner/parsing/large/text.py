"""The text of a large file, which stays in the file: parts of it are read when they are needed.

A file can be edited while a run reads it. So each block that is read is compared with the digest of the same block when the
checksum of the file was computed: what runs is the text whose checksum is recorded, or nothing.
"""

from __future__ import annotations

import hashlib
import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.runner.errors import FilesError, Place

LARGE_FILE = 1024 * 1024
"""The bytes of a file up to which it is read whole."""
BLOCK = 256 * 1024
"""The bytes that are read, compared and decoded at once."""
_CONTINUATION = bytes(range(0x80, 0xC0))
"""The bytes of UTF-8 that begin no character."""
_CONTEXT = 4096
"""How much of a line is shown around a place, in bytes: a line may be as long as the file."""


@dataclass(slots=True)
class BlockIndex:
    """What was found out about the blocks of a file, in order: digests, and the characters and line feeds before each."""

    digests: list[bytes] = field(default_factory=list)
    characters: array[int] = field(default_factory=lambda: array("Q", (0,)))
    lines: array[int] = field(default_factory=lambda: array("Q", (0,)))

    def add(self, block: bytes) -> None:
        """Add the next block."""
        self.digests.append(hashlib.sha256(block).digest())
        self.characters.append(self.characters[-1] + count_characters(block))
        self.lines.append(self.lines[-1] + block.count(b"\n"))


@dataclass(frozen=True, slots=True)
class LargeText:
    """The text of a file in UTF-8 without NUL; `size` counts its bytes. Reading raises FilesError once the file is edited."""

    path: Path
    shown: str
    size: int
    checksum: str
    index: BlockIndex = field(repr=False, compare=False)
    _cached: list[tuple[int, bytes]] = field(default_factory=list, repr=False, compare=False)
    """The number and the bytes of the block that was read last."""

    def load(self) -> str:
        """Return the entire text."""
        return self.read(0, self.size).decode()

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes of a range."""
        if start >= end:
            return b""
        first, last = start // BLOCK, (end - 1) // BLOCK
        if first == last:
            at = first * BLOCK
            return self._read_block(first)[start - at : end - at]
        self._cached.clear()
        data = self._pread(start, end - start)
        view = memoryview(data)
        for number in range(first, last + 1):
            low, high = number * BLOCK, min((number + 1) * BLOCK, self.size)
            part = view[max(low - start, 0) : high - start]
            if low >= start and high <= end:
                self._compare(number, part)
            elif self._load_block(number)[max(start - low, 0) : end - low] != part:
                raise self._build_error()
        return data

    def read_blocks(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a range, in parts of at most a block."""
        while start < end:
            stop = min((start // BLOCK + 1) * BLOCK, end)
            yield self.read(start, stop)
            start = stop

    def count_before(self, position: int) -> tuple[int, int]:
        """Return the number of characters and of line feeds before a byte."""
        number, within = divmod(position, BLOCK)
        if not within:
            return self.index.characters[number], self.index.lines[number]
        part = self._read_block(number)[:within]
        return self.index.characters[number] + count_characters(part), self.index.lines[number] + part.count(b"\n")

    def find_byte(self, offset: int) -> int:
        """Return the byte at which a character begins, by its number from 0."""
        number = bisect_right(self.index.characters, offset) - 1
        if number >= len(self.index.digests):
            return self.size
        block, rest = self._read_block(number), offset - self.index.characters[number]
        if block.isascii():
            return number * BLOCK + rest
        head = len(block) - len(block.lstrip(_CONTINUATION))
        return number * BLOCK + head + len(block[head:].decode(errors="ignore")[:rest].encode())

    def find_line(self, line: int) -> int:
        """Return the byte at which a line begins, by its number from 1; the end of the text if it has fewer."""
        number = bisect_right(self.index.lines, line - 2) - 1
        if line < 2 or number >= len(self.index.digests):
            return 0 if line < 2 else self.size
        block, position = self._read_block(number), -1
        for _ in range(line - 1 - self.index.lines[number]):
            position = block.find(b"\n", position + 1)
        return number * BLOCK + position + 1

    def find_line_start(self, position: int) -> int:
        """Return the byte at which the line of a byte begins."""
        number = position // BLOCK
        within = position - number * BLOCK
        while True:
            found = self._read_block(number).rfind(b"\n", 0, within) if within else -1
            if found >= 0 or number == 0:
                return number * BLOCK + found + 1
            number, within = number - 1, BLOCK

    def find_line_end(self, position: int) -> int:
        """Return the byte at which the line of a byte ends, without its line feed."""
        while position < self.size:
            number = position // BLOCK
            found = self._read_block(number).find(b"\n", position - number * BLOCK)
            if found >= 0:
                return number * BLOCK + found
            position = (number + 1) * BLOCK
        return self.size

    def cut_around(self, position: int) -> tuple[int, str]:
        """Return the line of a byte, or the part of a long one around it, and the byte at which that begins."""
        start = max(self.find_line_start(position), self._find_character(position - _CONTEXT))
        end = min(self.find_line_end(position), position + _CONTEXT, self.size)
        return start, self.read(start, end).decode(errors="ignore")

    def _find_character(self, position: int) -> int:
        """Return the first byte from a position on that begins a character."""
        if position <= 0:
            return 0
        part = self.read(position, min(position + 4, self.size))
        return position + len(part) - len(part.lstrip(_CONTINUATION))

    def _read_block(self, number: int) -> bytes:
        for known, block in self._cached:
            if known == number:
                return block
        block = self._load_block(number)
        self._cached[:] = [(number, block)]
        return block

    def _load_block(self, number: int) -> bytes:
        """Return a block without keeping it."""
        start = number * BLOCK
        block = self._pread(start, min(BLOCK, self.size - start))
        self._compare(number, block)
        return block

    def _compare(self, number: int, block: bytes | memoryview) -> None:
        if hashlib.sha256(block).digest() != self.index.digests[number]:
            raise self._build_error()

    def _pread(self, start: int, count: int) -> bytes:
        try:
            file = os.open(self.path, os.O_RDONLY)
            try:
                data = os.pread(file, count, start)
            finally:
                os.close(file)
        except OSError as error:
            raise FilesError(f"{self.shown} cannot be read: {error.strerror}", (), place=Place(self.shown)) from error
        if len(data) != count:
            raise self._build_error()
        return data

    def _build_error(self) -> FilesError:
        return FilesError(
            f"{self.shown} was edited after the run had read it",
            (),
            hint="Run the same command again: it runs the file as it is then.",
            place=Place(self.shown),
        )


@dataclass(frozen=True, slots=True)
class TextRange:
    """A part of the text of a large file: the bytes from `start` to before `end`."""

    file: LargeText = field(repr=False)
    start: int
    end: int

    @property
    def size(self) -> int:
        """Return the number of bytes."""
        return self.end - self.start

    def load(self) -> str:
        """Return the text."""
        return self.read().decode()

    def read(self) -> bytes:
        """Return the bytes of the text."""
        return self.file.read(self.start, self.end)

    def read_blocks(self) -> Iterator[bytes]:
        """Yield the bytes of the text in parts."""
        return self.file.read_blocks(self.start, self.end)


def load(content: str | TextRange | LargeText) -> str:
    """Return a text, from its file if it is not loaded."""
    return content if isinstance(content, str) else content.load()


def count_characters(block: bytes) -> int:
    """Return how many characters of UTF-8 begin in a block."""
    return len(block) if block.isascii() else len(block.translate(None, _CONTINUATION))
