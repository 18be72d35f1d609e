"""The text of every event."""

from dataclasses import replace
from typing import Any

import pytest

from tasks.console import describe
from tasks.console.lines import Style
from tasks.console.plans import format_findings
from tasks.runner.events import (
    ErrorRaised,
    Event,
    FilesFound,
    Finding,
    HistoryRead,
    IndexAdvanced,
    LockAwaited,
    NoticeRaised,
    PlanMade,
    RepairProposed,
    Retried,
    RunFinished,
    RunStarted,
    Skipped,
    StatementFinished,
    StatementStarted,
    StepFailed,
    StepFinished,
    StepStarted,
    Waiting,
)
from tests.report.samples import (
    ASSETS,
    DIFF,
    EDITED,
    ERROR,
    FAILED_ROW,
    LATE,
    PSQL,
    RUN_ID,
    SAMPLES,
    SEARCH,
    SEARCH_STEP,
    STATUS,
    URL,
    USERS,
    USERS_STEP,
    sample,
)

PSQL_DESCRIPTION = "pid 123 (gaia, psql, from 10.0.0.7, idle in transaction since 2025-11-22 12:01:02 UTC)"
CONTROL_SEQUENCES = "\x1b[31m[red]x[/red]\x07\u202e"


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (RunStarted(RUN_ID, "migrate", "prod", URL, "carl"), [f"Migrating {URL} (prod), run 8f3a52c1 by carl"]),
        (RunStarted(RUN_ID, "migrate", "", URL, "carl"), [f"Migrating {URL}, run 8f3a52c1 by carl"]),
        (RunStarted(RUN_ID, "rollback", "prod", URL, "carl"), [f"Rolling back {URL} (prod), run 8f3a52c1 by carl"]),
        (FilesFound(12), ["Found 12 migration files"]),
        (FilesFound(3, "seed"), ["Found 3 seed files"]),
        (Skipped(()), []),
        (Skipped((USERS,)), ["⏭️  Skipping 1 migration (already applied)"]),
        (Skipped((USERS, ASSETS)), ["⏭️  Skipping 2 migrations (already applied)"]),
        (LockAwaited(None, 0.0), ["⏳ Another run has the lock; waiting"]),
        (
            LockAwaited(PSQL, 4.0),
            [f"⏳ Another run has the lock: {PSQL_DESCRIPTION}; waiting for 4 s"],
        ),
        (
            LockAwaited(PSQL, 4.0, stranger=True),
            [f"⏳ A session that is not a run of this tool has the lock of runs: {PSQL_DESCRIPTION}; waiting for 4 s"],
        ),
        (StepStarted("migrate", USERS, 1, 3, 7), []),
        (
            StepStarted("migrate", SEARCH, 2, 3, 7, 3),
            [f"⏩ Resuming {SEARCH}: an earlier run completed 3 of 7 statements"],
        ),
        (StatementStarted(SEARCH, 9, "SELECT 1", 4, 7), []),
        (StatementFinished(SEARCH, 9, 4, 7, 12), []),
        (Waiting(SEARCH, 12, 4.02, ()), [f"⏳ {SEARCH}.sql:12 has been running for 4 s"]),
        (Waiting(SEARCH, 12, 4.0, (PSQL,)), [f"⏳ {SEARCH}.sql:12 has waited 4 s for {PSQL_DESCRIPTION}: LOCK TABLE users"]),
        (Waiting("", 0, 4.0, (PSQL,)), [f"⏳ The run has waited 4 s for {PSQL_DESCRIPTION}: LOCK TABLE users"]),
        (
            Waiting(SEARCH, 12, 75.0, (PSQL, replace(PSQL, pid=124, client="local", query=""))),
            [
                f"⏳ {SEARCH}.sql:12 has waited 1 min 15 s for 2 sessions:",
                f"   {PSQL_DESCRIPTION}: LOCK TABLE users",
                "   pid 124 (gaia, psql, idle in transaction since 2025-11-22 12:01:02 UTC)",
            ],
        ),
        (
            IndexAdvanced(SEARCH, 9, "building index: scanning table", 43),
            [f"🔨 {SEARCH}.sql:9 index build: scanning table, 43 %"],
        ),
        (
            IndexAdvanced(SEARCH, 9, "waiting for old snapshots", -1),
            [f"🔨 {SEARCH}.sql:9 index build: waiting for old snapshots"],
        ),
        (
            Retried(SEARCH, 9, 2, 10, "lock not available", 1.5),
            [
                f"🔁 {SEARCH}.sql:9 was rolled back (attempt 2 of 10): lock not available",
                "   The transaction is retried in 1.5 s",
            ],
        ),
        (
            Retried(SEARCH, 9, 2, 10, "deadlock", 0.25, (PSQL,)),
            [
                f"🔁 {SEARCH}.sql:9 was rolled back (attempt 2 of 10): deadlock",
                "   The transaction is retried in 0.2 s",
                f"   Blocked by {PSQL_DESCRIPTION}: LOCK TABLE users",
            ],
        ),
        (NoticeRaised(SEARCH, "NOTICE", "one\ntwo"), [f"ℹ️  {SEARCH}: NOTICE: one", "   two"]),
        (NoticeRaised(SEARCH, "WARNING", "careful"), [f"⚠️  {SEARCH}: WARNING: careful"]),
        (StepFinished("migrate", USERS, 12), [f"✅ Applied {USERS} (12 ms)"]),
        (StepFinished("migrate", USERS, 999), [f"✅ Applied {USERS} (999 ms)"]),
        (StepFinished("migrate", USERS, 4009), [f"✅ Applied {USERS} (4 s)"]),
        (StepFinished("migrate", USERS, 12_340), [f"✅ Applied {USERS} (12.3 s)"]),
        (StepFinished("migrate", USERS, 7_265_000), [f"✅ Applied {USERS} (2 h 1 min)"]),
        (StepFinished("rollback", USERS, 3), [f"↩️  Rolled back {USERS} (3 ms)"]),
        (StepFinished("seed", "001_default_personas", 2), ["🌱 Seeded 001_default_personas (2 ms)"]),
        (StepFailed("migrate", USERS, "syntax error"), [f"❌ Failed {USERS}: syntax error"]),
        (RunFinished("migrate", 2, 1234), ["✅ All migrations completed!"]),
        (RunFinished("migrate", 0, 3), ["✅ Nothing to do: the database is up to date"]),
        (RunFinished("migrate", 0, 3, dry_run=True), ["✅ Dry run: nothing was changed"]),
        (RunFinished("migrate", 0, 3, renamed=2), ["✅ No migration to run; 2 rows of the ledger renamed"]),
        (RunFinished("rollback", 1, 3), ["✅ Rolled back 1 migration"]),
        (RunFinished("rollback", 0, 3), ["✅ Nothing to roll back"]),
        (RunFinished("seed", 3, 3), ["✅ All seeds completed!"]),
        (RunFinished("seed", 0, 3), ["✅ Nothing to do: the seeds are up to date"]),
        (RunFinished("repair", 2, 3), ["✅ Repaired the ledger: 2 changes"]),
        (RunFinished("repair", 0, 3), ["✅ Nothing to repair"]),
        (RunFinished("repair", 0, 3, proposed=1), ["✅ Nothing was changed: 1 change proposed, none confirmed"]),
        (PlanMade("migrate", False, (USERS_STEP,), ()), []),
        (PlanMade("migrate", True, (), ()), ["Dry run: nothing to do"]),
    ],
)
def test_an_event_has_its_text(event: Event, lines: list[str]) -> None:
    assert describe(event) == lines


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (RunStarted(RUN_ID, "seed", "prod", URL, "carl"), [f"Seeding {URL} (prod), run {RUN_ID} by carl"]),
        (
            Skipped((USERS, ASSETS)),
            [f"⏭️  Skipping {USERS} (already applied)", f"⏭️  Skipping {ASSETS} (already applied)"],
        ),
        (StepStarted("migrate", USERS, 1, 3, 7), [f"▶️  1/3 migrate {USERS} (7 statements)"]),
        (StatementStarted(SEARCH, 9, "SELECT\n 1", 4, 7), ["   4/7 line 9: SELECT"]),
        (StatementFinished(SEARCH, 9, 4, 7, 12), ["   4/7 line 9: done (12 ms)"]),
        (RunFinished("migrate", 2, 1234), ["✅ All migrations completed!", "   2 steps in 1.2 s"]),
    ],
)
def test_verbose_prints_more(event: Event, lines: list[str]) -> None:
    assert describe(event, verbose=True) == lines


def test_a_dry_run_numbers_its_steps_and_lists_segments_and_statements() -> None:
    assert describe(PlanMade("migrate", True, (USERS_STEP, SEARCH_STEP), ())) == [
        "Dry run: 2 migrations would be applied",
        "",
        f"  1. {USERS}",
        f"     migrations/up/{USERS}.sql, in one transaction",
        "       line  5  CREATE TABLE users (",
        "       line 12  COMMENT ON TABLE users IS 'People who log in'",
        "",
        f"  2. {SEARCH}",
        f"     migrations/up/{SEARCH}.sql, 3 segments, 1 completed by an earlier run",
        "     segment 1 of 3, in one transaction (completed by an earlier run, skipped)",
        "       line   5  CREATE EXTENSION IF NOT EXISTS vector",
        "     segment 2 of 3, outside a transaction",
        "       line   9  CREATE INDEX CONCURRENTLY chunks_embedding ON chunks",
        "     segment 3 of 3, in one transaction",
        "       line 102  ANALYZE chunks",
        "",
    ]


@pytest.mark.parametrize(("action", "words"), [("rollback", "1 migration would be rolled back"), ("seed", "1 seed would be run")])
def test_a_dry_run_states_what_would_be_done(action: str, words: str) -> None:
    assert describe(PlanMade(action, True, (USERS_STEP,), ()))[0] == f"Dry run: {words}"


def test_a_late_file_is_reported_before_it_runs() -> None:
    assert describe(PlanMade("migrate", False, (USERS_STEP,), (LATE,))) == [
        f"⚠️  {ASSETS} (late): is older than {SEARCH}, which is already applied; it runs anyway (--strict refuses it)"
    ]


def test_an_edited_file_is_shown_with_its_diff_and_the_next_step() -> None:
    lines = describe(PlanMade("migrate", True, (), (EDITED,)))
    assert lines[0] == f"❌ {USERS} (edited): differs from the text that was applied"
    assert lines[1:-2] == [f"     {line}" for line in DIFF.splitlines()]
    assert lines[-2] == "   Next:  undo the edit, or run `inv db.repair` to record the new text."


def test_a_refusal_leaves_the_hint_to_the_error_that_follows() -> None:
    assert not any("Next:" in line for line in describe(PlanMade("migrate", False, (), (EDITED,))))


def test_a_long_diff_is_truncated_unless_verbose() -> None:
    finding = replace(EDITED, diff="\n".join(f"+line {number}" for number in range(100)))
    event = PlanMade("migrate", False, (), (finding,))
    assert describe(event)[-1] == "     … 40 more lines (--verbose shows all)"
    assert describe(event, verbose=True)[-1] == "     +line 99"


def test_a_repair_is_proposed_with_its_complete_diff() -> None:
    diff = "\n".join(f"+line {number}" for number in range(100))
    lines = describe(RepairProposed(USERS, "record the new checksum", "The file was edited.", diff))
    assert lines[:3] == [f"🔧 {USERS}: record the new checksum", "   The file was edited.", "     +line 0"]
    assert lines[-1] == "     +line 99"


def test_an_error_has_message_place_state_and_next_step() -> None:
    assert describe(ERROR) == [
        '❌ syntax error at or near "TABEL" (42601)',
        f"   migrations/up/{ASSETS}.sql:3:8",
        "    3 | CREATE TABEL users (",
        "      |        ^",
        f"   State: {ASSETS} was rolled back completely. 2 earlier migrations of this run stay applied.",
        "   Next:  fix the file and run the command again.",
    ]


def test_an_error_without_a_place_is_short() -> None:
    assert describe(ErrorRaised("DATABASE_URL not set", "", "", "", 0, 0, "", "", 1)) == ["❌ DATABASE_URL not set"]


def test_the_lines_of_an_error_are_indented_below_its_first() -> None:
    error = replace(ERROR, message="no\n  a.sql\n  b.sql", state="one\ntwo", hint="three\nfour", source="")
    assert describe(error) == [
        "❌ no (42601)",
        "     a.sql",
        "     b.sql",
        f"   migrations/up/{ASSETS}.sql:3:8",
        "   State: one",
        "          two",
        "   Next:  three",
        "          four",
    ]


def test_an_error_in_a_long_line_shows_the_place() -> None:
    source = "SELECT " + "a, " * 400 + "FORM users"
    lines = describe(replace(ERROR, source=source, column=source.index("FORM") + 1))
    assert lines[2].endswith("FORM users")
    assert lines[3].index("^") == lines[2].index("FORM")
    assert len(lines[2]) <= 100


def test_status_is_a_table_with_its_counts() -> None:
    lines = describe(replace(STATUS, findings=()))
    assert lines == [
        f"{URL} (prod): 1 applied, 1 pending, 1 late, 1 edited, 1 missing, 1 interrupted; 3 applied versions not shown",
        "",
        "state        version                             applied at (UTC)     took        by",
        "applied      20250701093000_create_users         2025-07-01 10:00:00  12 ms       carl",
        "late         20250702101500_create_assets",
        "edited       20250703080000_create_chat          2025-07-03 10:00:00  1 min 23 s  deploy",
        "missing      20250704080000_create_rbac          2025-07-04 10:00:00  8 ms        deploy",
        "interrupted  20250705080000_create_personas",
        "pending      20251103120000_add_semantic_search",
        "",
        "⚠️  20250702101500_create_assets: older than the newest applied",
        "⚠️  20250705080000_create_personas: 2 of 3 segments done",
    ]


def test_status_ends_with_the_findings() -> None:
    assert describe(STATUS)[-1] == f"⚠️  {ASSETS} (late): {LATE.message}"


def test_status_without_migrations_says_so() -> None:
    assert describe(replace(STATUS, rows=(), findings=(), total=0)) == [f"{URL} (prod): no migrations"]


def test_columns_without_content_are_left_out() -> None:
    rows = (replace(STATUS.rows[0], applied_by="", execution_time_ms=None),)
    assert describe(replace(STATUS, rows=rows, findings=(), total=1))[2:] == [
        "state    version                      applied at (UTC)",
        "applied  20250701093000_create_users  2025-07-01 10:00:00",
    ]


def test_history_shows_each_failure_with_its_error() -> None:
    lines = describe(sample(HistoryRead))
    assert lines[0] == f"{URL} (prod): 2 log rows, newest first"
    assert lines[3].split() == [
        *("2025-11-22", "12:00:00", "failed", "migrate", ASSETS, "0/1", "3", "ms", "carl@laptop"),
        *("2f1c9a7d5b+changes", "8f3a52c1"),
    ]
    assert lines[4] == '   42601 syntax error at or near "TABEL"'
    assert lines[5].split()[2:5] == ["finished", "migrate", USERS]


def test_verbose_history_shows_all_of_an_error() -> None:
    event = HistoryRead("prod", URL, (FAILED_ROW,))
    assert describe(event, verbose=True)[-1] == "   LINE 3: CREATE TABEL users ("


def test_an_empty_history_says_so() -> None:
    assert describe(HistoryRead("prod", URL, ())) == [f"{URL} (prod): the log is empty"]


def _add_control_sequences(value: Any) -> Any:
    """Append control sequences to every text of an event."""
    if isinstance(value, str):
        return value + CONTROL_SEQUENCES
    if isinstance(value, tuple):
        return tuple(map(_add_control_sequences, value))
    names = getattr(value, "__dataclass_fields__", None)
    return (
        replace(value, **{name: _add_control_sequences(getattr(value, name)) for name in names if name != "kind"})
        if names
        else value
    )


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_no_text_of_an_event_reaches_the_terminal_as_a_control_sequence(event: Event, verbose: bool) -> None:
    lines = describe(_add_control_sequences(event), verbose=verbose)
    assert not any(set(line) & set("\x1b\x07\n\r\u202e") for line in lines)


def test_a_finding_begins_with_its_version_also_if_its_message_names_a_file_of_that_name() -> None:
    finding = Finding("interrupted", USERS, f"has 1 of its 2 segments committed, but up/{USERS}.sql no longer begins with them")
    line = format_findings((finding,), Style())[0]
    assert line.text.startswith(f"⚠️  {USERS} (interrupted): has 1 of its 2")
