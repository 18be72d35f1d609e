"""The groups of tables that foreign keys connect."""

from __future__ import annotations

from collections import deque

from tasks.diagram.model import Diagram, DrawnTable


def find_components(diagram: Diagram) -> list[tuple[DrawnTable, ...]]:
    """Return the groups of connected tables, the largest first; each begins with its most connected table, then those near it."""
    near: dict[str, set[str]] = {table.name: set() for table in diagram.tables}
    for key in diagram.keys:
        if key.table != key.target and key.table in near and key.target in near:
            near[key.table].add(key.target)
            near[key.target].add(key.table)
    tables = {table.name: table for table in diagram.tables}
    groups: list[tuple[DrawnTable, ...]] = []
    seen: set[str] = set()
    for start in sorted(near, key=lambda name: (-len(near[name]), name)):
        if start in seen:
            continue
        seen.add(start)
        found, queue = list[str](), deque([start])
        while queue:
            name = queue.popleft()
            found.append(name)
            queue += sorted(near[name] - seen)
            seen |= near[name]
        groups.append(tuple(tables[name] for name in found))
    return sorted(groups, key=lambda group: -len(group))
