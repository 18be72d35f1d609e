"""A program that reports sample events: `python -m tests.report.speaker NAME [--json] [--verbose]`.

Where a run goes on only after somebody looked, it waits for a line on its stdin.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace

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


def speak_migrate() -> Iterator[Event]:
    """Run to the end."""
    yield from MIGRATION
    yield StepFinished("migrate", SEARCH, 83_412)
    yield RunFinished("migrate", 2, 84_000)


def speak_wait() -> Iterator[Event]:
    """Build an index that takes its time, and wait for a lock."""
    yield from MIGRATION
    sys.stdin.readline()
    yield IndexAdvanced(SEARCH, 9, "building index: scanning table", 43)
    sys.stdin.readline()
    yield Waiting(SEARCH, 9, 4.0, (PSQL,))
    sys.stdin.readline()
    yield StepFinished("migrate", SEARCH, 83_412)
    yield RunFinished("migrate", 2, 84_000)


def speak_stumble() -> Iterator[Event]:
    """Break off with an exception."""
    yield from MIGRATION
    sys.stdin.readline()
    raise LookupError("the run stumbled")


def speak_spoilt(text: str) -> Iterator[Event]:
    """Put a text wherever data can be."""
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


def speak_long() -> Iterator[Event]:
    """Say more than a pipe holds."""
    for number in range(20_000):
        yield StepFinished("migrate", f"{ASSETS}_{number}", number)
    print("told everything", file=sys.stderr)


SPEECHES: dict[str, Callable[[], Iterator[Event]]] = {
    "all": lambda: iter(SAMPLES),
    "dry-run": lambda: iter((sample(PlanMade), RunFinished("migrate", 0, 3, dry_run=True))),
    "escapes": lambda: speak_spoilt(ESCAPES),
    "fail": lambda: iter(FAILURE),
    "environments": lambda: iter((sample(EnvironmentsListed),)),
    "history": lambda: iter((sample(HistoryRead),)),
    "long": speak_long,
    "markup": lambda: speak_spoilt(MARKUP),
    "migrate": speak_migrate,
    "probe": lambda: iter((sample(ProbeRead),)),
    "side-by-side": lambda: iter((STATUSES,)),
    "status": lambda: iter((STATUS,)),
    "stumble": speak_stumble,
    "wait": speak_wait,
}

if __name__ == "__main__":
    try:
        report(SPEECHES[sys.argv[1]](), json="--json" in sys.argv, verbose="--verbose" in sys.argv)
    except LookupError as error:
        print(f"caught: {error}", flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("caught: interrupt", flush=True)
        raise SystemExit(130) from None
