"""A forecast as an HTML page in one self-contained file, which can be printed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tasks.checkout.writing import write_file
from tasks.console.cells import clean
from tasks.console.lines import Style, format_place
from tasks.forecast.events import ForecastFailed, StatementForecast
from tasks.report.escaping import to_html
from tasks.report.forecast.collecting import CompleteForecast
from tasks.report.forecast.image import IMAGE_STYLE, render_image
from tasks.report.forecast.text import describe_blockers, describe_locks, describe_work, list_failure, list_not_known, summarize
from tasks.report.forecast.words import describe_verdict
from tasks.runner.errors import RunnerError

_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem }
table { border-collapse: collapse }
th, td { padding: .35rem .8rem; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; overflow-wrap: anywhere }
thead th { position: sticky; top: 0; background: Canvas }
tbody th { font: 13px ui-monospace, monospace; min-width: 12rem }
pre { margin: 0; font: 13px ui-monospace, monospace; white-space: pre-wrap }
.loses_rows, .blocks_all, .failed { color: light-dark(#cf222e, #f85149) }
.blocks_writes { color: light-dark(#9a6700, #d29922) }
.harmless { color: light-dark(#1a7f37, #3fb950) }
.verdict { font-weight: 600; min-width: 9rem }
h2 { font-size: 1.2rem }
@media print { details:not([open]) { display: none } thead th { position: static } tr { break-inside: avoid } }
"""
_MOST_TEXT = 2000
"""How many characters of a statement the page shows."""


def write_page(event: CompleteForecast, path: Path, *, now: datetime | None = None) -> None:
    """Write the page to a file; raises RunnerError if the file cannot be written."""
    try:
        write_file(path, render_page(event, now or datetime.now(UTC)).encode())
    except OSError as error:
        raise RunnerError(f"{path} cannot be written: {error.strerror}", hint="Name another file with --html.") from error


def render_page(event: CompleteForecast, now: datetime) -> str:
    """Return the text of the page."""
    environment = f" for {event.started.environment}" if event.started.environment else ""
    summary = "".join(f"<p>{to_html(line.text)}</p>\n" for line in summarize(event))
    image = render_image(event)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Forecast</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}{IMAGE_STYLE}</style></head><body>\n'
        f"<h1>Forecast{to_html(environment)}</h1>\n{summary}"
        f"<p>Migrations: {to_html(event.started.reason)}. Made at {now:%Y-%m-%d %H:%M} UTC.</p>\n"
        f"{''.join(map(_render_failure, event.failures))}"
        f"{f'<h2>What is locked when</h2>{image}' if image else ''}"
        f"{''.join(_render_statements(event))}{''.join(_render_not_known(event))}</body></html>\n"
    )


def _render_failure(failure: ForecastFailed) -> str:
    lines = "\n".join(line.text for line in list_failure(failure, Style()) if line.text)
    return f'<h2 class="failed">A migration fails on scratch</h2><pre>{to_html(lines)}</pre>\n'


def _render_statements(event: CompleteForecast) -> Iterator[str]:
    listed = [each for each in event.ranked if each.verdict != "harmless"]
    harmless = [each for each in event.ranked if each.verdict == "harmless"]
    if listed:
        yield f"<h2>Statements, the worst first</h2>\n{_render_table(event, listed)}"
    if harmless:
        number = f"{len(harmless)} harmless statement{'' if len(harmless) == 1 else 's'}"
        yield f"<details><summary>{number}</summary>{_render_table(event, harmless)}</details>\n"


def _render_table(event: CompleteForecast, statements: list[StatementForecast]) -> str:
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("place", "verdict", "statement", "what waits, and why"))
    rows = "\n".join(_render_row(event, each) for each in statements)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>\n{rows}\n</tbody></table>\n"


def _render_row(event: CompleteForecast, statement: StatementForecast) -> str:
    texts = [*describe_locks(event, statement), *describe_work(event, statement), *describe_blockers(event, statement)]
    texts += ["not observed: its locks are those that the manual documents"] if statement.source == "known" else []
    place = format_place(statement.version, statement.line)
    text = statement.statement if len(statement.statement) <= _MOST_TEXT else f"{statement.statement[:_MOST_TEXT]} …"
    return (
        f'<tr><th scope="row">{to_html(place)}</th><td class="verdict {to_html(statement.verdict)}">'
        f"{to_html(describe_verdict(statement))}</td><td><pre>{to_html(text)}</pre></td>"
        f"<td>{'<br>'.join(map(to_html, texts))}</td></tr>"
    )


def _render_not_known(event: CompleteForecast) -> Iterator[str]:
    texts = list(list_not_known(event))
    if texts:
        yield f"<h2>Not known</h2>\n<ul>{''.join(f'<li>{to_html(clean(text))}</li>' for text in texts)}</ul>\n"
