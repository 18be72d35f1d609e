"""The command db.compat, and what the confirmation of a guarded environment reports of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import open_events
from tasks.commands.flags import ONE_ENV_HELP, SCRATCH_HELP
from tasks.commands.rehearse.choose import Selector, pick
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import Environment, load_environment
from tasks.console.lines import format_place
from tasks.options import Options
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RunnerError
from tasks.runner.events import CHECK_FOUND, CatalogRead, Event, QueriesRead
from tasks.runner.operations.requests import Request, parse_count
from tasks.runner.signals import Stop, catch_signals

if TYPE_CHECKING:
    from tasks.compat.answer import CompatQuestion
    from tasks.rehearsal.model import RehearsedMigration
    from tasks.rehearsal.selection import Selection
    from tasks.runner.files.checkout import Migrations

_REMARK_S = 60
"""How many seconds a file may take on scratch while a confirmation waits for it."""


@dataclass(frozen=True, slots=True)
class _CompatFlags:
    """The flags of db.compat."""

    selector: Selector
    queries: str = ""
    """The file of queries; empty for those of pg_stat_statements."""
    without: tuple[str, ...] = ()
    timeout_s: int = 600
    as_superuser: bool = False

    @property
    def only_pending(self) -> bool:
        """Return True if the migrations are those that are pending in the environment."""
        return not self.selector.only and not self.selector.all


@command(
    help={
        **ONE_ENV_HELP,
        **SCRATCH_HELP,
        "queries": "check the queries of this file, each ended by ; with parameters as $1, not those of pg_stat_statements",
        "all": "all migrations, not only the pending ones",
        "only": "only these versions, comma-separated (a timestamp is enough)",
    },
    iterable=["without_extension"],
)
def compat(
    _context: Context,
    without_extension: Sequence[str],
    env: str = "local",
    queries: str = "",
    all: bool = False,
    only: str = "",
    timeout: str = "600",
    as_superuser: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Check that the running queries survive the migrations.

    Each is prepared on scratch before and after every pending file, and never executed. Exits with 4 if one breaks.
    """
    from tasks.compat.events import CompatChecked
    from tasks.report import report
    from tasks.report.annotations import print_annotations
    from tasks.report.compat import annotate, register_messages

    register_messages()
    found = False

    def look(events: Iterator[Event]) -> Iterator[Event]:
        nonlocal found
        for event in events:
            found = found or (isinstance(event, CompatChecked) and bool(event.broken or event.failed_version))
            yield event
            print_annotations(annotate(event, environment.settings.migrations_dir))

    with catch_signals() as stop, exit_on_error(json=json, rehearses=True) as seen:
        without, timeout_s = read_extensions(without_extension), parse_count("--timeout", timeout)
        flags = _CompatFlags(Selector(only, all), queries, without, timeout_s, as_superuser)
        environment = load_environment(env)
        report(look(_check(environment, Options(json=json, start=start), stop, seen, flags)), json=json)
    if found:
        raise Exit(code=CHECK_FOUND)


def describe_compat(environment: Environment, options: Options, stop: Stop) -> str:
    """Return one sentence on the queries that the pending migrations break, for a confirmation; empty if none is known to.

    It never raises an error: what cannot be found out does not prevent the run.
    """
    from tasks.compat.events import CompatChecked, QueryBroken

    try:
        events = list(_check(environment, options, stop, [], _CompatFlags(Selector(), timeout_s=_REMARK_S)))
    except Exception:
        # It only observes: whatever prevents it must not prevent the run.
        return ""
    broken = [event for event in events if isinstance(event, QueryBroken) and not event.after_deploy]
    if not broken or not any(isinstance(event, CompatChecked) for event in events):
        return ""
    number, worst = len({(each.query, each.place) for each in broken}), broken[0]
    subject = "1 query of the running code breaks" if number == 1 else f"{number} queries of the running code break"
    return f"{subject} at {format_place(worst.version, worst.line)}: {compose_command('db.compat', env=environment.name)}"


def _check(environment: Environment, options: Options, stop: Stop, seen: list[str], flags: _CompatFlags) -> Iterator[Event]:
    """Read the queries and the state of an environment, and yield what its pending migrations break."""
    from tasks.compat.answer import answer, answer_without_migrations, build_route, exclude_migrations
    from tasks.rehearsal.scratch.opening import check_version
    from tasks.runner.files.checkout import read_migrations

    question = _read_question(environment, options, stop, seen, flags.queries)
    selection = pick(environment, flags.selector, options, stop, seen)
    if not selection.chosen:
        yield from answer_without_migrations(question, selection.reason)
        return
    settings = environment.settings
    files = read_migrations(settings.migrations_dir)
    applied = _read_applied(environment, selection, files, options, stop, seen) if flags.only_pending else []
    route = build_route(selection, applied, pending=flags.only_pending)
    question = exclude_migrations(question, route.before if flags.only_pending else selection.migrations)
    target = seen[-1] if seen else ""
    with open_scratch(settings, target=target, without=flags.without, as_superuser=flags.as_superuser) as server:
        check_version(server, selection.server_version)
        yield from answer(server, question, route, reason=selection.reason, timeout_s=flags.timeout_s)
        yield from note_stand_ins(server)


def _read_question(environment: Environment, options: Options, stop: Stop, seen: list[str], file: str) -> CompatQuestion:
    """Return the queries of a file, or those of the environment; raises RunnerError if there are none to read."""
    from tasks.compat.answer import CompatQuestion, build_question
    from tasks.compat.query_file import read_query_file

    if file:
        queries, left_out = read_query_file(Path(file))
        return CompatQuestion(environment.name, queries, file, left_out)
    events = open_events(environment, Request("queries"), options, stop, seen)
    read = next((event for event in events if isinstance(event, QueriesRead)), None)
    if read is None:
        hint = f"{compose_command('env.check', env=environment.name)} shows what is missing."
        raise RunnerError("the queries could not be read", hint=hint, state="Nothing was changed.")
    return build_question(read, environment.name)


def _read_applied(
    environment: Environment, selection: Selection, files: Migrations, options: Options, stop: Stop, seen: list[str]
) -> list[RehearsedMigration]:
    """Return the applied texts in the order of their history; the files if no ledger can be read."""
    from tasks.rehearsal.drift.drift import choose_texts

    if not selection.applied:
        return []
    events = open_events(environment, Request("catalog"), options, stop, seen)
    read = next((event for event in events if isinstance(event, CatalogRead)), None)
    if read is not None:
        with suppress(RunnerError):
            return list(choose_texts(read.scripts, files, read.unknown, environment=read.environment))
    return [migration for migration in selection.migrations if migration.name in selection.applied]
