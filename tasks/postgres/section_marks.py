"""The marks by which other migration tools divide a file into an up and a down section, each with its source.

No tool reads SQL to find its marks: all look at one line after the other. A mark inside a string, a quoted name or a block
comment is none for us, because the tool itself would send a statement that ends in the middle of it, which the server refuses:
a file that such a tool could run has none there. Patterns are matched from the beginning of a line to its end, as the tool
does; `loose` is the same with any letter case and any space, which is enough to refuse a file, but not to split it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class SectionMarks:
    """The marks of one tool as patterns of a line, empty where it has none."""

    tool: str
    up: str
    """The line that begins an up section; empty if that is everything before the first down section."""
    down: str
    source: str
    head: str = ""
    """What the first line that is not empty has to be, so that the other marks mean anything."""
    needs_up: bool = False
    """Whether the down mark counts only beside an up mark."""
    repeats: bool = False
    """Whether several up and down sections may follow each other."""
    downs_reversed: bool = False
    """Whether the last of several down sections runs first."""
    ordered: bool = False
    """Whether the up section has to be the first."""
    no_transaction: str = ""
    """The line because of which the file runs without a transaction."""
    section_no_transaction: str = ""
    """The mark of a section that runs without a transaction, where the mark has that option."""
    statement_begin: str = ""
    statement_end: str = ""
    hash_comments: bool = False
    """Whether lines that begin with # are comments."""
    drops_comments: bool = False
    """Whether it leaves out lines that begin with `-- `, even in the body of a function."""
    doubled_semicolon: bool = False
    """Whether `;;` is a semicolon that ends no statement."""
    variables: str = ""
    """The text with which what the tool replaces begins."""
    variables_switch: str = ""
    """The line that makes it replace variables; empty if it always does."""
    faults: tuple[tuple[str, str], ...] = ()
    """Lines that mean something which a migration cannot express: pattern and reason."""


_GOOSE = r"--\s*\+goose\s+"
_MIGRATE = r"-- \+migrate "
_MICRATE = r"-- \+micrate "
_CHANGESET = r"\s*--\s*changeset\s+(?:\"[^\"]+\"|[^:]+):\s*(?:\"[^\"]+\"|\S+).*"
_UP_WORD = r"(?:up|ups|apply|deploy|forward|forwards|migrate|do)"
_DOWN_WORD = r"(?:undo|rollback|rollbacks|revert|backward|backwards)"
_BEFORE_WORD = r"--[^\w\r\n]*(?:(?:[+@]\w+|\w+:)[^\w\r\n]*)?(?:migrat(?:e|ion)[^\w\r\n]+)?"
_AFTER_WORD = r"(?:[^\w\r\n]+(?:migration|section|script|sql|part))?[^\w\r\n]*"

SECTION_MARKS = (
    SectionMarks(
        "dbmate",
        up=r"--\s*migrate:up(?:\s.*)?",
        down=r"--\s*migrate:down(?:\s.*)?",
        ordered=True,
        section_no_transaction=r"--\s*migrate:(?:up|down)\s(?:.*\s)?transaction:false(?:\s.*)?",
        source="https://github.com/amacneil/dbmate#migration-options, "
        "https://github.com/amacneil/dbmate/blob/main/pkg/dbmate/migration.go (parseMigrationContents)",
    ),
    SectionMarks(
        "goose",
        up=rf"(?i:{_GOOSE}Up\s*)",
        down=rf"(?i:{_GOOSE}Down\s*)",
        ordered=True,
        no_transaction=rf"(?i:{_GOOSE}NO\s+TRANSACTION\s*)",
        statement_begin=rf"(?i:{_GOOSE}StatementBegin\s*)",
        statement_end=rf"(?i:{_GOOSE}StatementEnd\s*)",
        variables="${",
        variables_switch=rf"(?i:{_GOOSE}ENVSUBS?T?\s+ON\s*)",
        source="https://pressly.github.io/goose/documentation/annotations/, "
        "https://github.com/pressly/goose/blob/main/internal/sqlparser/parser.go (ParseSQLMigration)",
    ),
    SectionMarks(
        "sql-migrate",
        up=rf"{_MIGRATE}\s*Up(?:\s.*)?",
        down=rf"{_MIGRATE}\s*Down(?:\s.*)?",
        repeats=True,
        section_no_transaction=rf"{_MIGRATE}\s*(?:Up|Down)\s(?:.*\s)?notransaction(?:\s.*)?",
        statement_begin=rf"{_MIGRATE}\s*StatementBegin(?:\s.*)?",
        statement_end=rf"{_MIGRATE}\s*StatementEnd(?:\s.*)?",
        drops_comments=True,
        source="https://github.com/rubenv/sql-migrate#writing-migrations, "
        "https://github.com/rubenv/sql-migrate/blob/master/sqlparse/sqlparse.go (ParseMigration)",
    ),
    SectionMarks(
        "micrate",
        up=rf"{_MICRATE}\s*Up\s*",
        down=rf"{_MICRATE}\s*Down\s*",
        repeats=True,
        statement_begin=rf"{_MICRATE}\s*StatementBegin\s*",
        statement_end=rf"{_MICRATE}\s*StatementEnd\s*",
        source="https://github.com/amberframework/micrate/blob/master/src/micrate/migration.cr (statements)",
    ),
    SectionMarks(
        "rambler",
        up=r"-- rambler\s*up\s*",
        down=r"-- rambler\s*down\s*",
        repeats=True,
        downs_reversed=True,
        source="https://github.com/elwinar/rambler#migrations, "
        "https://github.com/elwinar/rambler/blob/master/migration.go (scan)",
    ),
    SectionMarks(
        "tern",
        up="",
        down=r"---- create above / drop below ----",
        no_transaction=r"---- tern: disable-tx ----",
        variables="{{",
        source="https://github.com/jackc/tern#migrations, "
        "https://github.com/jackc/tern/blob/master/migrate/migrate.go (LoadMigrations, disableTxPattern)",
    ),
    SectionMarks(
        "MyBatis Migrations or DbDeploy",
        up="",
        down=r"\s*--\s*//.*@UNDO.*",
        repeats=True,
        variables="${",
        faults=((r"\s*(?:--|//)?\s*(?://)?\s*@DELIMITER\s+(?!;\s*$).*", "changes the end of a statement"),),
        source="https://mybatis.org/migrations/migrate.html, https://github.com/mybatis/migrations/blob/master/src/main/java/"
        "org/apache/ibatis/migration/MigrationReader.java",
    ),
    SectionMarks(
        "Liquibase",
        up=_CHANGESET,
        down=r"\s*--\s*rollback .*",
        head=r"--\s*liquibase formatted.*",
        repeats=True,
        downs_reversed=True,
        no_transaction=rf"(?i:{_CHANGESET}(?<=\s)runInTransaction:false\b.*)",
        variables="${",
        faults=(
            (rf"(?i:{_CHANGESET})(?<!\S)(?i:dbms):(?!postgresql(?:\s|$)).*", "is for other databases as well"),
            (
                rf"(?i:{_CHANGESET})(?<!\S)(?i:context|contextFilter|labels|endDelimiter|rollbackEndDelimiter):.*",
                "has an attribute that decides what runs",
            ),
            (rf"(?i:{_CHANGESET})(?<!\S)(?i:runAlways|runOnChange|ignore):(?i:true)\b.*", "does not run exactly once"),
            (r"(?i:\s*--\s*preconditions?\b.*)", "is a precondition"),
            (r"(?i:\s*--\s*(?:property|ignoreLines)\b.*)", "changes the text that runs"),
            (r"(?i:\s*--\s*rollback\s+.*\bchangesetId:.*)", "refers to another change set"),
        ),
        source="https://docs.liquibase.com/concepts/changelogs/sql-format.html, https://github.com/liquibase/liquibase "
        "(FormattedSqlChangeLogParser)",
    ),
    SectionMarks(
        "Play evolutions",
        up=r"(?:#|--).*!Ups.*",
        down=r"(?:#|--).*!Downs.*",
        hash_comments=True,
        doubled_semicolon=True,
        variables="$evolutions{{{",
        source="https://www.playframework.com/documentation/latest/Evolutions#Evolutions-scripts, "
        "https://github.com/playframework/playframework (EvolutionsApi.scala: ResourceEvolutionsReader)",
    ),
    SectionMarks(
        "shmig",
        up=r"--\s*====\s+UP\s+====\s*",
        down=r"--\s*====\s+DOWN\s+====\s*",
        ordered=True,
        source="https://github.com/mbucc/shmig#migrations",
    ),
    SectionMarks(
        "node-pg-migrate",
        up=r"(?i:\s*--[\s-]*up\s+migration.*)",
        down=r"(?i:\s*--[\s-]*down\s+migration.*)",
        needs_up=True,
        source="https://salsita.github.io/node-pg-migrate/migrations/#sql-migrations, "
        "https://github.com/salsita/node-pg-migrate/blob/main/src/sqlMigration.ts (getActions)",
    ),
    SectionMarks(
        "another tool",
        up="",
        down=rf"(?i:{_BEFORE_WORD}downs?{_AFTER_WORD})",
        source="https://github.com/kriasoft/node-sqlite#migrations, https://www.npmjs.com/package/migration-files",
    ),
    SectionMarks(
        "another tool",
        up=rf"(?i:{_BEFORE_WORD}{_UP_WORD}{_AFTER_WORD})",
        down=rf"(?i:{_BEFORE_WORD}{_DOWN_WORD}{_AFTER_WORD})",
        needs_up=True,
        source="no tool in particular: a pair of comments such as `-- Apply` and `-- Rollback`",
    ),
)
"""The first tool whose marks a file has is used; the last two match words that many tools and people use."""


@cache
def compile_mark(pattern: str, *, loose: bool = False) -> re.Pattern[str] | None:
    """Return the compiled pattern of a line, which ignores case and space if it is `loose`; None for no pattern."""
    if not pattern:
        return None
    return re.compile(rf"\s*{pattern.replace(' ', chr(92) + 's*')}\s*", re.IGNORECASE) if loose else re.compile(pattern)


def may_begin_section(line: str) -> bool:
    """Return True if a line is a mark of a tool at which a down section begins, perhaps in another spelling."""
    if re.match(r"\s*/\*\s*liquibase\s*rollback", line, re.IGNORECASE):
        return True
    return any(
        mark is not None and mark.fullmatch(line) for mark in (compile_mark(each.down, loose=True) for each in SECTION_MARKS)
    )
