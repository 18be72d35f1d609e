"""The major versions of PostgreSQL that a run of the tests uses."""

from collections.abc import Collection
from pathlib import Path

import pytest

from tasks.postgres.server import embedded
from tests.kit.servers import find_programs

OPTION = "--majors"
OLDER = "older_server"
FIXTURES = ("any_database", OLDER)
"""The fixtures of servers of several versions."""
PROGRAMS = "programs"
"""The fixture of the programs of all other servers: the embedded ones, except for EVERY_VERSION."""
EVERY_VERSION = (
    "catalog", "generation", "legacy", "models", "rehearsal/sql_diff", "runner/database", "runner/ledger", "stress"
)  # fmt: skip
"""The folders whose tests run on several versions, whatever their fixtures are."""
MARKER = "newest"
"""The marker of tests that run on other versions only with the option, since they are many and hardly depend on the version."""
ONLY_NEWEST = "only_newest"
"""The marker of tests that need what only the embedded programs have."""

_TESTS = Path(__file__).parents[1]
_DOWNLOAD = "./scripts/download-servers.sh"


def choose_majors(present: Collection[int], option: str | None) -> list[int]:
    """Return the major versions of a run, newest first: those of the option, by default the newest and the oldest one.

    Raises pytest.UsageError if the option names one that is not present.
    """
    if option is None:
        return sorted({max(present), min(present)}, reverse=True)
    try:
        chosen = {int(word) for word in option.split(",")}
    except ValueError as error:
        raise pytest.UsageError(f"{OPTION}={option}: expected major versions such as 15,16,17") from error
    if missing := sorted(chosen - set(present)):
        listed = ", ".join(map(str, missing))
        raise pytest.UsageError(f"{OPTION}={option}: the programs of PostgreSQL {listed} are not present; run {_DOWNLOAD}")
    return sorted(chosen, reverse=True)


def describe_majors(present: Collection[int], chosen: list[int]) -> str:
    """Return the line about versions in the header of a run."""
    line = f"PostgreSQL: {', '.join(map(str, chosen))} (present: {', '.join(map(str, present))})"
    return line if len(present) > 1 else f"{line}; tests on older versions are skipped, {_DOWNLOAD} downloads them"


def make_parameters(fixture: str, majors: list[int]) -> list[object]:
    """Return the parameters of a fixture of FIXTURES: folders of server programs."""
    used = [major for major in majors if fixture != OLDER or major != int(embedded.MAJOR_VERSION)]
    if not used:
        skip = pytest.mark.skip(reason=f"there are no server programs of an older PostgreSQL; {_DOWNLOAD} downloads them")
        return [pytest.param(Path(), marks=skip, id="older")]
    return [pytest.param(find_programs()[major], id=f"pg{major}") for major in used]


def uses_versions(folder: str, fixtures: Collection[str]) -> bool:
    """Return whether the tests of a folder below tests/ run on several versions, because of the folder or of a fixture."""
    listed = any(Path(folder).is_relative_to(each) for each in EVERY_VERSION)
    return not set(FIXTURES).isdisjoint(fixtures) or (listed and PROGRAMS in fixtures)


def uses_older_server(item: pytest.Item) -> bool:
    """Return whether a test runs on older versions only."""
    return OLDER in getattr(item, "fixturenames", ())


def depends_on_version(item: pytest.Item) -> bool:
    """Return whether a test runs on several versions."""
    return uses_versions(str(item.path.parent.relative_to(_TESTS)), getattr(item, "fixturenames", ()))
