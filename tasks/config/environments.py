"""Environments: .env files, flags and the process environment → one valid Environment, or all mistakes at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from tasks.runner.errors import UsageError
from tasks.runner.redaction import EXAMPLE_URL
from tasks.runner.settings import SETTING_NAMES, RawSettings, Settings, place_folders, read_duration, validate

PROJECT = Path(__file__).resolve().parents[2]
"""The project's folder: here are .env, migrations, seeds and the embedded server."""

LOCAL = "local"
KNOWN_ENVIRONMENTS = (LOCAL, "dev", "staging", "prod")
_URL_NAMES = ("DATABASE_URL", "DIRECT_DATABASE_URL")
_FOLDER_NAMES = ("MIGRATIONS_DIR", "SEEDS_DIR")
_BETWEEN_URLS = re.compile(r"\s*,?\s+|,(?=[a-z][\w+.-]*://|$)", re.IGNORECASE)
"""What separates addresses: white space, or a comma before another one; within one, `?to=a,b` may hold commas."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Hold one environment: its name and its valid settings."""

    name: str
    settings: Settings
    fly_app: str = ""
    """The Fly app on whose machines the database is reached; empty where a URL leads there."""
    fly_folder: str = ""
    """Where the image has this project; empty for what the machine's APP_DIR says, or else /app."""
    fly_user: str = "root"
    alert_urls: tuple[str, ...] = ()
    """Where a failed run is told: what all environments share, and what this one adds."""
    alert_after_s: float = 60.0
    """How long a run may wait for a lock before that is told."""
    guarded: bool = False
    """Whether writing operations ask for the environment's name first."""

    @property
    def is_configured(self) -> bool:
        """Tell whether it is known where the database is."""
        return bool(self.name == LOCAL or self.fly_app or self.settings.database_url)


def load_environment(name: str, *, project: Path = PROJECT, environ: Mapping[str, str] | None = None) -> Environment:
    """Read and validate the settings of an environment.

    The process's own environment counts first, then .env.<name>, then .env. The database is more careful: only `local` takes it
    from .env, because that is the file in which everybody keeps the URL of a laptop; and a URL that happens to be exported in a
    shell does not lead `--env=staging` away from the app or the URL that staging has. Raises UsageError that lists every mistake.
    """
    environ = os.environ if environ is None else environ
    known = list_environments(project)
    if name not in known:
        raise UsageError(
            f"there is no environment {name}",
            hint=f"Known are {', '.join(known)}; a file .env.{name} would make it known.",
            state="Nothing was changed.",
        )
    problems: list[str] = []
    raw = read_raw_settings(name, project, environ, problems)
    alert_after_ms = read_duration(raw, "ALERT_AFTER", "60s", problems)
    settings = validate(raw, problems)
    app = raw.read(name_fly_app(name))
    return Environment(
        name,
        place_folders(settings, raw, project),
        fly_app="" if settings.database_url or name == LOCAL else app,
        fly_folder=raw.read("FLY_APP_DIR"),
        fly_user=raw.read("FLY_SSH_USER", "root"),
        alert_urls=_collect_alert_urls(name, project, environ),
        alert_after_s=alert_after_ms / 1000,
        guarded=_is_guarded(name, raw),
    )


def name_fly_app(name: str) -> str:
    """Name the setting that holds an environment's Fly app: FLY_APP_MY_REVIEW for my-review."""
    return f"FLY_APP_{name.upper().replace('-', '_')}"


def _collect_alert_urls(name: str, project: Path, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Add up the addresses of all sources: a nearer one does not silence a farther one."""
    told: list[str] = []  # the mistakes in these files, which the caller has by now
    sources = (_read_file(project / ".env", project, told), _read_file(project / f".env.{name}", project, told), environ)
    urls = [url for source in sources for url in _BETWEEN_URLS.split(source.get("ALERT_URLS", "")) if url]
    return tuple(dict.fromkeys(urls))


def _is_guarded(name: str, raw: RawSettings) -> bool:
    return name in raw.read("GUARDED", "prod").replace(",", " ").split()


def list_environments(project: Path = PROJECT) -> tuple[str, ...]:
    """List the environments by name: the four that every project has, and those that have a file of their own."""
    named = sorted(path.name.removeprefix(".env.") for path in project.glob(".env.*") if path.is_file())
    left_out = {*KNOWN_ENVIRONMENTS, "example", "sample"}
    return (*KNOWN_ENVIRONMENTS, *(name for name in named if name not in left_out))


def read_raw_settings(name: str, project: Path, environ: Mapping[str, str], problems: list[str]) -> RawSettings:
    """Read what was written, the nearer source over the farther one; lines that cannot be read are added to `problems`."""
    shared = _read_file(project / ".env", project, problems)
    if name != LOCAL:
        shared = {key: value for key, value in shared.items() if key not in _URL_NAMES}
    own = _read_file(project / f".env.{name}", project, problems)
    given = {key: value for key, value in environ.items() if value and _is_setting(key)}
    if name != LOCAL and (any(own.get(key) for key in _URL_NAMES) or (shared | own | given).get(name_fly_app(name))):
        given = {key: value for key, value in given.items() if key not in _URL_NAMES}
    return RawSettings(_merge(shared, own, given))


def find_database_url(environment: Environment, *, project: Path = PROJECT) -> str:
    """Give the URL of an environment's database; `local` starts the embedded PostgreSQL where none is set."""
    if environment.settings.database_url:
        return environment.settings.database_url
    if environment.name != LOCAL:
        raise UsageError(
            f"DATABASE_URL not set for {environment.name}",
            hint=f"Write it into .env.{environment.name}: DATABASE_URL={EXAMPLE_URL}",
            state="Nothing was changed.",
        )
    from tasks.postgres.server import embedded

    return embedded.start(project / ".postgres")


def _is_setting(name: str) -> bool:
    return name in SETTING_NAMES or name.startswith("FLY_APP_")


def _merge(*sources: Mapping[str, str]) -> dict[str, str]:
    """Lay nearer sources over farther ones.

    The two URLs are one setting in two spellings: a nearer DATABASE_URL is not overruled by a farther DIRECT_DATABASE_URL.
    """
    merged: dict[str, str] = {}
    for source in sources:
        if any(source.get(name) for name in _URL_NAMES):
            merged = {key: value for key, value in merged.items() if key not in _URL_NAMES}
        merged |= source
    return merged


def _read_file(path: Path, project: Path, problems: list[str]) -> dict[str, str]:
    """Read a .env file, if it is there; names every line which is no setting."""
    if not path.is_file():
        return {}
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        problems.append(f"{path.name} cannot be read: {error.strerror}")
        return {}
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(f"{path.name}:{line} is not UTF-8")
        return {}
    good: list[str] = []
    for binding in parse_stream(StringIO(text)):
        original = binding.original.string
        if binding.error or (binding.key is not None and binding.value is None):
            blank = len(original) - len(original.lstrip())
            line = binding.original.line + original.count("\n", 0, blank)
            problems.append(f"{path.name}:{line} is no setting: write NAME=value, a line each")
        else:
            good.append(original)
    values = {key: value for key, value in dotenv_values(stream=StringIO("".join(good))).items() if value}
    return {key: str(project / value) if key in _FOLDER_NAMES else value for key, value in values.items()}
