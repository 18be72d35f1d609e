"""What a file needs and the scratch server does not have, and the ways to rehearse the file nevertheless."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tasks.postgres.images import compose_build, compose_image
from tasks.postgres.predefined_roles import PREDEFINED_ROLES
from tasks.postgres.quoting import show_identifier
from tasks.runner.command_lines import quote_words
from tasks.runner.errors import RefusedError

STAND_INS = frozenset({"uuid-ossp", "pgcrypto"})
"""The extensions that the embedded server has as stand-ins of ours."""
_SETTING = "SCRATCH_DATABASE_URL"
_MAJOR = 10000
_PORT = 5433
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that the scratch server does not have and no file can create: its kind, its name, and a detail.

    The kinds are extension, extension version, language, access method, collation, locale, tablespace, file, role and build
    (what the server was compiled without).
    """

    kind: str
    name: str
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == "extension version":
            return f"version {self.detail} of the extension {self.name}"
        if self.kind == "build":
            return f"support for {self.name}"
        return f"the {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A statement that was left out, as it is shown with the reason, and what the scratch server lacks for it."""

    shown: str
    lack: Lack


class LackError(RefusedError):
    """The scratch server lacks something that the migrations need, so that there is no complete answer."""


def refuse_lacks(left_out: Sequence[NotChecked], version: int, *, embedded: bool, what: str, skippable: bool = True) -> None:
    """Raise LackError with the ways to get an answer if statements were left out that are not excluded.

    `what` begins the message; `skippable` is False where nothing may be left out.
    """
    if left_out:
        listed = [each.shown for each in left_out[:_MOST_SHOWN]]
        if len(left_out) > _MOST_SHOWN:
            listed.append(f"and {len(left_out) - _MOST_SHOWN} more")
        lacks = list(dict.fromkeys(each.lack for each in left_out))
        raise LackError(
            f"{what}: the scratch server does not have {join_lacks(lacks)}:\n" + "\n".join(f"  {each}" for each in listed),
            hint=compose_ways(lacks, version, embedded=embedded, skippable=skippable),
            state="Nothing was changed.",
        )


def find_lack_error(left_out: Sequence[NotChecked]) -> LackError | None:
    """Return the error of a migration of which something could not be checked, for those that need its complete effect."""
    return LackError(f"the scratch server does not have {left_out[0].lack}: {left_out[0].shown}") if left_out else None


def join_lacks(lacks: Iterable[Lack]) -> str:
    """Return what is lacking as a list in words."""
    *first, last = dict.fromkeys(map(str, lacks))
    return f"{', '.join(first)} or {last}" if first else last


def compose_ways(lacks: Sequence[Lack], version: int, *, embedded: bool, skippable: bool = True) -> str:
    """Return the ways to rehearse what needs these, each ready to paste: another scratch server, the flag, the stand-in.

    `version` is the scratch server's server_version; `embedded` is True for the embedded server.
    """
    major, names = version // _MAJOR, list(dict.fromkeys(lack.name for lack in lacks))
    ways = [_compose_server(lack, major) for lack in dict.fromkeys(lacks)]
    if skippable:
        them = "it" if len(names) == 1 else "them"
        skip = f"--without-extension {quote_words(','.join(names))}"
        ways.append(f"Or repeat the command without {them}, so that what needs {them} is not checked:\n  {skip}")
    stand_ins = [name for name in names if name in STAND_INS]
    if stand_ins and not embedded:
        has = "a stand-in" if len(stand_ins) == 1 else "stand-ins"
        ways.append(f"Or leave {_SETTING} empty: the embedded server has {has} for {' and '.join(stand_ins)}.")
    return "\n".join(ways)


def _compose_server(lack: Lack, major: int) -> str:
    """Return how to get a scratch server that has something."""
    if lack.kind == "tablespace":
        return f"Create it on the scratch server:\n  CREATE TABLESPACE {show_identifier(lack.name)} LOCATION '/an/empty/folder';"
    if lack.kind == "role" and lack.name not in PREDEFINED_ROLES:
        return f"Create it on the scratch server:\n  CREATE ROLE {show_identifier(lack.name)};"
    indent = "\n    "
    service = indent.join(
        (
            *_choose_image(lack, major),
            "environment: {POSTGRES_PASSWORD: scratch}",
            f'ports: ["127.0.0.1:{_PORT}:5432"]',
        )
    )
    return (
        f"Use a scratch server that has {lack}, for example a service of docker compose:\n"
        f"services:\n  scratch:{indent}{service}\n"
        f"docker compose up -d scratch, and in .env:\n"
        f"  {_SETTING}=postgresql://postgres:scratch@127.0.0.1:{_PORT}/postgres"
    )


def _choose_image(lack: Lack, major: int) -> list[str]:
    if lack.kind == "role":
        return [f"image: postgres:{PREDEFINED_ROLES[lack.name]}"]
    if lack.kind in ("build", "collation"):
        return [f"image: postgres:{major}"]
    if lack.kind == "locale":
        language, _, _ = lack.name.partition(".")
        language = language.partition("@")[0]
        return compose_build(major, f"localedef -i {language} -c -f UTF-8 {language}.UTF-8")
    return compose_image(lack.name, major)
