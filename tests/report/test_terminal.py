"""The report in a pseudo-terminal."""

import re

import pytest

from tasks.console.cells import width
from tests.report.sample_program import MARKUP
from tests.report.samples import ASSETS, SEARCH, STATUS, USERS
from tests.report.terminals import open_terminal, show_screen

SHOW_CURSOR, HIDE_CURSOR = "\x1b[?25h", "\x1b[?25l"
COLOUR = re.compile(r"\x1b\[(?:[0-9]+;)*(?:3[0-9]|9[0-7])")


def _read_screen(*arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> tuple[str, list[str]]:
    """Return the raw output of a complete run and the screen at its end."""
    with open_terminal(*arguments, columns=columns, environment=environment) as terminal:
        terminal.finish()
        return terminal.output, show_screen(terminal.output)


def test_after_a_run_the_screen_shows_only_the_completed_steps() -> None:
    _, screen = _read_screen("migrate")
    assert screen[1:] == [
        "Found 14 migration files",
        "⏭️  Skipping 8 migrations (already applied)",
        f"⚠️  {ASSETS} (late): is older than",
        f"   {SEARCH}, which is already applied; it runs anyway",
        "   (--strict refuses it)",
        f"✅ Applied {USERS} (12 ms)",
        f"✅ Applied {SEARCH} (1 min 23 s)",
        "✅ All migrations completed!",
    ]


def test_success_is_green_and_its_time_is_dim() -> None:
    output, _ = _read_screen("migrate")
    assert f"\x1b[32m✅ Applied {USERS} \x1b[0m\x1b[2;32m(12 ms)\x1b[0m" in output


def test_the_running_statement_its_index_build_and_its_blocker_are_shown_below_the_completed_steps() -> None:
    with open_terminal("wait", columns=100) as terminal:
        screen = terminal.read_screen("line 9: CREATE INDEX")
        bar = next(index for index, line in enumerate(screen) if "━" in line)
        assert screen[bar - 1] == f"✅ Applied {USERS} (12 ms)"
        assert re.fullmatch(rf"[━╸╺]+ +2/2 {SEARCH} +\d+\.\d s", screen[bar])
        terminal.type_line()
        terminal.read_until("index build: scanning table, 43 %")
        terminal.type_line()
        terminal.read_until("has waited 4 s for pid 123")
        screen = terminal.read_screen("LOCK TABLE users")
        assert any(re.search(r"line 9: CREATE INDEX CONCURRENTLY chunks_embedding.* \d+\.\d s$", line) for line in screen)
        terminal.type_line()
        assert terminal.finish() == 0
        assert not any("line 9" in line or "waits" in line for line in show_screen(terminal.output))


def test_the_elapsed_time_is_updated_without_new_events() -> None:
    with open_terminal("wait") as terminal:
        output = terminal.read_until(r"CREATE INDEX[^\r\n]*m(\d+\.\d s)", times=3)
        assert "index build" not in output


@pytest.mark.parametrize(
    ("name", "message", "exit_code"), [("stumble", "caught: the run stumbled", 1), ("wait", "caught: interrupt", 130)]
)
def test_an_exception_of_the_run_is_propagated_after_the_terminal_is_restored(name: str, message: str, exit_code: int) -> None:
    with open_terminal(name) as terminal:
        terminal.read_until("CREATE INDEX")
        if name == "wait":
            terminal.interrupt()
        else:
            terminal.type_line()
        assert terminal.finish() == exit_code
        before, after = terminal.output.split(message)
        screen = show_screen(before)
    assert before.rindex(SHOW_CURSOR) > before.rindex(HIDE_CURSOR)
    assert "\x1b" not in after
    assert screen[-1] == f"✅ Applied {USERS} (12 ms)"


def test_a_failure_is_red_and_the_caret_is_below_the_error() -> None:
    output, screen = _read_screen("fail")
    assert f'\x1b[31m❌ Failed {SEARCH}: syntax error at or near "TABEL"\x1b[0m' in output
    assert sum("syntax error" in line for line in screen) == 1
    source = next(index for index, line in enumerate(screen) if "CREATE TABEL" in line)
    assert screen[source + 1].index("^") == screen[source].index("TABEL")


def test_the_states_are_coloured() -> None:
    output, _ = _read_screen("status", columns=140)
    for state, colour in (("applied", "32"), ("pending", "33"), ("late", "35"), ("edited", "31"), ("missing", "31")):
        assert re.search(rf"\x1b\[{colour}m{state} *\x1b\[0m", output)
    assert re.search(r"\x1b\[1;31minterrupted *\x1b\[0m", output)


@pytest.mark.parametrize("name", ["migrate", "all"])
def test_no_color_is_honoured(name: str) -> None:
    output, screen = _read_screen(name, environment={"NO_COLOR": "1"})
    assert not COLOUR.search(output)
    assert len(screen) > 1


@pytest.mark.parametrize("environment", [{"TERM": "dumb"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_that_cannot_show_the_symbols_gets_plain_lines(environment: dict[str, str]) -> None:
    output, screen = _read_screen("migrate", environment=environment)
    assert "\x1b" not in output
    assert screen[5].endswith(f"Applied {SEARCH} (1 min 23 s)")


@pytest.mark.parametrize("name", ["migrate", "fail", "all"])
@pytest.mark.parametrize("columns", [40, 60])
def test_nothing_is_wider_than_the_terminal(name: str, columns: int) -> None:
    _, screen = _read_screen(name, columns=columns)
    assert max(map(width, screen)) <= columns


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 140])
def test_a_status_has_everything_at_every_width(columns: int) -> None:
    _, screen = _read_screen("status", columns=columns)
    text = " ".join(" ".join(screen).split())
    assert any(line.startswith(f"pending      {SEARCH}") for line in screen)
    for row in STATUS.rows:
        facts = [row.version, row.applied_at[:10], row.applied_by, row.note, "" if row.execution_time_ms is None else " ms"]
        assert [fact for fact in facts if fact not in text] == []
    assert "⚠️  20250705080000_create_personas: 2 of 3 segments done" in screen
    assert max(map(width, screen)) <= columns


@pytest.mark.parametrize("columns", [60, 80, 100, 120, 160])
def test_a_history_has_everything_at_every_width(columns: int) -> None:
    _, screen = _read_screen("history", columns=columns)
    row = next(index for index, line in enumerate(screen) if ASSETS in line)
    assert "failed" in screen[row]
    text = " ".join(" ".join(screen).split())
    for fact in ("2025-11-22 12:00:00", "3 ms", "carl@laptop", "2f1c9a7d5b+changes", "8f3a52c1", "migrate"):
        assert text.count(fact) == 1 + (fact != "2f1c9a7d5b+changes")
    assert any("42601 syntax error at or near" in line for line in screen[row + 1 : row + 5])
    assert max(map(width, screen)) <= columns


def test_markup_in_data_is_printed_as_it_is() -> None:
    _, screen = _read_screen("markup", columns=200)
    assert sum(MARKUP in line for line in screen) >= 7
    assert f"❌ Failed 20250101000000_{MARKUP}: {MARKUP}" in screen


def test_escape_sequences_in_data_are_removed() -> None:
    output, screen = _read_screen("escapes", columns=200)
    assert "\x1b[2J" not in output
    assert "\x1b]" not in output
    assert "\x07" not in output
    assert "❌ Failed 20250101000000_evil: evil" in screen


@pytest.mark.parametrize("columns", [80, 140])
def test_wide_characters_and_long_names_are_folded_within_their_column(columns: int) -> None:
    _, screen = _read_screen("wide", columns=columns)
    assert max(map(width, screen)) <= columns
    assert sum(line.count("表") for line in screen) == 100
    assert len([line for line in screen if "2025-07-01 10:00:00" in line]) == 1
