"""The text of grants and default privileges, as tasks/catalog/classes/access.py writes it, taken apart and put together."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

MAINTAIN = "MAINTAIN"
_ON_TABLES = frozenset({"DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"})
"""All privileges on tables and views before 17: https://www.postgresql.org/docs/16/ddl-priv.html"""
_ON_SCHEMAS = frozenset({"CREATE", "USAGE"})
_WITH_MAINTAIN = 17

_SENTENCE = re.compile(
    r"(?P<before>(?:ALTER DEFAULT PRIVILEGES .*?)?)(?P<verb>GRANT|REVOKE) (?P<privileges>[A-Z]+(?:, [A-Z]+)*)"
    r"(?P<after> ON (?P<kind>TABLES?|SCHEMA) .*?)(?P<option> WITH GRANT OPTION)?",
    re.DOTALL,
)
_END = re.compile(r";\n(?=GRANT |REVOKE |ALTER DEFAULT PRIVILEGES )")


@dataclass(frozen=True, slots=True)
class _Sentence:
    """A GRANT or REVOKE of privileges on tables or a schema, without the abbreviation ALL."""

    before: str
    verb: str
    privileges: frozenset[str]
    after: str
    option: str
    whole: frozenset[str]

    def write(self) -> str:
        """Return the sentence, with ALL for all privileges."""
        words = "ALL" if self.privileges == self.whole else ", ".join(sorted(self.privileges))
        return f"{self.before}{self.verb} {words}{self.after}{self.option}"


def drop_privilege(definition: str, privilege: str, major: int) -> str | None:
    """Return a definition that a server of a major version wrote, without a privilege; None if nothing is left.

    What is not about tables or a schema, and privileges on columns, stays as it is.
    """
    kept = []
    for text in _END.split(definition):
        sentence = _parse(text, major)
        if sentence is None:
            kept.append(text)
        elif left := sentence.privileges - {privilege}:
            kept.append(replace(sentence, privileges=left, whole=sentence.whole - {MAINTAIN}).write())
    return ";\n".join(kept) or None


def find_verbs(definition: str | None, privilege: str, major: int) -> frozenset[str]:
    """Return whether a definition grants or revokes a privilege on tables or a schema."""
    sentences = (_parse(text, major) for text in _END.split(definition or ""))
    return frozenset(each.verb for each in sentences if each is not None and privilege in each.privileges)


def has_what_an_upgrade_leaves(definition: str | None, *, by_default: bool, major: int) -> bool:
    """Return True if a role may have MAINTAIN, or lack it, because of an upgrade from 16 or older.

    `by_default` is whether it has all privileges on tables where nothing is granted or revoked, as the owner has. The pg_dump of
    16 writes ALL for a role with all older privileges, and the role gets MAINTAIN. A newer one, as pg_upgrade uses it, lists the
    older privileges, and each role has MAINTAIN or not as by default.
    """
    held = set(_ON_TABLES | {MAINTAIN}) if by_default else set()
    for sentence in _parse_all(definition, major):
        held = held | sentence.privileges if sentence.verb == "GRANT" else held - sentence.privileges
    return (MAINTAIN in held) == by_default or (MAINTAIN in held) == (held >= _ON_TABLES)


def _parse_all(definition: str | None, major: int) -> Iterable[_Sentence]:
    parsed = (_parse(text, major) for text in _END.split(definition or ""))
    return (each for each in parsed if each is not None)


def _parse(text: str, major: int) -> _Sentence | None:
    match = _SENTENCE.fullmatch(text)
    if match is None:
        return None
    whole = _ON_SCHEMAS if match["kind"] == "SCHEMA" else _ON_TABLES | ({MAINTAIN} if major >= _WITH_MAINTAIN else set())
    words = match["privileges"]
    privileges = whole if words == "ALL" else frozenset(words.split(", "))
    return _Sentence(match["before"], match["verb"], privileges, match["after"], match["option"] or "", whole)
