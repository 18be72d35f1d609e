"""The entry point: find the command, apply the faults that a test has set, run the command."""

import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from tests.kit.fly.program.options import FlyError
from tests.kit.fly.state import FlyState, append_json

_COMMANDS = {
    "auth whoami": "api.show_user",
    "status": "api.show_status",
    "machine list": "api.list_machines",
    "machine start": "api.start_machine",
    "ssh issue": "ssh.issue",
    "proxy": "proxy.proxy",
}
"""The function of each command; its module is imported for that command only."""


def main(folder: str) -> int:
    """Run one command and return its exit code: 0, or 1 for every error."""
    state = FlyState(Path(folder))
    words = sys.argv[1:]
    append_json(state.calls, words)
    name = next((name for name in _COMMANDS if words[: len(name.split())] == name.split()), "")
    try:
        if not name:
            raise FlyError(f'unknown command "{" ".join(words[:2])}" for "flyctl"')
        _apply_faults(state, name)
        _find_function(_COMMANDS[name])(state, words[len(name.split()) :])
    except FlyError as error:
        sys.stdout.flush()
        print(f"Error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 127
    return 0


def _find_function(path: str) -> Callable[[FlyState, Sequence[str]], None]:
    module, _, name = path.partition(".")
    function: Callable[[FlyState, Sequence[str]], None] = getattr(import_module(f"tests.kit.fly.program.{module}"), name)
    return function


def _apply_faults(state: FlyState, name: str) -> None:
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
