"""A difference as text for a terminal and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tasks.catalog.values import Change, Difference, Key
from tasks.postgres.masking import diff_masked, mask_secrets
from tasks.postgres.secret_words import speaks_of_secrets

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_OWNERS = frozenset({"table", "foreign table", "view", "materialized view"})
_ATTRIBUTES = frozenset({"column order", "replica identity", "clustering", "row security", "comment"})
"""Kinds that may be named after the table itself."""
_OWNED = re.compile(r' OWNED BY (?P<table>.+)\.(?:"(?:[^"]|"")*"|[^".]+)\Z')
"""The end of a sequence that is dropped with a column."""
_SPEAKING = "password "
_READ_WITHOUT_SECRETS = frozenset({"foreign-data wrapper", "server", "foreign table", "user mapping"})
"""The kinds whose secret options are not read, see tasks/catalog/classes/object_class.py."""
_LONG = 8
"""The number of lines from which a definition is shown as a diff."""


def show_difference(difference: Difference) -> Iterator[str]:
    """Yield the lines of a diff: `+ table public.x`, `~ column status of public.orders`, each followed by its definitions.

    Definitions are shown without secrets. Objects that were added or removed together with their table or view are counted in
    its line.
    """
    whole = {change.key: change.word for change in difference.changes if change.word != "changed" and change.key.kind in _OWNERS}
    folded: dict[tuple[str, Key], Counter[str]] = {}
    shown: list[Change] = []
    for change in difference.changes:
        owner = _find_owner(change, whole)
        if owner is None:
            shown.append(change)
        else:
            folded.setdefault((change.word, owner), Counter())[change.key.kind] += 1
    for change in shown:
        parts = folded.get((change.word, change.key))
        yield f"{_SIGNS[change.word]} {change.key}" + (f" (with {_count(parts)})" if parts else "")
        yield from (f"    {line}" for line in _show_definitions(change))


def mask_difference(difference: Difference) -> Difference:
    """Return a difference to show: its definitions are without secrets, and need not be SQL that can run."""
    changes = []
    for change in difference.changes:
        mask = _mask(change.key)
        changes.append(replace(change, before=change.before and mask(change.before), after=change.after and mask(change.after)))
    return Difference(tuple(changes))


def write_difference(difference: Difference) -> list[dict[str, Any]]:
    """Return the changes as JSON, without secrets."""
    changes = mask_difference(difference).changes
    return [
        {
            "change": change.word,
            "kind": change.key.kind,
            "name": change.key.name,
            "parent": change.key.parent,
            "before": change.before,
            "after": change.after,
        }
        for change in changes
    ]


def _find_owner(change: Change, whole: Mapping[Key, str]) -> Key | None:
    """Return the table or view that was added or removed together with a changed object."""
    name = change.key.parent or _name_owner(change)
    owners = (Key(kind, name) for kind in _OWNERS)
    return next((owner for owner in owners if owner != change.key and whole.get(owner) == change.word), None)


def _name_owner(change: Change) -> str:
    key = change.key
    if key.kind == "sequence" and (match := _OWNED.search(change.after or change.before or "")):
        return match["table"]
    if key.kind not in _ATTRIBUTES:
        return ""
    return next((key.name.removeprefix(f"{kind} ") for kind in _OWNERS if key.name.startswith(f"{kind} ")), key.name)


def _count(parts: Counter[str]) -> str:
    counted = ((kind, number) for kind, number in sorted(parts.items()) if kind != "column order")
    return ", ".join(kind if number == 1 else f"{number} {_make_plural(kind)}" for kind, number in counted)


def _make_plural(kind: str) -> str:
    if kind.endswith(("x", "s")):
        return kind if kind.endswith("s") else f"{kind}es"
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def _show_definitions(change: Change) -> Iterator[str]:
    mask = _mask(change.key)
    before, after = mask(change.before or "").splitlines(), mask(change.after or "").splitlines()
    if change.before is None or change.after is None or len(before) + len(after) < _LONG:
        yield from (f"- {line}".rstrip() for line in before)
        yield from (f"+ {line}".rstrip() for line in after)
        return
    lines = list(diff_masked(change.before, change.after, mask=mask))[2:]
    if not lines:
        yield "only what is masked differs"
    for line in lines:
        yield line if line.startswith("@@") else f"{line[0]} {line[1:]}".rstrip()


def _mask(key: Key) -> Callable[[str], str]:
    """Return the function that masks a definition of an object, whose name may be the word for a secret."""
    if key.kind in _READ_WITHOUT_SECRETS:
        return str
    if not speaks_of_secrets(f"{key.name} {key.parent}"):
        return mask_secrets
    return lambda text: mask_secrets(f"{_SPEAKING}{text}").removeprefix(_SPEAKING)
