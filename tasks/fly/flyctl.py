"""Calling flyctl: what it is asked, and what its refusals mean.

It always gets an app and no standard input, so that it can ask nothing, and a time limit, because some of its calls wait for
minutes.
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

from tasks.fly.child_process import listen
from tasks.fly.timeouts import read_patience
from tasks.runner.errors import RefusedError, RunnerError
from tasks.runner.signals import Stop

CERTIFICATE_HOURS = 24
"""How long an issued certificate is good for; a run that reconnects needs it again."""

_TOKEN = re.compile(r"(?:FlyV1\s+)?\bfm\d[rdo]?_[\w+/=,-]+|\bfo1_[\w-]+")
_JSON_START = re.compile(r"^(?=[\[{]|null$)", re.MULTILINE)
_TOKEN_NAMES = ("FLY_ACCESS_TOKEN", "FLY_API_TOKEN")
_SHORTEST_TOKEN = 8
_HINTS = (
    ("No access token available", "Log in with `fly auth login`, or set FLY_API_TOKEN."),
    ("must be authenticated", "Fly does not know this token. Log in with `fly auth login`, or set FLY_API_TOKEN to another one."),
    ("Could not find App", "Check the app's name: FLY_APP_<ENVIRONMENT> in .env, or `fly apps list`."),
    ("unauthorized", "The token may not do this. An org token can: `fly tokens create org`; set it as FLY_API_TOKEN."),
    ("not authorized", "The token may not do this. An org token can: `fly tokens create org`; set it as FLY_API_TOKEN."),
)


class FlyctlError(RunnerError):
    """Report what flyctl refused."""


def find_flyctl() -> str:
    """Find the program; raises RefusedError where it is not installed."""
    program = shutil.which("flyctl") or shutil.which("fly")
    if program is None:
        raise RefusedError(
            "flyctl is not installed, or not on the PATH",
            hint="Install it: https://fly.io/docs/flyctl/install/ ; or give the environment a DATABASE_URL of its own.",
            state="Nothing was changed.",
        )
    return program


def call_flyctl(arguments: Sequence[str], stop: Stop | None = None) -> str:
    """Run flyctl to its end and give what it printed; raises FlyctlError with its reason, and Interruption on a stop.

    It has a session of its own: Ctrl-C on the terminal is for us, who then end in order.
    """
    timeout_s = read_patience().call_s
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
            heard = listen(process, timeout_s, stop)
            code = None if heard.late else process.wait(timeout_s)
        finally:
            process.kill()
    if code is None:
        raise FlyctlError(
            f"{shown} did not end within {timeout_s:g} s",
            hint="Is the network up? `fly doctor` looks at it. FLY_CALL_TIMEOUT=180 waits longer.",
            state="Nothing was changed.",
        )
    if code != 0:
        raise build_refusal(shown, heard.err or heard.out)
    return heard.out


def build_refusal(shown: str, words: str) -> FlyctlError:
    """Make an error of what flyctl said, without any token."""
    lines = [line for line in hide_tokens(words).splitlines() if line.strip()]
    told = next((line for line in lines if line.startswith("Error: ")), lines[-1] if lines else "it said nothing")
    reason = told.removeprefix("Error: ").strip()
    hint = next((hint for part, hint in _HINTS if part.lower() in words.lower()), "Run the same fly command by hand to see more.")
    return FlyctlError(f"{shown}: {reason}", hint=hint, state="Nothing was changed.")


def hide_tokens(text: str) -> str:
    """Replace Fly tokens by ***: those that look like one, and those that we were given."""
    for name in _TOKEN_NAMES:
        token = os.environ.get(name, "").strip()
        if len(token) >= _SHORTEST_TOKEN:
            text = text.replace(token, "***")
    return _TOKEN.sub("***", text)


def read_json(arguments: Sequence[str], stop: Stop | None = None) -> Any:
    """Run flyctl and read the JSON that it prints, past any lines of noise before it; raises FlyctlError where there is none."""
    text = call_flyctl(arguments, stop)
    for place in _JSON_START.finditer(text):
        try:
            return json.JSONDecoder().raw_decode(text, place.start())[0]
        except json.JSONDecodeError:
            continue
    raise FlyctlError(
        f"fly {' '.join(arguments[:2])} printed no JSON",
        hint="Is flyctl up to date (`fly version update`), and is Fly up (https://status.flyio.net)?",
        state="Nothing was changed.",
    )


def list_machines(app: str, stop: Stop) -> list[dict[str, Any]]:
    """List an app's machines as flyctl describes them."""
    found = read_json(["machine", "list", "--json", "-a", app], stop)
    return found if isinstance(found, list) else []


def start_machine(app: str, machine_id: str, stop: Stop) -> None:
    """Ask Fly to start a machine; it does not wait until the machine runs."""
    call_flyctl(["machine", "start", machine_id, "-a", app], stop)


def find_organisation(app: str, stop: Stop) -> str:
    """Give the organisation of an app, which the issuing of certificates wants to know."""
    given = os.environ.get("FLY_ORG", "").strip()
    if given:
        return given
    status = read_json(["status", "--json", "-a", app], stop)
    organisation = status.get("Organization") if isinstance(status, dict) else None
    slug = organisation.get("Slug") if isinstance(organisation, dict) else None
    if not slug:
        raise FlyctlError(
            f"fly status does not say which organisation {app} belongs to",
            hint="Set FLY_ORG to the organisation's name (`fly orgs list`).",
            state="Nothing was changed.",
        )
    return str(slug)


def issue_certificate(organisation: str, folder: Path, user: str, stop: Stop) -> Path:
    """Have a key and its certificate written into a fresh private folder, and give the key's path.

    flyctl can exit with 0 over an empty key, so both files are looked at.
    """
    key = folder / "id"
    flags = ("--username", f"{user},fly", "--hours", str(CERTIFICATE_HOURS))
    call_flyctl(["ssh", "issue", organisation, str(key), *flags], stop)
    certificate = folder / "id-cert.pub"
    empty = [path.name for path in (key, certificate) if not path.is_file() or path.stat().st_size == 0]
    if empty:
        raise FlyctlError(
            f"fly ssh issue wrote no {' and no '.join(empty)}",
            hint="Run it by hand: fly ssh issue ORG PATH",
            state="Nothing was changed.",
        )
    return key
