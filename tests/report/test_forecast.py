"""A forecast as text: words, order, the timeline, and terminals of different widths."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from tasks.console.cells import width
from tasks.console.lines import Style
from tasks.console.printer import describe
from tasks.forecast.events import RelationFacts, StatementForecast
from tasks.report.forecast.collecting import CompleteForecast, collect
from tasks.report.forecast.text import annotate, format_forecast, register_messages
from tasks.report.forecast.words import describe_kept_out, describe_verdict, format_bytes, format_range, format_rows
from tasks.report.wrapping import wrap_lines
from tasks.runner.events import Event
from tasks.runner.events.numbers import RelationLock
from tests.report.forecasts import (
    ADD_EMAIL,
    ADD_KEY,
    ASSUMED,
    COMMENT,
    DROP_OLD,
    EVERYTHING,
    FACTS,
    FAILED,
    FORECAST,
    INDEX_ORDERS,
    INDEX_USERS,
    STARTED,
    USERS,
    WRITES,
    make_forecast,
    make_large_forecast,
    make_statement,
)
from tests.report.test_html import MALICIOUS


def show(event: CompleteForecast, cells: int = 120, *, verbose: bool = False) -> list[str]:
    """Return the plain lines of a forecast."""
    return [line.text for line in format_forecast(event, Style(width=cells, verbose=verbose))]


def cut_out(lines: list[str], head: str) -> list[str]:
    """Return the lines from the one that begins with a text to the next blank one."""
    start = next(index for index, line in enumerate(lines) if line.startswith(head))
    end = next((index for index in range(start, len(lines)) if not lines[index]), len(lines))
    return lines[start:end]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        ((0.0, 0.05), "less than 0.1 s"),
        ((0.0, 0.4), "at most about 0.4 s"),
        ((0.3, 0.9), "about 0.3 to 0.9 s"),
        ((4.1, 12.3), "about 4 to 12 s"),
        ((0.5, 88), "about 0.5 to 88 s"),
        ((20, 370), "about 20 s to 6 min"),
        ((130, 355), "about 2 to 6 min"),
        ((11, 11.2), "about 11 s"),
        ((5000, 20000), "about 1.4 to 6 h"),
        ((1e5, 1e6), "about 1.2 to 12 days"),
    ],
)
def test_a_range_of_time_is_rounded_to_what_is_known(seconds: tuple[float, float], text: str) -> None:
    assert format_range(seconds) == text


def test_an_index_is_not_counted_beside_its_table() -> None:
    rewritten = replace(INDEX_ORDERS, scans=(), rewrites=("public.orders", "public.orders_pkey"))
    made = make_forecast(
        [rewritten], relations=(*FACTS, RelationFacts("public.orders_pkey", None, 20_000_000, "", "public.orders"))
    )
    assert "rewrites public.orders, public.orders_pkey (64 MB, about 120,000 rows)" in " ".join(show(made, 200))


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (999_999, "1 MB"), (64_000_000, "64 MB"), (3_200_000_000, "3.2 GB")],
)
def test_a_size_is_in_words(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(("rows", "text"), [(1, "1 row"), (99, "99 rows"), (12034, "about 12,000 rows")])
def test_a_number_of_rows_is_rounded_because_statistics_are_estimates(rows: int, text: str) -> None:
    assert format_rows(rows) == text


@pytest.mark.parametrize(
    ("operations", "text"),
    [
        (EVERYTHING, "reads and writes"),
        (WRITES, "writes"),
        (("update", "delete"), "updates and deletes"),
        (("select",), "reads"),
        (("ddl",), "schema changes"),
    ],
)
def test_what_is_kept_out_is_in_words(operations: tuple[str, ...], text: str) -> None:
    assert describe_kept_out(operations) == text


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        (ADD_EMAIL, "blocks everything for about 4 to 12 s"),
        (INDEX_ORDERS, "blocks writes for about 4 to 12 s"),
        (ADD_KEY, "blocks everything, for how long is not known"),
        (DROP_OLD, "loses about 12,000 rows"),
        (replace(DROP_OLD, rows_lost=None), "loses rows"),
        (COMMENT, "harmless"),
        (replace(COMMENT, verdict="brief"), "brief"),
    ],
)
def test_a_verdict_is_in_words(statement: StatementForecast, text: str) -> None:
    assert describe_verdict(statement) == text


def test_the_sum_is_first_and_the_worst_statement_follows() -> None:
    lines = show(FORECAST)
    counted = "1 loses rows, 2 block everything, 1 blocks writes, 2 harmless, 1 file failed on scratch"
    assert lines[0] == f"❌ 6 statements in 3 files: {counted} (1.2 s)"
    assert lines[1] == "   Disk: one statement needs 3.2 GB while it runs, 12 GB are free"
    heads = [line.rpartition(": ")[2] for line in lines if line.startswith(("❌ ", "⚠️ ")) and ".sql:" in line]
    assert heads == [
        "20251102000000_drop_old_users.sql:1",
        "20251103000000_partition_events.sql:5",
        f"{USERS}.sql:3",
        f"{USERS}.sql:7",
    ]


def test_a_statement_is_shown_with_what_waits_and_who_is_in_the_way() -> None:
    assert cut_out(show(FORECAST), "❌ blocks everything for about") == [
        f"❌ blocks everything for about 4 to 12 s: {USERS}.sql:3",
        "   ALTER TABLE users ADD COLUMN email text",
        "   public.users: reads and writes wait until the end of line 12 (AccessExclusiveLock)",
        "   runs for less than 0.1 s",
        "   in the way now: pid 4711 (psql, gaia, idle in transaction, transaction open for 4 min 0 s)",
    ]
    assert cut_out(show(FORECAST), "⚠️  blocks writes") == [
        f"⚠️  blocks writes for about 4 to 12 s: {USERS}.sql:7",
        "   CREATE INDEX orders_user ON orders (user_id)",
        "   public.orders: writes wait until the end of line 12 (ShareRowExclusiveLock)",
        "   scans public.orders (64 MB, about 120,000 rows); runs for about 4 to 12 s; needs 3.2 GB of disk (12 GB are free)",
    ]


def test_harmless_statements_are_counted_and_listed_with_verbose() -> None:
    assert not any("COMMENT" in line for line in show(FORECAST))
    lines = show(FORECAST, verbose=True)
    assert "✅ harmless: 20251101000000_add_email.sql:12" in lines
    assert cut_out(lines, "✅ harmless: 20251102000000_drop_old_users.sql:2")[2:] == [
        "   public.users: schema changes wait while it runs (ShareUpdateExclusiveLock)",
        "   scans public.users (3.2 GB, about 12,000,000 rows); runs for about 1 to 5 min",
        "   not observed: its locks are those that the manual documents",
    ]


def test_with_verbose_whole_statements_are_shown() -> None:
    lines = cut_out(show(FORECAST, verbose=True), "❌ blocks everything for about")
    assert lines[1:3] == ["   ALTER TABLE users", "       ADD COLUMN email text"]


def test_what_a_statement_outside_a_transaction_waits_for_is_shown() -> None:
    lock = RelationLock("public.users", "AccessExclusiveLock")
    detach = make_statement(USERS, 1, "…", "brief", {}, needs_old_transactions_to_end=True, briefly=(lock,))
    assert cut_out(show(make_forecast([detach])), "⏳ brief")[2:] == [
        "   for a moment: AccessExclusiveLock on public.users",
        "   it can finish only when all transactions that are older have ended",
    ]


def test_many_partitions_with_equal_locks_are_one_line() -> None:
    lines = cut_out(show(FORECAST), "❌ blocks everything, for how long")
    named = "public.events_2000_01 and 311 more partitions"
    assert lines[2] == f"   public.events, {named}: reads and writes wait until its end (AccessExclusiveLock)"
    assert lines[3] == f"   rewrites {named} (936 MB, about 310,000 rows)"


def test_what_is_not_known_is_in_one_place() -> None:
    assert cut_out(show(FORECAST), "Not known:")[1:] == [
        f"   - {ASSUMED}",
        f"   - how wide public.orders.note is ({USERS}.sql:7)",
        "   - how long a rewrite takes (20251103000000_partition_events.sql:5)",
    ]
    again = [make_statement(USERS, line, "…", "brief", {}, not_known=("the size",)) for line in range(1, 6)]
    assert f"   - the size ({USERS}.sql:1, {USERS}.sql:2, {USERS}.sql:3 and 2 more)" in show(make_forecast(again))


def test_the_timeline_shows_what_is_locked_when_without_colour() -> None:
    assert cut_out(show(FORECAST), "What is locked when") == [
        "What is locked when, one column per statement:",
        "                                            1  |2 |3",
        "   public.users                             RRR|.D|.",
        "   public.old_users                         ...|R.|.",
        "   public.events                            ...|..|R",
        "   public.events_2000_01 and 311 more part… ...|..|R",
        "   public.orders                            .WW|..|.",
        "   R reads and writes wait · W writes wait · D schema changes wait · . nothing waits",
        "   1 20251101000000_add_email.sql: lines 3, 7, 12",
        "   2 20251102000000_drop_old_users.sql: lines 1, 2",
        "   3 20251103000000_partition_events.sql: lines 5",
    ]


def test_a_file_that_fails_is_shown_with_its_error() -> None:
    lines = cut_out(show(FORECAST), "❌ 20251104000000_bad fails on scratch")
    assert lines[0] == "❌ 20251104000000_bad fails on scratch; 2 files after it are not forecast"
    assert lines[1] == '   ❌ syntax error at or near "TABEL" (42601)'


def test_nothing_pending_is_said() -> None:
    nothing = CompleteForecast(replace(STARTED, count=0), (), replace(FORECAST.finished, statements=0, verdicts={}))
    assert show(nothing) == ["✅ Nothing to forecast: no migration is pending in prod"]


@pytest.mark.parametrize("cells", [80, 120])
@pytest.mark.parametrize("event", [FORECAST, make_large_forecast(40)], ids=["sample", "40 files"])
def test_a_terminal_of_any_width_shows_everything(event: CompleteForecast, cells: int) -> None:
    console = Console(file=io.StringIO(), width=cells)
    lines = [part.plain for line in wrap_lines(format_forecast(event, Style(width=cells)), console) for part in line.split("\n")]
    assert max(map(width, lines)) <= cells
    words = " ".join(" ".join(lines).split())
    assert all(" ".join(line.split()) in words for line in show(event, cells))


def test_500_files_fit_a_few_screens_of_timeline() -> None:
    event = make_large_forecast(500)
    timeline = cut_out(show(event, 80), "What is locked when")
    assert len(timeline) < 300
    assert timeline[-1] == "   and 480 more files (--html shows all)"
    assert max(map(width, timeline)) <= 100


def test_text_from_files_and_databases_cannot_reach_the_terminal() -> None:
    evil = make_statement(MALICIOUS, 1, MALICIOUS, "brief", {MALICIOUS: EVERYTHING}, not_known=(MALICIOUS,), scans=(MALICIOUS,))
    for line in show(make_forecast([evil]), verbose=True):
        assert "\x1b" not in line


def test_the_events_of_a_forecast_become_one_after_its_start() -> None:
    events: list[Event] = [STARTED, INDEX_USERS, DROP_OLD, FAILED, FORECAST.finished]
    started, made = collect(events)
    assert started is STARTED
    assert made == CompleteForecast(STARTED, (INDEX_USERS, DROP_OLD), FORECAST.finished, (FAILED,))


def test_the_start_warns_of_another_major_version() -> None:
    register_messages()
    assert describe(STARTED) == ["Forecasting 3 of 16 migrations (pending in prod) on a scratch PostgreSQL 18 server"]
    assert describe(replace(STARTED, environment_version=150004))[1:] == [
        "⚠️  prod runs PostgreSQL 15, the scratch server is PostgreSQL 18: set SCRATCH_DATABASE_URL to a server of version 15"
    ]


def test_a_statement_that_blocks_is_annotated_in_a_pull_request() -> None:
    from pathlib import Path

    [note] = annotate(INDEX_ORDERS, Path("nowhere"))
    assert (note.level, note.title, note.message, note.line) == ("warning", "db.plan", "blocks writes for about 4 to 12 s", 7)
    assert list(annotate(COMMENT, Path("nowhere"))) == []
    [failed] = annotate(FAILED, Path("nowhere"))
    assert failed.level == "error"
