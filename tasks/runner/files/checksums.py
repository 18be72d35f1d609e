"""Checksums of texts that only differ in line ends or a byte order mark, which git and editors change: these are no edits."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable
from itertools import chain

BYTE_ORDER_MARK = "\ufeff"


def list_checksums(data: bytes) -> frozenset[str]:
    """Return the SHA-256 of the bytes, and of the same text with either kind of line ends, with and without a byte order mark."""
    return combine_checksums((data,))


def combine_checksums(blocks: Iterable[bytes]) -> frozenset[str]:
    """Return the same of bytes in parts, each as long as a byte order mark, except the last."""
    marks = (b"", codecs.BOM_UTF8)
    digests = [[hashlib.sha256(mark) for _ in range(3)] for mark in marks]
    kept, is_first = b"", True
    for block in chain(blocks, (None,)):
        part = kept + (block or b"")
        if is_first:
            part, is_first = part.removeprefix(codecs.BOM_UTF8), False
        # A carriage return may belong to a line feed that follows in the next part.
        kept = b"\r" if block is not None and part.endswith(b"\r") else b""
        part = part[: len(part) - len(kept)]
        unix = part.replace(b"\r\n", b"\n")
        for row in digests:
            for digest, text in zip(row, (part, unix, unix.replace(b"\n", b"\r\n")), strict=True):
                digest.update(text)
    return frozenset(digest.hexdigest() for row in digests for digest in row)


def is_same_text(text: str, other: str) -> bool:
    """Return True if two texts only differ in line ends or a byte order mark."""
    return _normalise(text) == _normalise(other)


def _normalise(text: str) -> str:
    return text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n")
