"""The statements of a dump without the options of servers and user mappings that are secret, as the catalog reads them.

pg_dump shows a superuser all options: https://www.postgresql.org/docs/current/catalog-pg-user-mapping.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from tasks.postgres.masking import HIDDEN
from tasks.postgres.secret_words import OPTION_NAMES, OPTION_VALUES
from tasks.postgres.tokens import BLANKS, STRINGS, Token, read_string, tokenize

_WITH_OPTIONS = re.compile(r"(CREATE|ALTER) (FOREIGN DATA WRAPPER|SERVER|FOREIGN TABLE) ")
_USER_MAPPING = re.compile(r"(CREATE|ALTER) USER MAPPING FOR ")
_NAME = re.compile(OPTION_NAMES, re.IGNORECASE)
_VALUE = re.compile(OPTION_VALUES, re.IGNORECASE)
_NO_OPTIONS = "-- The options of this user mapping are left out: they may contain a password.\n"
_HIDDEN_OPTIONS = f"-- {HIDDEN} replaces the value of each option that may be a secret.\n"


def hide_options(statement: str) -> str:
    """Return a statement of a dump without the options of a user mapping, and with *** for the secret ones of servers."""
    if _USER_MAPPING.match(statement):
        options = next((token for token in tokenize(statement, skip=BLANKS) if token.text == "OPTIONS"), None)
        return _NO_OPTIONS + (statement if options is None else statement[: options.start].rstrip())
    if not _WITH_OPTIONS.match(statement):
        return statement
    pieces: list[str] = []
    last = 0
    for value in _find_secret_values(statement):
        pieces += statement[last : value.start], f"'{HIDDEN}'"
        last = value.end
    return _HIDDEN_OPTIONS + "".join((*pieces, statement[last:])) if pieces else statement


def _find_secret_values(statement: str) -> Iterator[Token]:
    """Yield the values of secret options: the literals that follow a name within OPTIONS ( … )."""
    inside = False
    for before, token in pairwise(tokenize(statement, skip=BLANKS)):
        if before.text == "OPTIONS" and token.text == "(":
            inside = True
        elif token.text == ")":
            inside = False
        elif inside and token.kind in STRINGS and (_NAME.search(before.text) or _VALUE.search(read_string(token))):
            yield token
