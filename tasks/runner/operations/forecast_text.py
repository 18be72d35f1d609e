"""A forecast as one argument: a run on another machine logs what was shown here before it."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from tasks.runner.errors import UsageError
from tasks.runner.events.locking import StatementVerdict
from tasks.runner.files.versions import VERSION_PATTERN

_VERDICTS = ("loses_rows", "blocks_all", "blocks_writes", "brief", "harmless")
"""The verdicts that are passed on, the worst first."""
_LONGEST = 60_000
"""The most characters of a packed forecast: Linux limits an argument to 128 KiB, and ssh sends the command as one argument.
https://man7.org/linux/man-pages/man2/execve.2.html"""
_LARGEST = 1_000_000
"""The most bytes of an unpacked one: a small argument can contain a large text."""
_MOST_STATEMENTS = 10_000
_LONGEST_S = 1e9


def pack_forecast(verdicts: Iterable[StatementVerdict]) -> str:
    """Return the verdicts as one argument, without characters that a shell would change; empty if there are none.

    If there are more than an argument can contain, the least severe ones are left out.
    """
    known = [verdict for verdict in verdicts if verdict.verdict in _VERDICTS]
    kept = sorted(known, key=lambda verdict: _VERDICTS.index(verdict.verdict))[:_MOST_STATEMENTS]
    while kept:
        text = _pack(kept)
        if len(text) <= _LONGEST:
            return text
        kept = kept[: len(kept) * _LONGEST // len(text) * 9 // 10]
    return ""


def unpack_forecast(text: str) -> tuple[StatementVerdict, ...]:
    """Return the verdicts in a result of `pack_forecast`; raises UsageError for any other text."""
    if not text:
        return ()
    try:
        if len(text) > _LONGEST:
            raise ValueError(f"{len(text)} characters")
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, altchars=b"-_", validate=True), _LARGEST)
        if not unpacker.eof:
            raise ValueError(f"not complete within {_LARGEST} bytes")
        rows = json.loads(data)
        if not isinstance(rows, list) or len(rows) > _MOST_STATEMENTS:
            raise ValueError("not a list of statements")
        return tuple(_read_row(row) for row in rows)
    except (ValueError, TypeError, RecursionError, zlib.error) as error:
        raise UsageError(
            f"--forecast is not a forecast: {error}", hint="It is passed on by inv, and not typed.", state="Nothing was changed."
        ) from error


def _pack(verdicts: Sequence[StatementVerdict]) -> str:
    rows = [
        (each.version, each.number, _VERDICTS.index(each.verdict), _round(each.low), _round(each.high))
        for each in sorted(verdicts, key=lambda verdict: (verdict.version, verdict.number))
    ]
    data = json.dumps(rows, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(zlib.compress(data, 9)).decode()


def _round(seconds: float | None) -> float | None:
    return None if seconds is None else round(min(max(seconds, 0.0), _LONGEST_S), 3)


def _read_row(row: Any) -> StatementVerdict:
    """Return the verdict of a row; raises ValueError or TypeError for one that `_pack` does not write."""
    version, number, verdict, low, high = row
    if not isinstance(version, str) or not VERSION_PATTERN.fullmatch(version):
        raise ValueError("not a version")
    if type(number) is not int or not 0 < number < _LARGEST or type(verdict) is not int or not 0 <= verdict < len(_VERDICTS):
        raise ValueError("not the number of a statement, or not a verdict")
    for seconds in (low, high):
        if seconds is not None and (type(seconds) not in (int, float) or not math.isfinite(seconds) or seconds < 0):
            raise ValueError("not a number of seconds")
    return StatementVerdict(version, number, _VERDICTS[verdict], low, high)
