"""`fly version`, `fly auth`, `fly orgs`, `fly apps`, `fly status`: who one is, and what there is."""

import json
import sys
from collections.abc import Sequence
from typing import Any

from tests.kit.fly.program.options import LIST, READ, FlyError, Parser, parse
from tests.kit.fly.state import Record, State

_VERSION = "0.3.200"
_HIDDEN = ("fly_app_release_command", "fly_app_console")


def show_version(state: State, arguments: Sequence[str]) -> None:
    """Say which version this claims to be."""
    if parse(state, arguments, Parser()).options.json:
        print(json.dumps({"Name": "fly", "Version": _VERSION, "OS": "linux", "Architecture": "amd64"}))
    else:
        print(f"fly v{_VERSION} linux/amd64 Commit: stand-in BuildDate: 2026-08-21T00:00:00Z")


def show_token(state: State, arguments: Sequence[str]) -> None:
    """Print the token."""
    call = parse(state, arguments, Parser())
    print(call.read_token())
    print("The 'fly auth token' command is deprecated. Use 'fly tokens create' instead.", file=sys.stderr)


def show_user(state: State, arguments: Sequence[str]) -> None:
    """Print whose token it is."""
    call = parse(state, arguments, Parser())
    right = call.find_right()
    print("engineer@example.com" if right["kind"] == "org" else f"{right['kind']} token")


def list_orgs(state: State, arguments: Sequence[str]) -> None:
    """List the organizations, in JSON an object from slug to name."""
    call = parse(state, arguments, Parser())
    right = call.find_right()
    call.authorize(LIST, right["org"], what="list organizations")
    print(json.dumps({right["org"]: right["org"].title()}))


def list_apps(state: State, arguments: Sequence[str]) -> None:
    """List the apps of the token's organization; a token for one app may not."""
    parser = Parser()
    parser.add_argument("-o", "--org", default="")
    call = parse(state, arguments, parser)
    org = call.options.org or call.find_right()["org"]
    call.authorize(LIST, org, what="list apps")
    print(json.dumps([_describe(app) for app in state.read_apps() if app["org"] == org]))


def show_status(state: State, arguments: Sequence[str]) -> None:
    """Describe an app, with those of its machines that serve."""
    call = parse(state, arguments, Parser())
    app = call.find_app(READ)
    if not call.options.json:
        raise FlyError("the stand-in knows status with --json only")
    machines = [machine for machine in app["machines"] if _serves(machine)]
    print(json.dumps({**_describe(app), "Version": 1, "AppURL": f"https://{app['name']}.fly.dev", "Machines": machines}))


def _describe(app: Record) -> dict[str, Any]:
    return {
        "ID": app["name"],
        "Name": app["name"],
        "Deployed": bool(app["machines"]),
        "Status": "deployed" if app["machines"] else "pending",
        "Hostname": f"{app['name']}.fly.dev",
        "Organization": {"ID": f"id-of-{app['org']}", "Name": app["org"].title(), "Slug": app["org"]},
        "PlatformVersion": "machines",
    }


def _serves(machine: Record) -> bool:
    metadata = (machine["config"] or {}).get("metadata", {})
    return metadata.get("fly_process_group") not in _HIDDEN and machine["state"] not in ("destroyed", "destroying")
