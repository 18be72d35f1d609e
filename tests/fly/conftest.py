"""Fly.io for tests: a stand-in `fly` program, and machines behind a real SSH server.

    def test_something(fly: FlyWorld, database: Database, project: Project) -> None:
        machine, = fly.add_app("gaia-gateway-staging", database, files=project.root)
        project.inv("db.migrate", "--env=staging", env=fly.env, check=0)

`fly` has OpenSSH's server where that lets root in, and Python's elsewhere; `any_fly` runs a test with each of them that is there.

fly.env               for the process under test: PATH with `fly` first, HOME (its .ssh full of traps, looked through at the end),
                      FLY_ACCESS_TOKEN, FLY_APP_<ENVIRONMENT> of each app
fly.add_app           an app and its machines: database, org, machines=10, and all that add_machine takes
fly.add_machine       one more: image=Image(has_app=False), Image(packages=()), files=, variables=, starts_in_app=,
                      disk_megabytes=, region=, state=, group=, release=, host_status=
fly.add_release_machine, fly.add_unreachable_machine      what else a list shows
fly.add_token         a token that may do less: deploy, ssh, readonly
fly.fail, hang, garble, add_noise, limit_certificates, mend     what `fly` does wrong
fly.proxies, kill_proxy, freeze_proxy, thaw_proxy         the tunnels
fly.calls             how `fly` was called
fly.machine, machines of an app; each one has
    .app              the folder that stands for /app; on the machine the variable APP_DIR names it
    .folder.temporary the folder that stands for /tmp; on the machine TMPDIR names it
    .commands, .connections, .processes(), .kill()        what happened and happens there
    .stop, vanish, refuse(times), fall_silent, change_host_key    what goes wrong there
    .deploy(files), edit(file, old, new), change_environment, change_record, start_in     another image
    .fill_disk, empty_disk        with disk_megabytes
    .ssh_port         its SSH server without a proxy
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.kit.databases import Database, fresh_database
from tests.kit.fly.boot import PYTHON, SSHD, find_sshd
from tests.kit.fly.world import FlyWorld, make_world
from tests.kit.servers import Server

SERVERS = [SSHD, PYTHON] if find_sshd() and os.geteuid() == 0 else [PYTHON]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for `any_fly` with each SSH server that is there."""
    if "any_fly" in metafunc.fixturenames:
        metafunc.parametrize("any_fly", SERVERS, indirect=True)


@pytest.fixture
def fly(tmp_path: Path) -> Iterator[FlyWorld]:
    """Give a stand-in for Fly without apps."""
    with make_world(tmp_path / "fly", SERVERS[0]) as world:
        yield world


@pytest.fixture
def any_fly(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FlyWorld]:
    """Give a stand-in for Fly without apps, with each of the SSH servers in turn."""
    with make_world(tmp_path / "fly", request.param) as world:
        yield world


@pytest.fixture
def new_database(embedded: Server) -> Iterator[Callable[[], Database]]:
    """Give a function that makes an empty database: one for each of several apps."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(fresh_database(embedded))
