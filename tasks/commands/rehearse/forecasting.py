"""Make the forecast for an environment: read its numbers, open the scratch server, print the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.commands.dispatch import Ask, open_events
from tasks.commands.rehearse.choose import is_running
from tasks.commands.scratch import note_stand_ins, open_scratch
from tasks.config.environments import LOCAL, Environment
from tasks.forecast.events import FileObserved, ForecastFailed, ForecastFinished, StatementForecast
from tasks.forecast.limits import Limit
from tasks.forecast.plan import finish, forecast, start
from tasks.options import Options
from tasks.report import report
from tasks.report.annotations import print_annotations
from tasks.runner.command_lines import compose_command
from tasks.runner.errors import ConnectError, RunnerError, describe_error
from tasks.runner.events import Event
from tasks.runner.events.numbers import NumbersRead
from tasks.runner.operations.requests import Request

if TYPE_CHECKING:
    from tasks.rehearsal.selection import Selection
    from tasks.report.forecast.collecting import CompleteForecast
    from tasks.runner.signals import Stop

_UNKNOWN = "sizes, activity and durations"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """The numbers of an environment, or the reason why there are none."""

    numbers: NumbersRead | None
    reason: str = ""


def read_numbers(
    environment: Environment, options: Options, stop: Stop, seen: list[str], *, reached: bool = False, ask: Ask | None = None
) -> LiveNumbers:
    """Read the numbers of an environment, with `ask` if a connection to it is open.

    The local environment may have no database, and one that was `reached` before may be unable to answer, for example an older
    image on Fly: then there are none. Raises RunnerError if another environment cannot be reached.
    """
    local = environment.name == LOCAL
    if local and not is_running(environment):
        return LiveNumbers(None, f"{_UNKNOWN}: there is no local database")
    try:
        request = Request("numbers")
        events = ask(request) if ask else open_events(environment, request, options, stop, seen)
        numbers = next((event for event in events if isinstance(event, NumbersRead)), None)
    except ConnectError:
        if not local:
            raise
        return LiveNumbers(None, f"{_UNKNOWN}: the local database cannot be read")
    except RunnerError as error:
        if not reached:
            raise
        return LiveNumbers(None, f"{_UNKNOWN}: {describe_error(error, seen[-1] if seen else '').message}")
    return LiveNumbers(numbers, "" if numbers else f"{_UNKNOWN}: the database gave no answer")


def forecast_environment(
    environment: Environment,
    selection: Selection,
    live: LiveNumbers | None,
    seen: list[str],
    *,
    without: Sequence[str] = (),
    as_superuser: bool = False,
    timeout_s: float | None = None,
    limit: Limit | None = None,
    progress: bool = False,
) -> Iterator[Event]:
    """Yield the events of the forecast of some migrations; without any, no scratch server is opened.

    `timeout_s` is the time limit of each migration on scratch, `limit` that of all. With `progress`, FileObserved is
    yielded too. Raises RunnerError.
    """
    numbers = live.numbers if live else None
    if not selection.chosen:
        yield start(selection, numbers)
        yield finish((), numbers, count=0, found=0, duration_ms=0)
        return
    settings = environment.settings
    not_known = (*_list_doubts(selection), *([live.reason] if live and live.reason else []))
    with open_scratch(settings, target=settings.database_url, without=without, as_superuser=as_superuser) as server:
        seen.append(server.url)
        for event in forecast(server, selection, numbers, not_known=not_known, timeout_s=timeout_s, limit=limit):
            if progress or not isinstance(event, FileObserved):
                yield event
        yield from note_stand_ins(server)


def show_forecast(
    events: Iterator[Event], environment: Environment, options: Options, *, html: str = ""
) -> ForecastFinished | None:
    """Print a forecast, write the page to the file `html` unless that is empty, and return its end."""
    from tasks.report.forecast.collecting import collect
    from tasks.report.forecast.text import register_messages

    register_messages()
    made: list[CompleteForecast] = []
    kept = _keep(events, made, environment.settings.migrations_dir)
    report(kept if options.json else collect(kept), json=options.json, verbose=options.verbose)
    if html and made:
        from tasks.report.forecast.page import write_page

        write_page(made[-1], Path(html))
    return made[-1].finished if made else None


def _keep(events: Iterator[Event], made: list[CompleteForecast], folder: Path) -> Iterator[Event]:
    """Yield the events and append the forecast as one value; print the annotations in a job of GitHub Actions."""
    from tasks.report.forecast.collecting import CompleteForecast, collect
    from tasks.report.forecast.text import annotate

    seen: list[Event] = []
    for event in events:
        seen.append(event)
        yield event
        if isinstance(event, StatementForecast | ForecastFailed):
            print_annotations(annotate(event, folder))
        if isinstance(event, ForecastFinished):
            made += [each for each in collect(seen) if isinstance(each, CompleteForecast)]


def _list_doubts(selection: Selection) -> Iterator[str]:
    """Yield what is assumed of the schema of the environment."""
    name = selection.environment
    if not name:
        return
    compare = compose_command("db.drift", env=name)
    yield f"whether {name} has the schema of its migrations: the forecast assumes it ({compare} compares)"
    texts = {
        "edited": "what edited files did when they were applied: the forecast uses their texts in this checkout",
        "missing": "what applied files did that are not in this checkout: the forecast is made without them",
    }
    for state, text in texts.items():
        versions = [version for version, found in selection.differing.items() if found == state]
        more = f" and {len(versions) - _MOST_NAMED} more" if len(versions) > _MOST_NAMED else ""
        if versions:
            yield f"{text} ({', '.join(versions[:_MOST_NAMED])}{more})"
