"""Models and their changes as data: each is proved as a migration, and compared with Alembic's autogenerate.

A child process imports this package to read the models: `tests.models.zoo:BEFORE.identity_kind`.
"""

from collections.abc import Callable

from sqlalchemy import MetaData

from tests.models.zoo.case import Build, ZooCase, make_metadata
from tests.models.zoo.columns import COLUMNS
from tests.models.zoo.constraints import CONSTRAINTS
from tests.models.zoo.enums import ENUMS
from tests.models.zoo.indexes import INDEXES
from tests.models.zoo.references import REFERENCES
from tests.models.zoo.tables import TABLES
from tests.models.zoo.types import TYPES

GROUPS: dict[str, tuple[ZooCase, ...]] = {
    "columns": COLUMNS,
    "types": TYPES,
    "enums": ENUMS,
    "constraints": CONSTRAINTS,
    "references": REFERENCES,
    "indexes": INDEXES,
    "tables": TABLES,
}
"""The cases by what they change."""
CASES = {case.name: case for cases in GROUPS.values() for case in cases}


def list_cases(group: str, major: int) -> tuple[ZooCase, ...]:
    """Return the cases of a group that a version of PostgreSQL has."""
    return tuple(case for case in GROUPS[group] if case.since <= major)


class _Models:
    """The models of one side of the cases, as attributes: by case, by group, and by group and version (`columns_15`)."""

    def __init__(self, choose: Callable[[ZooCase], Build]) -> None:
        self._choose = choose

    def __getattr__(self, name: str) -> Callable[[], list[MetaData]]:
        group, _, major = name.rpartition("_")
        if group in GROUPS and major.isdigit():
            cases = list_cases(group, int(major))
        elif name in GROUPS or name in CASES:
            cases = GROUPS.get(name) or (CASES[name],)
        else:
            raise AttributeError(name)
        return lambda: make_metadata(map(self._choose, cases))


BEFORE, AFTER = _Models(lambda case: case.before), _Models(lambda case: case.after)
