"""The forecast in short, for the confirmation of a run: its sum and the worst statements."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.console.cells import clean, cut
from tasks.console.formatters import register_formatters
from tasks.console.lines import INDENT, Line, Style
from tasks.forecast.events import ForecastNotMade
from tasks.report.forecast.collecting import CompleteForecast
from tasks.report.forecast.text import describe_blockers, format_verdict, list_failure, list_not_known, summarize
from tasks.runner.command_lines import compose_command

_MOST_STATEMENTS = 5
_MOST_REASONS = 3


def register_messages() -> None:
    """Register the formatters for the forecast before a run."""
    register_formatters({CompleteForecast: format_short, ForecastNotMade: format_not_made})


def format_short(event: CompleteForecast, style: Style) -> list[Line]:
    """Return the lines of a forecast before the question: a line for each of the worst statements, with who is in the way."""
    lines = [Line(f"Forecast for {clean(event.started.environment)}:", "head"), *summarize(event)]
    listed = [each for each in event.ranked if each.verdict != "harmless"]
    for statement in listed[:_MOST_STATEMENTS]:
        lines.append(format_verdict(statement))
        text = clean(" ".join(statement.statement.split()))
        lines.append(Line(INDENT + cut(text, max(style.width - len(INDENT), 1)), "code"))
        lines += [Line(INDENT + text, "warn") for text in describe_blockers(event, statement)]
    more = len(listed) - _MOST_STATEMENTS
    lines += [Line(f"{INDENT}and {more:,} more", "dim")] if more > 0 else []
    for failure in event.failures:
        lines += list_failure(failure, style)
    return [*lines, *_list_reasons(event), Line("")]


def _list_reasons(event: CompleteForecast) -> Iterator[Line]:
    reasons = list(list_not_known(event))
    for reason in reasons[:_MOST_REASONS]:
        yield Line(f"{INDENT}not known: {clean(reason)}", "dim")
    if reasons[_MOST_REASONS:]:
        whole = compose_command("db.plan", env=event.started.environment)
        yield Line(f"{INDENT}{len(reasons) - _MOST_REASONS} more things are not known: {whole}", "dim")


def format_not_made(event: ForecastNotMade, _style: Style) -> list[Line]:
    """Return the lines for a forecast that could not be made."""
    return [Line(f"No forecast for {clean(event.environment)}: {clean(event.reason)}", "warn")]
