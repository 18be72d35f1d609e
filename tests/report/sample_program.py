"""A program that reports sample events: `python -m tests.report.sample_program NAME [--json] [--verbose]`.

Where a test reads the screen during a run, the program waits for a line on its stdin.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

from tasks.console.streams import guard_streams
from tasks.report import report
from tasks.runner.events import (
    CheckMade,
    EnvironmentKnown,
    EnvironmentsListed,
    EnvironmentStatus,
    Event,
    HistoryRead,
    IndexAdvanced,
    NoticeRaised,
    PlanMade,
    ProbeRead,
    RunFinished,
    StatementStarted,
    StatusesRead,
    StatusRow,
    StepFailed,
    StepFinished,
    Waiting,
)
from tests.report.samples import (
    ASSETS,
    ERROR,
    FAILURE,
    MIGRATION,
    PSQL,
    SAMPLES,
    SEARCH,
    STATUS,
    STATUSES,
    sample,
)

MARKUP = "[red]DROP[/red] [/] [link=https://x.example]y"
ESCAPES = "\x1b[2J\x1b]0;a title\x07\x1b[31mevil"


def run_to_end() -> Iterator[Event]:
    """Run to the end."""
    yield from MIGRATION
    yield StepFinished("migrate", SEARCH, 83_412)
    yield RunFinished("migrate", 2, 84_000)


def wait_for_lock() -> Iterator[Event]:
    """Build an index slowly, and wait for a lock."""
    yield from MIGRATION
    sys.stdin.readline()
    yield IndexAdvanced(SEARCH, 9, "building index: scanning table", 43)
    sys.stdin.readline()
    yield Waiting(SEARCH, 9, 4.0, (PSQL,))
    sys.stdin.readline()
    yield StepFinished("migrate", SEARCH, 83_412)
    yield RunFinished("migrate", 2, 84_000)


def fail_unexpectedly() -> Iterator[Event]:
    """Raise an exception during a run."""
    yield from MIGRATION
    sys.stdin.readline()
    raise LookupError("the run stumbled")


def insert_text(text: str) -> Iterator[Event]:
    """Put a text into every field of data."""
    version = f"20250101000000_{text}"
    yield from MIGRATION
    yield StatementStarted(version, 9, text, 1, 1)
    yield Waiting(version, 9, 4.0, (replace(PSQL, query=text, application=text),))
    yield NoticeRaised(version, "NOTICE", text)
    yield StepFailed("migrate", version, text)
    yield replace(ERROR, source=text, message=f"no {text}", hint=text, state=text)
    yield replace(STATUS, rows=(replace(STATUS.rows[0], version=version, note=text),))
    yield StatusesRead((EnvironmentStatus("dev", "", (StatusRow(version, "late"),)), EnvironmentStatus(text, text, (), text)), 1)
    yield EnvironmentsListed((EnvironmentKnown(text, text, False, 0),))
    yield ProbeRead((CheckMade(text, False, text, text),))


def emit_many() -> Iterator[Event]:
    """Emit more events than a pipe can buffer."""
    for number in range(20_000):
        yield StepFinished("migrate", f"{ASSETS}_{number}", number)
    print("emitted everything", file=sys.stderr)


STREAMS: dict[str, Callable[[], Iterator[Event]]] = {
    "all": lambda: iter(SAMPLES),
    "dry-run": lambda: iter((sample(PlanMade), RunFinished("migrate", 0, 3, dry_run=True))),
    "escapes": lambda: insert_text(ESCAPES),
    "fail": lambda: iter(FAILURE),
    "environments": lambda: iter((sample(EnvironmentsListed),)),
    "wide": lambda: iter((replace(STATUS, rows=(StatusRow("表" * 100, "applied", "2025-07-01T10:00:00Z", "carl", 12),)),)),
    "history": lambda: iter((sample(HistoryRead),)),
    "long": emit_many,
    "markup": lambda: insert_text(MARKUP),
    "migrate": run_to_end,
    "probe": lambda: iter((sample(ProbeRead),)),
    "side-by-side": lambda: iter((STATUSES,)),
    "status": lambda: iter((STATUS,)),
    "stumble": fail_unexpectedly,
    "wait": wait_for_lock,
}

if __name__ == "__main__":
    guard_streams()
    try:
        report(STREAMS[sys.argv[1]](), json="--json" in sys.argv, verbose="--verbose" in sys.argv)
    except LookupError as error:
        print(f"caught: {error}", flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("caught: interrupt", flush=True)
        raise SystemExit(130) from None
