"""The running proxies of a stand-in, which a test can kill and freeze."""

import json
from dataclasses import dataclass

import psutil

from tests.kit.fly.state import FlyState
from tests.kit.processes import end_processes, freeze, is_running


@dataclass(frozen=True)
class Proxy:
    """A running `fly proxy`: its process, its local port, its app and the address that it forwards to."""

    pid: int
    port: int
    app: str
    host: str

    def kill(self) -> None:
        """Kill the process and wait for its end."""
        end_processes([psutil.Process(self.pid)])

    def freeze(self) -> None:
        """Stop the process; its connections stay open."""
        freeze(self.pid)


def find_proxies(state: FlyState) -> list[Proxy]:
    """Return the running proxies of a stand-in."""
    started = [Proxy(**json.loads(path.read_text())) for path in sorted(state.proxies.glob("*.json"))]
    return [proxy for proxy in started if _runs(proxy, state)]


def _runs(proxy: Proxy, state: FlyState) -> bool:
    try:
        process = psutil.Process(proxy.pid)
        return is_running(process) and str(state.folder) in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
