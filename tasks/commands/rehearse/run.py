"""What db.verify and db.test-crash share: choose migrations, open the scratch server, print the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.exceptions import Exit

from tasks.commands.context import exit_on_error
from tasks.commands.flags import JSON_HELP, REHEARSAL_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import load_environment
from tasks.options import Options
from tasks.runner.errors import UsageError
from tasks.runner.events import CHECK_FOUND

if TYPE_CHECKING:
    from tasks.commands.rehearse.choose import Selector
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.rehearsal.selection import Selection
    from tasks.runner.events import Event

_LONGEST_S = 1e6
CHOICE_HELP = {
    "env": "the environment whose pending migrations are selected: local (default), dev, staging, prod, or another",
    "all": "all migrations; no environment is read",
    "only": "only these versions, comma-separated (a timestamp is enough); no environment is read",
    "timeout": "how many seconds a migration may take",
    **REHEARSAL_HELP,
    **JSON_HELP,
}


def run_rehearsal(
    env: str,
    selector: Callable[[], Selector],
    answer: Callable[[ScratchServer, Selection], Iterator[Event]],
    *,
    without_extension: Sequence[str],
    as_superuser: bool = False,
    json: bool,
) -> None:
    """Choose migrations, open the scratch server, and print the results; raises Exit with 4 if something was found.

    A signal ends the command at once: only scratch databases can be left, and they are dropped on the way out.
    """
    from tasks.commands.rehearse.choose import pick
    from tasks.rehearsal.scratch.opening import check_version
    from tasks.report import report
    from tasks.report.verification import register_messages
    from tasks.runner.signals import Stop

    register_messages()
    with exit_on_error(json=json, rehearses=True) as seen:
        environment, asked = load_environment(env), selector()
        selection = pick(environment, asked, Options(json=json), Stop(), seen)
        settings = environment.settings
        without = read_extensions(without_extension)
        with open_scratch(settings, target=settings.database_url, without=without, as_superuser=as_superuser) as server:
            seen.append(server.url)
            check_version(server, selection.server_version)
            last = report(_annotate_findings(answer(server, selection), settings.migrations_dir), json=json)
            report(note_stand_ins(server), json=json)
    if getattr(last, "found", 0):
        raise Exit(code=CHECK_FOUND)


def _annotate_findings(events: Iterator[Event], folder: Path) -> Iterator[Event]:
    """Yield the events; after each, print the annotations for its findings in a job of GitHub Actions."""
    from tasks.rehearsal.events import CrashResumed, CrashTestSkipped, MigrationVerified
    from tasks.report.annotations import print_annotations
    from tasks.report.verification import annotate

    for event in events:
        yield event
        if isinstance(event, MigrationVerified | CrashResumed | CrashTestSkipped):
            print_annotations(annotate(event, folder))


def build_selector(only: str, every: bool, timeout: str) -> Selector:
    """Return which migrations a command selects; raises UsageError for flags that contradict each other or a bad time limit."""
    from tasks.commands.rehearse.choose import Selector

    read_seconds(timeout)
    return Selector(only, every)


def read_seconds(text: str) -> float | None:
    """Read a time limit; raises UsageError for a text that is not a number of seconds."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _LONGEST_S:
        raise UsageError(
            f"--timeout={text} is not a valid duration",
            hint="Use a number of seconds greater than 0, for example --timeout=30",
            state="Nothing was changed.",
        )
    return seconds
