"""The command db.diagram."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context

from tasks.commands.command import command
from tasks.commands.context import exit_on_error
from tasks.commands.dispatch import open_events
from tasks.commands.flags import ONE_ENV_HELP, SCRATCH_HELP
from tasks.commands.scratch import note_stand_ins, open_scratch, read_extensions
from tasks.config.environments import LOCAL, PROJECT, Environment, find_database_url, load_environment
from tasks.options import Options
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import RunnerError, describe_error
from tasks.runner.events import CatalogRead, Event
from tasks.runner.operations.requests import Request, parse_count
from tasks.runner.signals import Stop

if TYPE_CHECKING:
    from tasks.diagram.effect import Effect
    from tasks.rehearsal.selection import Selection


@dataclass(frozen=True, slots=True)
class _DrawingFlags:
    """The flags of db.diagram."""

    output: Path
    only: tuple[str, ...]
    changed: bool
    without: tuple[str, ...]
    timeout_s: int
    as_superuser: bool


@command(
    help={
        **ONE_ENV_HELP,
        **SCRATCH_HELP,
        "output": "the file to write: FILE.md (Markdown with a Mermaid diagram) or FILE.svg",
        "only": "only these tables, names or patterns such as 'user*,billing.*' (repeatable, or comma-separated)",
        "changed": "only the tables that pending migrations change, and those that foreign keys connect with them",
    },
    iterable=["without_extension", "only"],
)
def diagram(
    _context: Context,
    without_extension: Sequence[str],
    only: Sequence[str],
    output: str = "",
    env: str = "local",
    changed: bool = False,
    timeout: str = "600",
    as_superuser: bool = False,
    json: bool = False,
    start: bool = False,
) -> None:
    """Draw the tables and foreign keys as Mermaid or SVG.

    The changes of pending migrations are marked.
    """
    from tasks.diagram.choose import split_patterns
    from tasks.diagram.writing import check_output
    from tasks.report import report
    from tasks.report.diagram import register_messages

    register_messages()
    with exit_on_error(json=json, rehearses=True) as seen:
        without, timeout_s = read_extensions(without_extension), parse_count("--timeout", timeout)
        flags = _DrawingFlags(check_output(output), split_patterns(only), changed, without, timeout_s, as_superuser)
        environment = load_environment(env)
        if _is_embedded(environment) and (PROJECT / ".postgres" / "data").exists():
            find_database_url(environment)  # Starts the server, so that it does not matter whether it was stopped.
        report(_draw(environment, Options(json=json, start=start), seen, flags), json=json)


def _draw(environment: Environment, options: Options, seen: list[str], flags: _DrawingFlags) -> Iterator[Event]:
    """Draw the schema of the database with the effect of its pending migrations; without a database, what the files make."""
    from tasks.catalog import Catalog, Difference
    from tasks.commands.rehearse.choose import Selector, pick
    from tasks.diagram.effect import Effect
    from tasks.diagram.writing import Drawing, write_drawing
    from tasks.runner.ledger.tool_tables import exclude_tool_tables
    from tasks.runner.operations.schema import build_catalog

    stop = Stop()  # Ctrl-C ends the command at once: only scratch databases can be left, and they are dropped on the way out.
    selection = pick(environment, Selector(), options, stop, seen)
    read = _read_catalog(environment, options, stop, seen) if selection.environment else None
    pending = selection.chosen
    try:
        effect = yield from _rehearse(environment, read, selection, seen[-1] if seen else "", flags)
    except RunnerError as error:
        # The tables that exist can be drawn, unless only the changes were asked for.
        if read is None or not read.has_ledger or flags.changed:
            raise
        pending, effect = (), Effect(Catalog(), Difference(), (_explain_failure(error, seen),))
    if read is None or (_is_embedded(environment) and not read.has_ledger):
        drawing = Drawing(effect.after, Difference(), (), effect.unchecked)
    else:
        live = exclude_tool_tables(build_catalog(read), made=effect.after)
        drawing = Drawing(live, effect.changes, pending, effect.unchecked)
    yield write_drawing(drawing, flags.output, only=flags.only, changed=flags.changed)


def _explain_failure(error: RunnerError, urls: Sequence[str]) -> str:
    """Return why the changes of pending migrations are not in the drawing."""
    place = f"{error.place}: " if error.place else ""
    return f"the changes of pending migrations, because {place}{describe_error(error, urls[-1] if urls else '').message}"


def _is_embedded(environment: Environment) -> bool:
    """Return True for the embedded server, which creates the database of an environment before it is used."""
    return environment.name == LOCAL and not environment.settings.database_url


def _read_catalog(environment: Environment, options: Options, stop: Stop, seen: list[str]) -> CatalogRead:
    events = open_events(environment, Request("catalog"), options, stop, seen)
    read = next((event for event in events if isinstance(event, CatalogRead)), None)
    if read is None:
        hint = f"{compose_command('env.check', env=environment.name)} shows what is missing."
        raise RunnerError("the schema could not be read", hint=hint, state="Nothing was written.")
    return read


def _rehearse(
    environment: Environment, read: CatalogRead | None, selection: Selection, target: str, flags: _DrawingFlags
) -> Generator[Event, None, Effect]:
    """Return the effect of the pending migrations; without any, no scratch server is needed."""
    from tasks.catalog import Catalog, Difference
    from tasks.diagram.effect import Effect, list_applied, rehearse_effect
    from tasks.rehearsal.scratch.opening import check_version
    from tasks.runner.files.checkout import read_migrations

    if not selection.chosen:
        return Effect(Catalog(), Difference())
    settings = environment.settings
    with open_scratch(settings, target=target, without=flags.without, as_superuser=flags.as_superuser) as server:
        check_version(server, selection.server_version)
        applied = list_applied(read, selection, read_migrations(settings.migrations_dir)) if read is not None else []
        effect = rehearse_effect(server, applied, selection.list_chosen(), timeout_s=flags.timeout_s)
        yield from note_stand_ins(server)
    return effect
