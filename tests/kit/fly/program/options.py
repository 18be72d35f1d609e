"""The flags of a command, the rights of its token, and its app."""

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from tests.kit.fly.state import FlyState, Record

READ, START, CONNECT, ISSUE = "read", "start", "connect", "issue"
_MAY = {"org": {READ, START, CONNECT, ISSUE}, "readonly": {READ}, "deploy": {READ, START, CONNECT}, "ssh": {READ, CONNECT}}
"""The actions that each kind of token allows, as far as Fly documents them."""


class FlyError(Exception):
    """The reason why flyctl ends with exit code 1."""


class Parser(argparse.ArgumentParser):
    """Flags as flyctl has them: at any place, and a wrong one ends with exit code 1."""

    def __init__(self) -> None:
        super().__init__(allow_abbrev=False, add_help=False)
        self.add_argument("words", nargs="*")
        self.add_argument("-a", "--app", default="")
        self.add_argument("--json", action="store_true")

    def error(self, message: str) -> NoReturn:
        """Raise FlyError for wrong flags."""
        raise FlyError(message)


@dataclass(frozen=True)
class Call:
    """One call of the program: the state of the stand-in, and the flags."""

    state: FlyState
    options: argparse.Namespace

    @property
    def words(self) -> list[str]:
        """Return the arguments that are not flags."""
        return list(self.options.words)

    def authorize(self, action: str, org: str, app: str = "", what: str = "do this") -> None:
        """Raise FlyError if the token does not allow the action."""
        right = self.find_right()
        if right.get("org", org) != org or (app and right.get("app", app) != app):
            raise FlyError(f'Could not find App "{app}"' if app else "Could not find Organization")
        if action not in _MAY[right["kind"]]:
            raise FlyError(f"Not authorized to {what}")

    def find_right(self) -> dict[str, str]:
        """Return the rights of the token; raises FlyError without a token and for an unknown one."""
        tokens = [os.environ.get(name, "").strip() for name in ("FLY_ACCESS_TOKEN", "FLY_API_TOKEN")]
        token = next((token for token in tokens if token), None)
        if token is None:
            raise FlyError("no access token available. Please login with 'flyctl auth login'")
        right = self.state.tokens.get(token)
        if right is None:
            raise FlyError("You must be authenticated to view this.")
        return right

    def find_app(self, action: str) -> Record:
        """Return the app of the call; raises FlyError if there is none or if the token does not allow the action."""
        self.find_right()
        app = self.state.read_app(self.options.app)
        if app is None:
            raise FlyError(f'Could not find App "{self.options.app}"')
        self.authorize(action, app["org"], app["name"], f"{action} the machines of {app['name']}")
        return app


def parse(state: FlyState, arguments: Sequence[str], parser: Parser) -> Call:
    """Read the flags of a call."""
    return Call(state, parser.parse_intermixed_args(arguments))
