"""A sign of life between events, for a reader whose connection may be frozen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tasks.runner.events import Event, Heartbeat


@contextmanager
def beat(write: Callable[[Event], None], every_s: float) -> Iterator[Callable[[Event], None]]:
    """Give a way to tell events, beside which a Heartbeat is told every so many seconds; 0 tells none."""
    if not every_s:
        yield write
        return
    lock, ended = threading.Lock(), threading.Event()

    def tell_alone(event: Event) -> None:
        with lock:
            write(event)

    def work() -> None:
        while not ended.wait(every_s):
            tell_alone(Heartbeat())

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield tell_alone
    finally:
        ended.set()
        worker.join()
