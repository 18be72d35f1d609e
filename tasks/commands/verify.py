"""The tasks db.verify and db.test-crash, thin: flags → selection and scratch server → answers → report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasks.commands.dispatch import Options, exit_on_error, load
from tasks.commands.scratch import open_scratch, read_extensions
from tasks.runner.errors import UsageError
from tasks.runner.events import CHECK_FOUND

if TYPE_CHECKING:
    from tasks.commands.choose import Selector
    from tasks.rehearsal.scratch.server import ScratchServer
    from tasks.rehearsal.selection import Selection
    from tasks.runner.events import Event

_LONGEST_S = 1e6
_CHOICE = {
    "env": "the environment whose pending migrations are meant: local (default), dev, staging, prod, or another",
    "all": "all migrations; no environment is asked",
    "only": "only this version (its timestamp is enough); no environment is asked",
    "timeout": "how many seconds a migration may take",
    "json": "JSON lines on stdout and nothing else there",
}


@task(
    help={
        **_CHOICE,
        "with_data": "also with a few generated rows in every table: what up fails on, and what up and down lose",
        "without_extension": "leave out what needs this extension (repeat it, or write several with commas)",
    },
    iterable=["without_extension"],
)
def verify(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "local",
    all: bool = False,
    only: str = "",
    with_data: bool = False,
    timeout: str = "",
    json: bool = False,
) -> None:
    """Prove on a scratch database that migrations go up, down and up again; exit with 4 if something is found."""
    without = [name for given in without_extension for name in read_extensions(given)]

    def answer(server: ScratchServer, selection: Selection) -> Iterator[Event]:
        from tasks.rehearsal.verify.verify import VerifyOptions
        from tasks.rehearsal.verify.verify import verify as verify_migrations

        return verify_migrations(server, selection, VerifyOptions(with_data, _read_seconds(timeout)))

    _rehearse(env, lambda: _wish(only, all, timeout), answer, without=without, json=json)


@task(name="test-crash", help=_CHOICE)
def crash_test(
    _context: Context, env: str = "local", all: bool = False, only: str = "", timeout: str = "", json: bool = False
) -> None:
    """Kill runs on scratch after every statement, and prove that the next run ends as if undisturbed; else exit with 4."""

    def answer(server: ScratchServer, selection: Selection) -> Iterator[Event]:
        from tasks.rehearsal.crash_test.crash_test import crash_and_resume

        folder = load(env).settings.migrations_dir
        return crash_and_resume(server, selection, folder, timeout_s=_read_seconds(timeout))

    _rehearse(env, lambda: _wish(only, all, timeout), answer, json=json)


def _rehearse(
    env: str,
    selector: Callable[[], Selector],
    answer: Callable[[ScratchServer, Selection], Iterator[Event]],
    *,
    without: Sequence[str] = (),
    json: bool,
) -> None:
    """Choose migrations, open the scratch server, and print the answers; raises Exit with 4 if something was found.

    A signal is no request here but an end: nothing but scratch databases can be left, and they go on the way out.
    """
    from tasks.commands.choose import pick
    from tasks.rehearsal.scratch.server import check_version
    from tasks.report import report
    from tasks.report.verification import register_words
    from tasks.runner.database.session import connect
    from tasks.runner.signals import Stop

    register_words()
    with exit_on_error(json=json) as seen:
        environment, asked = load(env), selector()
        selection = pick(environment, asked, Options(json=json), Stop(), seen)
        settings = environment.settings
        with open_scratch(settings, target=settings.database_url, without=without) as server:
            seen.append(server.url)
            if settings.database_url and selection.asked:
                with connect(settings.database_url, name="migrate-read") as connection:
                    check_version(server, connection.info.server_version)
            last = report(answer(server, selection), json=json)
    if getattr(last, "found", 0):
        raise Exit(code=CHECK_FOUND)


def _wish(only: str, every: bool, timeout: str) -> Selector:
    from tasks.commands.choose import Selector

    _read_seconds(timeout)
    return Selector(only, every)


def _read_seconds(text: str) -> float | None:
    """Read a time limit; raises UsageError for what is no number of seconds."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < _LONGEST_S:
        raise UsageError(
            f"--timeout={text} is no time", hint="Write seconds, for example --timeout=30", state="Nothing was changed."
        )
    return seconds
