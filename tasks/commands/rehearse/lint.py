"""The command db.lint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.rehearse.lint_write import ScratchRewriting, read_applied, split_environments
from tasks.commands.rehearse.run import CHOICE_HELP, build_selector, read_seconds
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import load_environment
from tasks.options import Options
from tasks.runner.errors import ConnectError, RunnerError, describe_error
from tasks.runner.events import CHECK_FOUND

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.config.environments import Environment
    from tasks.lint.engine import LintKnowledge
    from tasks.rehearsal.selection import Selection
    from tasks.runner.events import Event
    from tasks.runner.signals import Stop


@command(
    help={
        **CHOICE_HELP,
        "env": "the environment whose pending migrations are selected, and whose table sizes count (local, without sizes)",
        "write": "replace the files by the safe ones, unless local or an environment of --env (comma-separated) has applied them",
        "all": "all migrations, each as if it were pending",
        "only": "only these versions, comma-separated (a timestamp is enough)",
        "timeout": "how many seconds a migration may take on scratch",
        "start": "start a machine on Fly if none is started",
    },
    iterable=["without_extension"],
)
def lint(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "",
    all: bool = False,
    only: str = "",
    timeout: str = "",
    write: bool = False,
    as_superuser: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Find what a reviewer would object to, with the safe SQL.

    Exits with 4 if something is found.
    """
    from tasks.commands.rehearse.choose import pick
    from tasks.report import report
    from tasks.report.lint import register_messages
    from tasks.runner.signals import Stop

    register_messages()
    with exit_on_error(json=json, rehearses=True) as seen:
        options, stop = Options(json=json, start=start), Stop()
        names = split_environments(env)
        environment, asked = load_environment(names[0]), build_selector(only, all, timeout)
        selection = pick(environment, asked, options, stop, seen)
        known = _replay(
            environment, selection, seen, read_extensions(without_extension), as_superuser, read_seconds(timeout), json=json
        )
        if env:
            known = _add_numbers(known, environment, options, stop, seen)
            known = replace(known, pending=bool(selection.applied) or not (only or all))
        if oldest := environment.settings.oldest_version:
            known = replace(known, server_version=min(known.server_version or oldest, oldest))
        last = report(_annotate(_lint(selection, known, shows=not write), environment.settings.migrations_dir), json=json)
        left = getattr(last, "found", 0)
        if write and left:
            applied = read_applied(names, options, stop, seen)
            without, timeout_s = read_extensions(without_extension), read_seconds(timeout)
            rewriting = ScratchRewriting(environment, selection, known, applied, without, as_superuser, timeout_s)
            left = rewriting.report(json=json)
    if left:
        raise Exit(code=CHECK_FOUND)


def _lint(selection: Selection, known: LintKnowledge, *, shows: bool) -> Iterator[Event]:
    from tasks.lint.engine import lint as lint_migrations
    from tasks.lint.rewriting import REWRITES

    return lint_migrations(selection, known, REWRITES if shows else {})


def _replay(
    environment: Environment,
    selection: Selection,
    seen: list[str],
    without: Sequence[str],
    as_superuser: bool,
    timeout_s: float | None,
    *,
    json: bool,
) -> LintKnowledge:
    """Return what a replay shows; without a scratch server only that it was not tried: the other rules need none."""
    from tasks.lint.engine import LintKnowledge
    from tasks.lint.replaying import replay_files
    from tasks.postgres.server.cluster import ServerError
    from tasks.rehearsal.errors import ScratchError
    from tasks.rehearsal.scratch.opening import check_version
    from tasks.report import report

    settings = environment.settings
    if not selection.chosen:
        return LintKnowledge(selection.server_version)
    try:
        with open_scratch(settings, target=settings.database_url, without=without, as_superuser=as_superuser) as server:
            seen.append(server.url)
            check_version(server, selection.server_version)
            known = replay_files(server, selection, timeout_s=timeout_s)
            report(note_stand_ins(server), json=json)
    except (ScratchError, ConnectError) as error:
        reason = describe_error(error, settings.scratch_url).message
    except ServerError as error:
        reason = error.message
    else:
        return known
    note = f"rules that need the schema, because there is no scratch server: {reason}"
    return LintKnowledge(selection.server_version, not_checked=(note,))


def _add_numbers(known: LintKnowledge, environment: Environment, options: Options, stop: Stop, seen: list[str]) -> LintKnowledge:
    """Return the knowledge with the numbers of an environment; if they cannot be read, each table counts as large and busy."""
    from tasks.commands.dispatch import open_events
    from tasks.runner.events.numbers import NumbersRead
    from tasks.runner.operations.requests import Request

    reason = "the runner there does not report them"
    try:
        events = open_events(environment, Request("numbers"), options, stop, seen)
        numbers = next((event for event in events if isinstance(event, NumbersRead)), None)
    except RunnerError as error:
        numbers, reason = None, describe_error(error, seen[-1] if seen else "").message
    if numbers is not None:
        return replace(known, numbers=numbers, server_version=numbers.server_version)
    note = f"the sizes of the tables in {environment.name}, so that each counts as large: {reason}"
    return replace(known, not_checked=(*known.not_checked, note))


def _annotate(events: Iterator[Event], folder: Path) -> Iterator[Event]:
    """Yield the events; after each finding, print its annotation in a job of GitHub Actions."""
    from tasks.lint.events import LintFound
    from tasks.report.annotations import print_annotations
    from tasks.report.lint import annotate

    for event in events:
        yield event
        if isinstance(event, LintFound):
            print_annotations([annotate(event, folder)])
