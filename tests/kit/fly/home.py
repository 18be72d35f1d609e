"""A home folder whose .ssh breaks every connection that uses it, and records every access."""

import os
from pathlib import Path

from tests.kit.fly.certificates import write_key_pair

_CONFIG = """\
Host *
    ProxyCommand false
    User nobody
    HostName 192.0.2.1
    Port 1
    IdentityFile ~/.ssh/id_ed25519
"""
_READ_S, _WRITTEN_S = 1_000_000_000, 1_000_000_100
"""Times in the past: the kernel records a read access only if none was recorded since the last write."""


def make_home(folder: Path) -> Path:
    """Make a home with an SSH configuration that breaks every connection, and a key that no server accepts."""
    ssh = folder / ".ssh"
    ssh.mkdir(mode=0o700, parents=True)
    (ssh / "config").write_text(_CONFIG)
    write_key_pair(ssh / "id_ed25519")
    public_key = (ssh / "id_ed25519.pub").read_text().strip()
    (ssh / "known_hosts").write_text(f"* {public_key}\n")
    for path in ssh.iterdir():
        path.chmod(0o600)
        os.utime(path, (_READ_S, _WRITTEN_S))
    return folder


def find_traces(home: Path) -> list[str]:
    """Return what was read, written, added or removed in .ssh since the home was made.

    A read is not found on a disk that is mounted with `noatime`.
    """
    present = {path.name for path in (home / ".ssh").iterdir()}
    expected = {"config", "id_ed25519", "id_ed25519.pub", "known_hosts"}
    traces = [f"{name} was added" for name in sorted(present - expected)]
    traces += [f"{name} was removed" for name in sorted(expected - present)]
    for name in sorted(present & expected):
        status = (home / ".ssh" / name).stat()
        if int(status.st_mtime) != _WRITTEN_S:
            traces.append(f"{name} was written")
        elif int(status.st_atime) != _READ_S:
            traces.append(f"{name} was read")
    return traces
