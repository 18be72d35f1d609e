"""Domains in their parts: a default and a check depend on other objects, and are changed, apart from the domain itself.

https://www.postgresql.org/docs/current/sql-alterdomain.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tasks.catalog import Key
from tasks.postgres.tokens import NAME

DOMAIN_DEFAULT, DOMAIN_CHECK = "domain default", "domain constraint"
DOMAIN_PARTS = frozenset({DOMAIN_DEFAULT, DOMAIN_CHECK})
_DOMAIN = re.compile(
    rf"(?P<base>AS .*?)(?: DEFAULT (?P<default>.*?))?(?P<required> NOT NULL)?(?P<checks>(?: CONSTRAINT {NAME} CHECK \(.*)?)",
    re.DOTALL,
)
_CHECKS = re.compile(rf" (?=CONSTRAINT {NAME} CHECK \()")
_CHECK = re.compile(rf"CONSTRAINT (?P<name>{NAME}) (?P<check>.*)", re.DOTALL)
_REQUIRED = " NOT NULL"
_UNCHECKED = " NOT VALID"


def split_domain(key: Key, definition: str) -> dict[Key, str]:
    """Return a domain with its base type and NOT NULL, its default and its checks as separate objects."""
    match = _DOMAIN.fullmatch(definition)
    if match is None:
        return {key: definition}
    parts = {key: f"{match['base']}{match['required'] or ''}"}
    if match["default"]:
        parts[Key(DOMAIN_DEFAULT, key.name, key.name)] = match["default"]
    checks = (_CHECK.fullmatch(text) for text in _CHECKS.split(match["checks"])[1:])
    return parts | {Key(DOMAIN_CHECK, check["name"], key.name): check["check"] for check in checks if check}


def create_domain(key: Key, definition: str, parts: Mapping[Key, str], constraint: str | None) -> str:
    """Return the statement that creates a domain with these parts; `constraint` is the name of its NOT NULL."""
    defaults = (f" DEFAULT {text}" for part, text in parts.items() if part.kind == DOMAIN_DEFAULT)
    checks = (f" CONSTRAINT {part.name} {text}" for part, text in sorted(parts.items()) if part.kind == DOMAIN_CHECK)
    base = definition.removesuffix(_REQUIRED)
    required = definition[len(base) :]
    named = f" CONSTRAINT {constraint}{required}" if constraint and required else required
    return "".join([f"CREATE DOMAIN {key.name} {base}", *defaults, named, *checks])


def alter_domain(key: Key, before: str, after: str) -> list[str] | None:
    """Return the statement that changes whether a domain may be null; None for another base type."""
    if before.removesuffix(_REQUIRED) != after.removesuffix(_REQUIRED):
        return None
    return [f"ALTER DOMAIN {key.name} {'SET' if after.endswith(_REQUIRED) else 'DROP'} NOT NULL"]


def alter_check(key: Key, before: str, after: str) -> list[str] | None:
    """Return the statement that validates a check; None for another change."""
    validated = before == f"{after}{_UNCHECKED}"
    return [f"ALTER DOMAIN {key.parent} VALIDATE CONSTRAINT {key.name}"] if validated else None


def is_unchecked(key: Key, definition: str) -> bool:
    """Return True for a check that CREATE DOMAIN cannot include, because existing values may violate it."""
    return key.kind == DOMAIN_CHECK and definition.endswith(_UNCHECKED)
