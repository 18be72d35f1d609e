"""Section marks of other tools: a text with both directions is refused, and the sections are exactly what the tool runs."""

import re
from dataclasses import dataclass

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tasks.postgres.section_marks import SECTION_MARKS, SectionMarks
from tasks.runner.parsing import ScriptError, read_script
from tasks.runner.parsing.section_lines import NO_TRANSACTION, Sections
from tasks.runner.parsing.sections import read_sections
from tests.legacy.tool_histories import FORMS

UP, DOWN = "CREATE TABLE a ();", "DROP TABLE a;"

SPELLINGS = (
    "--+goose up\n{up}\n--   +GOOSE   down\n{down}",
    "  -- +migrate Up\n{up}\n\t-- +migrate Down\n{down}",
    "-- +goose Up\r{up}\r-- +goose Down\r{down}",
    "-- +goose Down\n{down}\n-- +goose Up\n{up}",
    "{up}\n-- +goose Down\n{down}",
    "{up}\n-- Down\n{down}",
    "{up}\n---------- DOWN ----------\n{down}",
    "{up}\n-- migration: down\n{down}",
    "{up}\n--- migration:down\n{down}",
    "{up}\n-- @down\n{down}",
    "{up}\n--down migration\n{down}",
    "-- Deploy\n{up}\n-- Revert\n{down}",
    "-- Down Migration\n{down}\n-- Up Migration\n{up}",
    "{up} -- it's done\n-- Down\n{down}",
    "COPY a FROM stdin;\nit's\n\\.\n-- Down\n{down}",
    "\n--LIQUIBASE formatted SQL\n--changeset a:1\n{up}\n/* liquibase rollback\n{down}\n*/\n",
    "--liquibase formatted sql\n--changeset a:1\n{up}\n-- rollback {down}",
    "\ufeff-- +goose Up\n{up}\n-- +goose Down\n{down}",
)
"""Marks in the spellings of other versions of a tool, and of tools that are not in the table."""

INNOCENT = (
    "SELECT '\n-- +goose Down\n';\nSELECT 1;",
    "DO $$ BEGIN\n-- +goose Down\nNULL; END $$;\nSELECT 1;",
    "SELECT 1; /*\n-- migrate:down\n*/ SELECT 2;",
    'SELECT 1 AS "\n-- Down\n";\nSELECT 1;',
    "-- roll back the change by hand if it was wrong\nSELECT 1;",
    "SELECT 1;\n-- Rollback\nSELECT 2;",
    "SELECT 1;\n-- down to the last row\nSELECT 2;",
    "-- Down migration: see down/x.sql\nSELECT 1;",
    "SELECT 1;\n-- +goose Down\n-- DROP TABLE a;\n",
    "SELECT 1; -- +goose Down\nSELECT 2;",
    "COPY a FROM stdin;\n-- Down\n1\n\\.\nSELECT 1;",
    "--changeset a:1\nSELECT 1;\n--rollback SELECT 2;",
    "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n--rollback not required\n",
    "--liquibase formatted sql\n--changeset a:1\nSELECT 1;\n--rollback empty\n",
)
"""Texts that only look as if they had both directions."""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("form", [*FORMS.values(), *SPELLINGS])
def test_a_text_with_both_directions_is_refused_with_the_place_of_the_down_section(form: str, newline: str) -> None:
    text = form.format(up=UP, down=DOWN).replace("\n", newline)
    with pytest.raises(ScriptError, match="contains both directions: a down section of") as refused:
        read_script(text, file="x.sql", version="")
    assert refused.value.place is not None
    assert re.search("down|undo|rollback|revert|drop below", refused.value.place.source.lower())
    assert refused.value.place.file == "x.sql"
    assert "inv db.cleanup-legacy" in refused.value.hint


@pytest.mark.parametrize("text", INNOCENT)
def test_a_comment_or_literal_that_only_resembles_a_mark_is_no_reason_to_refuse(text: str) -> None:
    assert read_script(text, file="x.sql", version="").statements


def test_a_mark_of_dbmate_without_a_down_section_names_the_command_that_removes_it() -> None:
    with pytest.raises(ScriptError, match="unknown directive 'up'") as refused:
        read_script("-- migrate:up\nSELECT 1;\n-- migrate:down\n", file="x.sql", version="")
    assert "inv db.cleanup-legacy" in refused.value.hint


@pytest.mark.parametrize("marks", SECTION_MARKS, ids=[f"{row.tool} {row.down}" for row in SECTION_MARKS])
def test_every_row_has_a_source(marks: SectionMarks) -> None:
    assert "https://" in marks.source or marks.source.startswith("no tool in particular")


@dataclass(frozen=True)
class Spelling:
    """How a tool writes a file: the marks, and what makes a section or the file run without a transaction."""

    up: str
    down: str
    head: str = ""
    section_flag: str = ""
    file_flag: str = ""
    begin: str = ""
    end: str = ""


GENERATED = {
    "dbmate": Spelling("-- migrate:up", "--  migrate:down", section_flag=" transaction:false"),
    "goose": Spelling(
        "-- +goose Up",
        "-- +goose Down",
        file_flag="-- +goose NO TRANSACTION",
        begin="-- +goose StatementBegin",
        end="-- +goose StatementEnd",
    ),
    "sql-migrate": Spelling(
        "-- +migrate Up",
        "-- +migrate Down",
        section_flag=" notransaction",
        begin="-- +migrate StatementBegin",
        end="-- +migrate StatementEnd",
    ),
    "tern": Spelling("", "---- create above / drop below ----", file_flag="---- tern: disable-tx ----"),
    "node-pg-migrate": Spelling("-- Up Migration", "-- Down Migration"),
    "MyBatis Migrations or DbDeploy": Spelling("", "-- //@UNDO"),
    "Liquibase": Spelling("--changeset ann:1", "", head="--liquibase formatted sql", section_flag=" runInTransaction:false"),
    "Play evolutions": Spelling("# --- !Ups", "# --- !Downs", head="# It's a comment"),
}

plain = st.sampled_from(
    ["SELECT 1", "INSERT INTO t VALUES ('it''s; -- fine')", 'SELECT 1 AS "a;b"', "SELECT /* ; */ 2", "SELECT E'\\';'"]
)
bodies = st.sampled_from(
    ["CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$\nSELECT 1;\nSELECT 2;\n$$", "DO $body$\nBEGIN\n  NULL;\nEND\n$body$"]
)
sections = st.lists(plain | bodies, min_size=1, max_size=4)
noise = st.sampled_from(["", "-- a note; with 'a quote'", "", "/* block */"])


def write_section(spelling: Spelling, statements: list[str], comments: list[str]) -> list[str]:
    """Return the lines of a section; a statement with a body is marked as one where the tool needs it."""
    lines = []
    for number, statement in enumerate(statements):
        marked = spelling.begin and "$" in statement
        # A marked statement needs no semicolon.
        lines += [comments[number % len(comments)], spelling.begin if marked else "", f"{statement}{'' if marked else ';'}"]
        lines += [spelling.end if marked else ""]
    return lines


def read(sections: Sections, *, down: bool) -> list[str]:
    text = sections.down if down else sections.up
    return [statement.text for statement in read_script(text, file="", version="").statements]


@pytest.mark.parametrize("tool", GENERATED)
@settings(max_examples=40, deadline=None, phases=(Phase.generate,), database=None)
@given(
    ups=sections,
    downs=sections,
    comments=st.lists(noise, min_size=1),
    flagged=st.booleans(),
    newline=st.sampled_from(["\n", "\r\n"]),
)
def test_the_sections_have_exactly_the_statements_of_the_tool(
    tool: str, ups: list[str], downs: list[str], comments: list[str], flagged: bool, newline: str
) -> None:
    spelling = GENERATED[tool]
    flag = spelling.section_flag if flagged else ""
    lines = [spelling.head] if spelling.head else []
    lines += [spelling.file_flag] if flagged and spelling.file_flag else []
    lines += [f"{spelling.up}{flag}"] if spelling.up else []
    lines += write_section(spelling, ups, comments)
    if tool == "Liquibase":
        lines += [f"--rollback {line}" for each in downs for line in f"{each};".splitlines()]
    else:
        lines += [f"{spelling.down}{flag}"]
        lines += [spelling.file_flag] if flagged and tool == "tern" else []
        lines += write_section(spelling, downs, comments)
    text = "\n".join([*lines, ""]).replace("\n", newline)
    found = read_sections(text)
    assert found is not None
    assert (found.tool, found.fault) == (tool, None)
    assert read(found, down=False) == [each.replace("\n", newline) for each in ups]
    assert read(found, down=True) == [each.replace("\n", newline) for each in downs]
    can_flag = bool(spelling.section_flag or spelling.file_flag)
    for section in (found.up, found.down):
        assert section.startswith(NO_TRANSACTION) == (flagged and can_flag)
