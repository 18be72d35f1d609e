"""Two schemas as objects that differ only where a migration needs statements, although tables get objects from their parents.

https://www.postgresql.org/docs/current/ddl-inherit.html, ddl-partitioning.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tasks.catalog import DETAILS, LOCAL_CONSTRAINT, Catalog, Key
from tasks.rehearsal.sql_diff.details.server_names import is_named_by_server
from tasks.rehearsal.sql_diff.inheritance.lineage import Family
from tasks.rehearsal.sql_diff.names import last_part
from tasks.rehearsal.sql_diff.shapes import ATTACHED, expand, find_index, name_index, parse_index


def reconcile(before: Catalog, after: Catalog, family: Family) -> tuple[dict[Key, str], dict[Key, str]]:
    """Return the objects of both schemas that differ only where statements are needed.

    What a table has from a parent becomes its own when the link is dropped, and what it has before it gets a parent stays.
    """
    old, new = expand(before), expand(after)
    for table, parents in family.old.parents.items():
        if Key("table", table) in new and set(parents) - set(family.kept.get(table, ())):
            _keep_derived(old, before, table, family)
    _add_derived(old, new, after, family)
    for mark in family.unmarked:
        key = Key("constraint", mark.name, mark.parent)
        if mark.kind == LOCAL_CONSTRAINT and key in old and family.old.is_inherited(key, family.kept.get(key.parent)):
            new.setdefault(key, old[key])
    _follow_parents(old, new, family)
    _force_links(old, new, family)
    _compare_settings(old, new, before.derived)
    _compare_settings(new, old, after.derived)
    return old, new


def find_owner(text: str, after: Catalog, new: Mapping[Key, str]) -> Key | None:
    """Return the index to which that of a partition, or that of its parent, is attached and which is created by itself."""
    name = parse_index(text).parent
    while name is not None:
        if owner := find_index(name, new):
            return owner
        above = find_index(name, after.derived)
        name = parse_index(after.derived[above]).parent if above else None
    return None


def _add_derived(old: dict[Key, str], new: dict[Key, str], after: Catalog, family: Family) -> None:
    """Add what tables will have from parents, and either have before or need by name."""
    named = _list_named(new)
    for key, text in after.derived.items():
        if key in new or key.kind in DETAILS:
            continue
        definition = parse_index(text).own
        if definition.startswith(("CHECK ", "NOT NULL ")):
            if _needs_check(key, family) or (key.parent in family.new.partitions and old.get(key) == definition):
                new[key] = definition
        elif old.get(key) == definition:
            new[key] = definition
        elif not _is_nameless(key, text, named):
            owner = find_owner(text, after, new)
            if owner is not None and _is_made(key, text, owner, family, old, new):
                new[key] = text.replace(f"ALTER INDEX {parse_index(text).parent} ", f"ALTER INDEX {name_index(owner)} ")


def _keep_derived(old: dict[Key, str], before: Catalog, table: str, family: Family) -> None:
    """Add what a table keeps as its own when it loses parents."""
    for key in [key for key in old if key.parent == table and key.kind in {"index", "constraint"}]:
        old[key] = parse_index(old[key]).own
    for key, text in before.derived.items():
        if key.kind in DETAILS:
            continue
        if key.parent == table and not (text.startswith("CHECK ") and family.old.is_inherited(key, family.kept.get(table, ()))):
            old[key] = parse_index(text).own


def _is_attached(table: str, family: Family) -> bool:
    """Return True if a table gets a parent after it was created, or again."""
    return table not in family.whole and not set(family.new.parents.get(table, ())) <= set(family.kept.get(table, ()))


def _needs_check(key: Key, family: Family) -> bool:
    """Return True if a table must have a check before it gets the parent that has it."""
    return _is_attached(key.parent, family) and not family.new.is_inherited(key, family.kept.get(key.parent, ()))


def _is_nameless(key: Key, text: str, named: Collection[tuple[str, str]]) -> bool:
    """Return True if no other object names an index or constraint, and the server chooses the name that it should have."""
    return (key.parent, last_part(key.name)) not in named and (parse_index(text).parent is None or is_named_by_server(key, text))


def _list_named(objects: Mapping[Key, str]) -> set[tuple[str, str]]:
    """Return the tables and names of indexes and constraints that other objects name."""
    named = {(key.parent, last_part(key.name)) for key in objects if key.kind == "comment" and key.parent}
    settings = (each for each in objects.items() if each[0].kind in {"clustering", "replica identity"} and " " in each[1])
    return named | {(key.name, last_part(text)) for key, text in settings}


def _is_made(key: Key, text: str, owner: Key, family: Family, old: Mapping[Key, str], new: Mapping[Key, str]) -> bool:
    """Return True if an index of a partition is made with that of the parent, or when the partition is attached."""
    made = _is_attached(key.parent, family) or key.parent in family.whole
    return (made or old.get(owner) != new[owner]) and _cut_names(text) == _cut_names(new[owner])


def _cut_names(definition: str) -> str:
    """Return what the index of a partition has of that of its parent."""
    own = parse_index(definition).own.partition(";\n")[0]
    return own.partition(" USING ")[2] if own.startswith("CREATE ") else own


def _compare_settings(old: dict[Key, str], new: dict[Key, str], derived: Mapping[Key, str]) -> None:
    """Add to the old objects the attached indexes whose settings become different from those of the parent's index."""
    for key, definition in new.items():
        parent = parse_index(definition).parent if key.kind == "index" else None
        if parent is None or key in old or key not in derived:
            continue
        owner = find_index(parent, new)
        if owner is not None and old.get(owner) == new[owner]:
            old[key] = derived[key]


def _follow_parents(old: dict[Key, str], new: dict[Key, str], family: Family) -> None:
    """Compare checks of children that are valid, while the parent's is not, with those that they get from the parent."""
    links = {table: set(parents) for table, parents in family.kept.items() if parents}
    for key in [key for key in (*new, *old) if key.kind == "constraint" and key.parent in links]:
        for above in (key._replace(parent=parent) for parent in links[key.parent]):
            if key in new and family.new.is_derived(key) and new.get(above) == f"{new[key]} NOT VALID":
                if key not in old or old.get(above) != new[above]:
                    old[key] = new[above]
            elif key not in new and key in old and family.old.is_derived(key) and old.get(above) == f"{old[key]} NOT VALID":
                if new.get(above) == old[above]:
                    # The parent's is created again, without the rows being checked.
                    old[above] += " "
                del old[key]


def _force_links(old: dict[Key, str], new: dict[Key, str], family: Family) -> None:
    """Make the links differ that are dropped and made again."""
    for key in [key for key in old if key.kind == ATTACHED and key in new]:
        if key.parent not in family.kept.get(key.name, ()):
            old[key] = f"{old[key]} "
