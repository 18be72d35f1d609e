"""Settings: the table of all of them, the values as they were written, and the values once they are valid."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from tasks.postgres.secret_words import EXAMPLE_URL
from tasks.runner.errors import RunnerError, UsageError
from tasks.runner.retries import RetryPolicy
from tasks.runner.urls import find_fault

PROCESS: Final = "process environment"
ENVIRONMENT_FILE: Final = ".env.<environment>"
SHARED_FILE: Final = ".env"
_ANYWHERE = (PROCESS, ENVIRONMENT_FILE, SHARED_FILE)
"""The places of settings, the one that takes precedence first."""

FAMILY_SUFFIX = "<ENVIRONMENT>"
"""The part of a name that stands for an environment: FLY_APP_<ENVIRONMENT> is FLY_APP_MY_REVIEW for my-review."""

LOCAL = "local"
FIXED_ENVIRONMENTS = (LOCAL, "dev", "staging", "prod")
"""The environments that every project has; others have a file .env.<environment>."""


class Setting(NamedTuple):
    """A setting: its name, the type of its value, what it is for, and the places where it may be set."""

    name: str
    type: str
    description: str
    default: str = ""
    """The default as it would be written."""
    fallback: str = ""
    """What is used if it is not set, where no fixed value is."""
    places: tuple[str, ...] = _ANYWHERE
    reason: str = ""
    """Why it may not be set everywhere."""


SETTINGS = (
    Setting(
        "DATABASE_URL",
        "URL",
        "the database; from .env it is used for the local environment only",
        fallback="local: the embedded PostgreSQL",
    ),
    Setting("DIRECT_DATABASE_URL", "URL", "a direct connection that bypasses a connection pooler", fallback="DATABASE_URL"),
    Setting("MIGRATIONS_DIR", "folder", "the folder with the migrations", "migrations"),
    Setting("MODELS", "names", "the SQLAlchemy models of the application, as module:attribute, comma-separated: app.models:Base"),
    Setting("SEEDS_DIR", "folder", "the folder with the seeds", "seeds"),
    Setting(
        "SCRATCH_DATABASE_URL",
        "URL",
        "a server for scratch databases; its role needs CREATEDB",
        fallback="the embedded PostgreSQL",
    ),
    Setting(
        "OLDEST_POSTGRES",
        "number",
        "the oldest major version of PostgreSQL that runs the migrations: files are written for it",
        fallback="that of the scratch server",
    ),
    Setting("WATCH_DRIFT", "on or off", "record the expected schema after each run, and compare it in db.status", "on"),
    Setting("LOCK_TIMEOUT", "duration", "how long a statement waits for a table lock", "5s"),
    Setting("LOCK_ATTEMPTS", "number", "how often a transaction is attempted if it cannot get its locks", "10"),
    Setting("MAX_BLOCKING", "duration", "how long inv may keep all queries out of a table of a guarded environment", "30s"),
    Setting("LOCK_PATIENCE", "duration", "how long a transaction is held back in total while others have its locks", "10min"),
    Setting("KEEP_TEXT", "size", "the ledger stores the texts of files of at most this size, up and down separately", "8MB"),
    Setting("RUN_WAIT", "duration", "how long to wait for the end of another run", "30min"),
    Setting(
        "LEDGER_OWNER",
        "role",
        "a role that may own the ledger, beside the user, a role granted to it, the owner of the database and superusers",
    ),
    Setting("LEDGER_READERS", "names", "the roles that may read the log and metadata of the ledger, comma-separated"),
    Setting("GUARDED", "names", "the environments that ask for confirmation before they are changed", "prod,production,live"),
    Setting("MIGRATE_ACTOR", "text", "who runs the command, as the log records it", fallback="the operating system's user"),
    Setting(
        "GIT_REVISION",
        "text",
        "the commit of the files, where git is not available",
        places=(PROCESS,),
        reason="it describes the files of one run, so a value in a file would be out of date after the next commit",
    ),
    Setting("ALERT_URLS", "Apprise URLs", "the destinations of alerts; the values of all places are combined"),
    Setting("ALERT_AFTER", "duration", "how long a run may wait for a lock before an alert is sent", "60s"),
    Setting(f"FLY_APP_{FAMILY_SUFFIX}", "text", "the Fly app of an environment: FLY_APP_MY_REVIEW for my-review"),
    Setting("FLY_APP_DIR", "folder", "the image's folder that contains scripts/", fallback="the machine's APP_DIR, or /app"),
    Setting("FLY_SSH_USER", "text", "the ssh user on the machine", "root"),
    Setting("FLY_ORG", "text", "the Fly organisation that issues the ssh certificate", fallback="the app's organisation"),
    Setting("FLY_CALL_TIMEOUT", "seconds", "how long a call of flyctl may take", "90"),
    Setting("FLY_CONNECT_TIMEOUT", "seconds", "how long to try to connect to a machine by ssh", "60"),
    Setting("FLY_SILENCE_TIMEOUT", "seconds", "how long a machine may send nothing before the connection counts as lost", "30"),
    Setting("FLY_FOLLOW_TIMEOUT", "seconds", "how long to try to reach a run whose connection was lost", "600"),
)
"""Every setting: no other name is read as one."""

_BY_NAME = {setting.name: setting for setting in SETTINGS}
_UNITS_MS = {"ms": 1, "s": 1000, "min": 60_000}
_URL_NAMES = ("DATABASE_URL", "DIRECT_DATABASE_URL", "SCRATCH_DATABASE_URL")
_DURATION = re.compile(r"([0-9]{1,9})\s*(ms|s|min)")
_SECONDS = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
_COUNT = re.compile(r"[0-9]{1,9}")
_MAJOR = re.compile(r"[0-9]{1,2}")
_FIRST_MAJOR = 14
_SIZE = re.compile(r"([0-9]{1,9})\s*(B|kB|MB|GB|TB)")
_UNITS_BYTES = {"B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
"""As PostgreSQL: https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES"""
_UNDECODABLE = re.compile("[\ud800-\udfff]")
_LONGEST_MS = 24 * 60 * 60_000


KEEP_TEXT = 8 * 1024**2
"""The bytes of a file up to which the ledger stores its text, where nothing else is set."""


class RawSettings(NamedTuple):
    """Settings as they were written."""

    values: Mapping[str, str]

    def read(self, name: str) -> str:
        """Return the value of a setting, or its default. An empty value counts as not set."""
        return self.read_written(name) or get_default(name)

    def read_written(self, name: str) -> str:
        """Return the value of a setting, empty if it is not set."""
        return self.values.get(name, "").strip()


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that are valid; `database_url` is empty where none is set."""

    database_url: str
    migrations_dir: Path
    seeds_dir: Path
    policy: RetryPolicy
    scratch_url: str = ""
    """The server for rehearsals; empty for the embedded one."""
    watch_drift: bool = True
    """Whether runs record the expected schema and the status compares it: each reads the complete catalog for that."""
    ledger_owner: str = ""
    """A role that may own the ledger; empty for none beside those that always may."""
    actor: str = ""
    """Who runs the command; empty for the operating system's user."""
    ledger_readers: tuple[str, ...] = ()
    """The roles that may read the log and the metadata of the ledger."""
    max_blocking_s: float = 30.0
    """How long a statement may keep all queries out of a table of a guarded environment, by its forecast."""
    keep_text: int = KEEP_TEXT
    """The bytes of a file up to which the ledger stores its text."""
    models: str = ""
    """Where the models of the application are; empty if that is not set."""
    oldest_version: int = 0
    """The server_version from which on files that are written must run (150000); 0 for that of the scratch server."""


URL_MISSING = "DATABASE_URL not set"


class DatabaseUrlMissingError(RunnerError):
    """No database is named; none is guessed."""


def get_default(name: str) -> str:
    """Return the default of a setting as it would be written, empty if it has none."""
    return _BY_NAME[name].default if name in _BY_NAME else ""


def describe_settings() -> tuple[tuple[str, str, str, tuple[str, ...], str], ...]:
    """Return name, type, default, places and description of every setting, for the documentation."""
    return tuple(
        (setting.name, setting.type, setting.default or setting.fallback, setting.places, setting.description)
        for setting in SETTINGS
    )


def name_fly_app(environment: str) -> str:
    """Return the name of the setting for an environment's Fly app: FLY_APP_MY_REVIEW for my-review."""
    return f"FLY_APP_{environment.upper().replace('-', '_')}"


def read_process() -> RawSettings:
    """Return the settings of the process environment."""
    return RawSettings(os.environ)


def validate(raw: RawSettings, problems: Iterable[str] = ()) -> Settings:
    """Return valid settings; raises UsageError that lists every mistake at once, `problems` included."""
    problems = [*problems, *_find_url_faults(raw)]
    lock_timeout_ms = read_duration(raw, "LOCK_TIMEOUT", problems)
    attempts = _read_attempts(raw, problems)
    run_wait_ms = read_duration(raw, "RUN_WAIT", problems)
    max_blocking_ms = read_duration(raw, "MAX_BLOCKING", problems)
    patience_ms = read_duration(raw, "LOCK_PATIENCE", problems)
    keep_text = read_size(raw, "KEEP_TEXT", problems)
    oldest = _read_oldest(raw, problems)
    watch_drift = raw.read("WATCH_DRIFT").lower()
    if watch_drift not in ("on", "off"):
        problems.append(f"WATCH_DRIFT={watch_drift}: write on or off")
    if problems:
        raise UsageError("\n".join(problems), hint="Fix the settings, then run the command again.", state="Nothing was changed.")
    return Settings(
        database_url=raw.read_written("DIRECT_DATABASE_URL") or raw.read_written("DATABASE_URL"),
        migrations_dir=Path(raw.read("MIGRATIONS_DIR")),
        seeds_dir=Path(raw.read("SEEDS_DIR")),
        policy=RetryPolicy(lock_timeout_ms, attempts, run_wait_ms, patience_ms),
        scratch_url=raw.read_written("SCRATCH_DATABASE_URL"),
        watch_drift=watch_drift == "on",
        ledger_owner=read_text(raw, "LEDGER_OWNER"),
        actor=read_actor(raw),
        ledger_readers=read_names(raw, "LEDGER_READERS"),
        max_blocking_s=max_blocking_ms / 1000,
        keep_text=keep_text,
        models=read_text(raw, "MODELS"),
        oldest_version=oldest,
    )


def place_folders(settings: Settings, raw: RawSettings, project: Path) -> Settings:
    """Return settings whose default folders are in the project, so that a command works from every folder."""
    return replace(
        settings,
        migrations_dir=find_migrations_dir(raw, project),
        seeds_dir=settings.seeds_dir if raw.read_written("SEEDS_DIR") else project / get_default("SEEDS_DIR"),
    )


def find_migrations_dir(raw: RawSettings, project: Path) -> Path:
    """Return the folder of migrations that is set, or the project's."""
    return Path(raw.read_written("MIGRATIONS_DIR") or project / get_default("MIGRATIONS_DIR"))


def require_database_url(settings: Settings) -> str:
    """Return the database's URL; raises DatabaseUrlMissingError if none is set."""
    if not settings.database_url:
        raise DatabaseUrlMissingError(URL_MISSING, hint=f"DATABASE_URL={EXAMPLE_URL}")
    return settings.database_url


def read_text(raw: RawSettings, name: str) -> str:
    """Return a text with a replacement character for each byte that could not be decoded: PostgreSQL refuses these.

    Python represents such bytes of the process environment by surrogates: https://peps.python.org/pep-0383/
    """
    return replace_undecodable(raw.read(name))


def read_actor(raw: RawSettings) -> str:
    """Return who runs the command, empty if that is not set."""
    return read_text(raw, "MIGRATE_ACTOR")


def read_names(raw: RawSettings, name: str) -> tuple[str, ...]:
    """Return the comma-separated names of a setting, each once."""
    return tuple(dict.fromkeys(part.strip() for part in read_text(raw, name).split(",") if part.strip()))


def replace_undecodable(text: str) -> str:
    """Return a text with a replacement character for each surrogate."""
    return _UNDECODABLE.sub("\ufffd", text)


def read_duration(raw: RawSettings, name: str, problems: list[str]) -> int:
    """Return a duration in milliseconds; if it is not valid, add to `problems`."""
    text = raw.read(name)
    match = _DURATION.fullmatch(text)
    milliseconds = int(match[1]) * _UNITS_MS[match[2]] if match else 0
    if not 0 < milliseconds <= _LONGEST_MS:
        example = f"{name}={get_default(name)}"
        problems.append(f"{name}={text}: write a number with ms, s or min, at most a day, for example {example}")
        return 1
    return milliseconds


def read_size(raw: RawSettings, name: str, problems: list[str]) -> int:
    """Return a size in bytes; if it is not valid, add to `problems`. The units are case-sensitive, as in PostgreSQL."""
    text = raw.read(name)
    match = _SIZE.fullmatch(text)
    if match is None and text != "0":
        problems.append(
            f"{name}={text}: write a whole number with B, kB, MB, GB or TB, or 0, for example {name}={get_default(name)}"
        )
        return 0
    return int(match[1]) * _UNITS_BYTES[match[2]] if match else 0


def read_seconds(raw: RawSettings, name: str, problems: list[str]) -> float:
    """Return a number of seconds; if it is not valid, add to `problems`."""
    text = raw.read(name)
    if not _SECONDS.fullmatch(text) or not float(text):
        problems.append(f"{name}={text}: write a number of seconds, for example {name}={get_default(name)}")
        return 1.0
    return float(text)


def _read_attempts(raw: RawSettings, problems: list[str]) -> int:
    text = raw.read("LOCK_ATTEMPTS")
    if not _COUNT.fullmatch(text) or not 1 <= int(text) <= 10_000:
        problems.append(f"LOCK_ATTEMPTS={text}: write a whole number from 1 to 10000, for example LOCK_ATTEMPTS=10")
        return 1
    return int(text)


def _read_oldest(raw: RawSettings, problems: list[str]) -> int:
    text = raw.read("OLDEST_POSTGRES")
    if text and (not _MAJOR.fullmatch(text) or int(text) < _FIRST_MAJOR):
        problems.append(
            f"OLDEST_POSTGRES={text}: write a major version of PostgreSQL from {_FIRST_MAJOR} on, for example OLDEST_POSTGRES=15"
        )
        return 0
    return int(text or 0) * 10000


def _find_url_faults(raw: RawSettings) -> Iterator[str]:
    for name in _URL_NAMES:
        url = raw.read_written(name)
        fault = find_fault(url) if url else ""
        if fault:
            yield f"{name}: {fault}; for example {EXAMPLE_URL}"
