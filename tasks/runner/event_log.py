"""Events as records of the standard library's logging."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.runner.events import Event, NoticeRaised
from tasks.runner.redaction import redact

_LEVELS = {
    "error_raised": logging.ERROR,
    "step_failed": logging.ERROR,
    "connection_lost": logging.WARNING,
    "lock_awaited": logging.WARNING,
    "retried": logging.WARNING,
    "waiting": logging.WARNING,
    "heartbeat": logging.DEBUG,
    "index_advanced": logging.DEBUG,
    "skipped": logging.DEBUG,
    "statement_started": logging.DEBUG,
    "statement_finished": logging.DEBUG,
}
"""The levels of the kinds that are not logged as INFO."""
_LONGEST = 200
"""How many characters of a text are in the message; the record has all of them."""


@dataclass(frozen=True, slots=True)
class EventLogger:
    """A function that passes each event to a logger; for `on_event` of MigrationRunner, or to be called in a loop.

    The message is the kind with the simple fields of the event, in one line. For structured logs, the record has the attributes
    `event_kind` and `event`, a dictionary of all fields. Passwords are masked in both.
    """

    logger: logging.Logger = field(default_factory=lambda: logging.getLogger(__package__))

    def __call__(self, event: Event) -> None:
        """Log an event."""
        level = _find_level(event)
        if self.logger.isEnabledFor(level):
            fields = {name: _redact(value) for name, value in asdict(event).items()}
            extra = {"event_kind": event.kind, "event": {"kind": event.kind, **fields}}
            self.logger.log(level, "%s", _compose(event.kind, fields), extra=extra)


def _find_level(event: Event) -> int:
    if isinstance(event, NoticeRaised) and event.severity == "WARNING":
        return logging.WARNING
    return _LEVELS.get(event.kind, logging.INFO)


def _compose(kind: str, fields: Mapping[str, Any]) -> str:
    """Return the kind and the simple fields that are not empty, as in `step_finished action=migrate duration_ms=12`."""
    shown = (f"{name}={_show(value)}" for name, value in fields.items() if _is_simple(value))
    return " ".join((kind, *shown))


def _is_simple(value: object) -> bool:
    return isinstance(value, (str, int, float)) and value not in ("", False)


def _show(value: object) -> str:
    """Return a value without line ends and other characters that could forge a line of the log."""
    if not isinstance(value, str):
        return json.dumps(value)
    cut = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"
    quoted = json.dumps(cut, ensure_ascii=False)
    quoted = quoted if quoted.isprintable() else json.dumps(cut)
    return cut if quoted[1:-1] == cut and " " not in cut and "=" not in cut else quoted


def _redact(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {name: _redact(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact(each) for each in value]
    return value
