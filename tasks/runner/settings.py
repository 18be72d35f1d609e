"""Settings: what was written, and what is valid. Two types, so that nobody uses the first for the second."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.redaction import EXAMPLE_URL
from tasks.runner.retries import RetryPolicy
from tasks.runner.urls import find_fault

SETTING_NAMES = (
    "DATABASE_URL",
    "DIRECT_DATABASE_URL",
    "MIGRATIONS_DIR",
    "SEEDS_DIR",
    "SCRATCH_DATABASE_URL",
    "LOCK_TIMEOUT",
    "LOCK_ATTEMPTS",
    "ALERT_URLS",
    "ALERT_AFTER",
    "FLY_APP_DEV",
    "FLY_APP_STAGING",
    "FLY_APP_PROD",
    "FLY_APP_DIR",
    "FLY_SSH_USER",
    "GUARDED",
    "WATCH_DRIFT",
)
_UNITS_MS = {"ms": 1, "s": 1000, "min": 60_000}
_URL_NAMES = ("DATABASE_URL", "DIRECT_DATABASE_URL", "SCRATCH_DATABASE_URL")
_DURATION = re.compile(r"([0-9]{1,9})\s*(ms|s|min)")
_COUNT = re.compile(r"[0-9]{1,9}")
_LONGEST_MS = 24 * 60 * 60_000


@dataclass(frozen=True, slots=True)
class RawSettings:
    """Hold settings as somebody wrote them."""

    values: Mapping[str, str]

    def read(self, name: str, default: str = "") -> str:
        """Give the value of a setting; one that is empty counts as not set."""
        return self.values.get(name, "").strip() or default


@dataclass(frozen=True, slots=True)
class Settings:
    """Hold settings that are valid; `database_url` is empty where none was set."""

    database_url: str
    migrations_dir: Path
    seeds_dir: Path
    policy: RetryPolicy
    scratch_url: str = ""
    """The server for rehearsals; empty for the embedded one."""
    watch_drift: bool = True
    """Whether runs note what the schema should be, and the status compares: each looks at the whole catalog for that."""


URL_MISSING = "DATABASE_URL not set"


class DatabaseUrlMissingError(RunnerError):
    """Refuse to guess a database."""


def validate(raw: RawSettings, problems: Iterable[str] = ()) -> Settings:
    """Turn raw settings into valid ones; raises UsageError that names every mistake at once, `problems` included."""
    problems = [*problems, *_find_url_faults(raw)]
    lock_timeout_ms = read_duration(raw, "LOCK_TIMEOUT", "5s", problems)
    attempts = raw.read("LOCK_ATTEMPTS", "10")
    if not _COUNT.fullmatch(attempts) or not 1 <= int(attempts) <= 10_000:
        problems.append(f"LOCK_ATTEMPTS={attempts}: write a whole number from 1 to 10000, for example LOCK_ATTEMPTS=10")
        attempts = "1"
    watch_drift = raw.read("WATCH_DRIFT", "on").lower()
    if watch_drift not in ("on", "off"):
        problems.append(f"WATCH_DRIFT={watch_drift}: write on or off")
    if problems:
        raise UsageError("\n".join(problems), hint="Mend the settings and run the command again.", state="Nothing was changed.")
    return Settings(
        database_url=raw.read("DIRECT_DATABASE_URL") or raw.read("DATABASE_URL"),
        migrations_dir=Path(raw.read("MIGRATIONS_DIR", "migrations")),
        seeds_dir=Path(raw.read("SEEDS_DIR", "seeds")),
        policy=RetryPolicy(lock_timeout_ms, int(attempts)),
        scratch_url=raw.read("SCRATCH_DATABASE_URL"),
        watch_drift=watch_drift == "on",
    )


def place_folders(settings: Settings, raw: RawSettings, project: Path) -> Settings:
    """Put folders that nobody named into the project, so that a command works from wherever it is called."""
    return replace(
        settings,
        migrations_dir=find_migrations_dir(raw, project),
        seeds_dir=settings.seeds_dir if raw.read("SEEDS_DIR") else project / "seeds",
    )


def find_migrations_dir(raw: RawSettings, project: Path) -> Path:
    """Give the folder of migrations that was named, or the project's."""
    named = raw.read("MIGRATIONS_DIR")
    return Path(named) if named else project / "migrations"


def require_database_url(settings: Settings) -> str:
    """Give the database's URL; raises DatabaseUrlMissingError instead of guessing one."""
    if not settings.database_url:
        raise DatabaseUrlMissingError(URL_MISSING, hint=f"DATABASE_URL={EXAMPLE_URL}")
    return settings.database_url


def _find_url_faults(raw: RawSettings) -> Iterator[str]:
    for name in _URL_NAMES:
        fault = find_fault(raw.read(name)) if raw.read(name) else ""
        if fault:
            yield f"{name}: {fault}; for example {EXAMPLE_URL}"


def read_duration(raw: RawSettings, name: str, default: str, problems: list[str]) -> int:
    """Read a span of time in milliseconds; one that cannot be read is added to `problems`, with an example."""
    text = raw.read(name, default)
    match = _DURATION.fullmatch(text)
    milliseconds = int(match[1]) * _UNITS_MS[match[2]] if match else 0
    if not 0 < milliseconds <= _LONGEST_MS:
        problems.append(f"{name}={text}: write a number with ms, s or min, at most a day, for example {name}={default}")
        return 1
    return milliseconds
