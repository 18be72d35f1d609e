"""Calls of flyctl, and hints for its errors.

Every call names an app and has no standard input, so that flyctl cannot prompt, and has a time limit, because some calls wait
for minutes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tasks.config.timeouts import Timeouts
from tasks.fly.child_process import read_output
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.signals import Stop

CERTIFICATE_HOURS = 1
"""How long a certificate is valid, the shortest time that flyctl accepts; each connection has one of its own."""

_TOKEN = re.compile(r"(?:FlyV1\s+)?\bfm\d[rdo]?_[\w+/=,-]+|\bfo1_[\w-]+")
_JSON_START = re.compile(r"^(?=[\[{]|null$)", re.MULTILINE)
_TOKEN_NAMES = ("FLY_ACCESS_TOKEN", "FLY_API_TOKEN")
_SHORTEST_TOKEN = 8
_HINTS = (
    ("No access token available", "Log in with `fly auth login`, or set FLY_API_TOKEN."),
    (
        "must be authenticated",
        "Fly does not accept this token. Log in with `fly auth login`, or set FLY_API_TOKEN to a valid one.",
    ),
    ("Could not find App", "Check the app's name: FLY_APP_<ENVIRONMENT> in .env, or `fly apps list`."),
    (
        "unauthorized",
        "The token lacks a permission. Create an org token with `fly tokens create org` and set it as FLY_API_TOKEN.",
    ),
    (
        "not authorized",
        "The token lacks a permission. Create an org token with `fly tokens create org` and set it as FLY_API_TOKEN.",
    ),
)


class FlyctlError(RunnerError):
    """An error of flyctl."""


def find_flyctl() -> str:
    """Return the path of flyctl; raises RefusedError if it is not installed."""
    program = shutil.which("flyctl") or shutil.which("fly")
    if program is None:
        raise RefusedError(
            "flyctl is not installed, or not on the PATH",
            hint="Install it: https://fly.io/docs/flyctl/install/ ; or set a DATABASE_URL for the environment.",
            state="Nothing was changed.",
        )
    return program


def call_flyctl(arguments: Sequence[str], stop: Stop, timeouts: Timeouts) -> str:
    """Run flyctl and return what it printed; raises FlyctlError with its error, and Interruption on a stop.

    flyctl runs in a session of its own, so that Ctrl-C on the terminal reaches only this process, which then ends in order.
    """
    timeout_s = timeouts.call_s
    shown = f"fly {' '.join(arguments[:2])}"
    with subprocess.Popen(
        [find_flyctl(), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "FLY_NO_UPDATE_CHECK": "1", "NO_COLOR": "1"},
    ) as process:
        try:
            output = read_output(process, timeout_s, stop)
            code = None if output.late else process.wait(timeout_s)
        finally:
            process.kill()
    if code is None:
        raise FlyctlError(
            f"{shown} did not end within {timeout_s:g} s",
            hint="Check the network with `fly doctor`. To wait longer, set FLY_CALL_TIMEOUT=180.",
            state="Nothing was changed.",
        )
    if code != 0:
        raise build_refusal(shown, output.err or output.out)
    return output.out


def build_refusal(shown: str, words: str) -> FlyctlError:
    """Return the error for the output of flyctl, without tokens."""
    lines = [line for line in hide_tokens(words).splitlines() if line.strip()]
    line = next((line for line in lines if line.startswith("Error: ")), lines[-1] if lines else "no output")
    reason = line.removeprefix("Error: ").strip()
    hint = next(
        (hint for part, hint in _HINTS if part.lower() in words.lower()), "Run the same fly command in a terminal for details."
    )
    return FlyctlError(f"{shown}: {reason}", hint=hint, state="Nothing was changed.")


def hide_tokens(text: str) -> str:
    """Replace Fly tokens by ***: those in the environment, and every text that looks like one."""
    for name in _TOKEN_NAMES:
        token = os.environ.get(name, "").strip()
        if len(token) >= _SHORTEST_TOKEN:
            text = text.replace(token, "***")
    return _TOKEN.sub("***", text)


def read_json(arguments: Sequence[str], stop: Stop, timeouts: Timeouts) -> Any:
    """Run flyctl and return the JSON that it prints, after any other lines; raises FlyctlError if there is none."""
    text = call_flyctl(arguments, stop, timeouts)
    for place in _JSON_START.finditer(text):
        try:
            return json.JSONDecoder().raw_decode(text, place.start())[0]
        except json.JSONDecodeError:
            continue
    raise FlyctlError(
        f"fly {' '.join(arguments[:2])} printed no JSON",
        hint="Update flyctl with `fly version update`, and check https://status.flyio.net.",
        state="Nothing was changed.",
    )


def list_machines(app: str, stop: Stop, timeouts: Timeouts) -> list[dict[str, Any]]:
    """Return the machines of an app as flyctl lists them."""
    found = read_json(["machine", "list", "--json", "-a", app], stop, timeouts)
    return found if isinstance(found, list) else []


def start_machine(app: str, machine_id: str, stop: Stop, timeouts: Timeouts) -> None:
    """Start a machine, without waiting until it is started."""
    call_flyctl(["machine", "start", machine_id, "-a", app], stop, timeouts)


def find_organisation(app: str, stop: Stop, timeouts: Timeouts) -> str:
    """Return the organisation of an app, which is needed to issue a certificate."""
    status = read_json(["status", "--json", "-a", app], stop, timeouts)
    organisation = status.get("Organization") if isinstance(status, dict) else None
    slug = organisation.get("Slug") if isinstance(organisation, dict) else None
    if not slug:
        raise FlyctlError(
            f"fly status does not name the organisation of {app}",
            hint="Set FLY_ORG to the organisation's name (`fly orgs list`).",
            state="Nothing was changed.",
        )
    return str(slug)


def issue_certificate(organisation: str, folder: Path, user: str, stop: Stop, timeouts: Timeouts) -> Path:
    """Issue a key and its certificate into a private folder, and return the path of the key.

    flyctl can exit with 0 and write an empty key, so both files are checked.
    """
    key = folder / "id"
    flags = ("--username", f"{user},fly", "--hours", str(CERTIFICATE_HOURS))
    call_flyctl(["ssh", "issue", organisation, str(key), *flags], stop, timeouts)
    certificate = folder / "id-cert.pub"
    empty = [path.name for path in (key, certificate) if not path.is_file() or path.stat().st_size == 0]
    if empty:
        raise FlyctlError(
            f"fly ssh issue wrote no {' and no '.join(empty)}",
            hint="Run it in a terminal: fly ssh issue ORG PATH",
            state="Nothing was changed.",
        )
    return key
