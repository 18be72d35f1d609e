"""Which details differ between two schemas, in what both have."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tasks.catalog import DETAILS, NAMED_NULL, PARAMETER_ORDER, Catalog, Key
from tasks.rehearsal.sql_diff.details.null_names import find_owner, has_names, name_null
from tasks.rehearsal.sql_diff.details.part_names import list_parts
from tasks.rehearsal.sql_diff.shapes import name_index, parse_column

_NOT_NULL = " NOT NULL"
_KINDS = ("table", "view", "materialized view")


def find_details(before: Catalog, after: Catalog) -> Mapping[Key, str]:
    """Return what pg_dump shows otherwise, although the objects are the same: lines to show, by what they are about."""
    found = dict(_list_parts(before, after))
    for key in sorted({key for each in (before, after) for key in each.derived if key.kind in DETAILS}):
        if before.derived.get(key) != after.derived.get(key) and (line := _describe(key, before, after)):
            found[key] = line
    return found


def divide_details(before: Catalog, after: Catalog, kept: Collection[Key]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines for the details that statements change, and those for the ones that are kept."""
    found = find_details(before, after)
    changed, staying = ([line for key, line in found.items() if (key in kept) == stays] for stays in (False, True))
    return tuple(changed), tuple(staying)


def _describe(key: Key, before: Catalog, after: Catalog) -> str:
    if key.kind == PARAMETER_ORDER:
        kinds = ("column settings",) if key.parent else _KINDS
        texts = [{each.objects.get(key._replace(kind=kind)) for kind in kinds} for each in (before, after)]
        return f"the order of the parameters of {_show(key)}" if texts[0] == texts[1] != {None} else ""
    owner = find_owner(key)
    required = [_is_required(each.objects.get(owner, "")) for each in (before, after)]
    if not all(required) or not has_names(owner.kind, before, after):
        return ""
    if key.kind == NAMED_NULL:
        return f"the name of NOT NULL of {_show(key)}: {name_null(after, owner)}"
    return f"whether NOT NULL of {_show(key)} is only inherited"


def _show(key: Key) -> str:
    return f"{key.name} of {key.parent}" if key.parent else key.name


def _is_required(definition: str) -> bool:
    return _NOT_NULL in definition and (definition.startswith("AS ") or parse_column(definition)[0].required)


def _list_parts(before: Catalog, after: Catalog) -> Iterator[tuple[Key, str]]:
    old, new = list_parts(before), list_parts(after)
    for part in sorted(old.keys() & new.keys()):
        names = name_index(old[part]), name_index(new[part])
        if names[0] != names[1]:
            yield new[part], f"the name of the index of {part[1]} that belongs to {part[0]}: {names[1]}"
