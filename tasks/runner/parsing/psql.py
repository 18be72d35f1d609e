r"""What files written for psql contain besides SQL: inline data of COPY, which is supported, and backslash commands.

`COPY … FROM stdin;` reads the lines that follow, up to a line `\.` or the end of the file, in any format of text:
https://www.postgresql.org/docs/current/sql-copy.html and https://www.postgresql.org/docs/current/app-psql.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.postgres.tokens import BLANKS, WORD, tokenize
from tasks.runner.parsing.source_text import ScriptError, SqlText, blank

_INLINE = "Replace this line by the text of that file."
_OUTPUT = "Delete the line; to print a message while the migration runs: DO $$ BEGIN RAISE NOTICE 'text'; END $$;"
_VARIABLE = "Write the value in place of the variable."
_GUARD = "Delete the line: pg_dump writes it to protect psql, and it changes nothing in the database."
_CONNECT = "Delete the line: a run uses one database, that of DATABASE_URL."
_CONDITION = "Delete the line and decide in SQL: DO $$ BEGIN IF condition THEN statement; END IF; END $$;"
_EXECUTE = (
    "Execute the statements that the query returns in a block:\n"
    "DO $$ DECLARE statement text; BEGIN FOR statement IN SELECT … LOOP EXECUTE statement; END LOOP; END $$;"
)
_LARGE_OBJECT = "Use a server function instead, for example lo_from_bytea(0, …)."
_LIST = "Delete the line: it only lists objects, and changes nothing in the database."
_SHOW = "Delete the line: it only changes what psql shows, and nothing in the database."
_SCRIPT = "Delete the line: a migration cannot run programs. Do that in the script that calls the tool."
_CHANNEL = "Delete the line: it belongs to a session at a terminal."
_SEND = "End the statement with ; instead."
_OTHER = "Delete the line, and write in SQL what it does: a migration runs without psql."

_INSTEAD = {
    "i": _INLINE,
    "ir": _INLINE,
    "include": _INLINE,
    "include_relative": _INLINE,
    "copy": r"Write COPY … FROM stdin; then the lines of data, then a line that contains only \.",
    "c": _CONNECT,
    "connect": _CONNECT,
    "set": _VARIABLE,
    "unset": _VARIABLE,
    "gset": _VARIABLE,
    "prompt": _VARIABLE,
    "getenv": _VARIABLE,
    "setenv": _VARIABLE,
    "echo": _OUTPUT,
    "qecho": _OUTPUT,
    "warn": _OUTPUT,
    "gexec": _EXECUTE,
    "if": _CONDITION,
    "elif": _CONDITION,
    "else": _CONDITION,
    "endif": _CONDITION,
    "restrict": _GUARD,
    "unrestrict": _GUARD,
    "encoding": "Delete the line: a run sends UTF-8.",
    "password": "Use ALTER ROLE … PASSWORD …, preferably not in a file that others can read.",
    "lo_import": _LARGE_OBJECT,
    "lo_unlink": "Use a server function instead: SELECT lo_unlink(OID);",
    "lo_export": _SCRIPT,
    "gdesc": _LIST,
    "watch": "Delete the line, and call the statement once: it ends with ;",
    **dict.fromkeys(("g", "gx", ";", "bind", "parse"), _SEND),
    **dict.fromkeys(("l", "list", "z", "sf", "sv", "lo_list", "conninfo", "errverbose"), _LIST),
    **dict.fromkeys(("pset", "x", "t", "a", "f", "H", "C", "T", "timing", "html", "crosstabview"), _SHOW),
    **dict.fromkeys(("!", "cd", "o", "out", "w", "write"), _SCRIPT),
    **dict.fromkeys(("q", "quit", "r", "reset", "p", "print", "e", "edit", "ef", "ev", "s", "h", "help", "?"), _CHANNEL),
    ".": r"Delete the line, or put COPY … FROM stdin; before the data: \. only ends the data of a COPY.",
}
"""What to write instead of each backslash command."""

_COMMAND = re.compile(r"\\([A-Za-z_]+|\S?)")
END_OF_DATA = re.compile(r"^\\\.\r?(?:\n|\Z)", re.MULTILINE)
_VARIABLE_USE = re.compile(rf""":(?:(['"])\w+\1|\{{\?\w+\}}|{WORD})""")
_REST_OF_LINE = re.compile(r"[ \t\r\f\v]*+(?:--[^\n]*)?(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class CopyData:
    """The inline data of the COPY that begins at the character `start` of the text."""

    start: int
    data: str


def take_copy_data(sql: SqlText) -> tuple[SqlText, tuple[CopyData, ...]]:
    """Return the text with the inline data blanked, so that everything else keeps its place, and the data.

    Raises ScriptError for a backslash command.
    """
    pieces: list[str] = []
    found: list[CopyData] = []
    taken = position = 0
    while (copy := _find_copy(sql, position)) is not None:
        start, semicolon = copy
        first = _find_data(sql, semicolon)
        end = END_OF_DATA.search(sql.text, first)
        position = end.end() if end else len(sql.text)
        found.append(CopyData(start, sql.text[first : end.start() if end else position]))
        pieces += sql.text[taken:first], blank(sql.text[first:position])
        taken = position
    pieces.append(sql.text[taken:])
    return SqlText(sql.file, "".join(pieces), sql.shift), tuple(found)


def needs_psql(lowered: str) -> bool:
    """Return True if a lower-case text could contain anything that only psql understands."""
    return "\\" in lowered or "stdin" in lowered or "stdout" in lowered


def _find_copy(sql: SqlText, position: int) -> tuple[int, int] | None:
    """Return where the next COPY from the client begins and where its semicolon is; the grammar allows FROM STDOUT too."""
    first = previous = ""
    start = depth = 0
    from_client = in_rule = False
    for token in tokenize(sql.text, position, skip=BLANKS):
        if token.text == "\\":
            raise _refuse_command(sql, token.start)
        word = token.text.lower()
        if not first:
            first, start = word, token.start
        depth += {"(": 1, ")": -1}.get(word, 0)
        if depth == 0 and first == "copy" and previous == "from" and word in ("stdin", "stdout"):
            from_client = True
        elif depth == 0 and first == "create" and word == "rule":
            in_rule = True
        elif word == ";" and (depth <= 0 or not in_rule):
            if from_client:
                return start, token.start
            first, depth, in_rule = "", 0, False
        previous = word
    return (start, len(sql.text)) if from_client else None


def _find_data(sql: SqlText, semicolon: int) -> int:
    """Return where the line after the semicolon of a COPY begins."""
    rest = _REST_OF_LINE.match(sql.text, semicolon + 1)
    if rest is None:
        raise sql.error(
            semicolon + 1,
            "unexpected text after COPY … FROM stdin; on the same line",
            hint=r"Move it below the line \. that ends the data.",
        )
    return rest.end()


def _refuse_command(sql: SqlText, offset: int) -> ScriptError:
    match = _COMMAND.match(sql.text, offset)
    name = match.group(1) if match else ""
    # All commands that begin with d describe objects: https://www.postgresql.org/docs/current/app-psql.html
    instead = _LIST if name.startswith("d") else _OTHER
    return sql.error(offset, f"\\{name} is a command of psql, not SQL", hint=_INSTEAD.get(name, instead))


def refuse_variable(sql: SqlText, offset: int) -> None:
    """Raise ScriptError if the character at which the parser stopped begins a variable of psql."""
    match = _VARIABLE_USE.match(sql.text, offset)
    if match is None:
        return
    quoted = {"'": "a string in quotes", '"': "a name in quotes"}.get(match[1], "a number or a name")
    raise sql.error(
        offset,
        f"{match[0]} is a variable of psql, which a run does not replace",
        hint=f"Write its value in place of the variable: {quoted}. What differs between environments can be a setting of\n"
        "the database (ALTER DATABASE … SET app.name = 'value';), which current_setting('app.name') reads.",
    )
