"""The timeline as part of an HTML page: an SVG image, and the same entries as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from tasks.console.cells import clean, cut, first_line
from tasks.console.lines import format_duration, format_time
from tasks.report.escaping import to_svg
from tasks.report.timeline.moments import KINDS, Group, Moment, Span, group_moments, list_moments, make_span
from tasks.runner.events import HistoryRead

MOST_ROWS = 20_000
"""How many rows of the log of an environment a page shows."""
TIMELINE_STYLE = """
.scroll { overflow-x: auto }
.timeline { display: block; font: 12px system-ui, sans-serif }
.timeline text { fill: CanvasText }
.timeline .axis { stroke: #8886 }
.timeline .tick, .timeline .kind { fill: GrayText }
.timeline .lane { font-weight: 600 }
.timeline .mark text { fill: Canvas; font-size: 10px; font-weight: 600 }
.timeline .applied { fill: light-dark(#1a7f37, #3fb950) }
.timeline .adopted { fill: light-dark(#0969da, #58a6ff) }
.timeline .rolled { fill: light-dark(#9a6700, #d29922) }
.timeline .failed { fill: light-dark(#cf222e, #f85149) }
details td { white-space: normal; overflow-wrap: anywhere }
details { overflow-x: auto; margin-bottom: 1.5rem }
"""
_SLOTS, _SLOT = 40, 26
_LEFT, _ROW, _LANE_HEAD, _AXIS, _MARGIN = 96, 24, 26, 30, 12
_TICKS = 5
_MOST_NAMED = 10
_MOST_LANE_CELLS = 60
_THOUSAND = 1000
_A_DAY_S = 86400


def render_timeline(histories: Sequence[HistoryRead]) -> str:
    """Return the section of a page with the history of each environment; empty if no log was read."""
    if not histories:
        return ""
    lanes = [(history, list_moments(history)) for history in histories]
    moments = [moment for _, found in lanes for moment in found]
    notes = [
        f"<p>{to_svg(history.environment)}: the history is not shown: {to_svg(history.unknown)}</p>"
        for history in histories
        if history.unknown
    ]
    notes += [
        f"<p>{to_svg(history.environment)}: only the newest {len(history.rows)} entries of the log were read.</p>"
        for history in histories
        if len(history.rows) >= MOST_ROWS
    ]
    span = make_span(moments, _SLOTS)
    if span is None:
        return "\n".join(["<h2>History</h2>", *notes, *([] if notes else ["<p>The log is empty.</p>"]), ""])
    shown = [(history.environment, found) for history, found in lanes if not history.unknown]
    return "\n".join(["<h2>History</h2>", *notes, *_draw(shown, span), *_list_entries(shown), ""])


def _draw(lanes: Sequence[tuple[str, Sequence[Moment]]], span: Span) -> Iterator[str]:
    """Yield an image with a lane for each environment, and in it a row for each kind of moment."""
    drawn: list[str] = []
    y = _AXIS
    for environment, moments in lanes:
        drawn.append(f'<text class="lane" x="0" y="{y + 18}">{to_svg(cut(clean(environment), _MOST_LANE_CELLS))}</text>')
        y += _LANE_HEAD
        if not moments:
            drawn.append(f'<text class="kind" x="0" y="{y + 15}">no entries</text>')
            y += _ROW
        for kind in KINDS:
            found = [moment for moment in moments if moment.kind == kind]
            if found:
                drawn += _draw_row(kind, y, group_moments(found, span))
                y += _ROW
        y += _MARGIN
    wide = _LEFT + _SLOTS * _SLOT + _MARGIN
    about = "; ".join(f"{clean(environment)}: {_count_kinds(moments)}" for environment, moments in lanes)
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Timeline">'
    yield f'<svg class="timeline" width="{wide}" height="{y}" viewBox="0 0 {wide} {y}" role="img" aria-label="{to_svg(about)}">'
    yield from _draw_axis(span, y)
    yield from drawn
    yield "</svg></div>"


def _count_kinds(moments: Sequence[Moment]) -> str:
    numbers = [(kind, sum(moment.kind == kind for moment in moments)) for kind in KINDS]
    return ", ".join(f"{number} {kind}" for kind, number in numbers if number) or "no entries"


def _draw_axis(span: Span, bottom: int) -> Iterator[str]:
    """Yield the vertical lines with their times; days if they are far enough apart."""
    form = "%Y-%m-%d" if span.seconds >= _A_DAY_S * _TICKS else "%Y-%m-%d %H:%M"
    for tick in range(_TICKS + 1):
        x = _LEFT + _SLOTS * _SLOT * tick // _TICKS
        anchor = "start" if tick == 0 else "end" if tick == _TICKS else "middle"
        at = span.start + timedelta(seconds=span.seconds * tick / _TICKS)
        yield f'<path class="axis" d="M{x} {_AXIS - 8}V{bottom}"/>'
        yield f'<text class="tick" x="{x}" y="14" text-anchor="{anchor}">{at.strftime(form)}</text>'


def _draw_row(kind: str, y: int, groups: Sequence[Group]) -> Iterator[str]:
    name = kind.split()[0]
    yield f'<text class="kind" x="8" y="{y + 15}">{kind}</text>'
    for group in groups:
        x = _LEFT + group.slot * _SLOT + _SLOT // 2
        number = len(group.moments)
        yield f'<g class="mark"><title>{to_svg(_describe(kind, group))}</title>'
        if number == 1:
            yield f'<circle class="{name}" cx="{x}" cy="{y + 11}" r="6"/>'
        else:
            yield f'<rect class="{name}" x="{x - _SLOT // 2 + 1}" y="{y + 2}" width="{_SLOT - 2}" height="18" rx="9"/>'
            yield f'<text x="{x}" y="{y + 15}" text-anchor="middle">{_shorten(number)}</text>'
        yield "</g>"


def _shorten(number: int) -> str:
    return str(number) if number < _THOUSAND else f"{number // _THOUSAND}k"


def _describe(kind: str, group: Group) -> str:
    """Return the text for a mark: which versions, by whom, when, and how long it took."""
    lines = [_describe_moment(moment) for moment in group.moments[:_MOST_NAMED]]
    more = len(group.moments) - len(lines)
    head = [f"{len(group.moments)} {kind}"] if len(group.moments) > 1 else []
    return "\n".join([*head, *lines, *([f"and {more} more"] if more else [])])


def _describe_moment(moment: Moment) -> str:
    took = "" if moment.row.duration_ms is None else f", {format_duration(moment.row.duration_ms)}"
    error = f": {first_line(moment.row.error)}" if moment.row.error else ""
    return f"{moment.kind} {clean(moment.row.version)} at {format_time(moment.row.at)} UTC by {_name(moment)}{took}{error}"


def _name(moment: Moment) -> str:
    actor, host = clean(moment.row.actor), clean(moment.row.host)
    return f"{actor}@{host}" if host else actor


def _list_entries(lanes: Sequence[tuple[str, Sequence[Moment]]]) -> Iterator[str]:
    """Yield the entries as a table that is closed at first, newest first."""
    entries = [(moment, environment) for environment, moments in lanes for moment in moments]
    entries.sort(key=lambda entry: entry[0].at, reverse=True)
    yield f"<details><summary>{len(entries)} {'entry' if len(entries) == 1 else 'entries'} as a table</summary>"
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("time", "environment", "what", "version", "by", "took", "error"))
    yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
    for moment, environment in entries:
        took = "" if moment.row.duration_ms is None else format_duration(moment.row.duration_ms)
        cells = (format_time(moment.row.at), environment, moment.kind, moment.row.version, _name(moment), took, moment.row.error)
        yield f"<tr>{''.join(f'<td>{to_svg(first_line(cell))}</td>' for cell in cells)}</tr>"
    yield "</tbody></table></details>"
