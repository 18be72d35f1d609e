"""The message about stand-ins, for every command that rehearses."""

from __future__ import annotations

from tasks.console.cells import clean
from tasks.console.formatters import register_formatters
from tasks.console.lines import Line, Style, hang
from tasks.rehearsal.events import StandInsUsed

_LIMITS = {
    "pgcrypto": "of pgcrypto only digest, hmac, gen_random_bytes and gen_random_uuid work, the others raise an error",
    "uuid-ossp": "the node in a uuid_generate_v1() is not the address of a network card",
}


def register_messages() -> None:
    """Register the formatter of the event."""
    register_formatters({StandInsUsed: _format_stand_ins})


def _format_stand_ins(event: StandInsUsed, _style: Style) -> list[Line]:
    """Return what was used instead of which extension, in what it differs, and how the extension is rehearsed."""
    limits = "; ".join(_LIMITS[name] for name in event.extensions if name in _LIMITS)
    text = (
        f"Rehearsed with the embedded server's stand-in for {clean(', '.join(event.extensions))}, which has the same functions"
        f" with the same results, except: {limits}. To rehearse with the extension itself, set SCRATCH_DATABASE_URL to a server"
        " that has it."
    )
    return hang("⚠️  ", text, "warn")
