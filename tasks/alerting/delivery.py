"""Send messages through apprise, each address in a thread of its own."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from apprise import AppriseResult

SEND_DEADLINE_S = 10.0
"""How long the end of a run may be delayed by services that do not answer."""

_LONGEST_WAIT_S = 0.5
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*(?=://)", re.IGNORECASE)
_STATUS = re.compile(r"\berror=(\d{3})\b")
_loading, _loaded = threading.Lock(), threading.Event()


class Sending:
    """A message that is being sent to several addresses at once; sending starts with the constructor.

    The threads are daemons, and apprise may not start others: a service that never answers must not delay the exit of the
    process.
    """

    def __init__(self, urls: Sequence[str], title: str, body: str, kind: str) -> None:
        self._faults: dict[int, str] = {}
        self._urls = urls
        self._message = (title, body, kind)
        self._threads = [threading.Thread(target=self._send, args=(index,), daemon=True) for index in range(len(urls))]
        for thread in self._threads:
            thread.start()

    def finish(self, deadline_s: float = SEND_DEADLINE_S) -> bool:
        """Wait for the answers and name the addresses that failed on stderr; return True if all were reached.

        The deadline is that of the services: the time in which apprise is loaded, long on a busy machine, does not count. Ctrl-C
        ends the waiting and nothing else.
        """
        with suppress(KeyboardInterrupt):
            while any(thread.is_alive() for thread in self._threads) and not _loaded.wait(_LONGEST_WAIT_S):
                continue
            end = time.monotonic() + deadline_s
            for thread in self._threads:
                while thread.is_alive() and (left := end - time.monotonic()) > 0:
                    # A Ctrl-C that comes just before the waiting begins is noticed only after it.
                    thread.join(min(left, _LONGEST_WAIT_S))
        faults = [self._faults.get(index, "no answer yet") for index in range(len(self._urls))]
        for index, fault in enumerate(faults):
            if fault:
                print(f"⚠️  The alert could not be sent to {self._name(index)}: {fault}", file=sys.stderr)
        return not any(faults)

    def _send(self, index: int) -> None:
        try:
            self._faults[index] = notify(self._urls[index], *self._message)
        except Exception as error:
            self._faults[index] = type(error).__name__

    def _name(self, index: int) -> str:
        """Return the name of an address without its secrets, which can be anything but the scheme."""
        scheme = _SCHEME.match(self._urls[index])
        place = f" ({index + 1} of {len(self._urls)})" if len(self._urls) > 1 else ""
        return f"{scheme[0]}://…{place}" if scheme else f"an address without a scheme://{place}"


def notify(url: str, title: str, body: str, kind: str) -> str:
    """Send a message to one address; return the error, or an empty text."""
    with _loading:
        from apprise import Apprise, AppriseAsset, NotifyFormat, NotifyType

        sender = Apprise(asset=AppriseAsset(async_mode=False, service_timeout=0))
        known = sender.add(url)
        _loaded.set()
    if not known:
        return "apprise does not know this kind of address"
    types = {"failed": NotifyType.FAILURE, "waits": NotifyType.WARNING}
    result = sender.notify(title=title, body=body, notify_type=types.get(kind, NotifyType.INFO), body_format=NotifyFormat.TEXT)
    return "" if result else _explain(result)


def _explain(result: AppriseResult) -> str:
    """Return the HTTP status from the log of apprise; the rest of it may quote an address."""
    found = next((match for entry in result.logs() if (match := _STATUS.search(entry.message))), None)
    return f"HTTP {found[1]}" if found else "no connection, or no answer"
