"""What the versions of the server write differently about the same schema, and how it is written alike.

15: PUBLIC may no longer CREATE in the schema public, which has another owner. Grants on it are compared with the defaults of the
    version; its standard comment is left out. https://www.postgresql.org/docs/release/15.0/
16: a view that selects from one relation is written without its name before each column. The name is dropped for 14 and 15.
    https://github.com/postgres/postgres/commit/47bb9db75996232ea71fc1e1888ffb0e70579b54
16: words such as json became keywords, so that names like them are quoted. The quotes are dropped where they are not needed.
    https://www.postgresql.org/docs/current/sql-keywords-appendix.html
17: ALL includes a new privilege MAINTAIN. A role with all other privileges is written as having ALL.
    https://www.postgresql.org/docs/release/17.0/
17: a partition has the identity columns of its parent. The identity of a column of a partition is never written.
    https://www.postgresql.org/docs/release/17.0/
17: NOT NULL of a domain is a constraint too. It is read from the domain. https://www.postgresql.org/docs/release/17.0/
18: NOT NULL of a column is a constraint with a name. It is read from the column; only NOT VALID and NO INHERIT ones, which 17
    cannot have, are read as constraints. https://www.postgresql.org/docs/release/18.0/
"""

from __future__ import annotations

import re

from tasks.catalog.qualifiers import drop_qualifiers
from tasks.postgres.tokens import tokenize

LATER_KEYWORDS = frozenset(
    {
        "json",
        "json_array",
        "json_arrayagg",
        "json_exists",
        "json_object",
        "json_objectagg",
        "json_query",
        "json_scalar",
        "json_serialize",
        "json_table",
        "json_value",
        "merge_action",
    }
)
"""Words that pg_get_keywords() of 18 lists as neither unreserved nor reserved, and that of 14 does not list."""

_TEXT_AFTER = {"function": "\nAS ", "procedure": "\nAS ", "comment": " IS '"}
"""What comes before the text that a user wrote, which is not changed."""

_CAST_ITEM = r"\('(?:[^']|'')*'::character varying(?:\(\d+\))?\)::text"
_CAST_ITEMS = re.compile(rf"ARRAY\[({_CAST_ITEM}(?:, {_CAST_ITEM})*)\]")
_CAST = re.compile(r"\(('(?:[^']|'')*'::character varying(?:\(\d+\))?)\)::text")
"""How the server writes `x IN ('a', 'b')` for a varchar after a dump was loaded: with a cast of each string, not one of the list.
Both are the same schema."""

_VIEWS = frozenset({"view", "materialized view"})


def normalise(kind: str, definition: str, server_version: int) -> str:
    """Return a definition as all supported versions would write it."""
    if kind in _VIEWS and server_version < 160000:
        definition = drop_qualifiers(definition)
    if kind in _TEXT_AFTER:
        written, mark, text = definition.partition(_TEXT_AFTER[kind])
        return unquote_keywords(written) + mark + text
    return join_casts(unquote_keywords(definition))


def join_casts(text: str) -> str:
    """Return a text with one cast for a list of strings, as the server wrote it before a dump was loaded."""
    if ")::text, (" not in text and ")::text]" not in text:
        return text
    return _CAST_ITEMS.sub(lambda match: "(ARRAY[" + _CAST.sub(r"\1", match[1]) + "])::text[]", text)


def unquote_keywords(text: str) -> str:
    """Return the text without the quotes around names that are keywords only on newer servers."""
    if '"json' not in text and '"merge_action"' not in text:
        return text
    return "".join(
        token.text[1:-1] if token.kind == "identifier" and token.text[1:-1] in LATER_KEYWORDS else token.text
        for token in tokenize(text)
    )
