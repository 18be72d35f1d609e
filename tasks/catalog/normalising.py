"""What two versions of the server write differently about the same schema, and how it is made alike."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tasks.catalog.qualifiers import drop_qualifiers

_SOURCE = "https://github.com/postgres/postgres/commit/"
_RELEASE = "https://www.postgresql.org/docs/release/"


@dataclass(frozen=True, slots=True)
class Normalisation:
    """Describe one difference between versions: what differs since when, what is done about it, and where that is said."""

    since: int
    differs: str
    made: str
    source: str


NORMALISATIONS = (
    Normalisation(
        15,
        "PUBLIC may no longer CREATE in the schema public, which another role owns",
        "grants on it are held against what its version gives at creation; its usual comment is left out",
        f"{_RELEASE}15.0/",
    ),
    Normalisation(
        16,
        "a view that selects from one thing alone is written without the name of that thing before each column",
        "the name is dropped from what 14 and 15 write",
        f"{_SOURCE}47bb9db75996232ea71fc1e1888ffb0e70579b54",
    ),
    Normalisation(
        16,
        "words such as json became keywords, so that they are written in quotes where they name something",
        "the quotes are dropped where the words may be written without them",
        "https://www.postgresql.org/docs/current/sql-keywords-appendix.html",
    ),
    Normalisation(
        17,
        "there is a privilege MAINTAIN, which ALL includes",
        "ALL is written for whoever holds all others, and MAINTAIN is not missed where all others are held",
        f"{_RELEASE}17.0/",
    ),
    Normalisation(
        17,
        "a partition has the identity columns of its parent",
        "the identity of a partition's column is never written",
        f"{_RELEASE}17.0/",
    ),
    Normalisation(
        17,
        "NOT NULL of a domain is a constraint as well",
        "it is read from the domain",
        f"{_RELEASE}17.0/",
    ),
    Normalisation(
        18,
        "NOT NULL of a column is a constraint with a name",
        "it is read from the column; only those that are NOT VALID or NO INHERIT, which 17 cannot have, are constraints",
        f"{_RELEASE}18.0/",
    ),
)

_LATER_KEYWORDS = (
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
)
"""What pg_get_keywords() of 18 calls neither free nor reserved and that of 14 does not list."""

_QUOTED_KEYWORD = re.compile(f'(?<!")"({"|".join(_LATER_KEYWORDS)})"(?!")')
_TEXT_AFTER = {"function": "\nAS ", "procedure": "\nAS ", "comment": " IS '"}
"""What stands before a text of a person's own, which stays as it is."""

_CAST_ITEM = r"\('(?:[^']|'')*'::character varying(?:\(\d+\))?\)::text"
_CAST_ITEMS = re.compile(rf"ARRAY\[({_CAST_ITEM}(?:, {_CAST_ITEM})*)\]")
_CAST = re.compile(r"\(('(?:[^']|'')*'::character varying(?:\(\d+\))?)\)::text")
"""What the server makes of `x IN ('a', 'b')` for a varchar once it reads its own text of that again: a cast of each string, where
the first text casts the list. A dump that was loaded is no other schema."""

_VIEWS = frozenset({"view", "materialized view"})


def normalise(kind: str, definition: str, server_version: int) -> str:
    """Write a definition as all versions could have written it."""
    if kind in _VIEWS and server_version < 160000:
        definition = drop_qualifiers(definition)
    if kind in _TEXT_AFTER:
        written, mark, text = definition.partition(_TEXT_AFTER[kind])
        return unquote_keywords(written) + mark + text
    return join_casts(unquote_keywords(definition))


def join_casts(text: str) -> str:
    """Write a list of strings with one cast, as it was written before a dump was loaded."""
    if ")::text, (" not in text and ")::text]" not in text:
        return text
    return _CAST_ITEMS.sub(lambda match: "(ARRAY[" + _CAST.sub(r"\1", match[1]) + "])::text[]", text)


def unquote_keywords(text: str) -> str:
    """Drop the quotes around names that are keywords on newer servers only."""
    return _QUOTED_KEYWORD.sub(r"\1", text) if '"json' in text or '"merge_action"' in text else text
