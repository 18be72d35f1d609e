"""Heartbeats between events, for a reader whose connection may be frozen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.runner.events import Event


@contextmanager
def send_heartbeats(write: Callable[[Event], None], every_s: float) -> Iterator[Callable[[Event], None]]:
    """Yield a function that writes events; a Heartbeat is written beside them every `every_s` seconds, none for 0."""
    if not every_s:
        yield write
        return
    from tasks.runner.events import Heartbeat

    lock, ended = threading.Lock(), threading.Event()

    def write_alone(event: Event) -> None:
        with lock:
            write(event)

    def work() -> None:
        while not ended.wait(every_s):
            write_alone(Heartbeat())

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield write_alone
    finally:
        ended.set()
        worker.join()
