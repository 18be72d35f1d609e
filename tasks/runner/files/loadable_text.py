"""The text of a file as a value that need not be loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class LoadableText(Protocol):
    """The text of a file, with the checksum and the size of the file's bytes: these are known without loading the text."""

    @property
    def text(self) -> str:
        """Return the text."""

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the file's bytes, empty if there is no file."""

    @property
    def size(self) -> int:
        """Return the number of the file's bytes."""


@dataclass(frozen=True, slots=True)
class KnownText:
    """A text in memory, as a file would have it."""

    text: str
    checksum: str = ""

    @property
    def size(self) -> int:
        """Return the number of bytes of the text in UTF-8."""
        return len(self.text.encode())
