"""`fly auth whoami`, `fly status`, `fly machine list` and `fly machine start`: what Fly's API answers."""

import json
from collections.abc import Sequence

from tests.kit.fly.program.options import READ, START, FlyError, Parser, parse
from tests.kit.fly.state import FlyState, Record

_HIDDEN = ("fly_app_release_command", "fly_app_console")


def show_user(state: FlyState, arguments: Sequence[str]) -> None:
    """Print the user of the token."""
    kind = parse(state, arguments, Parser()).find_right()["kind"]
    print("engineer@example.com" if kind == "org" else f"{kind} token")


def show_status(state: FlyState, arguments: Sequence[str]) -> None:
    """Describe an app and the machines of its services."""
    app = parse(state, arguments, Parser()).find_app(READ)
    answer = {
        "ID": app["name"],
        "Name": app["name"],
        "Deployed": bool(app["machines"]),
        "Status": "deployed" if app["machines"] else "pending",
        "Hostname": f"{app['name']}.fly.dev",
        "Organization": {"ID": f"id-of-{app['org']}", "Name": app["org"].title(), "Slug": app["org"]},
        "PlatformVersion": "machines",
        "Version": 1,
        "AppURL": f"https://{app['name']}.fly.dev",
        "Machines": [machine for machine in app["machines"] if _serves(machine)],
    }
    print(json.dumps(answer))


def list_machines(state: FlyState, arguments: Sequence[str]) -> None:
    """List all machines of an app, including those of release commands."""
    print(json.dumps(parse(state, arguments, Parser()).find_app(READ)["machines"], indent=4))


def start_machine(state: FlyState, arguments: Sequence[str]) -> None:
    """Mark a machine as started; its SSH server may answer later."""
    call = parse(state, arguments, Parser())
    app = call.find_app(START)
    if not call.words:
        raise FlyError("a machine ID must be specified when not running interactively")
    with state.change_app(app["name"]) as changed:
        machine = next((machine for machine in changed["machines"] if machine["id"] == call.words[0]), None)
        if machine is None:
            raise FlyError(f"machine {call.words[0]} was not found in app '{app['name']}'")
        machine["state"] = "started"
    print(f"{machine['id']} has been started")


def _serves(machine: Record) -> bool:
    group = machine["config"]["metadata"]["fly_process_group"]
    return group not in _HIDDEN and machine["state"] not in ("destroyed", "destroying")
