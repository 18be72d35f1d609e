"""Relations that are alike: partitions by the hundred are one line, with their number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+")
_MOST_SINGLE = 3


@dataclass(frozen=True, slots=True)
class RelationGroup:
    """Relations that are named together; `table` is the table of which they are partitions, "" if only their names are alike."""

    relations: tuple[str, ...]
    table: str = ""


def group_relations(relations: Iterable[str], parents: Mapping[str, str]) -> tuple[RelationGroup, ...]:
    """Return the relations in groups: partitions of one table, or names that differ only in numbers, if there are many of them.

    `parents` are the tables of partitions. A relation without such neighbours is a group of its own.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for relation in relations:
        table = parents.get(relation, "")
        found.setdefault((table, "" if table else _NUMBER.sub("#", relation)), []).append(relation)
    groups: list[RelationGroup] = []
    for (table, _), alike in found.items():
        if len(alike) > _MOST_SINGLE:
            groups.append(RelationGroup(tuple(alike), table))
        else:
            groups += [RelationGroup((relation,)) for relation in alike]
    return tuple(groups)
