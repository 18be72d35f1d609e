"""Environments: .env files and the process environment → one valid Environment, or all mistakes at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.config.files import EnvFile, read_environment_file, read_shared_file
from tasks.config.timeouts import DEFAULT_TIMEOUTS, Timeouts, read_timeouts
from tasks.postgres.secret_words import EXAMPLE_URL
from tasks.runner.command_lines import is_environment_name, show_name
from tasks.runner.errors import UsageError
from tasks.runner.setting_names import describe_process_misspellings, find_setting
from tasks.runner.settings import FIXED_ENVIRONMENTS, RawSettings, Settings, name_fly_app, place_folders, read_duration, validate
from tasks.runner.settings import LOCAL as LOCAL
from tasks.runner.spelling import propose

_NAME_RULE = "; a name has letters, digits, _, . and - only"
PROJECT = Path(__file__).resolve().parents[2]
"""The project's folder, with .env, the migrations, the seeds and the embedded server."""

_URL_NAMES = ("DATABASE_URL", "DIRECT_DATABASE_URL")
_BETWEEN_URLS = re.compile(r"\s*,?\s+|,(?=[a-z][\w+.-]*://|$)", re.IGNORECASE)
"""What separates addresses: white space, or a comma before another one; an address may contain commas, as in `?to=a,b`."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: its name and its valid settings."""

    name: str
    settings: Settings
    fly_app: str = ""
    """The Fly app on whose machines the database is reached; empty where it is reached by a URL."""
    fly_folder: str = ""
    """The folder of this project in the image; empty for the machine's APP_DIR, or else /app."""
    fly_user: str = "root"
    fly_organisation: str = ""
    """The organisation of the app; empty if it must be looked up."""
    fly_timeouts: Timeouts = DEFAULT_TIMEOUTS
    alert_urls: tuple[str, ...] = ()
    """The destinations of alerts: those of all environments, and those of this one."""
    alert_after_s: float = 60.0
    """How long a run may wait for a lock before an alert is sent."""
    app: str = ""
    """The Fly app of the environment, also where its database is reached by a URL; the database may have its name as label."""
    confirmed_elsewhere: bool = False
    """Whether it was confirmed that the database of the local environment is on another machine."""
    guarded: bool = False
    """Whether commands that change it ask for its name first."""

    @property
    def is_configured(self) -> bool:
        """Return True if it is known where the database is."""
        return bool(self.name == LOCAL or self.fly_app or self.settings.database_url)


@dataclass(frozen=True, slots=True)
class _Sources:
    """The places of an environment's settings, the one that takes precedence first."""

    process: Mapping[str, str]
    own: EnvFile
    shared: EnvFile


def load_environment(
    name: str, *, project: Path = PROJECT, environ: Mapping[str, str] | None = None, process_url: bool = True
) -> Environment:
    """Read and validate the settings of an environment.

    The process environment takes precedence over .env.<name>, and that over .env. The database is an exception: only `local`
    takes it from .env, which usually contains the URL of a laptop; and a URL that happens to be exported in a shell does not
    replace the app or the URL that `--env=staging` has in a file. Without `process_url` that URL is ignored.
    Raises UsageError that lists every mistake.
    """
    known = check_environment_name(name, project)
    process = os.environ if environ is None else environ
    if not process_url:
        process = {key: value for key, value in process.items() if key not in _URL_NAMES}
    sources = _Sources(process, read_environment_file(project, name, known), read_shared_file(project, name, known))
    raw = _pick(name, sources)
    problems = [*sources.shared.problems, *sources.own.problems]
    alert_after_ms, timeouts = read_duration(raw, "ALERT_AFTER", problems), read_timeouts(raw, problems)
    settings = validate(raw, problems)
    return Environment(
        name,
        place_folders(settings, raw, project),
        fly_app="" if settings.database_url or name == LOCAL else raw.read(name_fly_app(name)),
        fly_folder=raw.read("FLY_APP_DIR"),
        fly_user=raw.read("FLY_SSH_USER"),
        fly_organisation=raw.read("FLY_ORG"),
        fly_timeouts=timeouts,
        alert_urls=_collect_alert_urls(sources),
        alert_after_s=alert_after_ms / 1000,
        app="" if name == LOCAL else raw.read(name_fly_app(name)),
        guarded=_is_guarded(name, raw),
    )


def check_environment_name(name: str, project: Path = PROJECT) -> tuple[str, ...]:
    """Return the names of the environments; raises UsageError with the nearest one if a name is not among them."""
    known = list_environments(project)
    if name not in known:
        added = f"; to add one, create the file .env.{name}" if is_environment_name(name) else _NAME_RULE if name else ""
        raise UsageError(
            f"there is no environment {show_name(name)}" if name else "the name of an environment is empty",
            hint=" ".join(filter(None, (propose(name, known), f"Known are {', '.join(known)}{added}."))),
            state="Nothing was changed.",
        )
    return known


def list_environments(project: Path = PROJECT) -> tuple[str, ...]:
    """Return the names of the environments: the four that every project has, and those that have a file of their own.

    A file whose name ends in other characters than an environment's name has, such as the backup of an editor, is none.
    """
    named = sorted(path.name.removeprefix(".env.") for path in project.glob(".env.*") if path.is_file())
    left_out = {*FIXED_ENVIRONMENTS, "example", "sample"}
    return (*FIXED_ENVIRONMENTS, *(name for name in named if name not in left_out and is_environment_name(name)))


def list_warnings(project: Path = PROJECT, environ: Mapping[str, str] | None = None) -> Sequence[str]:
    """Return a warning for each misspelt setting of the process environment."""
    return describe_process_misspellings(os.environ if environ is None else environ, list_environments(project))


def find_database_url(environment: Environment, *, project: Path = PROJECT) -> str:
    """Return the URL of an environment's database; for `local` without one, start the embedded PostgreSQL.

    Raises UsageError if another environment has none.
    """
    if environment.settings.database_url:
        return environment.settings.database_url
    if environment.name != LOCAL:
        raise UsageError(
            f"DATABASE_URL not set for {environment.name}",
            hint=f"Set it in .env.{environment.name}: DATABASE_URL={EXAMPLE_URL}",
            state="Nothing was changed.",
        )
    from tasks.postgres.server import embedded

    return embedded.start(project / ".postgres")


def _pick(name: str, sources: _Sources) -> RawSettings:
    """Return the values that take precedence."""
    shared, own = sources.shared.values, sources.own.values
    if name != LOCAL:
        shared = {key: value for key, value in shared.items() if key not in _URL_NAMES}
    process = {key: value for key, value in sources.process.items() if value and find_setting(key)}
    if name != LOCAL and (any(own.get(key) for key in _URL_NAMES) or (shared | own | process).get(name_fly_app(name))):
        process = {key: value for key, value in process.items() if key not in _URL_NAMES}
    return RawSettings(_merge(shared, own, process))


def _merge(*sources: Mapping[str, str]) -> dict[str, str]:
    """Return the values of sources, of which the last takes precedence.

    The two URLs are one setting with two names: a DATABASE_URL takes precedence over a DIRECT_DATABASE_URL of a source before it.
    """
    merged: dict[str, str] = {}
    for source in sources:
        if any(source.get(name) for name in _URL_NAMES):
            merged = {key: value for key, value in merged.items() if key not in _URL_NAMES}
        merged |= source
    return merged


def _collect_alert_urls(sources: _Sources) -> tuple[str, ...]:
    """Return the addresses of all sources: none of them replaces those of another."""
    texts = [values.get("ALERT_URLS", "") for values in (sources.shared.values, sources.own.values, sources.process)]
    return tuple(dict.fromkeys(url for text in texts for url in _BETWEEN_URLS.split(text) if url))


def _is_guarded(name: str, raw: RawSettings) -> bool:
    return name in raw.read("GUARDED").replace(",", " ").split()
