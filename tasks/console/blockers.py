"""The formatter of who blocks whom: each blocker, and below it the sessions that wait for it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from tasks.console.cells import clean
from tasks.console.lines import (
    INDENT,
    Line,
    count,
    format_active_run,
    format_database,
    format_seconds,
    format_session,
    format_time,
    hang,
)
from tasks.postgres.quoting import show_literal
from tasks.runner.command_lines import compose_command

if TYPE_CHECKING:
    from tasks.console.lines import (
        Role,
        Style,
    )
    from tasks.runner.events import BlockersRead, LockSession, PreparedTransaction, SessionEnded

_HIDDEN = "<insufficient privilege>"
"""What the server has in the place of a query that the role may not see."""
_MORE = "What the sessions of other roles run is not shown to this role; it is to members of pg_read_all_stats."

_WAITS: tuple[str, Role] = ("⏳", "warn")
_BLOCKS: tuple[str, Role] = ("⛔", "bad")


def format_blockers(event: BlockersRead, _style: Style) -> list[Line]:
    """Return the lines for the sessions that block others, with how to end them, and below each those that wait for it."""
    waiting = sum(bool(each.waits_for) for each in event.sessions)
    waits = f"{count(waiting, 'session')} {'waits' if waiting == 1 else 'wait'}" if waiting else "no session waits"
    lines = [Line(f"{format_database(event.environment, event.database)}: {waits} for a lock", "head")]
    if event.run:
        lines += format_active_run(event.run, event.environment)
    tree = _Tree(event)
    for root in tree.list_roots():
        lines += [Line(""), *tree.format_session(root, 0)]
    for transaction in event.prepared:
        lines += [Line(""), *tree.format_prepared(transaction)]
    for each in event.sessions:
        # Sessions that wait for each other, and those whose blocker has ended in the meantime.
        if each.waits_for and each.session.pid not in tree.shown:
            lines += [Line(""), *tree.format_session(each, 0)]
    is_hidden = any(each.session.query == _HIDDEN for each in event.sessions)
    return [*lines, Line(""), *hang("ℹ️  ", _MORE, "dim")] if is_hidden else lines


def format_ended(event: SessionEnded, _style: Style) -> list[Line]:
    """Return the line for a session that was ended."""
    return [Line(f"✅ Ended pid {event.pid}", "good")]


class _Tree:
    """The sessions of an event, by the session that blocks them."""

    def __init__(self, event: BlockersRead) -> None:
        self._event = event
        self._sessions = {each.session.pid: each for each in event.sessions}
        self._waiting: dict[int, list[LockSession]] = defaultdict(list)
        for each in event.sessions:
            for pid in each.waits_for:
                self._waiting[pid].append(each)
        self.shown: set[int] = set()

    def list_roots(self) -> list[LockSession]:
        """Return the sessions that block others and wait for none."""
        return [each for each in self._event.sessions if not each.waits_for and each.session.pid in self._waiting]

    def format_session(self, each: LockSession, depth: int) -> Iterator[Line]:
        """Yield the lines of a session, and of those that wait for it; a session that is shown above gets one line."""
        indent, pid = INDENT * depth, each.session.pid
        if pid in self.shown:
            yield Line(f"{indent}⏳ pid {pid} waits for this session too: see above", "warn")
            return
        self.shown.add(pid)
        waiting = self._waiting.get(pid, [])
        facts = [self._describe_wait(each)] if each.waits_for else []
        facts += [f"blocks {count(len(waiting), 'session')}"] if waiting else []
        sign, role = _WAITS if each.waits_for else _BLOCKS
        yield Line(f"{indent}{sign} {format_session(each.session, query=False)} {', '.join(facts)}".rstrip(), role)
        if each.session.query.strip() and each.session.query != _HIDDEN:
            label = "Runs: " if each.session.state == "active" else "Last statement: "
            yield Line(f"{indent}{INDENT}{label}{clean(each.session.query)}")
        if waiting:
            yield from hang(f"{indent}{INDENT}Next:  ", self._describe_end(each))
        for following in waiting:
            yield from self.format_session(following, depth + 1)

    def format_prepared(self, transaction: PreparedTransaction) -> Iterator[Line]:
        """Yield the lines of a prepared transaction, and of the sessions that wait for it."""
        name = show_literal(transaction.name)
        blocked = count(len(transaction.blocked), "session")
        owner = f"of {clean(transaction.owner)}, since {format_time(transaction.since)} UTC"
        yield Line(f"⛔ the prepared transaction {name} ({owner}) blocks {blocked}", "bad")
        yield from hang(f"{INDENT}Next:  ", f"ROLLBACK PREPARED {name};\nor, if it is complete: COMMIT PREPARED {name};")
        for pid in transaction.blocked:
            if pid in self._sessions:
                yield from self.format_session(self._sessions[pid], 1)

    def _describe_wait(self, each: LockSession) -> str:
        seconds = _count_seconds(each.waits_since, self._event.at)
        time = f" {format_seconds(seconds)}" if seconds else ""
        return f"has waited{time} for {clean(each.mode)} on {clean(each.target)}"

    def _describe_end(self, each: LockSession) -> str:
        """Return how a session is ended: by this command only if its role is that of the command."""
        pid = each.session.pid
        statement = f"SELECT pg_terminate_backend({pid});"
        if each.own:
            return f"{compose_command('db.blockers', f'--kill={pid}', env=self._event.environment)}\nor in SQL: {statement}"
        return f"as {clean(each.session.user) or 'the owner of the server'} or as a superuser: {statement}"


def _count_seconds(since: str, now: str) -> int:
    """Return the whole seconds between two times of the server, 0 if one of them is unknown."""
    try:
        return max(round((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds()), 0)
    except (TypeError, ValueError):
        return 0
