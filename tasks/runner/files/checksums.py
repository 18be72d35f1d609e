"""Checksums of texts that only differ in line ends or a byte order mark, which git and editors change: these are no edits."""

from __future__ import annotations

import codecs
import hashlib

BYTE_ORDER_MARK = "\ufeff"


def list_checksums(data: bytes) -> frozenset[str]:
    """Return the SHA-256 of the bytes, and of the same text with either kind of line ends, with and without a byte order mark."""
    body = data.removeprefix(codecs.BOM_UTF8)
    unix = body.replace(b"\r\n", b"\n")
    texts = (body, unix, unix.replace(b"\n", b"\r\n"))
    return frozenset(hashlib.sha256(mark + text).hexdigest() for mark in (b"", codecs.BOM_UTF8) for text in texts)


def is_same_text(text: str, other: str) -> bool:
    """Return True if two texts only differ in line ends or a byte order mark."""
    return _normalise(text) == _normalise(other)


def _normalise(text: str) -> str:
    return text.removeprefix(BYTE_ORDER_MARK).replace("\r\n", "\n")
