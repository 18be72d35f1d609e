"""What an old file needs and scratch lacks, and which text creates it."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, replace
from functools import lru_cache

from tasks.postgres.tokens import COMMENTS, NAME, STRINGS, tokenize
from tasks.rehearsal.replay.extensions import find_created, find_part
from tasks.rehearsal.scratch.roles import find_named
from tasks.runner.errors import RunnerError

_SUPABASE = "Supabase"
_PLATFORM_SCHEMAS = dict.fromkeys(
    ("auth", "storage", "realtime", "vault", "graphql_public", "supabase_functions", "supabase_migrations"), _SUPABASE
)
_PLATFORM_ROLES = dict.fromkeys(
    (
        "anon",
        "authenticated",
        "service_role",
        "authenticator",
        "supabase_admin",
        "supabase_auth_admin",
        "supabase_storage_admin",
        "supabase_read_only_user",
    ),
    _SUPABASE,
)
"""What a platform creates in each of its databases: https://supabase.com/docs/guides/database/postgres/roles"""

_MISSING = {
    "3F000": re.compile(r'^(schema) "(.+)" does not exist'),
    "42704": re.compile(r'^(?:unrecognized )?([a-z ]+) "(.+)" does not exist'),
    "42P01": re.compile(r'^(relation) "(.+)" does not exist'),
    "42883": re.compile(r"^(function|procedure|aggregate|routine) ([^(]+)\("),
}
_SHOWN = {"relation": "table"}
_QUALIFIED = rf"(?:{NAME}\s*\.\s*)*({NAME})"
_CREATE = r"\bcreate\s+(?:or\s+replace\s+)?(?:\w+\s+){0,3}?"
_CREATED = re.compile(
    rf"{_CREATE}(?:table|view|sequence|type|domain|function|procedure|aggregate|schema|role|user|index|collation|configuration)"
    rf"\s+(?:concurrently\s+)?(?:if\s+not\s+exists\s+)?(?:authorization\s+)?{_QUALIFIED}"
    rf"|\brename\s+to\s+({NAME})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a file needs and scratch lacks: an extension, a role, a schema, a type, a table, another file."""

    kind: str
    name: str
    platform: str = ""
    """The platform that creates it in each of its databases; empty if none is known to."""

    def __str__(self) -> str:
        return f"the {self.kind} {self.name}"


def find_need(error: RunnerError) -> Need | None:
    """Return what an error misses; None if it is not about an object that a file could create."""
    pattern = _MISSING.get(error.sqlstate)
    match = pattern.search(error.message.partition("\n")[0]) if pattern else None
    kind = _SHOWN.get(match[1], match[1]) if match else ""
    if kind not in ("schema", "role"):
        extension = find_part(error)
        if extension:
            return Need("extension", extension)
    if match is None:
        return None
    name = match[2]
    known = {"schema": _PLATFORM_SCHEMAS, "role": _PLATFORM_ROLES}.get(kind, {})
    return Need(kind, name, known.get(name, ""))


def find_platform_role(text: str, known: Container[str]) -> Need | None:
    """Return a role of a platform that a text names and that is not known; None if there is none.

    A rehearsal creates the roles that a file names, so no error would name it.
    """
    named = find_named(text) if any(name in text for name in _PLATFORM_ROLES) else []
    found = (name for name in named if name in _PLATFORM_ROLES and name not in known)
    return next((Need("role", name, _PLATFORM_ROLES[name]) for name in found), None)


def clear_platform(need: Need, text: str) -> Need:
    """Return a need without its platform if the text creates objects in that schema, which is the project's own then."""
    pattern = (
        rf'{_CREATE}(?:table|view|function|procedure|type|sequence)\s+(?:if\s+not\s+exists\s+)?"?{re.escape(need.name)}"?\s*\.'
    )
    own = need.kind == "schema" and re.search(pattern, strip_comments(text), re.IGNORECASE)
    return replace(need, platform="") if own else need


@lru_cache(maxsize=4096)
def list_created(text: str) -> frozenset[str]:
    """Return the unqualified names of what a text creates, in lower case; texts of DO blocks and functions included."""
    plain = strip_comments(text)
    names = {name.strip('"').lower() for pair in _CREATED.findall(plain) for name in pair if name}
    return frozenset(names | {name.lower() for name in find_created(plain)})


def creates(text: str, need: Need) -> bool:
    """Return True if a text seems to create what is needed."""
    return need.name.rpartition(".")[2].strip('"').lower() in list_created(text)


def strip_comments(text: str) -> str:
    """Return a text without comments and without strings, except those in dollars."""
    dropped = COMMENTS | (STRINGS - {"dollar_string"})
    return "".join(" " if token.kind in dropped else token.text for token in tokenize(text))
