"""`fly machine`: list, start and exec."""

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.kit.fly.program.options import EXECUTE, READ, START, FlyError, Parser, parse
from tests.kit.fly.state import Record, State, hallpass_command

if TYPE_CHECKING:
    import subprocess


def list_machines(state: State, arguments: Sequence[str]) -> None:
    """List an app's machines, those for release commands and consoles among them."""
    call = parse(state, arguments, Parser())
    app = call.find_app(READ)
    if call.options.json:
        print(json.dumps(app["machines"], indent=4))
        return
    print(f"{len(app['machines'])} machines have been retrieved from app {app['name']}.")
    for machine in app["machines"]:
        print(f"{machine['id']}\t{machine['name']}\t{machine['state']}\t{machine['region']}")


def start_machines(state: State, arguments: Sequence[str]) -> None:
    """Start machines; that their SSH servers answer is another matter."""
    call = parse(state, arguments, Parser())
    app = call.find_app(START)
    if not call.words:
        raise FlyError("a machine ID must be specified when not running interactively")
    for machine_id in call.words:
        _find(app, machine_id)
        with state.change_app(app["name"]) as changed:
            _find(changed, machine_id)["state"] = "started"
        print(f"{machine_id} has been started")


def execute(state: State, arguments: Sequence[str]) -> None:
    """Run a command without SSH. The exit code of `fly` is 0 even if the command failed."""
    parser = Parser()
    parser.add_argument("--timeout", type=int, default=60)
    parser.add_argument("--container")
    call = parse(state, arguments, parser)
    app = call.find_app(EXECUTE)
    if len(call.words) != 2:
        raise FlyError("accepts a machine ID and a command")
    machine = _find(app, call.words[0])
    if machine["state"] != "started":
        raise FlyError(
            f"could not exec command on machine {machine['id']}: failed to exec on VM {machine['id']}: "
            f"failed_precondition: machine not running, currently '{machine['state']}'"
        )
    result = _run(state, machine["id"], call.words[1], call.options.timeout)
    if call.options.json:
        answer = {"exit_code": result.returncode, "stdout": result.stdout, "stderr": result.stderr}
        print(json.dumps({key: value for key, value in answer.items() if value}))
        return
    if result.returncode:
        print(f"Exit code: {result.returncode}")
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)


def _run(state: State, machine_id: str, command: str, timeout_s: int) -> "subprocess.CompletedProcess[str]":
    # Only a call of this command needs it.
    import subprocess

    words = hallpass_command(state.settings["python"], state.machine_folder(machine_id))
    environment = {**os.environ, "SSH_ORIGINAL_COMMAND": command}
    try:
        return subprocess.run(
            words,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FlyError(f"could not exec command on machine {machine_id}: deadline_exceeded") from error


def _find(app: Record, machine_id: str) -> Record:
    machine: Record
    for machine in app["machines"]:
        if machine["id"] == machine_id:
            return machine
    raise FlyError(f"machine {machine_id} was not found in app '{app['name']}'")
