"""The commands in groups, in the order in which they are needed, for the list that `inv` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import shorten

WIDTH = 80
CUT = " …"
"""What a description ends with that is too long for its line."""
_INDENT = "  "
_GAP = "   "

GROUPS = (
    ("First steps", ("db.new", "db.migrate", "db.status", "db.seed", "db.url", "db.psql")),
    ("Every day", ("db.rollback", "db.redo", "db.reset", "db.history", "db.schema", "db.diagram")),
    (
        "Before a deployment",
        ("db.plan", "db.lint", "db.verify", "db.check-models", "db.test-crash", "db.compat", "db.check-order", "db.squash"),
    ),
    ("When it goes wrong", ("db.repair", "db.drift", "db.blockers", "db.mark")),
    ("Environments", ("env.list", "env.check", "alerts.test", "db.dump")),
    ("The local database", ("db.start", "db.stop", "db.wait", "db.create", "db.drop", "db.load", "db.restore")),
    ("The past", ("db.adopt", "db.cleanup-legacy", "db.import-alembic")),
)
"""The names of the commands by group; a name without a command is left out."""
OTHERS = "Others"
"""The group of the commands that are in no other one."""


def group_commands(names: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the commands of each group that has any."""
    placed = [name for _, group in GROUPS for name in group]
    groups = [*GROUPS, (OTHERS, tuple(name for name in sorted(names) if name not in placed))]
    found = {title: [name for name in group if name in names] for title, group in groups}
    return {title: group for title, group in found.items() if group}


def show_groups(descriptions: Mapping[str, str]) -> Iterator[str]:
    """Yield the lines of the list: a title for each group, and a line for each command."""
    width = max(map(len, descriptions), default=0)
    for title, names in group_commands(descriptions).items():
        yield ""
        yield f"{title}:"
        for name in names:
            heading = f"{_INDENT}{name:<{width}}{_GAP}"
            yield heading + shorten(descriptions[name], WIDTH - len(heading), placeholder=CUT)
