"""`fly ssh issue`: a key, and a certificate for it."""

import os
import site
from collections.abc import Sequence
from pathlib import Path

from tests.kit.fly.program.options import ISSUE, FlyError, Parser, parse
from tests.kit.fly.state import FlyState


def issue(state: FlyState, arguments: Sequence[str]) -> None:
    """Write a key and a certificate for the machines of an organisation."""
    parser = Parser()
    parser.add_argument("-u", "--username", action="append")
    parser.add_argument("--hours", type=int, default=24)
    call = parse(state, arguments, parser)
    if len(call.words) != 2:
        raise FlyError("the stand-in expects an organisation and a path")
    org, path = call.words[0], Path(call.words[1])
    call.authorize(ISSUE, org, what="issue a certificate for this organization")
    if not 1 <= call.options.hours <= 72:
        raise FlyError("Invalid expiration time (1-72 hours)")
    print("!!!! WARNING: We're now prompting you to save an SSH private key and certificate !!!!", flush=True)
    seconds = int(state.faults.get("certificate_seconds", call.options.hours * 3600))
    names = [name for given in call.options.username or ["root,fly"] for name in given.split(",")]
    certificate_path = path.with_name(f"{path.name}-cert.pub")
    for file, content in zip((path, certificate_path), _make_credential(state, seconds, names), strict=True):
        _write_private(file, content)
    print(f"Wrote {call.options.hours}-hour SSH credential to {path}, {certificate_path}")


def _make_credential(state: FlyState, seconds: int, names: list[str]) -> tuple[bytes, bytes]:
    # The program starts without site-packages, since only this command needs them.
    site.main()
    from tests.kit.fly.certificates import issue_certificate

    return issue_certificate(state.authority, seconds, names)


def _write_private(path: Path, content: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise FlyError(f"can't open {path}: {error}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)
