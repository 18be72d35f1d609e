"""Which statement of a migration breaks a query: its statements are replayed on scratch up to the one that does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from tasks.compat.model import CheckedQuery
from tasks.compat.preparing import open_preparer
from tasks.postgres.masking import mask_secrets
from tasks.postgres.tokens import BLANKS, tokenize
from tasks.rehearsal.model import RehearsedMigration
from tasks.rehearsal.replay.replay import run_migration, state_after
from tasks.rehearsal.scratch.server import ScratchServer
from tasks.runner.errors import RunnerError
from tasks.runner.parsing import Statement

_MOST_TRIALS = 40


@dataclass(frozen=True, slots=True)
class Culprit:
    """The statement that breaks a query: its line, its text, and the name of its parse node."""

    line: int = 0
    text: str = ""
    kind: str = ""


NOT_FOUND = Culprit()


class _Search:
    """The search in one migration, which replays the beginnings of its text."""

    def __init__(
        self,
        server: ScratchServer,
        before: Sequence[RehearsedMigration],
        migration: RehearsedMigration,
        types: dict[CheckedQuery, tuple[int, ...]],
        timeout_s: float | None,
    ) -> None:
        self._server, self._before, self._migration = server, before, migration
        self._types, self._timeout_s = types, timeout_s
        self._trials = 0
        self.statements: Sequence[Statement] = migration.make_step("up").script.statements

    def find(self, low: int, high: int, queries: Sequence[CheckedQuery]) -> Iterator[tuple[CheckedQuery, int]]:
        """Yield for each query the number of the statement that breaks it; none of the first `low` does, one of `high` does."""
        if not queries:
            return
        if high - low == 1:
            yield from ((query, high) for query in queries)
            return
        middle = (low + high) // 2
        broken = self._find_broken(middle, queries)
        if broken is None:
            return
        yield from self.find(low, middle, [query for query in queries if query in broken])
        yield from self.find(middle, high, [query for query in queries if query not in broken])

    def _find_broken(self, number: int, queries: Sequence[CheckedQuery]) -> set[CheckedQuery] | None:
        """Return which queries the first statements break; None if that cannot be known."""
        self._trials += 1
        if self._trials > _MOST_TRIALS:
            return None
        part = replace(self._migration, up=self._cut(number), down=None, checksum="")
        try:
            with state_after(self._server, self._before, timeout_s=self._timeout_s) as scratch:
                if run_migration(scratch, part, "up", timeout_s=self._timeout_s) is not None:
                    return None
                with open_preparer(scratch.url, self._types) as preparer:
                    return {query for query, each in preparer.prepare(queries).items() if each.problem is not None}
        except RunnerError:
            return None

    def _cut(self, number: int) -> str:
        """Return the text with the first statements only: its directives, and not its BEGIN and COMMIT."""
        head = takewhile(lambda token: token.kind in BLANKS, tokenize(self._migration.up))
        return "".join([token.text for token in head] + [_write(statement) for statement in self.statements[:number]])


def _write(statement: Statement) -> str:
    data = "" if statement.copy_data is None else f"{statement.data.rstrip()}\n\\.\n"
    return f"{statement.text};\n{data}"


def find_culprits(
    server: ScratchServer,
    before: Sequence[RehearsedMigration],
    migration: RehearsedMigration,
    queries: Sequence[CheckedQuery],
    types: dict[CheckedQuery, tuple[int, ...]],
    *,
    timeout_s: float | None = None,
) -> Mapping[CheckedQuery, Culprit]:
    """Return the statement that breaks each query in a migration after others; NOT_FOUND where that cannot be found out."""
    search = _Search(server, before, migration, types, timeout_s)
    statements = search.statements
    found = dict.fromkeys(queries, NOT_FOUND)
    for query, number in search.find(0, len(statements), list(dict.fromkeys(queries))) if statements else ():
        statement = statements[number - 1]
        found[query] = Culprit(statement.line, mask_secrets(statement.text), statement.kind)
    return found
