"""The forecast before a run on a guarded environment: it is shown with the plan, and long blocking is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from tasks.commands.dispatch import Ask, Foresight
from tasks.config.environments import Environment
from tasks.forecast.events import ForecastFailed, ForecastNotMade, StatementForecast
from tasks.forecast.limits import Limit
from tasks.options import Options
from tasks.runner.command_lines import compose_command, show_name
from tasks.runner.errors import Place, RefusedError, RunnerError, describe_error
from tasks.runner.events import Event, PlanMade, PlannedStep, StatementVerdict
from tasks.runner.operations.requests import Request, write_arguments

if TYPE_CHECKING:
    from tasks.rehearsal.model import RehearsedMigration
    from tasks.rehearsal.selection import Selection
    from tasks.runner.signals import Stop

_TIMEOUT_S = 60.0
"""How long one migration may take on scratch: the question comes after it."""
_TOTAL_S = 120.0
"""How long all of them may take: those that do not fit have no forecast."""
_DOWN = " (down)"
"""What follows the version in the name of a down file on scratch."""
_BLOCKING = frozenset({"brief", "blocks_all", "loses_rows"})
"""The verdicts on statements that may keep out all queries; a limit may be shorter than what is called brief."""
_MOST_NAMED = 3


def foresee(environment: Environment, request: Request, options: Options, stop: Stop, names: str) -> Foresight:
    """Return the forecast of a request; `names` are the environments of the command, for a hint."""
    return ForecastBeforeRun(environment, request, options, stop, names)


@dataclass
class ForecastBeforeRun:
    """The forecast of one request for a guarded environment, made once its plan is known."""

    environment: Environment
    request: Request
    options: Options
    stop: Stop
    names: str
    verdicts: tuple[StatementVerdict, ...] = ()
    """What was forecast, for the log of the run."""
    _statements: list[StatementForecast] = field(default_factory=list)
    _passes_on: bool = True

    def watch(self, events: Iterator[Event], ask: Ask | None = None) -> Iterator[Event]:
        """Yield the events of a run, and after its plan those of the forecast; `ask` uses an open connection.

        Raises RefusedError if the plan would block everything for too long. A forecast that cannot be made prevents nothing.
        """
        done = False
        for event in events:
            yield event
            if not done and isinstance(event, PlanMade) and _is_run(event):
                done = True
                yield from self._show(event, ask)
                self._refuse_long_blocking(event)

    def _show(self, plan: PlanMade, ask: Ask | None) -> Iterator[Event]:
        """Yield the events of the forecast as they are printed."""
        from tasks.report.forecast.collecting import collect
        from tasks.report.forecast.confirming import register_messages

        register_messages()
        events = self._forecast(plan, ask)
        yield from events if self.options.json else collect(events)
        self.verdicts = tuple(
            StatementVerdict(each.version, each.number, each.verdict, *(each.blocked_seconds or (None, None)))
            for each in self._statements
            if self._passes_on
        )

    def _forecast(self, plan: PlanMade, ask: Ask | None) -> Iterator[Event]:
        from tasks.commands.rehearse.forecasting import forecast_environment, read_numbers

        urls: list[str] = []
        limit = Limit(time.monotonic() + _TOTAL_S, self.stop)
        try:
            selection = self._select(plan, urls, ask)
            live = read_numbers(self.environment, self._reading, self.stop, urls, reached=True, ask=ask)
            # An image that does not know the numbers knows no forecast either.
            self._passes_on = bool(live.numbers or not self.environment.fly_app or self.options.upload)
            events = forecast_environment(
                self.environment, selection, live, urls, timeout_s=_TIMEOUT_S, limit=limit, progress=not self.options.json
            )
            for made in events:
                event = _rename(made)
                self._statements += [event] if isinstance(event, StatementForecast) else []
                yield event
        except Exception as error:  # Whatever prevents the forecast does not prevent the run.
            yield ForecastNotMade(self.environment.name, _explain(error, urls))

    def _select(self, plan: PlanMade, urls: list[str], ask: Ask | None) -> Selection:
        """Return the migrations that the plan runs, after those that are applied; raises RunnerError if they are not known."""
        from tasks.commands.rehearse.choose import Selector, pick

        selection = pick(self.environment, Selector(), self._reading, self.stop, urls, ask)
        versions = tuple(step.version for step in plan.steps)
        if plan.action == "migrate":
            return replace(selection, chosen=versions, applied=selection.applied.difference(versions))
        downs = tuple(_make_down(selection, step) for step in plan.steps)
        before = tuple(each for each in selection.migrations if each.name in selection.applied)
        return replace(selection, migrations=(*before, *downs), chosen=tuple(each.name for each in downs), reason="rolled back")

    @property
    def _reading(self) -> Options:
        return Options(start=self.options.start)

    def _refuse_long_blocking(self, plan: PlanMade) -> None:
        """Raise RefusedError if a statement keeps all queries out of a table for longer than MAX_BLOCKING."""
        limit_s = self.environment.settings.max_blocking_s
        found = [each for each in self._statements if _blocks_longer(each, limit_s)]
        if not found or self.options.allow_blocking:
            return
        from tasks.report.forecast.words import format_range

        worst = max(found, key=lambda each: each.blocked_seconds[1] if each.blocked_seconds else 0.0)
        tables = [relation for relation, kept in worst.keeps_out.items() if "select" in kept]
        more = f" and {len(tables) - _MOST_NAMED} more" if len(tables) > _MOST_NAMED else ""
        named = f"{', '.join(tables[:_MOST_NAMED])}{more}"
        files = {step.version: step.file for step in plan.steps}
        name = show_name(self.environment.name)
        duration = format_range(worst.blocked_seconds or (0.0, 0.0))
        raise RefusedError(
            f"in {name} this statement would keep all queries out of {named} for {duration}, "
            f"longer than MAX_BLOCKING ({limit_s:g} s): {' '.join(worst.statement.split())}",
            hint=self._hint(),
            state="Nothing was changed.",
            place=Place(files.get(worst.version, worst.version), worst.line),
        )

    def _hint(self) -> str:
        command, *flags = write_arguments(replace(self.request, forecast=""))
        yes = ["--yes"] if self.options.yes else []
        upload = ["--upload"] if self.options.upload else []
        again = compose_command(f"db.{command}", f"--env={self.names}", *flags, *upload, *yes, "--allow-blocking")
        safe = compose_command("db.lint", env=self.environment.name)
        return f"See the safe migration: {safe}\nTo run it all the same: {again}"


def _rename(event: Event) -> Event:
    """Return an event with the version of a migration instead of the name of its down file on scratch."""
    if isinstance(event, StatementForecast | ForecastFailed):
        return replace(event, version=event.version.removesuffix(_DOWN))
    return event


def _is_run(plan: PlanMade) -> bool:
    """Return True if a plan is about to run."""
    return bool(plan.steps) and plan.purpose != "changed" and not any(finding.refuses for finding in plan.findings)


def _blocks_longer(statement: StatementForecast, limit_s: float) -> bool:
    blocked = statement.blocked_seconds
    keeps_out_reads = any("select" in kept for kept in statement.keeps_out.values())
    return statement.verdict in _BLOCKING and keeps_out_reads and blocked is not None and blocked[1] > limit_s


def _make_down(selection: Selection, step: PlannedStep) -> RehearsedMigration:
    """Return the down file of a step as a migration of its own; raises RunnerError if the step runs another text."""
    from tasks.rehearsal.model import RehearsedMigration
    from tasks.runner.planning.plan import Plan, show_plan

    pair = next((each for each in selection.migrations if each.name == step.version), None)
    if pair is not None and pair.down is not None and PurePath(step.file).name == PurePath(pair.shown_down).name:
        (known,) = show_plan(Plan("rollback", (pair.make_step("down"),)))
        count = len(step.statements)
        # Of a large file only the first statements are shown.
        same = known.statements[:count] if step.more else known.statements[-count:]
        if [(each.line, each.text) for each in same] == [(each.line, each.text) for each in step.statements]:
            return RehearsedMigration(f"{step.version}{_DOWN}", pair.down, shown=pair.shown_down)
    raise RunnerError(f"the down text of {step.version} that would run is not that of this checkout")


def _explain(error: Exception, urls: list[str]) -> str:
    """Return the reason of an error in one line, without passwords."""
    from tasks.console.boundary import explain
    from tasks.postgres.server.cluster import ServerError

    url = urls[-1] if urls else ""
    known = RunnerError(error.message) if isinstance(error, ServerError) else error
    explained = known if isinstance(known, RunnerError) else explain(error, url)
    if explained is None:
        return type(error).__name__
    return describe_error(explained, url).message.partition("\n")[0]
