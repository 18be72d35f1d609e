"""Comparing schemas, also those of servers of different versions: a difference that only the versions make is none.

15: PUBLIC may no longer CREATE in the schema public. Equal are the same differences from the version's default, and the same
    privileges: a statement without effect leaves no trace. https://www.postgresql.org/docs/release/15.0/
15: The sequences of an unlogged table are unlogged.
17: MAINTAIN is a privilege on tables, and a part of ALL. https://www.postgresql.org/docs/release/17.0/
18: NOT NULL of a column has a name, and since 17 that of a domain. https://www.postgresql.org/docs/release/18.0/
"""

from __future__ import annotations

import re
from dataclasses import replace

from tasks.catalog.privileges import MAINTAIN, drop_privilege, find_verbs, has_what_an_upgrade_leaves
from tasks.catalog.values import COLUMN_ORDER, LOCAL_NULL, NAMED_NULL, Catalog, Change, Difference, Key

PUBLIC_SCHEMA = Key("grant", "PUBLIC", "public")
"""What PUBLIC may do in the schema public."""
_PUBLIC = Key("schema", "public")
"""Every new database has it, and a dump of one without it does not drop it."""
_NULLS = frozenset({NAMED_NULL, LOCAL_NULL})
_GRANTS = frozenset({"grant", "default privilege"})
_WITHOUT_CREATE, _WITH_MAINTAIN = 15, 17
_WITH_DOMAIN_NULLS, _WITH_NULLS = 17, 18
_MAJOR = 10000
_PERSISTENCE = re.compile(r' AS IDENTITY \((?:SEQUENCE NAME (?:"(?:[^"]|"")*"|[^ "])+)? ?((?:UN)?LOGGED ?)(?=[A-Z)])')
_UNLOGGED = "UNLOGGED "


def compare(before: Catalog, after: Catalog) -> Difference:
    """Return what was added, removed and changed between two schemas, by kind and name."""
    before, after = align(before, after)
    keys = sorted(before.objects.keys() | after.objects.keys())
    pairs = ((key, before.objects.get(key), after.objects.get(key)) for key in keys)
    return Difference(tuple(Change(key, old, new) for key, old, new in pairs if old != new))


def align(one: Catalog, other: Catalog) -> tuple[Catalog, Catalog]:
    """Return two schemas without what only the versions of their servers make different."""
    aligned = restrict(one, other.server_version), restrict(other, one.server_version)
    verbs = [find_verbs(each.objects.get(PUBLIC_SCHEMA), "CREATE", _find_major(each)) for each in (one, other)]
    if all(verbs) and verbs[0] != verbs[1]:
        # Revoked on 14 and granted on a newer server: neither relative to the defaults nor as privileges is this the same.
        return (
            replace(aligned[0], objects={**aligned[0].objects, PUBLIC_SCHEMA: one.objects[PUBLIC_SCHEMA]}),
            replace(aligned[1], objects={**aligned[1].objects, PUBLIC_SCHEMA: other.objects[PUBLIC_SCHEMA]}),
        )
    return aligned


def restrict(catalog: Catalog, server_version: int) -> Catalog:
    """Return a schema without what a server of another version has not, or has with another default; 0 is an unknown version.

    Where that version is older, the schema is one of that version: statements that lead to it must run there.
    """
    own, other = _find_major(catalog), server_version // _MAJOR
    if not own or not other or own == other:
        return catalog
    objects = dict(catalog.objects)
    if own >= _WITH_MAINTAIN > other:
        for key in [key for key in objects if key.kind in _GRANTS]:
            _drop(objects, key, MAINTAIN, own)
    if (own < _WITHOUT_CREATE) != (other < _WITHOUT_CREATE):
        _drop(objects, PUBLIC_SCHEMA, "CREATE", own)
    if own >= _WITHOUT_CREATE > other:
        for key, text in objects.items():
            objects[key] = _drop_persistence(key, text)
    derived = {key: text for key, text in catalog.derived.items() if key.kind not in _NULLS or other >= _find_since(key)}
    return replace(catalog, objects=objects, derived=derived, server_version=min(catalog.server_version, server_version))


def _find_since(key: Key) -> int:
    """Return the version since which NOT NULL of a column, or of a domain, has a name."""
    return _WITH_NULLS if key.parent else _WITH_DOMAIN_NULLS


def divide(difference: Difference, server_version: int) -> tuple[Difference, Difference]:
    """Return the changes made by hand, and the mild ones: the order of columns, and what an upgrade of the server leaves.

    `server_version` is that of the server that has the changes.
    """
    mild = {change.key for change in difference.changes if _only_moves(change)}
    mild |= {change.key for change in difference.changes if _comes_from_an_upgrade(change, server_version // _MAJOR)}
    kept = tuple(change for change in difference.changes if change.key not in mild)
    return Difference(kept), Difference(tuple(change for change in difference.changes if change.key in mild))


def _only_moves(change: Change) -> bool:
    """Return True for the order of columns that are the same in both schemas."""
    texts = change.before, change.after
    return (
        change.key.kind == COLUMN_ORDER
        and None not in texts
        and len({tuple(sorted((text or "").split(", "))) for text in texts}) == 1
    )


def undo_upgrade(expected: Catalog, live: Catalog) -> Catalog:
    """Return a schema as expected where it differs only by what an upgrade of its server from an older version leaves."""
    major = _find_major(live)
    changes = [change for change in compare(expected, live).changes if _comes_from_an_upgrade(change, major)]
    if not changes:
        return live
    objects = dict(live.objects)
    for change in changes:
        objects.pop(change.key, None)
        if change.before is not None:
            objects[change.key] = change.before
    return replace(live, objects=objects)


def _comes_from_an_upgrade(change: Change, major: int) -> bool:
    """Return True if a change may be what a dump and restore, or pg_upgrade, from an older version left."""
    before, after, kind = change.before, change.after, change.key.kind
    if change.key == _PUBLIC and before is None:
        return True
    if kind == "sequence" and before is not None:
        return major >= _WITHOUT_CREATE and before == f"{_UNLOGGED}{after}"
    if kind == "column" and before is not None and after is not None:
        return major >= _WITHOUT_CREATE and before == _drop_persistence(change.key, after)
    if change.key == PUBLIC_SCHEMA and major >= _WITHOUT_CREATE:
        verbs = find_verbs(after, "CREATE", major) - find_verbs(before, "CREATE", major)
        return verbs == {"GRANT"} and _without(before, "CREATE", major) == _without(after, "CREATE", major)
    if kind in _GRANTS and major >= _WITH_MAINTAIN:
        by_default = change.key.name.endswith("OWNER") and " IN SCHEMA " not in change.key.name
        explained = has_what_an_upgrade_leaves(after, by_default=by_default, major=major)
        return explained and _without(before, MAINTAIN, major) == _without(after, MAINTAIN, major)
    return False


def _find_major(catalog: Catalog) -> int:
    return catalog.server_version // _MAJOR


def _drop(objects: dict[Key, str], key: Key, privilege: str, major: int) -> None:
    left = _without(objects.pop(key, None), privilege, major)
    if left is not None:
        objects[key] = left


def _without(definition: str | None, privilege: str, major: int) -> str | None:
    return None if definition is None else drop_privilege(definition, privilege, major)


def _drop_persistence(key: Key, text: str) -> str:
    """Return the definition of a sequence or an identity without whether it is logged."""
    if key.kind == "sequence":
        return text.removeprefix(_UNLOGGED)
    match = _PERSISTENCE.search(text) if key.kind == "column" else None
    if match is None:
        return text
    start, end = match.span(1)
    return (text[:start] + text[end:]).replace(" )", ")").replace(" ()", "")
