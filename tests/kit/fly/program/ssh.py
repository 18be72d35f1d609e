"""`fly ssh`: issue and console."""

import os
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from tests.kit.fly.program.options import CONNECT, ISSUE, FlyError, Parser, make_config_folder, parse
from tests.kit.fly.state import Record, State, hallpass_command

_SHELLS = ("sh", "/bin/sh", "bash", "/bin/bash")
_HIDDEN = ("fly_app_release_command", "fly_app_console")
_KILLED = 4294967295


def issue(state: State, arguments: Sequence[str]) -> None:
    """Write a key and a certificate for the machines of an organization, good for all its apps."""
    parser = Parser()
    parser.add_argument("-o", "--org", default="")
    parser.add_argument("-u", "--username", action="append")
    parser.add_argument("--hours", type=int, default=24)
    for flag in ("--agent", "--overwrite"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-d", "--dotssh", action="store_true")
    call = parse(state, arguments, parser)
    org, path = _read_words(call.words, call.options)
    call.authorize(ISSUE, org, what="issue a certificate for this organization")
    if not 1 <= call.options.hours <= 72:
        raise FlyError("Invalid expiration time (1-72 hours)")
    if call.options.agent:
        raise FlyError("can't connect to SSH agent: the stand-in knows none")
    print("!!!! WARNING: We're now prompting you to save an SSH private key and certificate !!!!", flush=True)
    if path is None:
        raise FlyError("prompt: non interactive")
    _write_credential(state, path, call.options)


def _read_words(words: list[str], options: Namespace) -> tuple[str, Path | None]:
    """Return the organization and the path. The first word is the organization's place, whatever the flags say."""
    org = options.org or os.environ.get("FLY_ORG", "") or (words[0] if words else "")
    if not org:
        raise FlyError("org slug must be specified when not running interactively")
    rest = words[1:]
    if len(rest) > 2:
        raise FlyError(f"accepts at most 3 arg(s), received {len(words)}")
    if rest and (len(rest) == 2 or "@" in rest[0]):
        rest = rest[1:]
    if not rest:
        return org, None
    return org, Path.home() / ".ssh" / rest[0] if options.dotssh else Path(rest[0])


def _write_credential(state: State, path: Path, options: Namespace) -> None:
    certificate_path = path.with_name(f"{path.name}-cert.pub")
    mode = os.O_WRONLY | os.O_TRUNC | os.O_CREAT | (0 if options.overwrite else os.O_EXCL)
    while options.overwrite and path.exists() and b"fly.io" not in path.read_bytes():
        # A key in PEM never has those letters: flyctl goes on like this for ever.
        print("File exists, but isn't a fly.io ed25519 private key", flush=True)
        time.sleep(0.02)
    try:
        key_file = os.open(path, mode, 0o600)
    except OSError as error:
        print(f"Can't open private key file: {error}")
        raise FlyError("prompt: non interactive") from error
    try:
        certificate_file = os.open(certificate_path, mode, 0o600)
    except OSError as error:
        # The key's file is there by now, and stays empty.
        print(f"Can't open certificate file {certificate_path}: {error}", end="")
    else:
        key, certificate = _make_credential(state, options)
        os.write(key_file, key)
        os.write(certificate_file, certificate)
    print(f"Wrote {options.hours}-hour SSH credential to {path}, {certificate_path}")


def _make_credential(state: State, options: Namespace) -> tuple[bytes, bytes]:
    import site

    # This Python was started without the packages that are installed.
    site.main()
    from tests.kit.fly.certificates import issue_certificate

    seconds = int(state.faults.get("certificate_seconds", options.hours * 3600))
    names = [name for given in options.username or ["root,fly"] for name in given.split(",")]
    return issue_certificate(state.authority, seconds, names)


def console(state: State, arguments: Sequence[str]) -> None:
    """Run a command on a machine. Whatever its exit code, that of `fly` is 1 if it failed."""
    parser = Parser()
    for flags in (("-C", "--command"), ("-r", "--region"), ("-u", "--user"), ("-A", "--address")):
        parser.add_argument(*flags, default="")
    for flag in ("--machine", "--process-group", "--container"):
        parser.add_argument(flag, default="")
    for flags in (("-s", "--select"), ("-q", "--quiet"), ("--pty", "--pty"), ("--no-container", "--no-container")):
        parser.add_argument(*flags, action="store_true")
    call = parse(state, arguments, parser)
    app = call.find_app(CONNECT)
    make_config_folder()
    machine = _select(app, call.options)
    if not call.options.quiet:
        print(f"Connecting to {machine['private_ip']}... complete", file=sys.stderr)
    command = call.options.command
    if command in _SHELLS:
        print(f"Warning: a terminal is used for {command}", file=sys.stderr)
    in_terminal = not command or call.options.pty or command in _SHELLS
    sys.stdout.flush()
    status = _run(state, machine["id"], command, in_terminal=in_terminal)
    if status:
        raise FlyError(f"ssh shell: Process exited with status {status if status > 0 else _KILLED}")


def _select(app: Record, options: Namespace) -> Record:
    """Choose a machine among those that are started; none is ever started for this."""
    if options.select:
        raise FlyError("--machine can't be used with -s/--select" if options.machine else "prompt: non interactive")
    started: list[Record] = [machine for machine in app["machines"] if _is_open(machine)]
    if not started:
        raise FlyError(
            f"app {app['name']} has no started VMs.\nIt may be unhealthy or not have been deployed yet.\n"
            "Try the following command to verify:\n\nfly status"
        )
    region, group, machine_id = options.region, options.process_group, options.machine
    started = [machine for machine in started if region in ("", machine["region"])]
    if not started:
        raise FlyError(f"app {app['name']} has no VMs in region {region}")
    started = [machine for machine in started if group in ("", _read_group(machine))]
    if not started:
        raise FlyError(f"app {app['name']} has no VMs in process group {group}")
    if machine_id:
        started = [machine for machine in started if machine["id"] == machine_id]
        if not started:
            raise FlyError(f'--machine="{machine_id}" not found/started')
    else:
        print(f"No machine specified, using {started[0]['id']} in region {started[0]['region']}")
    return started[0]


def _read_group(machine: Record) -> str:
    return str((machine["config"] or {}).get("metadata", {}).get("fly_process_group", ""))


def _is_open(machine: Record) -> bool:
    return bool(machine["state"] == "started" and _read_group(machine) not in _HIDDEN)


def _run(state: State, machine_id: str, command: str, *, in_terminal: bool) -> int:
    words = hallpass_command(state.settings["python"], state.machine_folder(machine_id))
    environment = {**os.environ, "SSH_ORIGINAL_COMMAND": command}
    if not in_terminal:
        return subprocess.run(words, env=environment, check=False).returncode
    ours, theirs = os.openpty()
    with subprocess.Popen(words, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        threading.Thread(target=_type, args=(ours,), daemon=True).start()
        try:
            while data := os.read(ours, 4096):
                sys.stdout.buffer.write(data)
        except OSError:
            # That is how a terminal ends.
            sys.stdout.flush()
    return process.returncode


def _type(terminal: int) -> None:
    """Hand on what is typed, and its end."""
    while data := os.read(0, 4096):
        os.write(terminal, data)
    os.write(terminal, b"\x04")
