"""The entry point: which command it is, and what is wrong with it today."""

import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from tests.kit.fly.program.options import FlyError
from tests.kit.fly.state import State, append_json

_COMMANDS = {
    "version": "accounts.show_version",
    "auth token": "accounts.show_token",
    "auth whoami": "accounts.show_user",
    "orgs list": "accounts.list_orgs",
    "apps list": "accounts.list_apps",
    "status": "accounts.show_status",
    "machine list": "machines.list_machines",
    "machine start": "machines.start_machines",
    "machine exec": "machines.execute",
    "ssh issue": "ssh.issue",
    "ssh console": "ssh.console",
    "proxy": "proxy.proxy",
}
"""The function for each command, by its module, which is imported for that command alone."""
_OTHER_NAMES = {"machines": "machine", "m": "machine", "ls": "list", "org": "orgs", "app": "apps"}


def main(folder: str) -> int:
    """Carry out one call and return its exit code: 0, or 1 for whatever went wrong."""
    state = State(Path(folder))
    name, arguments = _read_command(sys.argv[1:])
    append_json(state.calls, sys.argv[1:])
    try:
        if name not in _COMMANDS:
            raise FlyError(f'unknown command "{name}" for "flyctl"')
        _apply_faults(state, name)
        _find_function(_COMMANDS[name])(state, arguments)
    except FlyError as error:
        sys.stdout.flush()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 127
    return 0


def _find_function(path: str) -> Callable[[State, Sequence[str]], None]:
    module, _, name = path.partition(".")
    function: Callable[[State, Sequence[str]], None] = getattr(import_module(f"tests.kit.fly.program.{module}"), name)
    return function


def _read_command(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Split off the name of the command, of one word or two."""
    names = [_OTHER_NAMES.get(word, word) for word in words[:2]]
    for count in (2, 1):
        if " ".join(names[:count]) in _COMMANDS:
            return " ".join(names[:count]), words[count:]
    return " ".join(names[:1]), words[1:]


def _apply_faults(state: State, name: str) -> None:
    faults = state.faults
    if faults.get("noise"):
        print("Warning: Metrics token unavailable: context canceled", file=sys.stderr, flush=True)
    if name in faults.get("hang", ()):
        signal.pause()
    if name in faults.get("garble", ()):
        print("<html>502 Bad Gateway</html>", flush=True)
        raise SystemExit(0)
    if name in faults.get("fail", {}):
        raise FlyError(faults["fail"][name])
