"""The proxies that run, to be killed and frozen."""

import json
from dataclasses import dataclass

import psutil

from tests.kit.fly.state import State
from tests.kit.processes import end_processes, freeze, is_running, thaw


@dataclass(frozen=True)
class Proxy:
    """A `fly proxy` that runs: its process, its local port, and where it leads."""

    pid: int
    port: int
    app: str
    host: str

    def kill(self) -> None:
        """Kill it and wait for its end."""
        end_processes([psutil.Process(self.pid)])

    def freeze(self) -> None:
        """Stop it; what it is told and has to say waits."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let it go on."""
        thaw(self.pid)


def find_proxies(state: State) -> list[Proxy]:
    """Return the proxies of a stand-in that still run."""
    started = [Proxy(**json.loads(path.read_text())) for path in sorted(state.proxies.glob("*.json"))]
    return [proxy for proxy in started if _runs(proxy, state)]


def _runs(proxy: Proxy, state: State) -> bool:
    try:
        process = psutil.Process(proxy.pid)
        return is_running(process) and str(state.folder) in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False
