"""The flags of a command, what its token may do, and the app that it is about."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tests.kit.fly.state import Record, State

READ, START, CONNECT, EXECUTE, ISSUE, LIST = "read", "start", "connect", "execute", "issue", "list"
_MAY = {
    "org": {READ, START, CONNECT, EXECUTE, ISSUE, LIST},
    "readonly": {READ, LIST},
    "deploy": {READ, START, CONNECT, EXECUTE},
    "ssh": {READ, CONNECT},
}
"""What each kind of token may do; whether Fly sees it all in this way is not known for sure."""


class FlyError(Exception):
    """Say why flyctl ends with exit code 1."""


class Parser(argparse.ArgumentParser):
    """Flags as flyctl has them: anywhere, and a mistake ends with exit code 1."""

    def __init__(self) -> None:
        super().__init__(allow_abbrev=False, add_help=False)
        self.add_argument("words", nargs="*")
        self.add_argument("-a", "--app", default=os.environ.get("FLY_APP", ""))
        self.add_argument("-t", "--access-token", default="")
        self.add_argument("-j", "--json", action="store_true")
        self.add_argument("-c", "--config")
        self.add_argument("--verbose", action="store_true")
        self.add_argument("--debug", action="store_true")

    def error(self, message: str) -> NoReturn:
        """Refuse the flags."""
        raise FlyError(message)


@dataclass(frozen=True)
class Call:
    """One call of the program: the stand-in that it works on, and its flags."""

    state: State
    options: argparse.Namespace

    @property
    def words(self) -> list[str]:
        """Return the arguments that are no flags."""
        return list(self.options.words)

    def authorize(self, action: str, org: str, app: str = "", what: str = "do this") -> None:
        """Refuse a token that may not do this here."""
        right = self.find_right()
        if right.get("org", org) != org or (app and right.get("app", app) != app):
            raise FlyError(f'Could not find App "{app}"' if app else "Could not find Organization")
        if action not in _MAY[right["kind"]]:
            raise FlyError(f"Not authorized to {what}")

    def find_right(self) -> dict[str, str]:
        """Return what the token may do; refuse one that Fly does not know."""
        right = self.state.tokens.get(self.read_token())
        if right is None:
            raise FlyError("You must be authenticated to view this.")
        return right

    def find_app(self, action: str) -> Record:
        """Return the app that the call is about, if the token may do this to it."""
        self.read_token()
        if not self.options.app:
            raise FlyError(
                "the config for your app is missing an app name, add an app field to the fly.toml file "
                "or specify with the -a flag"
            )
        app = self.state.read_app(self.options.app)
        if app is None:
            raise FlyError(f'Could not find App "{self.options.app}"')
        self.authorize(action, app["org"], app["name"], f"{action} the machines of {app['name']}")
        return app

    def read_token(self) -> str:
        """Return the token of this call, wherever it is from; refuse to go on without one."""
        written = _find_config_folder() / "config.yml"
        lines = written.read_text().splitlines() if written.exists() else []
        kept = [line.partition(":")[2].strip() for line in lines if line.startswith("access_token:")]
        names = ("FLY_ACCESS_TOKEN", "FLY_API_TOKEN")
        found: list[str] = [self.options.access_token, *(os.environ.get(name, "").strip() for name in names), *kept]
        token = next((token for token in found if token), None)
        if token is None:
            raise FlyError("no access token available. Please login with 'flyctl auth login'")
        return token


def make_config_folder() -> None:
    """Make the folder without which there is no tunnel."""
    try:
        _find_config_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FlyError(f"can't establish agent: {error}") from error


def parse(state: State, arguments: Sequence[str], parser: Parser) -> Call:
    """Read the flags of a call."""
    return Call(state, parser.parse_intermixed_args(arguments))


def _find_config_folder() -> Path:
    if folder := os.environ.get("FLY_CONFIG_DIR"):
        return Path(folder)
    if not os.environ.get("HOME"):
        raise FlyError("$HOME is not defined")
    return Path(os.environ["HOME"]) / ".fly"
