"""A test that starts what a run can leave behind and never ends; only test_home runs it, and kills the run."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.kit.fly.images import Image
from tests.kit.fly.world import FlyWorld
from tests.kit.forkserver import inherit_environment, start_process
from tests.kit.own_servers import OwnServer


def test_that_hangs(new_server: Callable[..., OwnServer], fly: FlyWorld, short_path: Path, tmp_path: Path) -> None:
    """Start a server on a small disk, an SSH server and a forked process; report them and wait for a signal."""
    server = new_server(disk_megabytes=64 if os.geteuid() == 0 else None)
    server.start()
    assert fly.add_app("gaia-dev", image=Image(has_app=False))[0].ssh_port
    program = tmp_path / "program.py"
    program.write_text("import signal; print('started', flush=True); signal.pause()")
    process = start_process([sys.executable, str(program)], cwd=tmp_path, environment=inherit_environment())
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    Path(os.environ["STARTED"]).write_text(f"{short_path.parent}\n{server.url()}\n{process.pid}\n")
    signal.pause()
