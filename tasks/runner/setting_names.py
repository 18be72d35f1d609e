"""Names of settings that are misspelt, or that are set where they have no effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tasks.runner.settings import (
    ENVIRONMENT_FILE,
    FAMILY_SUFFIX,
    FIXED_ENVIRONMENTS,
    LOCAL,
    PROCESS,
    SETTINGS,
    SHARED_FILE,
    name_fly_app,
)
from tasks.runner.spelling import nearest

if TYPE_CHECKING:
    from tasks.runner.settings import (
        Setting,
    )

PLATFORM_NAMES = frozenset(
    {
        "FLY_ACCESS_TOKEN",
        "FLY_ALLOC_ID",
        "FLY_API_TOKEN",
        "FLY_APP_NAME",
        "FLY_IMAGE_REF",
        "FLY_MACHINE_ID",
        "FLY_MACHINE_VERSION",
        "FLY_PRIVATE_IP",
        "FLY_PROCESS_GROUP",
        "FLY_PUBLIC_IP",
        "FLY_REGION",
        "FLY_SSH_CONTAINER",
        "FLY_SSH_MACHINE",
        "FLY_VM_MEMORY_MB",
        "PRIMARY_REGION",
        "RELEASE_COMMAND",
    }
)
"""Names that Fly sets on machines, and that flyctl reads: https://fly.io/docs/machines/runtime-environment/"""

WARNING_PREFIX = "WARNING: "
_OWN_FIRST_PARTS = ("LOCK_", "MIGRATE_", "MIGRATIONS_", "SCRATCH_")
_OTHERS_PART = "DATABASE_"
"""Applications have many names with this part, such as TEST_DATABASE_URL and DATABASE_POOL_SIZE."""
_FEWEST_LETTERS = 8
"""A shorter name has neighbors that mean something else."""
_FAMILY = f"FLY_APP_{FAMILY_SUFFIX}"


class Misspelling(NamedTuple):
    """A name that is not a setting but looks like one, and the setting that is nearest to it."""

    name: str
    nearest: str


def list_names(environments: Iterable[str] = FIXED_ENVIRONMENTS) -> tuple[str, ...]:
    """Return the names of all settings, with one name for each environment in place of a family."""
    apps = [name_fly_app(environment) for environment in environments]
    return tuple(name for setting in SETTINGS for name in (apps if setting.name == _FAMILY else [setting.name]))


def find_misspelling(name: str, known: Iterable[str]) -> Misspelling | None:
    """Return a Misspelling if a name is not among the known ones but looks like one of them, else None.

    It looks like one if it is one character, or two swapped neighbors, away from a name with eight letters or more, or if it
    has a first part that only our settings have.
    """
    known = tuple(known)
    if name in known or name in PLATFORM_NAMES or _OTHERS_PART in name:
        return None
    near = next((other for other in known if is_one_edit_away(name, other) and _is_long(other)), "")
    if near and not _differ_in_number(name, near):
        return Misspelling(name, near)
    if name.startswith(_OWN_FIRST_PARTS):
        return Misspelling(name, nearest(name, known, least=0))
    return None


def find_misspellings(names: Iterable[str], environments: Iterable[str] = FIXED_ENVIRONMENTS) -> tuple[Misspelling, ...]:
    """Return the misspelt names, in alphabetical order."""
    known = list_names(environments)
    found = (find_misspelling(name, known) for name in sorted(names))
    return tuple(misspelling for misspelling in found if misspelling is not None)


def find_misplaced(name: str, place: str, environment: str) -> str:
    """Return why a setting has no effect in a file of an environment; empty if it has, or if it is not a setting."""
    setting = find_setting(name)
    if setting is None:
        return ""
    if place not in setting.places:
        return f"{name} has no effect in a file, set it in the {PROCESS}: {setting.reason}"
    if setting.name != _FAMILY:
        return ""
    own_app = name_fly_app(environment)
    if name == name_fly_app(LOCAL):
        return f"{name} has no effect: the environment {LOCAL} is never on Fly"
    if place == ENVIRONMENT_FILE and name != own_app:
        return f"{name} is not used for {environment}: set {own_app} here, or {name} in {SHARED_FILE}"
    return ""


def find_setting(name: str) -> Setting | None:
    """Return the setting that a name belongs to; a name of a family belongs to it for every environment."""
    exact = next((setting for setting in SETTINGS if setting.name == name), None)
    if exact is not None or name in PLATFORM_NAMES:
        return exact
    prefix = _FAMILY.removesuffix(FAMILY_SUFFIX)
    if name.startswith(prefix) and name != prefix:
        return next(setting for setting in SETTINGS if setting.name == _FAMILY)
    return None


def describe_process_misspellings(environ: Mapping[str, str], environments: Iterable[str] = FIXED_ENVIRONMENTS) -> list[str]:
    """Return a warning for each misspelt setting of the process environment."""
    found = find_misspellings(environ, environments)
    return [f"{WARNING_PREFIX}{one.name} in the {PROCESS} is not a setting; did you mean {one.nearest}?" for one in found]


def is_one_edit_away(name: str, other: str) -> bool:
    """Return True if one inserted, deleted or replaced character, or two swapped neighbors, make one name of the other."""
    if abs(len(name) - len(other)) > 1 or name == other:
        return False
    start = 0
    while start < min(len(name), len(other)) and name[start] == other[start]:
        start += 1
    rest, other_rest = name[start:], other[start:]
    while rest and other_rest and rest[-1] == other_rest[-1]:
        rest, other_rest = rest[:-1], other_rest[:-1]
    return max(len(rest), len(other_rest)) == 1 or (len(rest) == 2 and rest == other_rest[::-1])


def _is_long(name: str) -> bool:
    return sum(character.isalpha() for character in name) >= _FEWEST_LETTERS


def _differ_in_number(name: str, other: str) -> bool:
    """Return True for the Fly apps of environments that only differ in a number: review-1 and review-2."""
    digits = str.maketrans("", "", "0123456789")
    return find_setting(other) == find_setting(_FAMILY) and name.translate(digits) == other.translate(digits)
